"""Collecting figures in turn: a server that cannot give any takes nobody's place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import TaskStatus
from controller.engine import collection, lifecycle
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Server, Task

BROKEN = Outcome(ok=False, error_class=ErrorClass.BAD_ARGUMENT, error="no JSON")


def ask(fleet: Fleet, collect: Callable[[Fleet], str]) -> list[str]:
    """Collect once; ``w1`` cannot answer. Answers who was asked."""
    collect(fleet)
    with fleet.database.read() as session:
        queued = session.scalars(select(Task).where(Task.status == TaskStatus.QUEUED)).all()
        asked = {task.id: task.server.name for task in queued}
    for task_id, name in asked.items():
        with fleet.database.write() as session:
            held = lifecycle.claim(session, task_id, "worker", fleet.settings)
            assert held is not None
            lifecycle.finish(session, held, BROKEN if name == "w1" else Outcome(ok=True), 0)
    return list(asked.values())


@pytest.mark.parametrize("collect", [collection.collect_status, collection.collect_usage], ids=["status", "usage"])
def test_a_server_whose_collection_fails_has_had_its_turn(fleet: Fleet, collect: Callable[[Fleet], str]) -> None:
    with fleet.database.write() as session:
        long_ago = utcnow() - dt.timedelta(days=30)
        session.execute(update(Server).values(checked_at=long_ago, usage_at=long_ago))
    rounds = [ask(fleet, collect) for _ in range(6)]
    assert rounds == [["w1"], ["m1"], ["n1"], ["n2"], [], []]
    with fleet.database.write() as session:
        earlier = utcnow() - dt.timedelta(days=8)
        session.execute(update(Server).values(status_asked_at=earlier, usage_asked_at=earlier))
    assert [ask(fleet, collect) for _ in range(2)] == [["w1"], []], "only its figures are old"
