"""Zones over the API: how they are, their records, import and export."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import an_order, deployed, rows
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.store.zone_models import Zone, ZoneAnswer
from tests.integration.api.test_api_document import conforms

SHOP = {"name": "shop", "type": "A", "value": "192.0.2.80", "ttl": 300}


@pytest.fixture
def live(client: TestClient, filled: Fleet) -> TestClient:
    """A service that is there, with its zone."""
    client.post("/services", json=an_order())
    deployed(filled)
    return client


def test_records_come_from_the_template_and_from_people(live: TestClient) -> None:
    answer = live.post("/zones/example.com/records", json=SHOP, headers={"Idempotency-Key": "shop"})
    assert answer.status_code == 201, answer.text
    conforms(answer, "post", "/zones/{id}/records")
    record = answer.json()
    assert record["links"]["self"] == answer.headers["location"] == "/api/v1/zones/1/records/1"
    again = live.post("/zones/example.com/records", json=SHOP, headers={"Idempotency-Key": "shop"})
    assert again.json() == record
    assert live.get("/zones/1/records/1").json() == record
    live.post("/zones/1/records", json={"name": "www.example.com.", "type": "cname", "value": "shop"})
    zone = live.get("/zones/example.com")
    conforms(zone, "get", "/zones/{id}")
    found = {(one["name"], one["type"]): one for one in zone.json()["records"]}
    assert (found["shop", "A"]["origin"], found["shop", "A"]["id"], found["shop", "A"]["ttl"]) == ("staff", 1, 300)
    assert found["www", "CNAME"]["value"] == "shop.example.com."
    assert ("www", "A") not in found
    mx = found["@", "MX"]
    assert (mx["origin"], mx["id"], mx["priority"], mx["ttl"]) == ("template", None, 10, 3600)
    assert {"@ CAA", "ftp AAAA"} <= {f"{one['name']} {one['type']}" for one in zone.json()["left_out"]}
    assert zone.json()["up_to_date"] is False
    assert {server["state"] for server in zone.json()["servers"]} == {"waiting"}


def test_a_record_is_changed_and_taken_away(live: TestClient) -> None:
    live.post("/zones/example.com/records", json={"name": "@", "type": "MX", "value": "mx.test.", "priority": 5})
    changed = live.patch("/zones/example.com/records/1", json={"name": "shop", "type": "A", "value": "192.0.2.80"})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["priority"], changed.json()["ttl"]) == (None, None)
    assert live.patch("/zones/example.com/records/1", json={"ttl": 60}).json()["ttl"] == 60
    assert live.patch("/zones/example.com/records/1", json={"ttl": None}).json()["value"] == "192.0.2.80"
    assert [record["id"] for record in live.get("/zones/example.com/records").json()["items"]] == [1]
    assert live.delete("/zones/example.com/records/1").json()["name"] == "shop"
    for missing in ("1", "none", "99999999999999999999"):
        assert live.get(f"/zones/example.com/records/{missing}").status_code == 404
        assert live.patch(f"/zones/example.com/records/{missing}", json={"ttl": 60}).status_code == 404
        assert live.delete(f"/zones/example.com/records/{missing}").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "other.org."}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "$(id)"}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"type": "SOA"}, "type"),
        ({"type": "NAPTR"}, "type"),
        ({"type": ""}, "type"),
        ({"name": "@", "type": "NS", "value": "ns.other.org."}, "type"),
        ({"value": ""}, "value"),
        ({"value": "192.0.2.256"}, "value"),
        ({"value": "1.2.3.4\n@ IN NS evil."}, "value"),
        ({"type": "TXT", "value": 'a"; $(rm -rf /)'}, "value"),
        ({"type": "TXT", "value": "x" * 5000}, "value"),
        ({"type": "CNAME", "name": "@", "value": "other.org."}, "name"),
        ({"priority": 10}, "priority"),
        ({"type": "MX", "value": "mx.other.org.", "priority": 70000}, "priority"),
        ({"type": "MX", "value": "mx.other.org.", "priority": "10"}, "priority"),
        ({"ttl": 1}, "ttl"),
        ({"ttl": 10**30}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_bad_record_is_refused(live: TestClient, filled: Fleet, change: dict[str, Any], field: str) -> None:
    live.post("/zones/example.com/records", json={"name": "mine", "type": "A", "value": "192.0.2.9"})
    before = rows(filled)
    for method, path in (("POST", "/zones/1/records"), ("PATCH", "/zones/1/records/1")):
        answer = live.request(method, path, json=SHOP | change)
        assert answer.status_code == 422, answer.text
        assert field in {error["field"] for error in answer.json()["errors"]}
    assert rows(filled) == before


def test_what_nameservers_answered(live: TestClient, filled: Fleet) -> None:
    assert [zone["agrees"] for zone in live.get("/zones").json()["items"]] == [None]
    with filled.database.write() as session:
        zone = session.get_one(Zone, 1)
        zone.agrees = False
        servers = {"serial": 5, "records": 19}
        session.add(ZoneAnswer(zone_id=1, server_id=4, agrees=True, **servers))
        session.add(ZoneAnswer(zone_id=1, server_id=5, agrees=False, problems=["www A is missing"], **servers))
    zone_shown = live.get("/zones/1").json()
    assert zone_shown["problems"] == ["ns2: www A is missing"]
    assert zone_shown["serial"] == 5
    states = {server["server"]: (server["state"], server["answer"]["agrees"]) for server in zone_shown["servers"]}
    assert states == {"ns1": ("agrees", True), "ns2": ("differs", False)}
    for query, count in (
        ("state=differs", 1),
        ("state=agrees", 0),
        ("state=agrees&server=ns1", 1),
        ("server=ns2&state=differs", 1),
        ("search=EXAMPLE", 1),
        ("search=nothing", 0),
        ("sort=-checked", 1),
    ):
        assert live.get(f"/zones?{query}").json()["page"]["total"] == count, query
    assert live.get("/zones?server=none").status_code == 404
    assert live.get("/zones?state=happy").status_code == 422
    due = live.post("/zones/1/check")
    assert due.status_code == 202
    with filled.database.read() as session:
        assert session.get_one(Zone, 1).check_due_at is not None


def test_import_and_export(live: TestClient, filled: Fleet) -> None:
    text = "$TTL 300\nshop IN A 192.0.2.80\nshop IN A 192.0.2.81\n@ IN NS ns.other.org.\nmail 60 MX 10 mx.other.org.\n"
    before = rows(filled)
    preview = live.post("/zones/example.com/import", json={"text": text, "preview": True})
    conforms(preview, "post", "/zones/{id}/import")
    shown = preview.json()
    assert [(one["name"], one["type"], one["priority"], one["ttl"]) for one in shown["records"]] == [
        ("shop", "A", None, 300),
        ("shop", "A", None, 300),
        ("mail", "MX", 10, 60),
    ]
    assert len(shown["skipped"]) == 1
    wrong = live.post("/zones/example.com/import", json={"text": "shop A nonsense", "preview": True}).json()
    assert wrong["problems"][0]["line"] == "line 1"
    for bad in ("shop A nonsense", "", "; nothing\n", "$INCLUDE /etc/passwd\n", "a" * 2_000_000):
        refused = live.post("/zones/example.com/import", json={"text": bad})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["field"] == "text"
    assert rows(filled) == before
    done = live.post("/zones/example.com/import", json={"text": text})
    assert done.status_code == 200, done.text
    assert {one["origin"] for one in live.get("/zones/1/records").json()["items"]} == {"import"}
    live.post("/zones/example.com/import", json={"text": "new A 192.0.2.90", "replace": True})
    assert [one["name"] for one in live.get("/zones/1/records").json()["items"]] == ["new"]
    exported = live.get("/zones/example.com/export")
    assert exported.headers["content-type"] == "text/dns; charset=utf-8"
    assert exported.text.startswith("$ORIGIN example.com.\n")
    assert "new\t3600\tIN\tA\t192.0.2.90\n" in exported.text


def test_the_template_of_one_zone(live: TestClient, filled: Fleet) -> None:
    lines = [{"name": "@", "type": "NS", "value": "{ns1}."}, {"name": "@", "type": "A", "value": "{server_ip}"}]
    live.post("/zone-templates", json={"name": "Bare", "records": lines})
    chosen = live.put("/zones/example.com/template", json={"zone_template": "Bare"})
    assert chosen.status_code == 202, chosen.text
    zone = chosen.json()
    assert (zone["template"], zone["zone_template"]["name"]) == ("Bare", "Bare")
    assert [(one["type"], one["value"]) for one in zone["records"]] == [("NS", "ns1.fleet.test."), ("A", "192.0.2.1")]
    before = rows(filled)
    for bad in ("none", 999, "", " ", True, {}, "a\nb"):
        refused = live.put("/zones/example.com/template", json={"zone_template": bad})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "zone_template"), bad
    assert rows(filled) == before
    assert live.put("/zones/1/template", json={"zone_template": None}).json()["template"] == "Built-in"


def test_a_zone_that_cannot_be_changed_now(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order())
    client.post("/services/example.com/terminate")
    before = rows(filled)
    answer = client.post("/zones/example.com/records", json=SHOP)
    assert answer.status_code == 409
    assert "terminating" in answer.json()["detail"]
    assert rows(filled) == before
    assert client.post("/zones/redeploy", json={"zones": []}).status_code == 422
    assert client.get("/zones/none.example").status_code == 404
