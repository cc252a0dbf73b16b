"""Looking at the servers by themselves: status every few minutes, usage every few hours, one task per server.

Each minute the servers that have waited longest are asked, only as many as it takes to get round in time: a fleet is
never asked all at once.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from controller.domain.options import CollectionOptions
from controller.domain.words import OPEN_TASK_STATES, RUNNABLE, STATUS_ACTION, USAGE_ACTION, Driver, Reason
from controller.engine import journal
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import NIGHTLY, ServerTask, start_server_run
from controller.store.base import utcnow
from controller.store.models import Server, Task
from controller.store.options import load

EVERY_SECONDS = 60.0

At = InstrumentedAttribute[dt.datetime | None]


def collect_status(fleet: Fleet) -> str:
    """Ask the servers whose figures are oldest how they are."""
    with fleet.database.read() as session:
        minutes = load(session, CollectionOptions).status_minutes
    return _collect(fleet, STATUS_ACTION, Server.checked_at, dt.timedelta(minutes=minutes), tuple(Driver))


def collect_usage(fleet: Fleet) -> str:
    """Ask the servers whose usage was collected longest ago what everything on them uses."""
    with fleet.database.read() as session:
        hours = load(session, CollectionOptions).usage_hours
    return _collect(fleet, USAGE_ACTION, Server.usage_at, dt.timedelta(hours=hours), (Driver.HESTIACP,))


def _collect(fleet: Fleet, action: str, at: At, every: dt.timedelta, drivers: Sequence[Driver]) -> str:
    with fleet.database.read() as session:
        if not _oldest(session, action, at, every, drivers):
            return "all figures are fresh"
    with fleet.database.write() as session:
        servers = _oldest(session, action, at, every, drivers)
        ready = _ask(session, action, servers)
    fleet.wake(ready)
    return f"asked {len(servers)} servers"


def _oldest(
    session: Session,
    action: str,
    at: At,
    every: dt.timedelta,
    drivers: Sequence[Driver],
) -> Sequence[Server]:
    asked = exists().where(Task.server_id == Server.id, Task.action == action, Task.status.in_(OPEN_TASK_STATES))
    usable = (Server.status.in_(RUNNABLE), Server.blocked_since.is_(None), Server.driver.in_(drivers))
    total = session.scalar(select(func.count()).select_from(Server).where(*usable)) or 0
    share = math.ceil(total * EVERY_SECONDS / every.total_seconds())
    return session.scalars(
        select(Server)
        .where(*usable, or_(at.is_(None), at < utcnow() - every), ~asked)
        .order_by(at.is_not(None), at, Server.id)
        .limit(share)
    ).all()


def _ask(session: Session, action: str, servers: Sequence[Server]) -> Ready:
    if not servers:
        return []
    is_status = action == STATUS_ACTION
    _, ready = start_server_run(
        session,
        reason=Reason.CHECK if is_status else Reason.USAGE,
        title=f"{'Status' if is_status else 'Usage'} of {len(servers)} servers",
        actor=journal.ENGINE,
        tasks=[ServerTask(server, action, server.name) for server in servers],
        priority=NIGHTLY,
    )
    return ready
