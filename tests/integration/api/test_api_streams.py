"""Streams over real HTTP: replay, going on live, coming back with the last id."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from api_world import an_order

from controller.domain.words import TaskStatus
from controller.engine import lifecycle
from controller.engine.fleet import Fleet
from controller.store.models import Task, TaskEvent


@pytest.fixture
def http(address: str, token: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        yield client


def read_events(
    http: httpx2.Client, path: str, count: int, headers: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """The next events of a stream, comments and pings left out."""
    found: list[dict[str, Any]] = []
    with http.stream("GET", path, headers=headers or {}) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        event: dict[str, Any] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                event[name] = value
            if not line and "data" in event:
                event["data"] = json.loads(event["data"])
                found.append(event)
                event = {}
            if len(found) == count:
                break
    return found


def claim_first(fleet: Fleet) -> int:
    with fleet.database.write() as session:
        task = session.query(Task).filter_by(status=TaskStatus.QUEUED).order_by(Task.id).first()
        assert task is not None
        assert lifecycle.claim(session, task.id, "test", fleet.settings)
        return task.id


def test_a_service_is_followed_live(http: httpx2.Client, filled: Fleet) -> None:
    service = http.post("/services", json=an_order()).json()
    stream = service["links"]["stream"].removeprefix("/api/v1")
    first = read_events(http, stream, 1)[0]
    assert first["event"] == "activity"
    assert first["data"]["kind"] == "pipeline.order"
    assert first["data"]["status"] == "pending"
    assert first["data"]["progress"]["total"] == 13

    def later() -> None:
        time.sleep(0.5)
        claim_first(filled)

    mover = threading.Thread(target=later)
    mover.start()
    moved = read_events(http, stream, 1, {"Last-Event-ID": first["id"]})[0]
    mover.join()
    assert moved["data"]["kind"] == "task.running"
    assert moved["data"]["status"] == "deploying"
    assert int(moved["id"]) > int(first["id"])
    assert read_events(http, f"/services/example.com/stream?after={first['id']}", 1) == [moved]
    assert [event["id"] for event in read_events(http, stream, 2)] == [first["id"], moved["id"]]


def test_a_log_is_followed_to_its_end(http: httpx2.Client, filled: Fleet) -> None:
    http.post("/services", json=an_order())
    task_id = claim_first(filled)

    def write(seq: int) -> None:
        with filled.database.write() as session:
            session.add(TaskEvent(task_id=task_id, seq=seq, attempt=1, kind="verbose", text=f"line {seq}"))

    write(1)

    def later() -> None:
        for seq in range(2, 6):
            time.sleep(0.1)
            write(seq)
        with filled.database.write() as session:
            session.get_one(Task, task_id).status = TaskStatus.SUCCEEDED

    mover = threading.Thread(target=later)
    mover.start()
    events = read_events(http, f"/tasks/{task_id}/stream", 6)
    mover.join()
    assert [event["data"]["text"] for event in events[:5]] == [f"line {seq}" for seq in range(1, 6)]
    assert [event["id"] for event in events[:5]] == ["1", "2", "3", "4", "5"]
    assert events[5]["event"] == "end"
    assert events[5]["data"]["status"] == "succeeded"
    again = read_events(http, f"/tasks/{task_id}/stream", 3, {"Last-Event-ID": "3"})
    assert [event.get("id") for event in again] == ["4", "5", None]


def test_streams_are_closed_without_a_token(address: str, http: httpx2.Client) -> None:
    http.post("/services", json=an_order())
    for path in ("/services/1/stream", "/tasks/1/stream"):
        assert httpx2.get(address + path).status_code == 401
        assert http.get(path.replace("1", "999")).status_code == 404
        assert http.get(f"{path}?after=x").status_code == 422
        assert http.head(path).status_code == 200
