"""Answers about servers, and how they are made of rows. No secret has a field here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.automation.hostkeys import HostKey
from controller.domain.words import Capability, Driver, ServerStatus
from controller.operations.server_look import ServerLook
from controller.store.models import Server
from controller.store.server_queries import server_loads
from controller.store.zone_models import ZoneTemplate
from controller.web.api import PREFIX
from controller.web.api.answers import Links, Ref
from controller.web.server_figures import accounts, closed_roles, number, services_up

VIEWS = ("packages", "addresses", "services", "users")


class HostKeyAnswer(BaseModel):
    """The pinned SSH host key."""

    type: str
    fingerprint: str


class SshAnswer(BaseModel):
    """How the controller signs in; never with what."""

    user: str
    become: bool
    method: str = Field(description="password or private_key")


class ApiAnswer(BaseModel):
    """Where the API of a PowerDNS server is; never its key."""

    url: str
    server_id: str


class DnsAnswer(BaseModel):
    """Where its nameserver is asked."""

    address: str = Field(description="empty: the server's address")
    port: int


class FiguresAnswer(BaseModel):
    """How a server was doing when it was last looked at; null for what it did not say."""

    cpu: float | None = Field(description="percent")
    memory: float | None = Field(description="percent")
    disk: float | None = Field(description="percent")
    load: float | None
    uptime: int | None = Field(description="seconds")
    accounts: int | None = Field(description="on a PowerDNS server zones")
    services_up: int | None = Field(description="programs that run")
    services_all: int | None


class ServerAnswer(BaseModel):
    """A server."""

    id: int
    name: str
    driver: Driver
    status: ServerStatus
    address: str
    port: int
    capabilities: list[Capability]
    closed_roles: list[Capability] = Field(description="of these it takes no new services")
    group: Ref | None
    attached_to: list[Ref] = Field(description="groups that this server does DNS for")
    capacity: int
    services: int = Field(description="services that live on it")
    ssh: SshAnswer | None = Field(description="null for powerdns")
    host_key: HostKeyAnswer | None = Field(description="null for powerdns")
    api: ApiAnswer | None = Field(description="null for hestiacp")
    dns: DnsAnswer
    hostname: str
    command_timeout: int = Field(description="seconds; 0: as everywhere")
    zone_template: Ref | None
    figures: FiguresAnswer
    facts: dict[str, Any] = Field(description="what the last check found")
    problem: str | None = Field(description="why the last check failed")
    blocked_since: dt.datetime | None = Field(description="since when it does not answer and its tasks wait")
    checked_at: dt.datetime | None
    usage_at: dt.datetime | None = Field(description="when the usage of its accounts was collected")
    created_at: dt.datetime
    links: Links


class ServerLookAnswer(BaseModel):
    """What was found on a server that is not added yet."""

    ok: bool
    problem: str = Field(description="why nothing could be found out")
    host_key: HostKeyAnswer | None = Field(description="what it shows now; null for powerdns")
    facts: dict[str, Any]
    missing: list[str] = Field(description="what it takes before it can be managed, in sentences")


def server_answer(session: Session, server: Server) -> ServerAnswer:
    """A server, without its credentials."""
    return server_answers(session, [server])[0]


def server_answers(session: Session, servers: Sequence[Server]) -> list[ServerAnswer]:
    """Several; what lives on them is counted at once."""
    loads = server_loads(session, [server.id for server in servers])
    names = template_names(session, [server.zone_template_id for server in servers])
    return [_answer(server, loads.get(server.id, 0), names) for server in servers]


def template_names(session: Session, template_ids: Iterable[int | None]) -> dict[int, str]:
    """Names of zone templates by id."""
    wanted = {number for number in template_ids if number is not None}
    rows = session.execute(select(ZoneTemplate.id, ZoneTemplate.name).where(ZoneTemplate.id.in_(wanted)))
    return {number: name for number, name in rows}  # noqa: C416


def _answer(server: Server, services: int, templates: dict[int, str]) -> ServerAnswer:
    me = f"{PREFIX}/servers/{server.id}"
    template = server.zone_template_id
    return ServerAnswer(
        id=server.id,
        name=server.name,
        driver=server.driver,
        status=server.status,
        address=server.address,
        port=server.port,
        capabilities=server.capabilities,
        closed_roles=closed_roles(server),
        group=Ref(id=server.group.id, name=server.group.name) if server.group else None,
        attached_to=[Ref(id=group.id, name=group.name) for group in server.dns_groups],
        capacity=server.capacity,
        services=services,
        ssh=_ssh(server),
        host_key=host_key_answer(server.host_key),
        api=ApiAnswer(url=server.api_url, server_id=server.api_server_id) if server.api_url else None,
        dns=DnsAnswer(address=server.dns_address, port=server.dns_port),
        hostname=server.hostname,
        command_timeout=server.command_timeout,
        zone_template=Ref(id=template, name=templates[template]) if template in templates else None,
        figures=figures(server),
        facts=server.facts,
        problem=server.problem,
        blocked_since=server.blocked_since,
        checked_at=server.checked_at,
        usage_at=server.usage_at,
        created_at=server.created_at,
        links={
            "self": me,
            "check": f"{me}/check",
            "config": f"{me}/config",
            "history": f"{me}/history",
            **{view: f"{me}/{view}" for view in VIEWS},
            "tasks": f"{PREFIX}/tasks?server={server.id}",
        },
    )


def _ssh(server: Server) -> SshAnswer | None:
    if server.driver is not Driver.HESTIACP:
        return None
    method = "private_key" if server.ssh_private_key else "password"
    return SshAnswer(user=server.ssh_user, become=server.become, method=method)


def host_key_answer(line: str) -> HostKeyAnswer | None:
    """A host key, if there is one."""
    return HostKeyAnswer(type=line.split(" ")[0], fingerprint=HostKey(line).fingerprint) if line else None


def figures(server: Server) -> FiguresAnswer:
    """What a server last said about itself."""
    facts = server.facts or {}
    programs = services_up(server)
    uptime = number(facts, "uptime")
    return FiguresAnswer(
        cpu=number(facts, "cpu"),
        memory=_share(facts, "memory"),
        disk=_share(facts, "disk"),
        load=number(facts, "load"),
        uptime=None if uptime is None else int(uptime),
        accounts=accounts(server),
        services_up=programs[0] if programs else None,
        services_all=programs[1] if programs else None,
    )


def _share(facts: dict[str, Any], name: str) -> float | None:
    used, whole = number(facts, f"{name}_used_mb"), number(facts, f"{name}_mb")
    return round(100 * used / whole, 1) if used is not None and whole else None


def look_answer(look: ServerLook) -> ServerLookAnswer:
    """A first look."""
    return ServerLookAnswer(
        ok=look.ok,
        problem=look.problem,
        host_key=host_key_answer(look.key.line) if look.key else None,
        facts=look.facts,
        missing=look.missing,
    )
