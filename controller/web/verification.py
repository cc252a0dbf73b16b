"""The result of a verification, as people read it: per server and thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from controller.domain.differences import differences
from controller.domain.words import TaskStatus
from controller.store.models import Pipeline, Server, Task
from controller.web.waiting import waits


class Found(StrEnum):
    """What came out for one thing."""

    SAME = "same"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    """It could not be looked at."""
    OPEN = "open"
    """It has not been looked at yet."""


STATES = {
    Found.SAME: ("As it should be", "good"),
    Found.DIFFERS: ("Differs", "warn"),
    Found.UNKNOWN: ("Could not be looked at", "bad"),
    Found.OPEN: ("Not looked at yet", "quiet"),
}


@dataclass(frozen=True)
class Thing:
    """One thing on one server."""

    task: Task
    found: Found
    lines: Sequence[str]
    """What differs, or why it could not be looked at."""

    @property
    def state(self) -> tuple[str, str]:
        """Words and tone."""
        if self.task.status is TaskStatus.RUNNING:
            return "Looking", "busy"
        return STATES[self.found]


@dataclass(frozen=True)
class Verification:
    """All things of one verification, by server."""

    pipeline: Pipeline
    servers: Sequence[tuple[Server, Sequence[Thing]]]

    def count(self, found: Found) -> int:
        """How many things this came out for."""
        return sum(thing.found == found for _, things in self.servers for thing in things)

    @property
    def total(self) -> int:
        """How many things there are."""
        return sum(len(things) for _, things in self.servers)

    @property
    def done(self) -> int:
        """How many have been looked at, whatever came out."""
        return self.total - self.count(Found.OPEN)


def found_by(session: Session, pipeline: Pipeline) -> Verification:
    """What a verification found so far."""
    query = select(Task).options(selectinload(Task.server)).where(Task.pipeline_id == pipeline.id)
    tasks = session.scalars(query.order_by(Task.id)).all()
    held_up = waits(session, tasks)
    servers: dict[int, tuple[Server, list[Thing]]] = {}
    for task in tasks:
        wait = held_up.get(task.id)
        servers.setdefault(task.server_id, (task.server, []))[1].append(_thing(task, wait.words if wait else ""))
    return Verification(pipeline, sorted(servers.values(), key=lambda pair: pair[0].name))


def _thing(task: Task, wait: str) -> Thing:
    match task.status:
        case TaskStatus.SUCCEEDED:
            lines = differences(task.result.get("diff")) if task.changed else []
            return Thing(task, Found.DIFFERS if task.changed else Found.SAME, lines)
        case TaskStatus.FAILED | TaskStatus.CANCELLED:
            return Thing(task, Found.UNKNOWN, [task.error or "no message"])
    return Thing(task, Found.OPEN, [wait] if wait else [])
