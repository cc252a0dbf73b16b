"""Answers of the API; the command line prints the same with ``--json``. No secret has a field here."""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from controller.domain.words import (
    Capability,
    Desired,
    Mode,
    Reason,
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
    more: bool = Field(description="whether there are more than total, which no page has: a search lists the newest")


class PageOf(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    page: PageInfo


class Ref(BaseModel):
    """Another thing, by id and name."""

    id: int
    name: str


class ProductAnswer(BaseModel):
    """A product."""

    id: int
    name: str
    description: str
    mode: Mode
    roles: list[Capability]
    group: Ref
    limits: dict[str, Any]
    zone_template: Ref | None = Field(description="for its zones; null: no choice")
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
