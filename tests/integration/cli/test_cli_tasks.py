"""``task`` and ``drift`` on a real installation."""

from __future__ import annotations

import json

import pytest

from controller.domain.words import Driver, Reason, TaskStatus
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Pipeline, Server, Task, TaskEvent, TaskNeed
from controller.store.work_models import LongRun
from tests.integration.cli.test_cli import Command, cli, fleet, template

__all__ = ["cli", "fleet", "template"]


@pytest.fixture
def queue(cli: Command, fleet: Fleet) -> Command:
    """A queued task and one that waits for it; a run that is over; a drift check that found something."""
    with fleet.database.write() as session:
        session.add(Server(name="w1", driver=Driver.HESTIACP, address="192.0.2.1", host_key="ssh-ed25519 AAAA"))
        session.add_all([Pipeline(reason=Reason.CHECK, finished_at=utcnow()), Pipeline(reason=Reason.CHECK)])
        session.flush()
        common = {"server_id": 1, "action": "server.status", "target": "w1"}
        over = {"finished_at": utcnow(), "pipeline_id": 1}
        session.add_all(
            [
                Task(label="One", status=TaskStatus.SUCCEEDED, **over, **common),
                Task(label="Two", status=TaskStatus.FAILED, error="no", error_class="busy", **over, **common),
                Task(label="Three", status=TaskStatus.QUEUED, pipeline_id=2, **common),
                Task(label="Four", status=TaskStatus.WAITING, pipeline_id=2, **common),
            ]
        )
        session.flush()
        session.add(TaskNeed(task_id=4, needs_id=3))
        session.add(
            TaskEvent(task_id=1, seq=1, attempt=1, kind="runner_on_ok", text="ok: [w1]", data={"res": {"a": 1}})
        )
        thing = {"action": "web.domain", "server": "w1", "target": "a.example", "lines": ["is missing"]}
        entry = {"service_id": 1, "domain": "a.example", "pipeline_id": None, "differences": [thing]}
        report = {"open": [], "differing": [entry]}
        session.add(
            LongRun(kind="drift-check", title="x", done=1, total=1, found=1, finished_at=utcnow(), report=report)
        )
    return cli


def test_what_a_task_waits_for_is_shown(queue: Command) -> None:
    assert "Waits for: Three" in queue.run("task", "list").stdout
    assert "Waits for: Three" in queue.run("task", "show", "4").stdout
    assert "Server busy: no" in queue.run("task", "show", "2").stdout


def test_priority(queue: Command) -> None:
    assert queue.run("task", "priority", "3", "urgent").stdout == "Task 3 has priority 10\n"
    assert queue.json("task", "priority", "3", "77")["priority"] == 77
    assert queue.json("task", "show", "4")["priority"] == 77
    for wrong in ("soon", "0", "100", "²"):
        assert "must be" in queue.run("task", "priority", "3", wrong, code=2).stderr
    assert "is succeeded already" in queue.run("task", "priority", "1", "low", code=1).stderr


def test_force_fail(queue: Command) -> None:
    assert queue.run("task", "force-fail", "3").stdout == "Task 3 has failed\n"
    assert queue.json("task", "show", "4")["status"] == "held"
    assert "already" in queue.run("task", "force-fail", "3", code=1).stderr


def test_a_raw_log(queue: Command) -> None:
    text = queue.run("task", "log", "1", "--raw").stdout
    assert "attempt 1  runner_on_ok" in text
    assert 'data {"res": {"a": 1}}' in text
    assert json.loads(queue.run("task", "log", "1", "--raw", "--json").stdout)["data"] == {"res": {"a": 1}}
    assert "do not go together" in queue.run("task", "log", "1", "--raw", "--follow", code=2).stderr


def test_clean(queue: Command) -> None:
    both = ("--days", "0", "--status", "succeeded,failed")
    assert queue.run("task", "clean", *both, "--dry-run").stdout == "Would do: 2 tasks deleted.\n"
    assert len(queue.json("task", "list")) == 4
    assert queue.run("task", "clean", "--days", "5").stdout == "0 tasks deleted.\n"
    assert queue.json("task", "clean", *both) == {"action": "delete", "done": 2, "skipped": []}
    assert [task["id"] for task in queue.json("task", "list")] == [4, 3]
    assert "running" in queue.run("task", "clean", "--status", "running", code=2).stderr


def test_drift_checks(queue: Command) -> None:
    shown = queue.run("drift", "show", "1").stdout
    assert "  w1  web.domain a.example: is missing" in shown
    assert queue.json("drift", "show", "1")["services"][0]["domain"] == "a.example"
    started = queue.json("drift", "start")
    assert [run["id"] for run in queue.json("drift", "list")] == [started["id"], 1]
    assert "1/1" in queue.run("drift", "list").stdout
    assert "over already" in queue.run("drift", "cancel", "1", code=1).stderr
    assert "nothing that a repair could put right" in queue.run("drift", "repair", "1", code=1).stderr
    assert "no drift check 99" in queue.run("drift", "show", "99", code=1).stderr
