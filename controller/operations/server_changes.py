"""Changes of a server after it was added: its fields, its status, its end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, exists, func, not_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.words import (
    OPEN_TASK_STATES,
    RUNNABLE,
    ZONE_ACTION,
    Capability,
    Desired,
    Driver,
    ServerStatus,
    TaskStatus,
)
from controller.engine import zone_rollout
from controller.engine.dispatch import Ready, next_on_server
from controller.engine.fleet import Fleet
from controller.engine.rows import take
from controller.operations.errors import Conflict, Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, counted, must, note
from controller.operations.server_fields import (
    CAPACITY_MAX,
    TIMEOUT_MAX,
    check_api,
    check_capabilities,
    refuse_second_entry,
)
from controller.operations.servers import queue_check
from controller.store.models import Account, Activity, Pipeline, Resource, Server, Task
from controller.store.portions import portions
from controller.store.queries import by_key, find_group, find_server
from controller.store.zone_models import ZoneTemplate

Key = int | str
EDITABLE = frozenset(
    {
        "name",
        "address",
        "port",
        "capabilities",
        "closed_roles",
        "group",
        "capacity",
        "hostname",
        "dns_address",
        "dns_port",
        "command_timeout",
        "zone_template",
        "api_url",
        "api_key",
        "api_server_id",
    }
)
STATUS_WORDS = {
    ServerStatus.ACTIVE: "in use",
    ServerStatus.CLOSED: "closed for new services",
    ServerStatus.MAINTENANCE: "in maintenance: its tasks wait",
    ServerStatus.DISABLED: "out of use: its tasks wait",
}


def edit(fleet: Fleet, actor: str, key: Key, **changes: Any) -> Server:
    """Change fields of a server; what is not named stays. ``group`` None takes it out of its group, an empty
    ``api_key`` keeps the old one, ``closed_roles`` lists the roles of which it takes no new services.

    A new place to reach it queues a check; its pinned host key stays.
    Raises NotFound, Invalid, Conflict (name), Refused (something lives there that needs a capability).
    """
    unknown = set(changes) - EDITABLE
    if unknown:
        raise TypeError(f"not a field of a server: {', '.join(sorted(unknown))}")
    with fleet.database.write() as session:
        server = must(find_server(session, key), "server", key)
        server = must(take(session, Server, server.id), "server", key)
        before, took_zones = _shown(server), Capability.DNS in server.open_roles
        fields = Fields()
        values = _checked(session, fields, server, changes)
        wanted = values.pop("capabilities", None)
        if wanted and (why := _needed(session, server, wanted)):
            fields.refusal("capabilities", Refused(why))
        fields.finish()
        if wanted:
            server.can_web, server.can_mail = Capability.WEB in wanted, Capability.MAIL in wanted
            server.can_dns = Capability.DNS in wanted
            if not server.can_web and not server.can_mail:
                server.group_id = None
        secret = values.pop("api_key", None)
        if secret:
            server.api_key = fleet.vault.seal(secret)
        for name, value in values.items():
            setattr(server, name, value)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a server {server.name} already", field="name") from None
        if {"address", "port", "api_url", "api_server_id"} & values.keys():
            refuse_second_entry(session, server)
        if not took_zones and Capability.DNS in server.open_roles:
            zone_rollout.missing_zones(session, server)
        after = _shown(server)
        changed = [f"{name}: {before[name]} -> {after[name]}" for name in after if before[name] != after[name]]
        ready: Ready = []
        if secret or {"address", "port", "api_url", "api_server_id"} & {
            name for name in after if before[name] != after[name]
        }:
            ready = queue_check(session, actor, server)[1]
        if changed or secret:
            words = "; ".join(changed + (["API key replaced"] if secret else []))
            note(session, "server.changed", "Settings changed", actor=actor, server_id=server.id)
            audit(session, actor, "server.edit", server.name, message=words, server_id=server.id)
    fleet.wake(ready)
    return server


def _shown(server: Server) -> dict[str, Any]:
    """What the operation log tells about a server's fields."""
    return {
        "name": server.name,
        "address": server.address,
        "port": server.port,
        "capabilities": ", ".join(server.capabilities),
        "closed for": ", ".join(_closed(server)) or "nothing",
        "group": server.group_id,
        "capacity": server.capacity,
        "hostname": server.hostname,
        "dns_address": server.dns_address,
        "dns_port": server.dns_port,
        "command_timeout": server.command_timeout,
        "zone_template": server.zone_template_id,
        "api_url": server.api_url,
        "api_server_id": server.api_server_id,
    }


def _closed(server: Server) -> list[str]:
    return [role.value for role in Capability if getattr(server, f"closed_{role.value}")]


def _checked(session: Session, fields: Fields, server: Server, changes: dict[str, Any]) -> dict[str, Any]:
    """Values by column, problems in ``fields``."""
    has_api = server.driver is Driver.POWERDNS
    values: dict[str, Any] = {}
    for name, value in changes.items():
        match name:
            case "name":
                values[name] = fields.name(name, value, maximum=63)
                other = find_server(session, values[name]) if not fields.wrong(name) else None
                if other is not None and other.id != server.id:
                    fields.refusal(name, Conflict(f"there is a server {other.name} already", field=name))
            case "address":
                values[name] = fields.host(name, value)
            case "hostname":
                values[name] = fields.hostname(name, value, required=has_api)
            case "dns_address":
                values[name] = fields.host("dns.address", value, required=False)
            case "port":
                values[name] = fields.integer(name, value, 1, 65535)
            case "dns_port":
                values[name] = fields.integer("dns.port", value, 1, 65535)
            case "capacity":
                values[name] = fields.integer(name, value, 0, CAPACITY_MAX)
            case "command_timeout":
                values[name] = fields.integer(name, value, 0, TIMEOUT_MAX)
            case "capabilities":
                values[name] = check_capabilities(fields, server.driver, value)
            case "closed_roles":
                values |= _closing(fields, value)
            case "zone_template":
                values["zone_template_id"] = template_id(session, fields, value)
    if "group" in changes:
        hosted = values.get("capabilities", server.capabilities)
        values["group_id"] = _group(session, fields, hosted, changes["group"])
    if {"api_url", "api_key", "api_server_id"} & set(changes) and has_api:
        server_id = changes.get("api_server_id", server.api_server_id)
        url = check_api(fields, changes.get("api_url", server.api_url), changes.get("api_key") or None, server_id)
        values |= {"api_url": url, "api_server_id": server_id, "api_key": changes.get("api_key") or None}
    return values


def _closing(fields: Fields, value: Any) -> dict[str, bool]:
    if not isinstance(value, Sequence) or isinstance(value, str) or set(value) - set(Capability):
        fields.problem("closed_roles", "must be a list of web, mail, dns")
        return {}
    return {f"closed_{role.value}": role.value in set(value) for role in Capability}


def _group(session: Session, fields: Fields, hosted: Collection[Capability], value: Any) -> int | None:
    """Id of the group for a server that is to host this."""
    if value in (None, ""):
        return None
    group = find_group(session, value)
    if group is None:
        fields.problem("group", f"there is no group {str(value)[:100]}")
        return None
    if Capability.WEB not in hosted and Capability.MAIL not in hosted:
        fields.problem("group", "a server for DNS only is attached to groups on their page")
    return group.id


def template_id(session: Session, fields: Fields, value: Any) -> int | None:
    """Id of a zone template by id or name; None and empty mean no choice."""
    if value in (None, ""):
        return None
    found = by_key(session, ZoneTemplate, value, ZoneTemplate.name)
    if found is None:
        fields.problem("zone_template", f"there is no zone template {str(value)[:100]}")
        return None
    return found.id


def _needed(session: Session, server: Server, wanted: Collection[Capability]) -> str:
    """Why a server cannot host this alone: something on it needs what would be taken away. Empty if nothing does."""
    lost = [capability for capability in server.capabilities if capability not in wanted]
    for capability in lost:
        count = _living(session, server, capability)
        if count:
            needed = f"{server.name} is needed as {capability.value} server by {counted(count, 'service')}"
            return f"{needed}; move or end them first"
        if capability is Capability.DNS and server.dns_groups:
            names = ", ".join(group.name for group in server.dns_groups)
            return f"{server.name} is attached as nameserver to {names}; detach it there first"
    return ""


def _living(session: Session, server: Server, capability: Capability) -> int:
    action = ZONE_ACTION if capability is Capability.DNS else f"{capability.value}.domain"
    query = select(func.count()).where(Resource.server_id == server.id, Resource.action == action)
    return session.scalar(query) or 0


def set_status(fleet: Fleet, actor: str, key: Key, status: str) -> Server:
    """Take a server in or out of use. What it missed meanwhile is done when it is in use again.

    Raises NotFound, Invalid.
    """
    fields = Fields()
    fields.choice("status", status, tuple(ServerStatus))
    fields.finish()
    wanted = ServerStatus(status)
    ready: Ready = []
    with fleet.database.write() as session:
        server = must(find_server(session, key), "server", key)
        server = must(take(session, Server, server.id), "server", key)
        before = server.status
        if before is not wanted:
            server.status = wanted
            words = f"{server.name} is {STATUS_WORDS[wanted]}"
            note(session, f"server.{wanted.value}", words, actor=actor, server_id=server.id)
            audit(session, actor, "server.status", server.name, message=f"{before} -> {wanted}", server_id=server.id)
            session.flush()
            if before not in RUNNABLE and wanted in RUNNABLE:
                server.catch_up = True
                ready = queue_check(session, actor, server)[1] + next_on_server(session, server.id)
            if Capability.DNS in server.open_roles:
                zone_rollout.missing_zones(session, server)
    fleet.wake(ready)
    return server


def delete_server(fleet: Fleet, actor: str, key: Key) -> None:
    """Remove a server that nothing lives on; its past tasks go with it, the operation log stays.

    Raises NotFound, Refused.
    """
    with fleet.database.write() as session:
        server = must(find_server(session, key), "server", key)
        server = must(take(session, Server, server.id), "server", key)
        _refuse_while_used(session, server)
        name = server.name
        tasks = select(Task.id).where(Task.server_id == server.id)
        pipelines = set(session.scalars(select(Task.pipeline_id).where(Task.server_id == server.id)))
        session.execute(update(Activity).where(Activity.server_id == server.id).values(server_id=None))
        session.execute(delete(Task).where(Task.id.in_(tasks)))
        session.execute(delete(Resource).where(Resource.server_id == server.id))
        _drop_empty(session, pipelines)
        session.delete(server)
        audit(session, actor, "server.delete", name)


def _refuse_while_used(session: Session, server: Server) -> None:
    services = session.scalar(
        select(func.count(func.distinct(Resource.service_id))).where(
            Resource.server_id == server.id, Resource.service_id.is_not(None)
        )
    )
    if services:
        wanted = select(Resource.id).where(Resource.server_id == server.id, Resource.service_id.is_not(None))
        if session.scalar(wanted.where(Resource.desired != Desired.ABSENT).limit(1)) is None:
            left = f"what is to be removed of {counted(services, 'service')} is still on {server.name}"
            raise Refused(f"{left}; if it will never come back, disable it and say that it is lost")
        raise Refused(f"{server.name} still hosts {counted(services, 'service')}; move or end them first")
    accounts = session.scalar(select(func.count()).where(Account.server_id == server.id))
    if accounts:
        raise Refused(f"{server.name} still has {counted(accounts, 'account')}; remove them first")
    if server.dns_groups:
        names = ", ".join(group.name for group in server.dns_groups)
        raise Refused(f"{server.name} is attached as nameserver to {names}; detach it there first")
    running = session.scalar(
        select(Task.id).where(
            Task.server_id == server.id,
            Task.status.in_(OPEN_TASK_STATES),
            (Task.status == TaskStatus.RUNNING) | Task.service_id.is_not(None),
        )
    )
    if running is not None:
        raise Refused(f"task {running} is still open on {server.name}; wait for it or cancel it")


def _drop_empty(session: Session, pipelines: Collection[int]) -> None:
    """Pipelines whose last task has gone go too."""
    has_tasks = exists().where(Task.pipeline_id == Pipeline.id)
    for some in portions(sorted(pipelines)):
        session.execute(delete(Pipeline).where(Pipeline.id.in_(some), not_(has_tasks)))
