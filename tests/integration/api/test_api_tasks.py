"""Tasks over the API: why they wait, their logs, and what is done to one or to many."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_world import an_order, rows
from starlette.testclient import TestClient

from controller.domain.words import TaskStatus
from controller.engine.fleet import Fleet
from controller.operations import orders
from controller.store.base import utcnow
from controller.store.models import Pipeline, Server, Task, TaskEvent


@pytest.fixture
def ordered(client: TestClient) -> list[dict[str, Any]]:
    """The tasks of one order."""
    client.post("/services", json=an_order())
    return client.get("/tasks?sort=id&per_page=50").json()["items"]


def test_a_task_tells_what_it_waits_for(client: TestClient, filled: Fleet, ordered: list[dict[str, Any]]) -> None:
    package = next(task for task in ordered if task["action"] == "web.package")
    account = next(task for task in ordered if task["action"] == "web.account")
    assert account["waits_for"] == {"reason": "Waits for: Configuring web plan", "tasks": [package["id"]]}
    assert package["waits_for"]["reason"] == "Starts as soon as a worker has a place"
    with filled.database.write() as session:
        task = session.get_one(Task, package["id"])
        task.tries, task.error_class, task.error = {"busy": 2}, "busy", "locked"
        session.get_one(Server, task.server_id).blocked_since = utcnow()
    now = client.get(f"/tasks/{package['id']}").json()
    assert (now["tries"], now["error_class"], now["error_title"]) == ({"busy": 2}, "busy", "Server busy")
    assert now["waits_for"]["reason"] == "Waiting for web01 to come back"
    assert now["priority"] == 50


def test_filters_by_group_and_stuck(client: TestClient, ordered: list[dict[str, Any]]) -> None:
    assert client.get("/tasks?group=Group").json()["page"]["total"] == len(ordered)
    assert client.get("/tasks?stuck=true").json()["items"] == []
    assert client.get("/tasks?group=nowhere").status_code == 404


def test_the_whole_log(client: TestClient, filled: Fleet, ordered: list[dict[str, Any]]) -> None:
    task_id = ordered[0]["id"]
    with filled.database.write() as session:
        for number in range(1, 1003):
            session.add(TaskEvent(task_id=task_id, seq=number, attempt=1, kind="verbose", text=f"l{number}", data={}))
    answer = client.get(f"/tasks/{task_id}/log?format=json")
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert [json.loads(line)["seq"] for line in answer.text.splitlines()] == list(range(1, 1003))
    assert client.get(f"/tasks/{task_id}/log").text.count("verbose") == 1002
    assert client.get(f"/tasks/{task_id}/log?format=xml").status_code == 422
    assert client.get("/tasks/999/log").status_code == 404


def test_priority_and_force_fail(client: TestClient, ordered: list[dict[str, Any]]) -> None:
    me = f"/tasks/{ordered[0]['id']}"
    assert client.post(f"{me}/priority", json={"priority": 10}).json()["priority"] == 10
    wrong = client.post(f"{me}/priority", json={"priority": 0})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "priority")
    failed = client.post(f"{me}/force-fail").json()
    assert (failed["status"], failed["error_class"]) == ("failed", "interrupted")
    assert client.post(f"{me}/force-fail").status_code == 409
    assert client.post(f"{me}/priority", json={"priority": 10}).status_code == 409


def test_many_at_once(client: TestClient, filled: Fleet, ordered: list[dict[str, Any]]) -> None:
    body = {"action": "cancel", "filter": {"service": "example.com", "action": "dns.package"}}
    assert client.post("/tasks/bulk", json=body).json() == {"action": "cancel", "done": 2, "skipped": []}
    again = client.post("/tasks/bulk", json=body).json()
    assert (again["done"], again["skipped"][0]["count"]) == (0, 2)
    cancelled = [task["id"] for task in client.get("/tasks?status=cancelled").json()["items"]]
    result = client.post("/tasks/bulk", json={"action": "delete", "tasks": cancelled}).json()
    assert result["done"] == 0, "the order is not over"
    with filled.database.write() as session:
        for task in session.query(Task):
            task.status = TaskStatus.SUCCEEDED
        for pipeline in session.query(Pipeline):
            pipeline.finished_at = utcnow()
    assert client.post("/tasks/bulk", json={"action": "delete", "tasks": cancelled}).json()["done"] == 2
    assert client.get(f"/tasks/{cancelled[0]}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "retry"}, "tasks"),
        ({"action": "retry", "tasks": []}, "tasks"),
        ({"action": "retry", "tasks": ["1"]}, "tasks.0"),
        ({"action": "explode", "tasks": [1]}, "action"),
        ({"action": "retry", "tasks": [1], "filter": {}}, "tasks"),
        ({"action": "retry", "filter": {"status": "sleepy"}}, "filter.status"),
        ({"action": "retry", "filter": {"colour": "red"}}, "filter.colour"),
        ({"action": "priority", "tasks": [1]}, "priority"),
        ({"action": "priority", "tasks": [1], "priority": 1000}, "priority"),
    ],
)
def test_bad_input_names_the_field_and_writes_nothing(
    client: TestClient, filled: Fleet, ordered: list[dict[str, Any]], body: dict[str, Any], field: str
) -> None:
    before = rows(filled)
    answer = client.post("/tasks/bulk", json=body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert rows(filled) == before


def test_a_reading_token_changes_nothing(reader: TestClient, filled: Fleet) -> None:
    orders.order(
        filled, "test", product="Hosting", domain="a.example", customer_email="a@example.com", customer_name="A"
    )
    assert reader.get("/tasks/1/log").status_code == 200
    for path, body in (
        ("/tasks/bulk", {"action": "retry", "tasks": [1]}),
        ("/tasks/1/force-fail", {}),
        ("/tasks/1/priority", {"priority": 10}),
        ("/drift-checks", {}),
    ):
        assert reader.post(path, json=body).status_code == 403
