"""Server groups for their pages: the list, members, what panels have, runs over a group's servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, selectinload

from controller.domain.words import FILES_ACTION, RUNNABLE, Capability, Driver, ServerStatus, TaskStatus
from controller.store.fleet_models import DEFAULT_FILE, ServerView, StandardFile
from controller.store.models import GroupDnsServer, Pipeline, Product, Resource, Server, ServerGroup, Service, Task
from controller.store.queries import Page, ordered, paged
from controller.store.zone_models import Zone


@dataclass(frozen=True)
class Count:
    """How many servers there are, and how many of them answer."""

    all: int = 0
    online: int = 0


@dataclass(frozen=True)
class GroupLine:
    """A group in the list."""

    group: ServerGroup
    servers: Count
    nameservers: Count
    products: int


def is_online() -> ColumnElement[bool]:
    """Whether a server runs tasks and answered when it was last looked at."""
    return and_(
        Server.status.in_(RUNNABLE),
        Server.checked_at.is_not(None),
        Server.problem.is_(None),
        Server.blocked_since.is_(None),
    )


def group_lines(session: Session) -> list[GroupLine]:
    """All groups by name; four queries, however many groups and servers."""
    counted = (func.count(), func.sum(case((is_online(), 1), else_=0)))
    members = select(Server.group_id, *counted).where(Server.group_id.is_not(None)).group_by(Server.group_id)
    attached = (
        select(GroupDnsServer.group_id, *counted)
        .join(Server, Server.id == GroupDnsServer.server_id)
        .group_by(GroupDnsServer.group_id)
    )
    servers = {group_id: Count(total, online) for group_id, total, online in session.execute(members)}
    nameservers = {group_id: Count(total, online) for group_id, total, online in session.execute(attached)}
    sold = select(Product.group_id, func.count()).group_by(Product.group_id)
    products: dict[int, int] = {group_id: count for group_id, count in session.execute(sold)}  # noqa: C416
    return [
        GroupLine(group, servers.get(group.id, Count()), nameservers.get(group.id, Count()), products.get(group.id, 0))
        for group in session.scalars(select(ServerGroup).order_by(ServerGroup.name))
    ]


def belongs(group_id: int) -> ColumnElement[bool]:
    """Whether a server is a member of the group or attached to it as nameserver."""
    attached = select(GroupDnsServer.server_id).where(GroupDnsServer.group_id == group_id)
    return or_(Server.group_id == group_id, Server.id.in_(attached))


def member_page(session: Session, group_id: int, *, sort: str, page: int, per_page: int = 25) -> Page[Server]:
    """Members and attached nameservers, with all their groups loaded."""
    query = select(Server).options(selectinload(Server.group), selectinload(Server.dns_groups))
    columns: dict[str, Any] = {
        "id": Server.id,
        "name": Server.name,
        "status": Server.status,
        "checked": Server.checked_at,
    }
    return paged(session, ordered(query.where(belongs(group_id)), sort, columns, "name"), page, per_page)


def panels(session: Session, group_id: int, capability: Capability | None = None) -> Sequence[Server]:
    """Servers with a panel that the group's settings concern, with all their groups loaded, by name."""
    query = (
        select(Server)
        .options(selectinload(Server.group), selectinload(Server.dns_groups))
        .where(belongs(group_id), Server.driver == Driver.HESTIACP, Server.status != ServerStatus.DISABLED)
    )
    if capability is not None:
        query = query.where(getattr(Server, f"can_{capability.value}"))
    return session.scalars(query.order_by(Server.name)).all()


def reach(session: Session, group_id: int) -> dict[str, int]:
    """How many servers a run over the group reaches, by scope; ``status`` for all that can be looked at."""
    panel = Server.driver == Driver.HESTIACP
    roles = {capability.value: and_(panel, getattr(Server, f"can_{capability.value}")) for capability in Capability}
    counted = {"all": panel, **roles, "status": Server.id.is_not(None)}
    query = select(*(func.sum(case((fits, 1), else_=0)) for fits in counted.values()))
    row = session.execute(query.where(belongs(group_id), Server.status.in_(RUNNABLE))).one()
    return {name: count or 0 for name, count in zip(counted, row, strict=True)}


def member_count(session: Session, group_id: int) -> Count:
    """Members and attached nameservers."""
    query = select(func.count(), func.sum(case((is_online(), 1), else_=0))).where(belongs(group_id))
    total, online = session.execute(query.select_from(Server)).one()
    return Count(total, online or 0)


def views(session: Session, server_ids: Collection[int], kind: str) -> dict[int, Any]:
    """What panels have of one kind, by server; a server that was never looked at is left out."""
    query = select(ServerView.server_id, ServerView.data)
    rows = session.execute(query.where(ServerView.server_id.in_(server_ids), ServerView.kind == kind))
    return {server_id: data for server_id, data in rows}  # noqa: C416


def standard_files(session: Session, group_id: int) -> dict[str, StandardFile]:
    """What the group wants of standard files, by name; those put back to the panel's own are among them."""
    rows = session.scalars(select(StandardFile).where(StandardFile.group_id == group_id))
    return {row.name: row for row in rows}


def own_files(wanted: Mapping[str, StandardFile]) -> dict[str, StandardFile]:
    """Of these, the group's own versions."""
    return {name: row for name, row in wanted.items() if row.origin != DEFAULT_FILE}


def web_servers(session: Session, group_id: int) -> list[Server]:
    """Where a group's standard files go, by name."""
    members = panels(session, group_id, Capability.WEB)
    return [server for server in members if server.group_id == group_id and server.status in RUNNABLE]


def not_applied(
    session: Session, servers: Sequence[Server], wanted: Mapping[str, StandardFile]
) -> dict[str, list[str]]:
    """By file, the names of the servers that do not have it yet as the group wants it."""
    there = applied(session, [server.id for server in servers], FILES_ACTION)
    late: dict[str, list[str]] = {name: [] for name in wanted}
    for server in servers:
        resource = there.get(server.id)
        for name, row in wanted.items():
            if resource is None or resource.applied_at is None:
                # It never got any, so it has the panel's own.
                waits = row.origin != DEFAULT_FILE
            else:
                waits = resource.applied_generation < resource.generation or row.updated_at > resource.applied_at
            if waits:
                late[name].append(server.name)
    return {name: names for name, names in late.items() if names}


def applied(session: Session, server_ids: Collection[int], action: str) -> dict[int, Resource]:
    """The resource of this kind by server, the one that was applied last where there are several."""
    query = select(Resource).where(Resource.server_id.in_(server_ids), Resource.action == action)
    return {one.server_id: one for one in session.scalars(query.order_by(Resource.applied_at))}


def zone_count(session: Session, group_id: int) -> int:
    """Zones of the services on a group."""
    query = select(func.count()).select_from(Zone).join(Service, Service.id == Zone.service_id)
    query = query.join(Product, Product.id == Service.product_id)
    return session.scalar(query.where(Product.group_id == group_id)) or 0


@dataclass(frozen=True)
class GroupRun:
    """A run over a group's servers, and how far it is."""

    pipeline: Pipeline
    action: str
    """What its tasks do; empty when they were cleaned away."""
    total: int
    done: int
    failed: int
    changed: int

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        return self.pipeline.finished_at is not None


def group_runs(session: Session, group_id: int, limit: int = 10) -> list[GroupRun]:
    """The last runs, the newest first."""
    query = select(Pipeline).where(Pipeline.group_id == group_id).order_by(Pipeline.id.desc()).limit(limit)
    pipelines = session.scalars(query).all()
    counts = _counts(session, [pipeline.id for pipeline in pipelines])
    return [GroupRun(pipeline, *counts.get(pipeline.id, ("", 0, 0, 0, 0))) for pipeline in pipelines]


def _counts(session: Session, pipeline_ids: Collection[int]) -> dict[int, tuple[str, int, int, int, int]]:
    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    over = (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED)
    query = (
        select(
            Task.pipeline_id,
            func.min(Task.action),
            func.count(),
            number(Task.status.in_(over)),
            number(Task.status.in_(over[1:])),
            number(Task.changed.is_(True)),
        )
        .where(Task.pipeline_id.in_(pipeline_ids))
        .group_by(Task.pipeline_id)
    )
    return {row[0]: (row[1], row[2], row[3], row[4], row[5]) for row in session.execute(query)}


def find_group_run(session: Session, group_id: int, pipeline_id: int) -> Pipeline | None:
    """A run over this group's servers."""
    pipeline = session.get(Pipeline, pipeline_id)
    return pipeline if pipeline is not None and pipeline.group_id == group_id else None


def newer_run(session: Session, pipeline: Pipeline) -> Pipeline | None:
    """The first run of the group after this one that did more than look."""
    query = select(Pipeline).where(
        Pipeline.group_id == pipeline.group_id, Pipeline.id > pipeline.id, Pipeline.check.is_(False)
    )
    return session.scalars(query.where(Pipeline.reason == pipeline.reason).order_by(Pipeline.id)).first()
