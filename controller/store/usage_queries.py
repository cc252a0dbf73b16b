"""What services use of what they may: lists, sums, history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, joinedload

from controller.domain.limits import UNLIMITED
from controller.domain.words import Capability, ServiceStatus
from controller.store.base import utcnow
from controller.store.database import Database
from controller.store.fleet_models import ServiceUsage, UsageSample
from controller.store.models import Account, Product, Service
from controller.store.queries import Page, has_lower

NEARLY_FULL = 80
"""Percent of a limit from which on a service is looked at."""
CHUNK = 500

Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class Gauge:
    """One thing that is counted and limited."""

    name: str
    """The column of ``ServiceUsage``."""
    limit: str
    """The key of ``Service.limits``."""
    role: Capability
    """Under whose heading it stands."""
    title: str
    needs: Capability
    """The role a service must have for it to mean something."""
    unit: str = ""
    warns: bool = True
    """Whether being near the limit is worth a look: backups always are."""

    def limit_of(self, service: Service) -> int | None:
        """What the service may use; None without a limit."""
        value = service.limits.get(self.limit, UNLIMITED)
        return None if value == UNLIMITED else int(value)


WEB, MAIL, DNS = Capability.WEB, Capability.MAIL, Capability.DNS
GAUGES: tuple[Gauge, ...] = (
    Gauge("web_disk", "web_disk_quota", WEB, "Disk", WEB, "MB"),
    Gauge("web_bandwidth", "web_bandwidth", WEB, "Traffic", WEB, "MB"),
    Gauge("dns_records", "dns_records", WEB, "DNS records", DNS),
    Gauge("databases", "web_databases", WEB, "Databases", WEB),
    Gauge("ftp_accounts", "web_ftp_accounts", WEB, "FTP", WEB),
    Gauge("cron_jobs", "web_cron_jobs", WEB, "Cron", WEB),
    Gauge("web_backups", "web_backups", WEB, "Backups", WEB, warns=False),
    Gauge("mail_disk", "mail_disk_quota", MAIL, "Disk", MAIL, "MB"),
    Gauge("mail_accounts", "mail_accounts", MAIL, "Mailboxes", MAIL),
    Gauge("mail_backups", "mail_backups", MAIL, "Backups", MAIL, warns=False),
)


@dataclass(frozen=True)
class UsageFilter:
    """Which services, of those that are not terminated; what is left empty does not narrow."""

    search: str = ""
    """Part of the domain."""
    server_id: int | None = None
    product_id: int | None = None
    nearly_full: bool = False

    def apply(self, session: Session, query: Select[*Ts]) -> Select[*Ts]:
        """The query, which has ``Service`` and ``ServiceUsage``, with these conditions."""
        query = query.where(Service.status != ServiceStatus.TERMINATED)
        if self.server_id is not None:
            living = select(Account.service_id).where(Account.server_id == self.server_id)
            query = query.where(Service.id.in_(living))
        if self.product_id is not None:
            query = query.where(Service.product_id == self.product_id)
        if self.search.strip():
            text = self.search.strip()
            query = query.where(or_(has_lower(Service.domain, text), has_lower(Service.domain_unicode, text)))
        if self.nearly_full:
            query = query.where(_nearly_full(session))
        return query


def _nearly_full(session: Session) -> ColumnElement[bool]:
    """Uses at least ``NEARLY_FULL`` percent of any limit that warns."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    return or_(*(_near(gauge, sqlite) for gauge in GAUGES if gauge.warns))


def _near(gauge: Gauge, sqlite: bool) -> ColumnElement[bool]:
    used: ColumnElement[int] = getattr(ServiceUsage, gauge.name)
    bound = used * (100 / NEARLY_FULL)
    if sqlite:
        # A limit is a number or a word; to SQLite every word is more than any number.
        return and_(used > 0, bound >= func.json_extract(Service.limits, f"$.{gauge.limit}"))
    stored = Service.limits[gauge.limit]
    # PostgreSQL must not be asked to read the word as a number.
    return and_(used > 0, bound >= case((func.json_typeof(stored) == "number", stored.as_integer())))


@dataclass(frozen=True)
class Line:
    """A service and what it uses; None before the first collection."""

    service: Service
    usage: ServiceUsage | None

    def used(self, gauge: Gauge) -> int:
        """How much of one thing it uses."""
        return int(getattr(self.usage, gauge.name)) if self.usage else 0


def _ids(session: Session, wanted: UsageFilter, sort: str) -> Select[int]:
    columns: dict[str, Any] = {gauge.name: getattr(ServiceUsage, gauge.name) for gauge in GAUGES}
    columns |= {"domain": Service.domain, "updated": ServiceUsage.at}
    key = sort.removeprefix("-")
    if key not in columns:
        sort = key = "domain"
    column = columns[key]
    query = select(Service.id).outerjoin(ServiceUsage, ServiceUsage.service_id == Service.id)
    query = wanted.apply(session, query)
    order = column.desc() if sort.startswith("-") else column.asc()
    # A domain is never unknown; saying so would keep the index from being used.
    return query.order_by(order if key == "domain" else order.nulls_last(), Service.id)


@dataclass(frozen=True)
class UsageTotals:
    """Sums over services."""

    collected: int
    """Services whose usage is known."""
    sums: Mapping[str, int]
    """By a gauge's name."""
    oldest: dt.datetime | None
    """The collection that is longest ago."""


def usage_page(
    session: Session, wanted: UsageFilter, *, sort: str = "domain", page: int = 1, per_page: int = 25
) -> tuple[Page[Line], UsageTotals]:
    """Services and what they use, with their products loaded; and the sums over all of the filter."""
    if wanted.nearly_full:
        return _costly_page(session, wanted, sort, page, per_page)
    total = usage_count(session, wanted)
    page = min(max(1, page), max(1, -(-total // per_page)))
    ids = session.scalars(_ids(session, wanted, sort).limit(per_page).offset((page - 1) * per_page)).all()
    return Page(_lines(session, ids), total, page, per_page), _totals(session, wanted)


def _costly_page(
    session: Session, wanted: UsageFilter, sort: str, page: int, per_page: int
) -> tuple[Page[Line], UsageTotals]:
    """The same where the filter itself costs most: it is asked once, for the lines, their number and the sums."""
    whole: list[ColumnElement[Any]] = [func.count(ServiceUsage.service_id).over(), func.min(ServiceUsage.at).over()]
    sums: list[ColumnElement[Any]] = [func.sum(getattr(ServiceUsage, gauge.name)).over() for gauge in GAUGES]
    query = _ids(session, wanted, sort).add_columns(func.count().over(), *whole, *sums)
    rows = session.execute(query.limit(per_page).offset((page - 1) * per_page)).all()
    if not rows and page > 1:
        return _costly_page(session, wanted, sort, 1, per_page)
    if not rows:
        return Page([], 0, 1, per_page), UsageTotals(0, dict.fromkeys((gauge.name for gauge in GAUGES), 0), None)
    first: Sequence[Any] = rows[0]
    totals = UsageTotals(first[2], {gauge.name: int(first[4 + place]) for place, gauge in enumerate(GAUGES)}, first[3])
    return Page(_lines(session, [row[0] for row in rows]), first[1], page, per_page), totals


def usage_count(session: Session, wanted: UsageFilter) -> int:
    """How many services there are."""
    query = select(func.count()).select_from(Service)
    if wanted.nearly_full:
        query = query.join(ServiceUsage, ServiceUsage.service_id == Service.id)
    return session.scalar(wanted.apply(session, query)) or 0


def _lines(session: Session, ids: Sequence[int]) -> list[Line]:
    query = (
        select(Service, ServiceUsage)
        .outerjoin(ServiceUsage, ServiceUsage.service_id == Service.id)
        .options(joinedload(Service.product), joinedload(Service.customer))
        .where(Service.id.in_(ids))
    )
    found = {service.id: Line(service, usage) for service, usage in session.execute(query)}
    return [found[number] for number in ids if number in found]


def usage_lines(database: Database, wanted: UsageFilter, sort: str) -> Iterator[Line]:
    """All services of a filter; read some at a time, so that no transaction stays open meanwhile."""
    with database.read() as session:
        ids = session.scalars(_ids(session, wanted, sort)).all()
    for start in range(0, len(ids), CHUNK):
        with database.read() as session:
            lines = _lines(session, ids[start : start + CHUNK])
        yield from lines


def _totals(session: Session, wanted: UsageFilter) -> UsageTotals:
    columns = [func.coalesce(func.sum(getattr(ServiceUsage, gauge.name)), 0) for gauge in GAUGES]
    query = select(func.count(), func.min(ServiceUsage.at), *columns).select_from(Service)
    query = query.join(ServiceUsage, ServiceUsage.service_id == Service.id)
    row: Sequence[Any] = session.execute(wanted.apply(session, query)).one()
    return UsageTotals(row[0], {gauge.name: int(row[place]) for place, gauge in enumerate(GAUGES, 2)}, row[1])


def service_line(session: Session, service_id: int) -> Line | None:
    """One service and what it uses."""
    lines = _lines(session, [service_id])
    return lines[0] if lines else None


def usage_history(session: Session, service_id: int, days: int) -> Sequence[UsageSample]:
    """A service's usage day by day, the oldest first."""
    since = utcnow().date() - dt.timedelta(days=days)
    query = select(UsageSample).where(UsageSample.service_id == service_id, UsageSample.day >= since)
    return session.scalars(query.order_by(UsageSample.day)).all()


def product_names(session: Session) -> Sequence[tuple[int, str]]:
    """Products by name, for a filter."""
    return [(number, name) for number, name in session.execute(select(Product.id, Product.name).order_by(Product.name))]
