"""Role variables of a resource, read from the database when its task runs: the latest wish wins."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from controller.automation.group_wishes import server_files, server_settings
from controller.automation.roles import role_of
from controller.automation.zone_wishes import nameservers, wanted_zone, zone_values
from controller.domain.limits import panel_limits
from controller.domain.naming import panel_email, panel_full_name, www_alias
from controller.domain.words import VERIFY_ACTION, Desired, Driver
from controller.store.models import Account, Resource, Server, Service, Task
from controller.store.vault import Vault

WISHED_WITH = (
    selectinload(Resource.account).selectinload(Account.server),
    selectinload(Resource.service).selectinload(Service.resources).selectinload(Resource.server),
    selectinload(Resource.service).selectinload(Service.accounts).selectinload(Account.server),
    selectinload(Resource.service).selectinload(Service.customer),
    selectinload(Resource.service).selectinload(Service.product),
)
"""What the wishes of many resources are made of, read in a few queries."""
STATES = {Desired.ACTIVE: "present", Desired.SUSPENDED: "suspended", Desired.ABSENT: "absent"}


class NotReadyError(RuntimeError):
    """Something the resource stands on is not known yet."""


@dataclass
class RoleVariables:
    """Variables for the role, and the secrets among them that must never be stored or shown."""

    values: dict[str, Any]
    secrets: list[str] = field(default_factory=list)


def role_variables(session: Session, vault: Vault, resource: Resource) -> RoleVariables:
    """Variables named ``<role>_<option>`` for the resource's action.

    Raises NotReadyError when a fact of another resource is missing.
    """
    role, entry = role_of(resource.server.driver, resource.action)
    if resource.action in _SERVER_BUILDERS:
        return _named(role, _SERVER_BUILDERS[resource.action](session, resource), [])
    service = resource.service
    if service is None:
        raise NotReadyError(f"{resource.action} {resource.name} belongs to no service")
    options: dict[str, Any] = {"state": STATES[resource.desired]}
    if resource.server.driver is Driver.POWERDNS:
        options |= _zone(session, resource, service)
        options.pop("ip", None)
        door = _api_door(vault, resource.server)
        return _named(role, options | door.values, door.secrets)
    account = resource.account
    if account is None:
        raise NotReadyError(f"{resource.action} {resource.name} belongs to no account")
    password = vault.unseal(account.password)
    options["user"] = account.username
    if entry == "zone":
        options |= _zone(session, resource, service)
    else:
        options |= _BUILDERS[entry](session, resource, account, service)
    if entry == "account" and resource.desired is not Desired.ABSENT:
        options["password"] = password
    return _named(role, options, [password])


def task_variables(session: Session, vault: Vault, task: Task) -> RoleVariables:
    """Variables of a task: its resource's as they are wished for now, or what it was given.

    Raises NotReadyError when its resource is gone.
    """
    if task.resource is not None:
        return role_variables(session, vault, task.resource)
    if task.is_moot:
        raise NotReadyError(f"{task.target} is gone already")
    role, _ = role_of(task.server.driver, task.action)
    arguments = _verification(session, vault, task) if task.action == VERIFY_ACTION else task.arguments
    door = _api_door(vault, task.server) if task.server.driver is Driver.POWERDNS else RoleVariables({})
    return _named(role, arguments | door.values, door.secrets)


class Confirmed(Protocol):
    """What tells how far a resource is: itself, or a row with these columns."""

    @property
    def id(self) -> int: ...
    @property
    def generation(self) -> int: ...
    @property
    def applied_generation(self) -> int: ...
    @property
    def applied_at(self) -> dt.datetime | None: ...


def mark_of(resource: Confirmed) -> str:
    """Tells a wish that a server has confirmed from every earlier and later one of the resource."""
    applied = resource.applied_at.timestamp() if resource.applied_at else 0
    return f"{resource.id}.{resource.generation}.{resource.applied_generation}.{applied}"


def resource_wishes(
    session: Session, vault: Vault, resources: Iterable[Resource]
) -> tuple[list[tuple[Resource, dict[str, Any]]], list[str]]:
    """What the modules that verify take, without passwords; and in words what cannot be said yet."""
    wishes: list[tuple[Resource, dict[str, Any]]] = []
    not_ready: list[str] = []
    for resource in resources:
        try:
            values = role_variables(session, vault, resource).values
        except NotReadyError as reason:
            not_ready.append(f"{resource.action} {resource.name}: {reason}")
            continue
        role, _ = role_of(resource.server.driver, resource.action)
        options = {key.removeprefix(f"{role}_"): value for key, value in values.items()}
        for secret in ("password", "api_key"):
            options.pop(secret, None)
        wishes.append((resource, {"action": resource.action, "name": resource.name, "options": options}))
    return wishes, not_ready


def _verification(session: Session, vault: Vault, task: Task) -> dict[str, Any]:
    """What some services should have on a server. As one text: that is what Ansible hands on fast.

    What a server has not confirmed yet is not expected of it.
    """
    query = (
        select(Resource)
        .where(
            Resource.server_id == task.server_id,
            Resource.service_id.in_(task.arguments["services"]),
            Resource.applied_generation == Resource.generation,
        )
        .options(*WISHED_WITH)
        .order_by(Resource.service_id, Resource.id)
    )
    wishes, _ = resource_wishes(session, vault, session.scalars(query))
    marked = [{**wish, "mark": mark_of(resource)} for resource, wish in wishes]
    return {"wishes": json.dumps(marked, separators=(",", ":"))}


def _named(role: str, options: dict[str, Any], secrets: list[str]) -> RoleVariables:
    return RoleVariables({f"{role}_{key}": value for key, value in options.items()}, secrets)


def _api_door(vault: Vault, server: Server) -> RoleVariables:
    """How a PowerDNS server's API is reached."""
    key = vault.unseal(server.api_key) if server.api_key else ""
    return RoleVariables(
        {"api_url": server.api_url, "api_key": key, "server_id": server.api_server_id}, [key] if key else []
    )


def _config(_session: Session, resource: Resource) -> dict[str, Any]:
    return {"settings": server_settings(resource.server, resource.name)}


def _files(session: Session, resource: Resource) -> dict[str, Any]:
    return {"files": server_files(session, resource.server)}


_SERVER_BUILDERS: dict[str, Callable[[Session, Resource], dict[str, Any]]] = {
    "server.config": _config,
    "server.files": _files,
}


def _package(session: Session, resource: Resource, account: Account, service: Service) -> dict[str, Any]:
    options: dict[str, Any] = {"package": account.username}
    if resource.desired is not Desired.ABSENT:
        options["limits"] = panel_limits(account.roles, service.limits)
        if len(names := nameservers(service)) > 1:
            options["nameservers"] = names
    return options


def _account(_session: Session, _resource: Resource, account: Account, service: Service) -> dict[str, Any]:
    return {
        "package": account.username,
        "email": panel_email(service.customer.email, service.domain),
        "full_name": panel_full_name(service.customer.name, service.domain),
    }


def _domain(_session: Session, resource: Resource, _account: Account, service: Service) -> dict[str, Any]:
    if resource.action == "web.domain":
        return {"domain": service.domain, "aliases": www_alias(service.domain), **resource.spec}
    return {"domain": service.domain, "dkim": True, **resource.spec}


def _certificate(_session: Session, _resource: Resource, _account: Account, service: Service) -> dict[str, Any]:
    return {"domain": service.domain}


def _zone(session: Session, resource: Resource, service: Service) -> dict[str, Any]:
    if resource.desired is Desired.ABSENT:
        return {"domain": service.domain}
    wanted = wanted_zone(session, service)
    if wanted.missing:
        raise NotReadyError(wanted.missing)
    values = zone_values(service)
    return {
        "domain": service.domain,
        "records": wanted.records,
        "ttl": wanted.ttl,
        "soa": wanted.soa,
        "ip": values.get("server_ip") or values.get("mail_server_ip", ""),
    }


_BUILDERS: dict[str, Callable[[Session, Resource, Account, Service], dict[str, Any]]] = {
    "package": _package,
    "account": _account,
    "domain": _domain,
    "certificate": _certificate,
}
