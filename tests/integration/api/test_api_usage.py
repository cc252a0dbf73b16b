"""What services use, over the API."""

from __future__ import annotations

import datetime as dt

import pytest
from api_world import an_order, deployed
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.fleet_models import ServiceUsage, UsageSample
from tests.integration.api.test_api_document import conforms


@pytest.fixture
def used(client: TestClient, filled: Fleet) -> TestClient:
    """A service that is nearly full, and one that was never looked at."""
    for domain in ("full.example", "new.example"):
        client.post("/services", json=an_order(domain))
    deployed(filled)
    today = utcnow().date()
    with filled.database.write() as session:
        session.add(ServiceUsage(service_id=1, web_disk=1900, mail_accounts=1))
        for days in (0, 1, 40):
            session.add(UsageSample(service_id=1, day=today - dt.timedelta(days=days), web_disk=1900 - days))
    return client


def test_the_list(used: TestClient) -> None:
    listed = used.get("/usage")
    conforms(listed, "get", "/usage")
    full, new = listed.json()["items"]
    assert (full["service"]["name"], full["figures"]["web_disk"]) == ("full.example", {"used": 1900, "limit": 2000})
    assert (new["at"], new["figures"]["web_disk"]["used"]) == (None, 0)

    def names(query: str) -> list[str]:
        return [item["service"]["name"] for item in used.get(f"/usage?{query}").json()["items"]]

    assert names("nearly_full=true") == ["full.example"]
    assert names("search=new") == ["new.example"]
    assert names("sort=-web_disk") == ["full.example", "new.example"]
    assert names("server=mx01&product=Hosting&per_page=1&page=2") == ["new.example"]
    assert names("page=9") == []
    assert used.get("/usage?server=none").status_code == used.get("/usage?product=none").status_code == 404
    for wrong in ("sort=price", "nearly_full=perhaps", "colour=blue", "per_page=1000"):
        assert used.get(f"/usage?{wrong}").status_code == 422


def test_one_service(used: TestClient) -> None:
    answer = used.get("/services/full.example/usage")
    conforms(answer, "get", "/services/{id}/usage")
    assert [day["web_disk"] for day in answer.json()["history"]] == [1899, 1900]
    assert len(used.get("/services/1/usage?days=90").json()["history"]) == 3
    assert used.get("/services/2/usage").json()["history"] == []
    assert used.get("/services/1/usage?days=0").status_code == 422


def test_collecting(used: TestClient) -> None:
    everything = used.post("/usage/refresh")
    assert everything.status_code == 202
    assert {result["action"] for result in everything.json()["results"]} == {"server.usage"}
    assert used.post("/usage/refresh").status_code == 409
    one = used.post("/services/full.example/usage/refresh").json()
    assert {result["action"] for result in one["results"]} == {"server.recount"}
    assert used.post("/services/none.example/usage/refresh").status_code == 404
