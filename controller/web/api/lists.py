"""Lists: their parameters, and one page of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from controller.domain.words import Capability, Driver, ServerStatus, ServiceStatus, TaskStatus
from controller.operations.records import must
from controller.store.models import Customer, Product, Server, ServerGroup, Service, Task
from controller.store.queries import (
    Page,
    find_customer,
    find_group,
    find_server,
    find_service,
    paged,
    service_page,
)
from controller.store.server_queries import in_trouble
from controller.store.task_queries import STUCK, TaskFilter, task_page
from controller.store.zone_models import Zone, ZoneRecord
from controller.store.zone_queries import ZoneFilter, zone_page
from controller.web.api.bodies import KEY_MAX, sound_key

T = TypeVar("T")
Column = ColumnElement[Any] | InstrumentedAttribute[Any]
PER_PAGE_MAX = 200


def _no_control_characters(text: str) -> str:
    if text and not text.isprintable():
        raise PydanticCustomError("text", "must be one line without control characters")
    return text


Search = Annotated[str, AfterValidator(_no_control_characters), Field(max_length=200)]
Name = Annotated[
    str | None,
    AfterValidator(lambda value: None if value is None else str(sound_key(value))),
    Field(max_length=KEY_MAX),
    WithJsonSchema({"type": "string", "minLength": 1}),
]


class Parameters(BaseModel):
    """Base of query parameters: none unknown."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PageParameters(Parameters):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=10**9)
    per_page: int = Field(25, ge=1, le=PER_PAGE_MAX)


class ListParameters(PageParameters):
    """What most lists take."""

    search: Search = Field("", description="part of a name, domain, address")


def sort_field(columns: Sequence[str], default: str) -> Any:
    """The ``sort`` parameter: a column's name, with ``-`` in front for descending."""
    pattern = f"^-?({'|'.join(columns)})$"
    return Field(default, pattern=pattern, description=f"one of {', '.join(columns)}; with - in front descending")


class ServerParameters(ListParameters):
    """Servers by group, capability, driver, status."""

    trouble: bool = Field(False, description="only servers that do not answer or whose last check failed")
    status: ServerStatus | None = None
    capability: Capability | None = None
    driver: Driver | None = None
    group: Name = Field(None, description="id or name; members and attached DNS servers")
    sort: str = sort_field(("id", "name", "address", "status", "checked"), "name")


class NamedParameters(ListParameters):
    """Things with a name."""

    sort: str = sort_field(("id", "name", "created"), "name")


class CustomerParameters(ListParameters):
    """Customers."""

    sort: str = sort_field(("id", "email", "name", "created"), "-id")


class ServiceParameters(ListParameters):
    """Services by status, customer."""

    status: ServiceStatus | None = None
    customer: Name = Field(None, description="id or e-mail address")
    sort: str = sort_field(("id", "domain", "status", "product", "customer", "created"), "-id")


class ServiceTaskParameters(ListParameters):
    """Tasks of one service, in the order they were planned."""

    per_page: int = Field(100, ge=1, le=PER_PAGE_MAX)
    status: TaskStatus | None = None
    sort: str = sort_field(("id", "action", "target", "server", "status", "created", "started", "finished"), "id")


class TaskParameters(ListParameters):
    """Tasks by status, service, server, group, action."""

    status: TaskStatus | None = None
    stuck: bool = Field(False, description="only tasks that run although their time is long over")
    service: Name = Field(None, description="id or domain")
    server: Name = Field(None, description="id or name")
    group: Name = Field(None, description="id or name; servers of the group and attached DNS servers")
    action: str = Field("", max_length=40, description="for instance web.account")
    sort: str = sort_field(("id", "action", "target", "server", "status", "created", "started", "finished"), "-id")


class ZoneParameters(ListParameters):
    """Zones by what their nameservers answer, by nameserver."""

    search: Search = Field("", description="part of the domain")
    state: Literal["", "agrees", "differs", "unasked", "waiting"] = Field(
        "", description="waiting: for a write; with a server: the state there"
    )
    server: Name = Field(None, description="id or name of a nameserver")
    sort: str = sort_field(("id", "domain", "agrees", "checked"), "domain")


class EventParameters(Parameters):
    """Which part of a log."""

    after: int = Field(0, ge=0, lt=2**31, description="only lines with a higher seq")
    limit: int = Field(500, ge=1, le=2000)


class LogParameters(Parameters):
    """In which form a log is wanted."""

    format: Literal["text", "json"] = Field("text", description="json is one object on each line")


class StreamParameters(Parameters):
    """Where a stream goes on; the header ``Last-Event-ID`` wins."""

    after: int = Field(0, ge=0, lt=2**31, description="only events with a higher id")


def servers(session: Session, asked: ServerParameters) -> Page[Server]:
    """Servers with their groups. Raises NotFound for an unknown group."""
    query = select(Server).options(selectinload(Server.group), selectinload(Server.dns_groups))
    if asked.trouble:
        query = query.where(in_trouble())
    if asked.status:
        query = query.where(Server.status == asked.status)
    if asked.capability:
        query = query.where(getattr(Server, f"can_{asked.capability.value}"))
    if asked.driver:
        query = query.where(Server.driver == asked.driver)
    if asked.group is not None:
        group = must(find_group(session, asked.group), "group", asked.group)
        query = query.where(or_(Server.group_id == group.id, Server.dns_groups.any(ServerGroup.id == group.id)))
    columns = {"id": Server.id, "name": Server.name, "address": Server.address, "status": Server.status}
    columns["checked"] = Server.checked_at
    return _paged(session, query, asked, columns, (Server.name, Server.address, Server.hostname))


def groups(session: Session, asked: NamedParameters) -> Page[ServerGroup]:
    """Groups with their servers."""
    query = select(ServerGroup).options(selectinload(ServerGroup.servers), selectinload(ServerGroup.dns_servers))
    columns = {"id": ServerGroup.id, "name": ServerGroup.name, "created": ServerGroup.created_at}
    return _paged(session, query, asked, columns, (ServerGroup.name, ServerGroup.description))


def products(session: Session, asked: NamedParameters) -> Page[Product]:
    """Products with their group."""
    query = select(Product).options(selectinload(Product.group))
    columns = {"id": Product.id, "name": Product.name, "created": Product.created_at}
    return _paged(session, query, asked, columns, (Product.name, Product.description))


def customers(session: Session, asked: CustomerParameters) -> Page[Customer]:
    """Customers."""
    columns = {"id": Customer.id, "email": Customer.email, "name": Customer.name, "created": Customer.created_at}
    return _paged(session, select(Customer), asked, columns, (Customer.email, Customer.name))


def services(session: Session, asked: ServiceParameters) -> Page[Service]:
    """Services with product and customer. Raises NotFound for an unknown customer."""
    customer_id = None
    if asked.customer is not None:
        customer_id = must(find_customer(session, asked.customer), "customer", asked.customer).id
    found = service_page(
        session,
        search=asked.search,
        status=asked.status or "",
        customer_id=customer_id,
        sort=asked.sort,
        page=asked.page,
        per_page=asked.per_page,
    )
    return as_asked(found, asked)


def tasks(session: Session, asked: TaskParameters, stuck: ColumnElement[bool]) -> Page[Task]:
    """Tasks with their server. Raises NotFound for an unknown service, server or group."""
    found = task_page(
        session, task_filter(session, asked), stuck=stuck, sort=asked.sort, page=asked.page, per_page=asked.per_page
    )
    return as_asked(found, asked)


def task_filter(session: Session, asked: Any) -> TaskFilter:
    """The filter that parameters or a body name. Raises NotFound for an unknown service, server or group."""
    service_id = server_id = group_id = None
    if asked.service is not None:
        service_id = must(find_service(session, asked.service), "service", asked.service).id
    if asked.server is not None:
        server_id = must(find_server(session, asked.server), "server", asked.server).id
    if asked.group is not None:
        group_id = must(find_group(session, asked.group), "group", asked.group).id
    return TaskFilter(
        service_id=service_id,
        server_id=server_id,
        group_id=group_id,
        state=STUCK if asked.stuck else asked.status or "",
        action=asked.action,
        search=asked.search,
    )


def service_tasks(session: Session, service_id: int, asked: ServiceTaskParameters) -> Page[Task]:
    """Tasks of one service."""
    found = task_page(
        session,
        TaskFilter(service_id=service_id, state=asked.status or "", search=asked.search),
        sort=asked.sort,
        page=asked.page,
        per_page=asked.per_page,
    )
    return as_asked(found, asked)


def zones(session: Session, asked: ZoneParameters) -> Page[Zone]:
    """Zones with their services. Raises NotFound for an unknown server."""
    server = must(find_server(session, asked.server), "server", asked.server) if asked.server is not None else None
    wanted = ZoneFilter(search=asked.search, state=asked.state, server_id=server.id if server else None)
    return as_asked(zone_page(session, wanted, sort=asked.sort, page=asked.page, per_page=asked.per_page), asked)


def own_records(session: Session, zone_id: int, asked: PageParameters) -> Page[ZoneRecord]:
    """A zone's own records."""
    query = select(ZoneRecord).where(ZoneRecord.zone_id == zone_id).order_by(ZoneRecord.id)
    return as_asked(paged(session, query, asked.page, asked.per_page), asked)


def _paged(
    session: Session,
    query: Select[T],
    asked: Any,
    columns: Mapping[str, Column],
    searched: Sequence[Column],
) -> Page[T]:
    if asked.search.strip():
        text = asked.search.strip()
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in searched)))
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    column = columns[asked.sort.removeprefix("-")]
    key = query.column_descriptions[0]["entity"].id
    ordered = query.order_by(column.desc() if asked.sort.startswith("-") else column.asc(), key.desc())
    rows = session.scalars(ordered.limit(asked.per_page).offset((asked.page - 1) * asked.per_page)).unique().all()
    return Page(rows, total, asked.page, asked.per_page)


def as_asked(found: Page[T], asked: Any) -> Page[T]:
    """A page past the end is empty, so that who reads on until nothing comes does not read for ever."""
    if found.page == asked.page:
        return found
    return Page([], found.total, asked.page, asked.per_page, found.more)
