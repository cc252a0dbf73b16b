"""Questions asked of the database by more than one door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from controller.domain.words import Reason, ServerStatus, ServiceStatus, TaskStatus
from controller.store.models import (
    Activity,
    Customer,
    Pipeline,
    Product,
    Server,
    ServerGroup,
    Service,
    Task,
    TaskEvent,
)

T = TypeVar("T")
Key = int | str

DEPLOY_REASONS = (
    Reason.ORDER,
    Reason.REDEPLOY,
    Reason.SUSPEND,
    Reason.UNSUSPEND,
    Reason.TERMINATE,
    Reason.CHANGE_PRODUCT,
    Reason.REPAIR,
)


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; ``page`` counts from 1."""

    items: Sequence[T]
    total: int
    page: int
    per_page: int
    more: bool = False
    """Whether there are more than ``total``, which are not listed."""

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.per_page))


@dataclass(frozen=True)
class Progress:
    """How far the current pipeline of a service is."""

    done: int
    total: int
    current: str | None
    failed: int = 0

    @property
    def percent(self) -> int:
        """0 to 100."""
        return 100 if not self.total else int(100 * self.done / self.total)


def is_id(text: str) -> bool:
    """Whether a key reads as an id: ASCII digits that fit a 64 bit integer."""
    return text.isascii() and text.isdigit() and len(text) < 19


def by_key(session: Session, model: type[T], key: Key, name: InstrumentedAttribute[str]) -> T | None:
    """A thing by id or name."""
    text = str(key)
    if is_id(text):
        found = session.get(model, int(text))
        if found is not None:
            return found
    if not text.isprintable():
        # No name is, and databases refuse to look for some of it.
        return None
    return session.scalars(select(model).where(name == text)).first()


def find_server(session: Session, key: Key) -> Server | None:
    """By id or name."""
    return by_key(session, Server, key, Server.name)


def find_group(session: Session, key: Key) -> ServerGroup | None:
    """By id or name."""
    return by_key(session, ServerGroup, key, ServerGroup.name)


def find_product(session: Session, key: Key) -> Product | None:
    """By id or name."""
    return by_key(session, Product, key, Product.name)


def find_customer(session: Session, key: Key) -> Customer | None:
    """By id or e-mail address."""
    return by_key(session, Customer, str(key).lower(), Customer.email)


def find_service(session: Session, key: Key) -> Service | None:
    """By id, or by domain (the live one before terminated ones, then the newest)."""
    text = str(key)
    if is_id(text):
        return session.get(Service, int(text))
    if not text.isprintable():
        return None
    return session.scalars(
        select(Service)
        .where(or_(Service.domain == text, Service.domain_unicode == text))
        .order_by(Service.status == ServiceStatus.TERMINATED, Service.id.desc())
    ).first()


def current_pipeline(session: Session, service_id: int) -> Pipeline | None:
    """The newest pipeline that changes the service."""
    return session.scalars(
        select(Pipeline)
        .where(Pipeline.service_id == service_id, Pipeline.reason.in_(DEPLOY_REASONS))
        .order_by(Pipeline.id.desc())
        .limit(1)
    ).first()


def last_verification(session: Session, service_id: int) -> Pipeline | None:
    """The newest verification of a service, running or over."""
    return session.scalars(
        select(Pipeline)
        .where(Pipeline.service_id == service_id, Pipeline.reason == Reason.VERIFY)
        .order_by(Pipeline.id.desc())
        .limit(1)
    ).first()


def progress(session: Session, service_id: int) -> Progress:
    """Progress of the newest pipeline of a service; 0 of 0 when there is none."""
    pipeline = current_pipeline(session, service_id)
    if pipeline is None:
        return Progress(0, 0, None)
    tasks = session.execute(
        select(Task.status, Task.label).where(Task.pipeline_id == pipeline.id).order_by(Task.id)
    ).all()
    counted = [row for row in tasks if row.status is not TaskStatus.CANCELLED]
    running = [row.label for row in counted if row.status is TaskStatus.RUNNING]
    queued = [row.label for row in counted if row.status is TaskStatus.QUEUED]
    return Progress(
        done=sum(row.status is TaskStatus.SUCCEEDED for row in counted),
        total=len(counted),
        current=(running or queued or [None])[0],
        failed=sum(row.status is TaskStatus.FAILED for row in counted),
    )


def paged(session: Session, query: Select[T], page: int, per_page: int) -> Page[T]:
    """One page of a query; a number beyond the last page gives the last one."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    page = max(1, min(page, max(1, -(-total // per_page))))
    items = session.scalars(query.limit(per_page).offset((page - 1) * per_page)).unique().all()
    return Page(items, total, page, per_page)


def ordered(
    query: Select[T],
    sort: str,
    columns: dict[str, ColumnElement[Any] | InstrumentedAttribute[Any]],
    default: str,
) -> Select[T]:
    """``sort`` is a column's name, with ``-`` in front for descending; unknown names fall back."""
    key, descending = sort.removeprefix("-"), sort.startswith("-")
    if key not in columns:
        key, descending = default.removeprefix("-"), default.startswith("-")
    column = columns[key]
    by_column = query.order_by(column.desc() if descending else column.asc())
    return by_column.order_by(columns[default.removeprefix("-")].desc())


def like(text: str) -> str:
    """A pattern for ``ilike`` that finds the text anywhere, with ``\\`` as escape."""
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def has_lower(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    """Whether a column without capitals has the text in it, whose letters then need not be made small row by row."""
    return column.like(like(text.lower()), escape="\\")


def service_page(
    session: Session,
    *,
    search: str = "",
    status: str = "",
    customer_id: int | None = None,
    sort: str = "-id",
    page: int = 1,
    per_page: int = 25,
) -> Page[Service]:
    """Services with product and customer loaded."""
    query = select(Service).join(Service.product).join(Service.customer)
    query = query.options(selectinload(Service.product), selectinload(Service.customer))
    if search:
        text = search.strip()
        lower = (Service.domain, Service.domain_unicode, Customer.email)
        mixed = (Service.reference, Customer.name)
        query = query.where(
            or_(
                *(has_lower(column, text) for column in lower),
                *(column.ilike(like(text), escape="\\") for column in mixed),
            )
        )
    if status in set(ServiceStatus):
        query = query.where(Service.status == ServiceStatus(status))
    if customer_id is not None:
        query = query.where(Service.customer_id == customer_id)
    columns: dict[str, Any] = {
        "id": Service.id,
        "domain": Service.domain,
        "status": Service.status,
        "product": Product.name,
        "customer": Customer.email,
        "created": Service.created_at,
    }
    return paged(session, ordered(query, sort, columns, "-id"), page, per_page)


def group_candidates(session: Session, group: ServerGroup) -> list[Server]:
    """Active servers of a group: its web and mail members and the attached DNS servers."""
    members = [*group.servers, *group.dns_servers]
    unique = {server.id: server for server in members}
    return [server for server in unique.values() if server.status is ServerStatus.ACTIVE]


def activity_since(session: Session, service_id: int, after_id: int, limit: int = 200) -> Sequence[Activity]:
    """What happened to a service after a point, oldest first."""
    return session.scalars(
        select(Activity)
        .where(Activity.service_id == service_id, Activity.id > after_id)
        .order_by(Activity.id)
        .limit(limit)
    ).all()


def recent_activity(session: Session, service_id: int, limit: int = 20) -> Sequence[Activity]:
    """The last things that happened to a service, newest first."""
    return session.scalars(
        select(Activity).where(Activity.service_id == service_id).order_by(Activity.id.desc()).limit(limit)
    ).all()


def events_since(session: Session, task_id: int, after_seq: int, limit: int = 500) -> Sequence[TaskEvent]:
    """Log lines of a task after a point, in order."""
    return session.scalars(
        select(TaskEvent)
        .where(TaskEvent.task_id == task_id, TaskEvent.seq > after_seq)
        .order_by(TaskEvent.seq)
        .limit(limit)
    ).all()
