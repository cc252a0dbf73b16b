"""Looking at the servers by themselves: status every few minutes, usage every few hours, one task per server.

Each minute the servers that have waited longest are asked, only as many as it takes to get round in time: a fleet is
never asked all at once. A server whose collection fails has had its turn like every other.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Look:
    """One kind of collection."""

    action: str
    asked: At
    """When a server was last asked."""
    known: At
    """When it last answered, by itself or because somebody wanted to know."""
    drivers: Sequence[Driver]


STATUS = _Look(STATUS_ACTION, Server.status_asked_at, Server.checked_at, tuple(Driver))
USAGE = _Look(USAGE_ACTION, Server.usage_asked_at, Server.usage_at, (Driver.HESTIACP,))


def collect_status(fleet: Fleet) -> str:
    """Ask the servers whose figures are oldest how they are."""
    with fleet.database.read() as session:
        minutes = load(session, CollectionOptions).status_minutes
    return _collect(fleet, STATUS, dt.timedelta(minutes=minutes))


def collect_usage(fleet: Fleet) -> str:
    """Ask the servers whose usage was collected longest ago what everything on them uses."""
    with fleet.database.read() as session:
        hours = load(session, CollectionOptions).usage_hours
    return _collect(fleet, USAGE, dt.timedelta(hours=hours))


def _collect(fleet: Fleet, look: _Look, every: dt.timedelta) -> str:
    with fleet.database.read() as session:
        if not _oldest(session, look, every):
            return "all figures are fresh"
    with fleet.database.write() as session:
        servers = _oldest(session, look, every)
        ready = _ask(session, look, servers)
    fleet.wake(ready)
    return f"asked {len(servers)} servers"


def _oldest(session: Session, look: _Look, every: dt.timedelta) -> Sequence[Server]:
    on_its_way = exists().where(
        Task.server_id == Server.id, Task.action == look.action, Task.status.in_(OPEN_TASK_STATES)
    )
    usable = (Server.status.in_(RUNNABLE), Server.blocked_since.is_(None), Server.driver.in_(look.drivers))
    total = session.scalar(select(func.count()).select_from(Server).where(*usable)) or 0
    share = math.ceil(total * EVERY_SECONDS / every.total_seconds())
    before = utcnow() - every
    due = [or_(at.is_(None), at < before) for at in (look.asked, look.known)]
    return session.scalars(
        select(Server)
        .where(*usable, *due, ~on_its_way)
        .order_by(look.asked.is_not(None), look.asked, look.known.is_not(None), look.known, Server.id)
        .limit(share)
    ).all()


def _ask(session: Session, look: _Look, servers: Sequence[Server]) -> Ready:
    if not servers:
        return []
    is_status = look is STATUS
    now = utcnow()
    for server in servers:
        setattr(server, look.asked.key, now)
    _, ready = start_server_run(
        session,
        reason=Reason.CHECK if is_status else Reason.USAGE,
        title=f"{'Status' if is_status else 'Usage'} of {len(servers)} servers",
        actor=journal.ENGINE,
        tasks=[ServerTask(server, look.action, server.name) for server in servers],
        priority=NIGHTLY,
    )
    return ready
