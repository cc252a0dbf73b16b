"""Servers as lists and pages show them; what a panel has, history of figures, how full the fleet is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, case, cast, extract, func, or_, select
from sqlalchemy.orm import Session, aliased, defer, selectinload

from controller.domain.words import (
    OPEN_TASK_STATES,
    ZONE_ACTION,
    Capability,
    Driver,
    ServerStatus,
    ServiceStatus,
    TaskStatus,
)
from controller.store.base import utcnow
from controller.store.fleet_models import ServerSample, ServerView
from controller.store.models import (
    Account,
    Activity,
    Customer,
    GroupDnsServer,
    Resource,
    Server,
    ServerGroup,
    Service,
    Task,
)
from controller.store.queries import Page, like, paged

TROUBLE = "trouble"
"""A state of lists only: servers that do not answer or whose last check failed."""


@dataclass(frozen=True)
class ServerFilter:
    """Which servers; what is left empty does not narrow."""

    search: str = ""
    """Part of the name, the address or the host name."""
    capability: str = ""
    state: str = ""
    """A ServerStatus or ``trouble``."""
    group_id: int | None = None
    """Members of the group and DNS servers attached to it."""

    def where(self) -> list[ColumnElement[bool]]:
        """The conditions."""
        found: list[ColumnElement[bool]] = []
        if self.capability in set(Capability):
            found.append(getattr(Server, f"can_{self.capability}"))
        if self.state == TROUBLE:
            found.append(in_trouble())
        elif self.state in set(ServerStatus):
            found.append(Server.status == ServerStatus(self.state))
        if self.group_id is not None:
            attached = select(GroupDnsServer.server_id).where(GroupDnsServer.group_id == self.group_id)
            found.append(or_(Server.group_id == self.group_id, Server.id.in_(attached)))
        if self.search.strip():
            pattern = like(self.search.strip())
            columns = (Server.name, Server.address, Server.hostname)
            found.append(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
        return found


def in_trouble() -> ColumnElement[bool]:
    """Does not answer, or its last check failed."""
    return or_(Server.blocked_since.is_not(None), Server.problem.is_not(None))


def _services_on() -> ColumnElement[int]:
    hosted = (
        select(func.count(func.distinct(Account.service_id)))
        .where(Account.server_id == Server.id)
        .correlate(Server)
        .scalar_subquery()
    )
    zones = (
        select(func.count())
        .where(Resource.server_id == Server.id, Resource.action == ZONE_ACTION)
        .correlate(Server)
        .scalar_subquery()
    )
    return case((Server.driver == Driver.POWERDNS, zones), else_=hosted)


SAMPLED = ("load", "cpu", "memory", "disk", "accounts", "up")


def _column(sort: str) -> ColumnElement[Any]:
    """What a list is sorted by; an unknown word sorts by name."""
    match sort:
        case "load" | "cpu" | "memory" | "disk" | "accounts":
            return getattr(ServerSample, sort)  # type: ignore[no-any-return]
        case "up":
            return ServerSample.services_up - ServerSample.services_all
        case "status":
            rank = case(
                {status: place for place, status in enumerate(ServerStatus)},
                value=Server.status,
                else_=len(ServerStatus),
            )
            return case((Server.blocked_since.is_not(None), -2), (Server.problem.is_not(None), -1), else_=rank)
        case "group":
            return select(ServerGroup.name).where(ServerGroup.id == Server.group_id).correlate(Server).scalar_subquery()
        case "version" | "os":
            fact: ColumnElement[Any] = Server.facts["panel_version" if sort == "version" else "os"].as_string()
            return fact
        case "used":
            return _services_on()
        case "address":
            return Server.address.expression
        case "driver":
            return Server.driver.expression
        case "checked":
            return Server.checked_at.expression
    return Server.name.expression


def server_page(
    session: Session, wanted: ServerFilter, *, sort: str = "name", page: int = 1, per_page: int = 25
) -> Page[Server]:
    """Servers with their groups loaded; what is not known comes last, whichever way it is sorted."""
    query = select(Server).options(selectinload(Server.group), selectinload(Server.dns_groups)).where(*wanted.where())
    key = sort.removeprefix("-")
    if key in SAMPLED:
        query = _with_newest_sample(query)
    column = _column(key)
    query = query.order_by((column.desc() if sort.startswith("-") else column.asc()).nulls_last(), Server.name)
    return paged(session, query, page, per_page)


def _with_newest_sample(query: Select[Server]) -> Select[Server]:
    any_sample = aliased(ServerSample)
    newest = (
        select(func.max(any_sample.at)).where(any_sample.server_id == Server.id).correlate(Server).scalar_subquery()
    )
    return query.outerjoin(ServerSample, (ServerSample.server_id == Server.id) & (ServerSample.at == newest))


def server_counts(session: Session) -> dict[str, int]:
    """How many servers host each role; ``""`` for all."""
    row = session.execute(
        select(
            func.count(), *(func.coalesce(func.sum(cast(_can(role), Integer)), 0) for role in Capability)
        ).select_from(Server)
    ).one()
    return dict(zip(("", *(role.value for role in Capability)), row, strict=True))


def _can(role: Capability) -> ColumnElement[bool]:
    return getattr(Server, f"can_{role}")  # type: ignore[no-any-return]


def server_loads(session: Session, server_ids: Collection[int] | None = None) -> dict[int, int]:
    """Services that live on each server (or on these only), by server id; on a PowerDNS server those with a zone."""
    hosted = select(Account.server_id, func.count(func.distinct(Account.service_id))).group_by(Account.server_id)
    # There are no accounts there; a zone is all that a service has on it.
    without_panel = select(Server.id).where(Server.driver == Driver.POWERDNS)
    zones = select(Resource.server_id, func.count()).where(Resource.action == ZONE_ACTION).group_by(Resource.server_id)
    zones = zones.where(Resource.server_id.in_(without_panel))
    if server_ids is not None:
        hosted = hosted.where(Account.server_id.in_(server_ids))
        zones = zones.where(Resource.server_id.in_(server_ids))
    return {server_id: count for query in (hosted, zones) for server_id, count in session.execute(query)}


# What a panel has


def server_view(session: Session, server_id: int, kind: str) -> ServerView | None:
    """What was last collected of this kind; None before the first collection."""
    return session.get(ServerView, (server_id, kind))


@dataclass(frozen=True)
class Owner:
    """Whose a panel's account is."""

    service_id: int | None
    """None: ours, but of no service."""
    domain: str


def account_owners(session: Session, server_id: int) -> dict[str, Owner]:
    """Our accounts on a server by user name; a user that is not among them is nobody's."""
    rows = session.execute(
        select(Account.username, Account.service_id, Service.domain_unicode)
        .outerjoin(Service, Service.id == Account.service_id)
        .where(Account.server_id == server_id)
    )
    return {username: Owner(service_id, domain or "") for username, service_id, domain in rows}


def latest_tasks(session: Session, server_id: int, limit: int = 10) -> Sequence[Task]:
    """The newest tasks of a server, the newest first."""
    # The ids come out of the index alone; only those that are shown are read.
    ids = session.scalars(
        select(Task.id).where(Task.server_id == server_id).order_by(Task.id.desc()).limit(limit)
    ).all()
    query = select(Task).options(selectinload(Task.server), selectinload(Task.service)).where(Task.id.in_(ids))
    return session.scalars(query.order_by(Task.id.desc())).all()


def own_work(session: Session, server_id: int, limit: int = 20) -> Sequence[Task]:
    """Tasks about the server itself, not about a service, that wait or run."""
    query = (
        select(Task)
        .options(selectinload(Task.server))
        .where(Task.server_id == server_id, Task.status.in_(OPEN_TASK_STATES), Task.service_id.is_(None))
    )
    return session.scalars(query.order_by(Task.id).limit(limit)).all()


def server_activity(session: Session, server_id: int, limit: int = 15) -> Sequence[Activity]:
    """The last things that happened to a server itself, the newest first."""
    query = select(Activity).where(Activity.server_id == server_id, Activity.service_id.is_(None))
    return session.scalars(query.order_by(Activity.id.desc()).limit(limit)).all()


# History

FIGURES = ("load", "cpu", "memory", "disk", "accounts")
RANGES: Mapping[str, tuple[int, int]] = {"24h": (86_400, 300), "7d": (604_800, 1_800), "30d": (2_592_000, 7_200)}
"""Seconds that a history covers, and seconds that one of its points stands for."""


@dataclass(frozen=True)
class History:
    """Figures over time: ``times`` are Unix seconds, None in a series is a pause."""

    times: Sequence[int]
    series: Mapping[str, Sequence[float | None]]
    since: int
    until: int

    def __bool__(self) -> bool:
        return bool(self.times)


def server_history(session: Session, server_id: int, span: str, now: dt.datetime | None = None) -> History:
    """The figures of a server over one of ``RANGES``, averaged to a few hundred points."""
    covered, width = RANGES[span]
    until = now or utcnow()
    since = until - dt.timedelta(seconds=covered)
    moment = cast(extract("epoch", ServerSample.at), Integer)
    place = moment // width
    rows = session.execute(
        select(place, *(func.avg(getattr(ServerSample, name)) for name in FIGURES))
        .where(ServerSample.server_id == server_id, ServerSample.at >= since)
        .group_by(place)
        .order_by(place)
    ).all()
    times, series = _with_pauses([(int(row[0]) * width, *row[1:]) for row in rows])
    return History(times, series, int(since.timestamp()), int(until.timestamp()))


def _with_pauses(rows: Sequence[tuple[Any, ...]]) -> tuple[list[int], dict[str, list[float | None]]]:
    """A point without figures where collecting paused, so that no line is drawn across."""
    steps = sorted(later[0] - earlier[0] for earlier, later in pairwise(rows))
    usual = steps[len(steps) // 2] if steps else 0
    points: list[tuple[Any, ...]] = []
    for row in rows:
        if points and row[0] - points[-1][0] > 3 * usual:
            points.append((points[-1][0] + usual, *(None for _ in FIGURES)))
        points.append(row)
    series = {
        name: [None if point[place] is None else round(float(point[place]), 2) for point in points]
        for place, name in enumerate(FIGURES, 1)
    }
    return [point[0] for point in points], series


# The first page


@dataclass(frozen=True)
class Room:
    """How full a server is."""

    server: Server
    used: int

    @property
    def share(self) -> float | None:
        """Part of its capacity; None without a limit."""
        return self.used / self.server.capacity if self.server.capacity else None


@dataclass(frozen=True)
class Occupancy:
    """All servers of one role, the fullest first."""

    role: Capability
    rooms: Sequence[Room]

    @property
    def capacity(self) -> int:
        """Most services of those servers that have a limit."""
        return sum(room.server.capacity for room in self.rooms)

    @property
    def used(self) -> int:
        """Services on those servers that have a limit."""
        return sum(room.used for room in self.rooms if room.server.capacity)

    @property
    def unlimited(self) -> int:
        """Servers without a limit."""
        return sum(not room.server.capacity for room in self.rooms)


def occupancy(session: Session) -> list[Occupancy]:
    """Every server by role. Counts the accounts of the whole fleet, out of the index alone."""
    loads = server_loads(session)
    servers = session.scalars(select(Server).options(defer(Server.facts)).order_by(Server.name)).all()
    rooms = sorted((Room(server, loads.get(server.id, 0)) for server in servers), key=_fullest)
    by_role = {role: [room for room in rooms if role in room.server.capabilities] for role in Capability}
    return [Occupancy(role, members) for role, members in by_role.items() if members]


def _fullest(room: Room) -> tuple[bool, float]:
    return (room.share is None, -room.used if room.share is None else -room.share)


def troubled_servers(session: Session, limit: int = 8) -> Sequence[Server]:
    """Servers that do not answer or whose check failed, the longest first."""
    query = select(Server).options(defer(Server.facts)).where(in_trouble())
    return session.scalars(query.order_by(Server.blocked_since.asc().nulls_last(), Server.name).limit(limit)).all()


@dataclass(frozen=True)
class QueueDepth:
    """What is still to do."""

    counts: Mapping[TaskStatus, int]
    oldest: dt.datetime | None
    """When the oldest task that has not started was made."""


def queue_depth(session: Session) -> QueueDepth:
    """Open tasks by state, out of the index alone."""
    rows = session.execute(
        select(Task.status, func.count(), func.min(Task.id))
        .where(Task.status.in_(OPEN_TASK_STATES))
        .group_by(Task.status)
    ).all()
    first = [number for status, _, number in rows if status in (TaskStatus.QUEUED, TaskStatus.WAITING)]
    oldest = session.scalar(select(Task.created_at).where(Task.id == min(first))) if first else None
    return QueueDepth(dict.fromkeys(OPEN_TASK_STATES, 0) | {row[0]: row[1] for row in rows}, oldest)


def home_figures(session: Session) -> dict[str, Any]:
    """Counts and the latest things for the staff's first page."""
    services = dict(session.execute(select(Service.status, func.count()).group_by(Service.status)).all())
    failed = session.scalars(
        select(Task.id).where(Task.status == TaskStatus.FAILED).order_by(Task.finished_at.desc()).limit(8)
    ).all()
    return {
        "services": {status.value: services.get(status, 0) for status in ServiceStatus},
        "queue": queue_depth(session),
        "servers": session.scalar(select(func.count()).select_from(Server)) or 0,
        "servers_in_trouble": session.scalar(select(func.count()).select_from(Server).where(in_trouble())) or 0,
        "customers": session.scalar(select(func.count()).select_from(Customer)) or 0,
        "recent_services": session.scalars(
            select(Service)
            .options(selectinload(Service.customer), selectinload(Service.product))
            .order_by(Service.id.desc())
            .limit(8)
        ).all(),
        "recent_errors": session.scalars(
            select(Task)
            .options(selectinload(Task.server), selectinload(Task.service))
            .where(Task.id.in_(failed))
            .order_by(Task.finished_at.desc())
        ).all(),
    }
