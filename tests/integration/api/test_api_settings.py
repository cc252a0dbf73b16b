"""Settings, periodic jobs and the operation log over the API."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import an_order, rows
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from controller.domain.options import BY_NAME
from controller.engine.fleet import Fleet
from controller.operations import settings
from controller.store.base import utcnow
from controller.store.models import OperationLog
from controller.store.work_models import Job
from tests.integration.api.test_api_document import conforms


def test_all_settings(client: TestClient, filled: Fleet) -> None:
    answer = client.get("/settings")
    conforms(answer, "get", "/settings")
    assert set(answer.json()) == {"environment", *BY_NAME}
    assert answer.json()["environment"]["workers"] == filled.settings.workers
    for section in BY_NAME:
        assert client.get(f"/settings/{section}").json() == answer.json()[section]
    assert client.get("/settings/nonsense").status_code == 404


@pytest.mark.parametrize(
    ("section", "body", "shown"),
    [
        ("retries", {"classes": {"busy": {"attempts": 12, "delay": 1.5}}}, ("classes", "busy", "attempts")),
        ("retention", {"activity": 12}, ("activity",)),
        ("drift", {"enabled": False, "hour": 12}, ("hour",)),
        ("tickets", {"email_to": ["a@example.net"]}, ("email_to",)),
        ("mail", {"host": "mx.example.net", "sender": "a@example.net", "port": 12}, ("port",)),
    ],
)
def test_a_change_and_back(
    client: TestClient, filled: Fleet, section: str, body: dict[str, Any], shown: tuple[str, ...]
) -> None:
    before = client.get(f"/settings/{section}").json()
    answer = client.patch(f"/settings/{section}", json=body)
    assert answer.status_code == 200, answer.text
    conforms(answer, "patch", f"/settings/{section}")
    value = answer.json()
    for name in shown:
        value = value[name]
    assert value in (12, ["a@example.net"])
    assert client.get(f"/settings/{section}").json() == answer.json()
    again = client.post(f"/settings/{section}/reset")
    conforms(again, "post", f"/settings/{section}/reset")
    assert again.json() == before


@pytest.mark.parametrize(
    ("section", "body", "field"),
    [
        ("retries", {"classes": {"busy": {"attempts": "12"}}}, "classes.busy.attempts"),
        ("retries", {"classes": {"bad_argument": {"attempts": 2}}}, "classes.bad_argument.attempts"),
        ("retries", {"classes": {"busy": {"delay": 500}}}, "classes.busy.delay"),
        ("retention", {"activity": 0}, "activity"),
        ("retention", {"activity": None}, "activity"),
        ("retention", {"nonsense": 1}, "nonsense"),
        ("drift", {"enabled": "yes"}, "enabled"),
        ("tickets", {"email_to": "a@example.net, nonsense"}, "email_to"),
        ("mail", {"security": "ssl"}, "security"),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(
    client: TestClient, filled: Fleet, section: str, body: dict[str, Any], field: str
) -> None:
    before = rows(filled)
    answer = client.patch(f"/settings/{section}", json=body)
    assert answer.status_code == 422
    conforms(answer, "patch", f"/settings/{section}")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert rows(filled) == before


def test_what_is_shown_can_be_sent_back(client: TestClient, filled: Fleet) -> None:
    settings.change(
        filled, "o", "mail", {"host": "mx.example.net", "sender": "a@example.net", "password": "s3cret word"}
    )
    before = rows(filled)
    for section in BY_NAME:
        shown = client.get(f"/settings/{section}").json()
        assert "s3cret" not in str(shown)
        assert client.patch(f"/settings/{section}", json=shown).json() == shown
    assert rows(filled) == before
    assert client.patch("/settings/mail", json={"password": None}).json()["password"] == "not set"


def test_who_may_only_read_changes_nothing(reader: TestClient, filled: Fleet) -> None:
    assert reader.get("/settings/retention").status_code == 200
    assert reader.get("/operation-log").status_code == 200
    before = rows(filled)
    assert reader.patch("/settings/retention", json={"activity": 5}).status_code == 403
    assert reader.post("/settings/retention/reset").status_code == 403
    assert reader.post("/settings/mail/test", json={"to": "a@example.net"}).status_code == 403
    assert reader.post("/jobs/clean-up/run").status_code == 403
    assert rows(filled) == before


def test_a_test_mail_without_a_server_is_refused(client: TestClient) -> None:
    answer = client.post("/settings/mail/test", json={"to": "a@example.net"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "no SMTP server is set")
    assert client.post("/settings/mail/test", json={"to": "nobody"}).json()["errors"][0]["field"] == "to"


def test_a_job_is_run_now(client: TestClient, filled: Fleet) -> None:
    names = [job["name"] for job in client.get("/jobs").json()["items"]]
    assert "clean-up" in names
    answer = client.post("/jobs/clean-up/run")
    assert answer.status_code == 202
    conforms(answer, "post", "/jobs/{id}/run")
    with filled.database.write() as session:
        job = session.get_one(Job, "clean-up")
        assert job.due_at <= utcnow()
        job.lease_until = utcnow().replace(year=2100)
    assert client.post("/jobs/clean-up/run").status_code == 409
    assert client.post("/jobs/nonsense/run").status_code == 404


def test_the_log_is_read_page_by_page(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order())
    with filled.database.write() as session:
        line = {"actor": "a", "action": "web.domain", "target": "t", "result": "failed", "server_id": 1}
        session.execute(insert(OperationLog), [{**line, "message": f"number {n}"} for n in range(25)])
        every = list(session.scalars(select(OperationLog.id).order_by(OperationLog.id.desc())))
    answer = client.get("/operation-log?limit=10")
    conforms(answer, "get", "/operation-log")
    seen, page = [], answer.json()
    while True:
        seen += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        page = client.get(f"/operation-log?limit=10&before={page['next']}").json()
    assert seen == every
    found = client.get("/operation-log", params={"search": "NUMBER 17", "result": "failed", "server": "web01"}).json()
    assert [line["message"] for line in found["items"]] == ["number 17"]
    assert found["items"][0]["links"] == {"server": "/api/v1/servers/1"}
    orders = client.get("/operation-log?area=service&service=example.com&actor=token").json()["items"]
    assert [line["action"] for line in orders] == ["service.order"]


@pytest.mark.parametrize(
    "query",
    ["result=x", "area=Ä", "since=soon", "until=2026-02-30", "limit=0", "before=0", "x=1", "search=%00", "task=x",
     "since=2026-02-02&until=2026-02-01", "since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31"],
)  # fmt: skip
def test_a_bad_filter_is_named(client: TestClient, query: str) -> None:
    answer = client.get(f"/operation-log?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    assert client.get("/operation-log?server=nonsense").status_code == 404
    assert client.get("/operation-log?server=99999&service=88888").json()["items"] == []
