"""Which tasks could start now, and which are beyond help: questions, no changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.orm import Session

from controller.domain.words import READ_ONLY_ACTIONS, RUNNABLE, STATUS_ACTION, TaskStatus
from controller.store.base import utcnow
from controller.store.models import Server, ServerLock, Task

STUCK_GRACE = dt.timedelta(seconds=60)

Ready = list[tuple[int, int]]
"""Tasks to ring for after the commit, as (id, priority)."""


def changes_server(task: Task) -> bool:
    """Whether the task may change its server (and so needs the server's lock)."""
    return not task.check_mode and task.action not in READ_ONLY_ACTIONS


def reads_only() -> ColumnElement[bool]:
    """The same question asked of rows, the other way round."""
    return or_(Task.check_mode, Task.action.in_(READ_ONLY_ACTIONS))


def _startable(now: dt.datetime) -> Select[int, int, int, bool]:
    """Queued, due, on a server that is in use and answers, and free if the task changes it."""
    locked = select(ServerLock.server_id).where(ServerLock.until > now)
    # One at a time per server of these too: should it not answer, they must not take every worker's places.
    looked_at = select(Task.server_id).where(Task.status == TaskStatus.RUNNING, Task.check_mode)
    busy_lanes = select(Task.lane).where(Task.status == TaskStatus.RUNNING, Task.lane.is_not(None))
    return (
        select(Task.id, Task.priority, Task.server_id, reads_only().label("reads"))
        .join(Server, Server.id == Task.server_id)
        .where(
            Task.status == TaskStatus.QUEUED,
            or_(Task.not_before.is_(None), Task.not_before <= now),
            Server.status.in_(RUNNABLE),
            or_(Server.blocked_since.is_(None), Task.action == STATUS_ACTION),
            or_(Task.server_id.not_in(locked), reads_only()),
            or_(Task.server_id.not_in(looked_at), not_(Task.check_mode)),
            or_(Task.lane.is_(None), Task.lane.not_in(busy_lanes)),
        )
    )


def claimable(session: Session, task_id: int) -> bool:
    """Whether trying to claim the task is worth a write."""
    return session.execute(_startable(utcnow()).where(Task.id == task_id)).first() is not None


def due(session: Session, limit: int = 200) -> Ready:
    """What could start now, most urgent first: per server one that changes it and one that reads it."""
    startable = _startable(utcnow()).subquery()
    place = func.row_number().over(
        partition_by=(startable.c.server_id, startable.c.reads), order_by=(startable.c.priority, startable.c.id)
    )
    ranked = select(startable, place.label("place")).subquery()
    rows = session.execute(
        select(ranked.c.id, ranked.c.priority)
        .where(ranked.c.place == 1)
        .order_by(ranked.c.priority, ranked.c.id)
        .limit(limit)
    )
    return [(task_id, priority) for task_id, priority in rows]


def next_on_server(session: Session, server_id: int) -> Ready:
    """The most urgent tasks that could start on this server: one that changes it, one that reads it."""
    startable = _startable(utcnow()).where(Task.server_id == server_id).order_by(Task.priority, Task.id)
    found: Ready = []
    for kind in (reads_only(), not_(reads_only())):
        found += [(row.id, row.priority) for row in session.execute(startable.where(kind).limit(1))]
    return found


def next_in_lane(session: Session, lane: str | None) -> Ready:
    """The most urgent task that could start in a lane that has become free."""
    if lane is None:
        return []
    startable = _startable(utcnow()).where(Task.lane == lane).order_by(Task.priority, Task.id).limit(1)
    return [(row.id, row.priority) for row in session.execute(startable)]


def expired(session: Session) -> Sequence[Task]:
    """Running tasks whose worker has not renewed its lease."""
    return session.scalars(select(Task).where(Task.status == TaskStatus.RUNNING, Task.lease_until < utcnow())).all()


def stuck(now: dt.datetime, task_timeout: float) -> ColumnElement[bool]:
    """Tasks that run although their lease, or the longest time a step may take (seconds), is well over."""
    return and_(
        Task.status == TaskStatus.RUNNING,
        or_(
            Task.lease_until < now - STUCK_GRACE,
            Task.started_at < now - dt.timedelta(seconds=task_timeout) - STUCK_GRACE,
        ),
    )
