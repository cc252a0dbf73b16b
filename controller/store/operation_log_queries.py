"""Questions to the operation log. It may have millions of lines: pages go by id, and nothing counts them all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from controller.store.database import Database
from controller.store.models import OperationLog, Server, Service, Task

RESULTS = ("done", "succeeded", "failed", "cancelled", "checked")
COUNTED = 10_000
CHUNK = 1000

TEXTS = (OperationLog.target, OperationLog.message, OperationLog.actor, OperationLog.action, OperationLog.result)

T = TypeVar("T")


@dataclass(frozen=True)
class LogFilter:
    """Which lines; an empty field takes all. ``until`` is not included."""

    search: str = ""
    """Part of who, what, target, result or message."""
    result: str = ""
    area: str = ""
    """What an action begins with: ``service`` for ``service.order``."""
    actor: str = ""
    """Part of who."""
    server_id: int | None = None
    service_id: int | None = None
    task_id: int | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def apply(self, session: Session, query: Select[T]) -> Select[T]:
        """The query with these conditions; those that cost most come last."""
        for column, wanted in (
            (OperationLog.server_id, self.server_id),
            (OperationLog.service_id, self.service_id),
            (OperationLog.task_id, self.task_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if self.since is not None:
            query = query.where(OperationLog.at >= self.since)
        if self.until is not None:
            query = query.where(OperationLog.at < self.until)
        if self.result:
            query = query.where(OperationLog.result == self.result)
        if self.area:
            query = query.where(OperationLog.action.startswith(f"{self.area}.", autoescape=True))
        if self.actor:
            query = query.where(_has(session, OperationLog.actor, self.actor))
        if self.search:
            query = query.where(or_(*(_has(session, column, self.search) for column in TEXTS)))
        return query


def _has(session: Session, column: InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    # SQLite's LIKE takes ASCII letters of either case as it is; folding each line first is four times slower.
    same_case = session.get_bind().dialect.name == "sqlite"
    return (column.like if same_case else column.ilike)(f"%{escaped}%", escape="\\")


@dataclass(frozen=True)
class LogPage:
    """Some lines, the newest first; ``newer`` and ``older`` say whether there are more on either side."""

    items: Sequence[OperationLog]
    newer: bool
    older: bool


def log_page(
    session: Session, wanted: LogFilter, *, before: int | None = None, after: int | None = None, limit: int = 50
) -> LogPage:
    """The newest lines, those older than a line (``before``), or those next newer than one (``after``)."""
    query = wanted.apply(session, select(OperationLog)).limit(limit + 1)
    if after is not None:
        found = session.scalars(query.where(OperationLog.id > after).order_by(OperationLog.id)).all()
        return LogPage(found[:limit][::-1], newer=len(found) > limit, older=True)
    if before is not None:
        query = query.where(OperationLog.id < before)
    found = session.scalars(query.order_by(OperationLog.id.desc())).all()
    return LogPage(found[:limit], newer=before is not None, older=len(found) > limit)


def log_count(session: Session, wanted: LogFilter, page: LogPage) -> int | None:
    """How many lines there are; None for more than ``COUNTED``, or when only reading them all could tell."""
    if not page.newer and not page.older:
        return len(page.items)
    if wanted.search or wanted.actor:
        return None
    some = wanted.apply(session, select(OperationLog.id)).limit(COUNTED + 1).subquery()
    count = session.scalar(select(func.count()).select_from(some)) or 0
    return count if count <= COUNTED else None


def log_lines(database: Database, wanted: LogFilter, before: int | None = None) -> Iterator[OperationLog]:
    """All lines, the newest first; read some at a time, so that no transaction stays open meanwhile."""
    while True:
        with database.read() as session:
            page = log_page(session, wanted, before=before, limit=CHUNK)
        yield from page.items
        if not page.older:
            return
        before = page.items[-1].id


@dataclass(frozen=True)
class Known:
    """Of what lines point to, what is still there: names by id."""

    services: dict[int, str]
    servers: dict[int, str]
    tasks: set[int]


def known(session: Session, lines: Iterable[OperationLog]) -> Known:
    """What of the services, servers and tasks of some lines still exists."""
    some = list(lines)
    services = {line.service_id for line in some} - {None}
    servers = {line.server_id for line in some} - {None}
    tasks = {line.task_id for line in some} - {None}
    domains = session.execute(select(Service.id, Service.domain_unicode).where(Service.id.in_(services)))
    names = session.execute(select(Server.id, Server.name).where(Server.id.in_(servers)))
    return Known(
        services={service.id: service.domain_unicode for service in domains},
        servers={server.id: server.name for server in names},
        tasks=set(session.scalars(select(Task.id).where(Task.id.in_(tasks)))),
    )
