"""Server groups: what they are, which servers belong to them, which nameservers serve them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.words import Capability, ServerStatus
from controller.domain.zones import nameserver_number
from controller.engine import zone_rollout
from controller.engine.fleet import Fleet
from controller.operations import group_zones
from controller.operations.errors import Conflict, Refused
from controller.operations.fields import Fields
from controller.operations.group_zones import VARIABLE
from controller.operations.records import audit, counted, must
from controller.operations.server_changes import template_id
from controller.store.models import GroupDnsServer, Product, Server, ServerGroup, Service
from controller.store.queries import find_group, find_server
from controller.store.zone_models import Zone

Key = int | str
NUMBERED = re.compile(r"ns[0-9]+")
IPV6 = frozenset({"server_ipv6", "mail_server_ipv6"})
CAA_CONTACT = "caa_contact"
"""Variables that the built-in template knows."""
VARIABLES_MAX = 200
TTL_MIN, TTL_MAX = 60, 604_800
"""Seconds; a week at most."""


def create(
    fleet: Fleet, actor: str, *, name: str, description: str = "", variables: Mapping[str, Any] | None = None
) -> ServerGroup:
    """A new group; variables fill placeholders of zone templates. Raises Invalid, Conflict."""
    fields = Fields()
    name = fields.name("name", name)
    description = fields.text("description", description, maximum=1000, required=False)
    values = _variables(fields, variables or {})
    with fleet.database.write() as session:
        _refuse_taken(session, fields, name)
        fields.finish()
        group = ServerGroup(name=name, description=description, variables=values)
        session.add(group)
        _flush(session, name)
        audit(session, actor, "group.create", name, message=description, group_id=group.id)
    return group


def edit(
    fleet: Fleet,
    actor: str,
    key: Key,
    *,
    name: str,
    description: str,
    zone_template: int | str | None,
    zone_ttl: int,
) -> ServerGroup:
    """Name, description, and what its zones begin with (``zone_ttl`` in seconds).

    Raises NotFound, Invalid, Conflict.
    """
    fields = Fields()
    name = fields.name("name", name)
    description = fields.text("description", description, maximum=1000, required=False)
    zone_ttl = fields.integer("zone_ttl", zone_ttl, TTL_MIN, TTL_MAX)
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        template = template_id(session, fields, zone_template)
        _refuse_taken(session, fields, name, group)
        fields.finish()
        changes = {"name": name, "description": description, "zone_template_id": template, "zone_ttl": zone_ttl}
        lines = [
            f"{field}: {getattr(group, field)} -> {value}"
            for field, value in changes.items()
            if getattr(group, field) != value
        ]
        for field, value in changes.items():
            setattr(group, field, value)
        _flush(session, name)
        if lines:
            audit(session, actor, "group.edit", name, message="; ".join(lines), group_id=group.id)
    return group


def delete_group(fleet: Fleet, actor: str, key: Key) -> None:
    """Remove a group that no server and no product belongs to. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        products = session.scalars(select(Product.name).where(Product.group_id == group.id)).all()
        if products:
            raise Refused(f"products point at {group.name}: {', '.join(products)}")
        if group.servers:
            raise Refused(f"servers belong to {group.name}: {', '.join(server.name for server in group.servers)}")
        session.execute(delete(GroupDnsServer).where(GroupDnsServer.group_id == group.id))
        name = group.name
        session.delete(group)
        audit(session, actor, "group.delete", name)


@dataclass(frozen=True)
class VariablesSaved:
    """A group's variables as they are now, and what follows from it."""

    group: ServerGroup
    changed: list[str]
    """Variables whose value is another than before, by name."""
    zones: int
    """Zones that one of these is in: they have the values of before until they are redeployed
    (``group_zones.redeploy``)."""


def set_variables(fleet: Fleet, actor: str, key: Key, variables: Mapping[str, Any]) -> VariablesSaved:
    """The whole list of a group's variables. Raises NotFound, Invalid (fields ``variables.NAME``)."""
    fields = Fields()
    values = _variables(fields, variables)
    fields.finish()
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        before = group.variables
        names = sorted({*before, *values})
        lines = [
            f"{name}: {before.get(name)} -> {values.get(name)}"
            for name in names
            if before.get(name) != values.get(name)
        ]
        group.variables = values
        if lines:
            audit(session, actor, "group.variables", group.name, message="; ".join(lines), group_id=group.id)
        # An empty one is as good as none.
        changed = [name for name in names if (before.get(name) or "") != (values.get(name) or "")]
        zones = group_zones.reach(session, group, changed) if changed else 0
    return VariablesSaved(group, changed, zones)


def add_server(fleet: Fleet, actor: str, key: Key, server: Key) -> ServerGroup:
    """Take a web or mail server into a group (out of another, if it was in one). Raises NotFound, Refused."""
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        member = must(find_server(session, server), "server", server)
        if not member.can_web and not member.can_mail:
            raise Refused(f"{member.name} hosts DNS only: attach it as nameserver")
        member.group_id = group.id
        words = f"{member.name} added"
        audit(session, actor, "group.server", group.name, message=words, server_id=member.id, group_id=group.id)
    return group


def remove_server(fleet: Fleet, actor: str, key: Key, server: Key) -> ServerGroup:
    """Take a web or mail server out of a group; what lives on it goes on. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        member = must(find_server(session, server), "server", server)
        if member.group_id != group.id:
            raise Refused(f"{member.name} is not in {group.name}")
        member.group_id = None
        words = f"{member.name} taken out"
        audit(session, actor, "group.server", group.name, message=words, server_id=member.id, group_id=group.id)
    return group


def attach_dns(fleet: Fleet, actor: str, key: Key, servers: Sequence[Key]) -> ServerGroup:
    """The nameservers of a group, the whole list: zones of its services go to new ones and leave those left out.

    Raises NotFound, Invalid (field ``dns_servers``), Refused when zones would be left with none.
    """
    fields = Fields()
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        wanted = _nameservers(session, fields, servers)
        fields.finish()
        before = {server.id: server for server in group.dns_servers}
        kept = any(number in before or _takes_zones(server) for number, server in wanted.items())
        if not kept and (zones := zones_of(session, group.id)):
            why = "none of these takes zones now" if wanted else "leave at least one nameserver"
            raise Refused(f"{group.name} has {counted(zones, 'zone')}; {why}")
        for number, server in wanted.items():
            if number not in before:
                session.add(GroupDnsServer(group_id=group.id, server_id=number))
                session.flush()
                if _takes_zones(server):
                    title = f"{server.name} gets the zones of {group.name}"
                    zone_rollout.start(session, actor, title, "attach", server_id=number, group_id=group.id)
        for number, server in before.items():
            if number not in wanted:
                gone = (GroupDnsServer.group_id == group.id, GroupDnsServer.server_id == number)
                session.execute(delete(GroupDnsServer).where(*gone))
                title = f"The zones of {group.name} leave {server.name}"
                zone_rollout.start(session, actor, title, "detach", server_id=number, group_id=group.id)
        if set(before) != set(wanted):
            names = ", ".join(sorted(server.name for server in wanted.values())) or "none"
            audit(session, actor, "group.nameservers", group.name, message=names, group_id=group.id)
        session.expire(group, ["dns_servers"])
    return group


def _takes_zones(server: Server) -> bool:
    """Whether zones may be given to it; one in maintenance gets them when it is back."""
    return Capability.DNS in server.open_roles or server.status is ServerStatus.MAINTENANCE


def zones_of(session: Session, group_id: int) -> int:
    """How many zones a group's services have."""
    query = (
        select(func.count())
        .select_from(Zone)
        .join(Service, Service.id == Zone.service_id)
        .join(Product, Product.id == Service.product_id)
    )
    return session.scalar(query.where(Product.group_id == group_id)) or 0


def _nameservers(session: Session, fields: Fields, servers: Iterable[Key]) -> dict[int, Server]:
    found: dict[int, Server] = {}
    for key in servers:
        server = find_server(session, key)
        if server is None:
            fields.problem("dns_servers", f"there is no server {str(key)[:100]}")
        elif not server.can_dns:
            fields.problem("dns_servers", f"{server.name} does not host DNS")
        else:
            found[server.id] = server
    return found


def _variables(fields: Fields, variables: Mapping[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    if len(variables) > VARIABLES_MAX:
        fields.problem("variables", f"at most {VARIABLES_MAX} variables")
        return values
    for key, value in variables.items():
        if not VARIABLE.fullmatch(str(key)):
            name = str(key)[:60]
            fields.problem(f"variables.{name}", "a variable's name has lower-case letters, digits and underscores")
        elif NUMBERED.fullmatch(str(key)) and nameserver_number(str(key)) is None:
            fields.problem(f"variables.{key}", "nameservers are ns1, ns2 and so on up to ns99")
        elif nameserver_number(str(key)) and value:
            values[key] = fields.hostname(f"variables.{key}", str(value))
        elif key in IPV6 and value:
            values[key] = _ipv6(fields, f"variables.{key}", value)
        elif key == CAA_CONTACT and value:
            values[key] = fields.email(f"variables.{key}", value)
        else:
            values[key] = fields.text(f"variables.{key}", value, maximum=255, required=False)
    return values


def _ipv6(fields: Fields, field: str, value: Any) -> str:
    text = fields.text(field, value, maximum=45)
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        fields.problem(field, "must be an IPv6 address like 2001:db8::1")
        return text


def _refuse_taken(session: Session, fields: Fields, name: str, group: ServerGroup | None = None) -> None:
    """A name that another group has."""
    if fields.wrong("name"):
        return
    other = session.scalar(select(ServerGroup.id).where(ServerGroup.name == name))
    if other is not None and (group is None or other != group.id):
        fields.refusal("name", Conflict(f"there is a group {name} already", field="name"))


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"there is a group {name} already", field="name") from None
