"""Zone templates over the API."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import an_order, deployed, rows
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from tests.integration.api.test_api_document import conforms

LINE = {"name": "www", "type": "A", "value": "{server_ip}"}


def test_the_built_in_template_is_first_and_stays(client: TestClient, filled: Fleet) -> None:
    listed = client.get("/zone-templates").json()["items"]
    assert [(one["id"], one["name"], one["is_default"]) for one in listed] == [(None, "Built-in", True)]
    built_in = client.get("/zone-templates/built-in")
    conforms(built_in, "get", "/zone-templates/{id}")
    assert len(built_in.json()["records"]) == listed[0]["lines"]
    before = rows(filled)
    assert client.patch("/zone-templates/built-in", json={"name": "Mine"}).status_code == 409
    assert client.delete("/zone-templates/built-in").status_code == 409
    assert rows(filled) == before
    placeholders = {one["name"] for one in client.get("/zone-placeholders").json()["items"]}
    assert {"{domain}", "{server_ip}", "{domainkey}"} <= placeholders


def test_the_life_of_a_template(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order())
    deployed(filled)
    made = client.post("/zone-templates", json={"name": "Copy"}, headers={"Idempotency-Key": "copy"})
    assert made.status_code == 201
    template = made.json()
    assert template["records"] == client.get("/zone-templates/built-in").json()["records"]
    again = client.post("/zone-templates", json={"name": "Copy"}, headers={"Idempotency-Key": "copy"})
    assert again.json() == template
    assert client.post("/zone-templates", json={"name": "Copy"}).status_code == 409
    changed = client.patch("/zone-templates/Copy", json={"records": [LINE]}).json()
    assert (changed["name"], len(changed["records"]), changed["zones"]) == ("Copy", 1, 0)
    assert client.post("/zone-templates/Copy/redeploy").status_code == 409
    assert client.post("/zone-templates/Copy/default").json()["is_default"] is True
    listed = client.get("/zone-templates").json()["items"]
    assert [(one["name"], one["is_default"], one["zones"]) for one in listed] == [
        ("Built-in", False, 0),
        ("Copy", True, 1),
    ]
    run = client.post("/zone-templates/Copy/redeploy")
    assert (run.status_code, run.json()["total"]) == (202, 1)
    assert client.delete("/zone-templates/Copy").status_code == 409
    assert client.post("/zone-templates/built-in/default").json()["is_default"] is True
    assert client.delete("/zone-templates/Copy").json()["name"] == "Copy"
    assert client.get("/zone-templates/Copy").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "5"}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"name": "<b>"}, "name"),
        ({"name": None}, "name"),
        ({"description": "a\u0000b"}, "description"),
        ({"description": "x" * 2000}, "description"),
        ({"records": []}, "records"),
        ({"records": [LINE] * 600}, "records"),
        ({"records": "www A"}, "records"),
        ({"records": [LINE, LINE | {"value": "nonsense"}]}, "records.1.value"),
        ({"records": [LINE | {"value": "{server ip}"}]}, "records.0.value"),
        ({"records": [LINE | {"type": "{type}"}]}, "records.0.type"),
        ({"records": [LINE | {"name": "a b"}]}, "records.0.name"),
        ({"records": [LINE | {"ttl": 1}]}, "records.0.ttl"),
        ({"records": [LINE | {"ttl": "60"}]}, "records.0.ttl"),
        ({"records": [LINE | {"priority": 5}]}, "records.0.priority"),
        ({"records": [LINE | {"colour": "blue"}]}, "records.0.colour"),
        ({"records": [{"name": "www"}]}, "records.0.type"),
        ({"records": [5]}, "records.0"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_bad_template_is_refused(client: TestClient, filled: Fleet, body: dict[str, Any], field: str) -> None:
    client.post("/zone-templates", json={"name": "There", "records": [LINE]})
    before = rows(filled)
    for method, path in (("POST", "/zone-templates"), ("PATCH", "/zone-templates/There")):
        answer = client.request(method, path, json={"name": "Mine", "records": [LINE]} | body)
        assert answer.status_code == 422, answer.text
        assert field in {error["field"] for error in answer.json()["errors"]}
    assert rows(filled) == before
