"""Zones for their pages: the list with the state on every nameserver, templates and who uses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from controller.domain.words import ZONE_ACTION, Desired
from controller.store.models import Product, Resource, Server, ServerGroup, Service
from controller.store.queries import Page, like, ordered, paged
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone, ZoneAnswer, ZoneTemplate
from controller.store.zone_template_queries import chosen_template

ZONE_RUN = "zones"


class PlaceState(StrEnum):
    """How a zone is on one nameserver."""

    AGREES = "agrees"
    DIFFERS = "differs"
    WAITING = "waiting"
    """What is wished for has not been written there yet."""
    AWAY = "away"
    """It was asked and did not answer."""
    UNASKED = "unasked"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Place:
    """A zone on one nameserver."""

    server: Server
    resource: Resource | None
    answer: ZoneAnswer | None

    @property
    def state(self) -> PlaceState:
        """What counts first: a write that is to come, then what the server itself said."""
        if self.resource is not None and self.resource.desired is Desired.ABSENT:
            return PlaceState.LEAVING
        if self.resource is not None and self.resource.applied_generation < self.resource.generation:
            return PlaceState.WAITING
        if self.answer is None:
            return PlaceState.UNASKED
        if not self.answer.reached:
            return PlaceState.AWAY
        return PlaceState.AGREES if self.answer.agrees else PlaceState.DIFFERS


@dataclass(frozen=True)
class ZoneFilter:
    """Which zones; what is left empty does not narrow."""

    search: str = ""
    """Part of the domain."""
    state: str = ""
    """A word of ``ZONE_STATES``."""
    server_id: int | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """The conditions."""
        found: list[ColumnElement[bool]] = []
        if self.search.strip():
            found.append(_named(self.search.strip().lower()))
        if self.server_id is None:
            found += {
                "agrees": [Zone.agrees.is_(True)],
                "differs": [Zone.agrees.is_(False)],
                "unasked": [Zone.agrees.is_(None)],
                "waiting": [Zone.service_id.in_(_behind())],
            }.get(self.state, [])
        else:
            found += self._there(self.server_id)
        return found

    def _there(self, server_id: int) -> list[ColumnElement[bool]]:
        """The state on one server. An answer tells that the zone is there, so only without one that is looked for."""
        here = (Resource.server_id == server_id, Resource.action == ZONE_ACTION, Resource.name == Zone.domain)
        asked = (ZoneAnswer.zone_id == Zone.id, ZoneAnswer.server_id == server_id)
        match self.state:
            case "agrees":
                return [exists().where(*asked, ZoneAnswer.agrees.is_(True))]
            case "differs":
                # One that differs keeps the whole from agreeing, and those are few.
                return [Zone.agrees.is_(False), exists().where(*asked, ZoneAnswer.agrees.is_(False))]
            case "unasked":
                return [exists().where(*here), ~exists().where(*asked)]
            case "waiting":
                return [Zone.service_id.in_(_behind().where(Resource.server_id == server_id))]
        return [exists().where(*here)]


def _named(text: str) -> ColumnElement[bool]:
    """Part of the domain; of an international one also as people write it."""
    pattern = like(text)
    written = exists().where(Service.id == Zone.service_id, Service.domain_unicode.ilike(pattern, escape="\\"))
    return or_(Zone.domain.like(pattern, escape="\\"), and_(Zone.domain.contains("xn--"), written))


def _behind() -> Any:
    """Services whose zone waits for a write somewhere."""
    late = Resource.applied_generation < Resource.generation
    return select(Resource.service_id).where(Resource.action == ZONE_ACTION, late)


def zone_page(
    session: Session, wanted: ZoneFilter, *, sort: str = "domain", page: int = 1, per_page: int = 50
) -> Page[Zone]:
    """Zones with their services loaded."""
    query = select(Zone).options(selectinload(Zone.service)).where(*wanted.where())
    columns: dict[str, Any] = {"domain": Zone.domain, "agrees": Zone.agrees, "checked": Zone.checked_at, "id": Zone.id}
    return paged(session, ordered(query, sort, columns, "id"), page, per_page)


def zone_ids(session: Session, wanted: ZoneFilter) -> list[int]:
    """Ids of all zones that a filter finds."""
    return list(session.scalars(select(Zone.id).where(*wanted.where()).order_by(Zone.id)))


def zone_figures(session: Session) -> dict[str, int]:
    """How many zones agree, differ or were never asked about, and how many wait for a write."""
    by_answer = dict(session.execute(select(Zone.agrees, func.count()).group_by(Zone.agrees)).all())
    waiting = select(func.count()).select_from(_behind().distinct().subquery())
    return {
        "all": sum(by_answer.values()),
        "agrees": by_answer.get(True, 0),
        "differs": by_answer.get(False, 0),
        "unasked": by_answer.get(None, 0),
        "waiting": session.scalar(waiting) or 0,
    }


def places(session: Session, zones: Sequence[Zone]) -> dict[int, list[Place]]:
    """Where each of these zones is, by zone and in the order of the servers' names; three queries."""
    by_service = {zone.service_id: zone.id for zone in zones}
    resources = session.scalars(
        select(Resource).where(Resource.service_id.in_(by_service), Resource.action == ZONE_ACTION)
    ).all()
    answers = {
        (answer.zone_id, answer.server_id): answer
        for answer in session.scalars(select(ZoneAnswer).where(ZoneAnswer.zone_id.in_(by_service.values())))
    }
    wanted = {resource.server_id for resource in resources} | {server_id for _, server_id in answers}
    servers = {server.id: server for server in session.scalars(select(Server).where(Server.id.in_(wanted)))}
    found: dict[int, list[Place]] = {zone.id: [] for zone in zones}
    for resource in resources:
        zone_id = by_service[resource.service_id or 0]
        answer = answers.pop((zone_id, resource.server_id), None)
        found[zone_id].append(Place(servers[resource.server_id], resource, answer))
    for there in found.values():
        there.sort(key=lambda place: place.server.name)
    return found


def nameservers(session: Session) -> Sequence[Server]:
    """Every server that may host zones, by name."""
    return session.scalars(select(Server).where(Server.can_dns).order_by(Server.name)).all()


def templates(session: Session) -> Sequence[ZoneTemplate]:
    """All zone templates by name."""
    return session.scalars(select(ZoneTemplate).order_by(ZoneTemplate.name)).all()


@dataclass(frozen=True)
class TemplateUse:
    """Who chose a template."""

    groups: Sequence[ServerGroup]
    products: Sequence[Product]
    servers: Sequence[Server]
    zones: int
    """Zones for which it was chosen one by one."""

    @property
    def words(self) -> str:
        """``2 groups, 1 zone``; empty when nobody did."""
        counts = [
            (len(self.groups), "group"),
            (len(self.products), "product"),
            (len(self.servers), "server"),
            (self.zones, "zone"),
        ]
        return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)


def template_use(session: Session, template_id: int) -> TemplateUse:
    """Who chose this template."""
    zones = select(func.count()).select_from(Zone).where(Zone.template_id == template_id)
    return TemplateUse(
        groups=session.scalars(
            select(ServerGroup).where(ServerGroup.zone_template_id == template_id).order_by(ServerGroup.name)
        ).all(),
        products=session.scalars(
            select(Product).where(Product.zone_template_id == template_id).order_by(Product.name)
        ).all(),
        servers=session.scalars(
            select(Server).where(Server.zone_template_id == template_id).order_by(Server.name)
        ).all(),
        zones=session.scalar(zones) or 0,
    )


def zones_by_template(session: Session) -> dict[int | None, int]:
    """How many zones each template makes, None for the built-in one."""
    default = session.scalar(select(ZoneTemplate.id).where(ZoneTemplate.is_default))
    of_servers = session.scalar(select(exists().where(Server.zone_template_id.is_not(None))))
    # Servers with a choice are rare, and looking for one takes a search for every zone.
    chosen = (
        chosen_template()
        if of_servers
        else func.coalesce(Zone.template_id, Product.zone_template_id, ServerGroup.zone_template_id)
    )
    made = (
        select(func.coalesce(chosen, default).label("template_id"))
        .select_from(Zone)
        .join(Service, Service.id == Zone.service_id)
        .join(Product, Product.id == Service.product_id)
        .join(ServerGroup, ServerGroup.id == Product.group_id)
        .subquery()
    )
    rows = session.execute(select(made.c.template_id, func.count()).group_by(made.c.template_id))
    return {template_id: count for template_id, count in rows}  # noqa: C416


def zone_runs(session: Session, limit: int = 5) -> Sequence[LongRun]:
    """Runs over many zones, the newest first."""
    query = select(LongRun).where(LongRun.kind == ZONE_RUN).order_by(LongRun.id.desc()).limit(limit)
    return session.scalars(query).all()


def running_zone_run(session: Session) -> LongRun | None:
    """A run over many zones that is not over."""
    query = select(LongRun).where(LongRun.kind == ZONE_RUN, LongRun.finished_at.is_(None))
    return session.scalars(query.order_by(LongRun.id)).first()


def templates_of_group(session: Session, group: ServerGroup) -> tuple[list[ZoneTemplate], bool]:
    """The templates that make or could make zones of a group, and whether the built-in one is among them."""
    on_group = select(Service.id).join(Product, Product.id == Service.product_id).where(Product.group_id == group.id)
    chosen = set(session.scalars(select(Product.zone_template_id).where(Product.group_id == group.id)))
    own = select(Zone.template_id).where(Zone.template_id.is_not(None), Zone.service_id.in_(on_group)).distinct()
    wanted = {*chosen, *session.scalars(own), group.zone_template_id}
    members = select(Server.zone_template_id).where(Server.group_id == group.id, Server.zone_template_id.is_not(None))
    wanted |= set(session.scalars(members.distinct()))
    default = session.scalar(select(ZoneTemplate.id).where(ZoneTemplate.is_default))
    if group.zone_template_id is None:
        # Whatever product or server chose none falls through to it.
        wanted.add(default)
    found = session.scalars(
        select(ZoneTemplate).where(ZoneTemplate.id.in_([one for one in wanted if one])).order_by(ZoneTemplate.name)
    )
    return list(found), group.zone_template_id is None and default is None
