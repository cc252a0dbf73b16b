"""Answers of the API; the command line prints the same with ``--json``. No secret has a field here."""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from controller.domain.words import (
    Capability,
    Desired,
    Driver,
    Mode,
    Reason,
    ServerStatus,
    ServiceStatus,
)

T = TypeVar("T")
Links = dict[str, str]


class PageInfo(BaseModel):
    """Where in a list this is; the ``Link`` header has the addresses of the others."""

    number: int
    per_page: int
    total: int
    pages: int


class PageOf(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    page: PageInfo


class Ref(BaseModel):
    """Another thing, by id and name."""

    id: int
    name: str


class HostKeyAnswer(BaseModel):
    """The pinned SSH host key."""

    type: str
    fingerprint: str


class SshAnswer(BaseModel):
    """How the controller signs in; never with what."""

    user: str
    become: bool
    method: str = Field(description="password or private_key")


class ServerAnswer(BaseModel):
    """A server."""

    id: int
    name: str
    driver: Driver
    status: ServerStatus
    address: str
    port: int
    capabilities: list[Capability]
    group: Ref | None
    attached_to: list[Ref] = Field(description="groups that this server does DNS for")
    capacity: int
    ssh: SshAnswer
    host_key: HostKeyAnswer
    hostname: str
    facts: dict[str, Any] = Field(description="what the last check found")
    problem: str | None = Field(description="why the last check failed")
    checked_at: dt.datetime | None
    created_at: dt.datetime
    links: Links


class GroupAnswer(BaseModel):
    """A server group."""

    id: int
    name: str
    description: str
    variables: dict[str, Any]
    servers: list[Ref]
    dns_servers: list[Ref]
    created_at: dt.datetime
    links: Links


class ProductAnswer(BaseModel):
    """A product."""

    id: int
    name: str
    description: str
    mode: Mode
    roles: list[Capability]
    group: Ref
    limits: dict[str, Any]
    active: bool
    self_service: bool = Field(description="whether signed-in customers may order it themselves")
    created_at: dt.datetime
    links: Links


class CustomerAnswer(BaseModel):
    """A customer."""

    id: int
    email: str
    name: str
    created_at: dt.datetime
    links: Links


class CustomerRef(BaseModel):
    """A customer, in short."""

    id: int
    email: str
    name: str


class ServiceSummary(BaseModel):
    """A service, as lists show it."""

    id: int
    reference: str | None
    domain: str
    domain_unicode: str
    product: Ref
    customer: CustomerRef
    mode: Mode
    roles: list[Capability]
    status: ServiceStatus
    error: str | None = Field(description="plain words, fit for the customer")
    created_at: dt.datetime
    activated_at: dt.datetime | None
    terminated_at: dt.datetime | None
    links: Links


class ProgressAnswer(BaseModel):
    """How far the newest pipeline of a service is."""

    done: int
    total: int
    current: str | None


class AccountAnswer(BaseModel):
    """A panel user that backs roles of the service."""

    username: str
    roles: list[Capability]
    server: str


class HostingServer(BaseModel):
    """A server that hosts some of the service."""

    id: int
    name: str
    hostname: str
    roles: list[Capability]


class PipelineAnswer(BaseModel):
    """The tasks of one reason."""

    id: int
    reason: Reason
    created_at: dt.datetime
    finished_at: dt.datetime | None


class ServiceAnswer(ServiceSummary):
    """A service."""

    desired: Desired
    progress: ProgressAnswer
    pipeline: PipelineAnswer | None = Field(description="the newest one that changes the service")
    accounts: list[AccountAnswer]
    servers: list[HostingServer]
    limits: dict[str, Any]


class ZoneSummary(BaseModel):
    """A zone, as lists show it."""

    domain: str
    domain_unicode: str
    service_id: int
    status: ServiceStatus
    nameservers: int = Field(description="servers that publish it")
    up_to_date: bool = Field(description="whether every one of them has confirmed the newest wish")
    links: Links


class RecordAnswer(BaseModel):
    """A record as it should be; ``name`` is relative, ``@`` the zone itself."""

    name: str
    type: str
    value: str
    ttl: int
    priority: int | None


class ZoneServer(BaseModel):
    """A zone on one nameserver."""

    server: str
    hostname: str
    desired: Desired
    generation: int
    applied_generation: int
    up_to_date: bool
    applied_at: dt.datetime | None
    serial: str | None
    records: int | None


class ZoneAnswer(ZoneSummary):
    """A zone with its records as they should be, and what each nameserver has confirmed."""

    ttl: int | None
    soa: str | None
    records: list[RecordAnswer]
    not_ready: str | None = Field(description="why the records cannot be said yet")
    servers: list[ZoneServer]
