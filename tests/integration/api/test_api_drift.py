"""Drift checks over the API."""

from __future__ import annotations

from starlette.testclient import TestClient

from controller.domain.words import Reason, ServiceStatus
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Pipeline, Service
from controller.store.work_models import LongRun
from tests.integration.api.api_world import an_order


def found_one(client: TestClient, fleet: Fleet) -> int:
    """A check that is over and found the service of an order to differ."""
    client.post("/services", json=an_order())
    with fleet.database.write() as session:
        session.get_one(Service, 1).status = ServiceStatus.ACTIVE
        pipeline = Pipeline(service_id=1, reason=Reason.VERIFY, finished_at=utcnow())
        session.add(pipeline)
        session.flush()
        thing = {"action": "web.domain", "server": "web01", "target": "example.com", "lines": ["is missing"]}
        entry = {"service_id": 1, "domain": "example.com", "pipeline_id": pipeline.id, "differences": [thing]}
        report = {"open": [], "differing": [entry]}
        run = LongRun(kind="drift-check", title="x", total=1, done=1, found=1, finished_at=utcnow(), report=report)
        session.add(run)
        session.flush()
        return run.id


def test_start_look_and_cancel(client: TestClient) -> None:
    client.post("/services", json=an_order())
    started = client.post("/drift-checks", headers={"Idempotency-Key": "k"})
    assert started.status_code == 202
    run = started.json()
    assert started.headers["location"] == f"/api/v1/drift-checks/{run['id']}"
    again = client.post("/drift-checks", headers={"Idempotency-Key": "k"})
    assert again.headers["idempotency-replayed"] == "true"
    listed = client.get("/drift-checks").json()
    assert [one["id"] for one in listed["items"]] == [run["id"]]
    if client.get(f"/drift-checks/{run['id']}").json()["finished_at"] is None:
        assert client.post("/drift-checks").status_code == 409
        assert client.post(f"/drift-checks/{run['id']}/cancel").json()["cancelled"] is True
    assert client.post(f"/drift-checks/{run['id']}/cancel").status_code == 409
    assert client.get("/drift-checks?page=9").json()["items"] == []
    for wrong in ("999", "x", "²"):
        assert client.get(f"/drift-checks/{wrong}").status_code == 404


def test_what_differs_is_shown_and_repaired(client: TestClient, filled: Fleet) -> None:
    run_id = found_one(client, filled)
    (service,) = client.get(f"/drift-checks/{run_id}").json()["services"]
    assert service["domain"] == "example.com"
    assert service["differences"][0]["lines"] == ["is missing"]
    repaired = client.post(f"/drift-checks/{run_id}/repair")
    assert (repaired.status_code, repaired.json()) == (202, {"started": 1, "skipped": {}})
    again = client.post(f"/drift-checks/{run_id}/repair").json()
    assert again == {"started": 0, "skipped": {"example.com": "changed since"}}


def test_nothing_to_repair_is_refused(client: TestClient, filled: Fleet) -> None:
    with filled.database.write() as session:
        run = LongRun(kind="drift-check", title="x", finished_at=utcnow(), report={})
        session.add(run)
        session.flush()
        run_id = run.id
    assert client.post(f"/drift-checks/{run_id}/repair").status_code == 409
