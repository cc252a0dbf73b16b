"""What a service's zone shall hold: its template filled, its own records, addresses of its nameservers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.words import Capability, Desired
from controller.domain.zone_records import normal_record
from controller.domain.zones import (
    DEFAULT_TEMPLATE,
    DEFAULT_TTL,
    TemplateRecord,
    check_records,
    merge,
    nameserver_number,
    render,
)
from controller.store.models import Server, Service
from controller.store.zone_models import Zone, ZoneTemplate

BUILT_IN = "Built-in"
"""Name of the template that is used where nobody chose one."""


@dataclass(frozen=True)
class WantedZone:
    """A zone as it shall be on every nameserver."""

    records: list[dict[str, Any]]
    ttl: int
    """Seconds."""
    soa: str
    """Primary nameserver, without the dot at the end."""
    template: str
    left_out: list[TemplateRecord]
    """Lines of the template with a placeholder that is empty, or filled with what makes no record beside the others."""
    missing: str = ""
    """Why it cannot be published yet, in words."""


def wanted_zone(session: Session, service: Service) -> WantedZone:
    """The zone of a service; ``missing`` tells when something it stands on is not known yet."""
    zone = session.scalars(select(Zone).where(Zone.service_id == service.id)).first()
    name, template = template_of(session, service, zone)
    values = zone_values(service)
    names = nameservers(service)
    own = [own_record(row) for row in zone.own_records] if zone is not None else []
    filled = _without_contradictions([(line, *_filled(line, values, service.domain)) for line in template])
    records = merge([record for _, record in filled if record is not None], own)
    if not any((record["name"], record["type"]) == ("@", "NS") for record in records):
        records = [{"name": "@", "type": "NS", "value": f"{name}."} for name in names] + records
    ttl = service.product.group.zone_ttl or DEFAULT_TTL
    return WantedZone(
        records=records + _glue(service, records),
        ttl=ttl,
        soa=names[0] if names else "",
        template=name,
        left_out=[line for line, record in filled if record is None],
        missing="" if names else "the nameservers’ own names are not known yet; check the DNS servers",
    )


def _filled(
    line: TemplateRecord, values: Mapping[str, str], domain: str
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The record that a template's line makes, and the same in our form. None if there is none: a single line that a
    variable of the group has spoilt must not keep all zones of the group from being published."""
    found = render([line], values)
    if not found:
        return None, {}
    record = found[0]
    normal, problems = normal_record(
        record["name"], record["type"], record["value"], record.get("priority"), record.get("ttl"), domain
    )
    return (None, {}) if problems else (record, normal)


def _without_contradictions(
    filled: Sequence[tuple[TemplateRecord, dict[str, Any] | None, dict[str, Any]]],
) -> list[tuple[TemplateRecord, dict[str, Any] | None]]:
    """Lines with their records; a line has none if it contradicts the others now that they are filled (a CNAME at a
    name that has addresses)."""
    there = [number for number, (_, record, _) in enumerate(filled) if record is not None]
    problems = check_records([filled[number][2] for number in there])
    wrong = {there[int(problem.field.split(".")[1])] for problem in problems}
    return [(line, None if number in wrong else record) for number, (line, record, _) in enumerate(filled)]


def own_record(row: Any) -> dict[str, Any]:
    """A record of a zone as modules and rules take it."""
    record: dict[str, Any] = {"name": row.name, "type": row.type, "value": row.value}
    if row.priority is not None:
        record["priority"] = row.priority
    if row.ttl is not None:
        record["ttl"] = row.ttl
    return record


def template_of(session: Session, service: Service, zone: Zone | None) -> tuple[str, Sequence[TemplateRecord]]:
    """Name and lines of the template for a zone: its own choice, then the product's, the web (or mail) server's,
    the group's, the default one, the built-in one."""
    homes = {role: account.server.zone_template_id for account in service.accounts for role in account.roles}
    # The same order as in store.zone_template_queries.chosen_template.
    chosen = (
        (zone.template_id if zone else None)
        or service.product.zone_template_id
        or homes.get(Capability.WEB.value)
        or homes.get(Capability.MAIL.value)
        or service.product.group.zone_template_id
    )
    found = session.get(ZoneTemplate, chosen) if chosen else None
    found = found or session.scalars(select(ZoneTemplate).where(ZoneTemplate.is_default)).first()
    return (found.name, template_lines(found.records)) if found is not None else (BUILT_IN, DEFAULT_TEMPLATE)


def template_lines(records: Iterable[dict[str, Any]]) -> list[TemplateRecord]:
    """Stored lines of a template."""
    return [
        TemplateRecord(line["name"], line["type"], line["value"], line.get("priority"), line.get("ttl"))
        for line in records
    ]


def nameservers(service: Service) -> list[str]:
    """Names for NS records: the group's variables ns1, ns2... or the names the DNS servers have for themselves."""
    return list(_nameserver_hosts(service))


def serving(service: Service) -> list[Server]:
    """The servers that shall serve the service's zone; before it is placed those of its group."""
    placed = [r.server for r in service.resources if r.action == "dns.zone" and r.desired is not Desired.ABSENT]
    return placed or list(service.product.group.dns_servers)


def _nameserver_hosts(service: Service) -> dict[str, str]:
    """Public name of each nameserver of the service -> its address ("" if not known)."""
    named = {server.hostname: _public_ip(server) for server in serving(service) if server.hostname}
    chosen = _chosen_names(service).values()
    return {name: named.get(name, "") for name in chosen} if chosen else named


def _chosen_names(service: Service) -> dict[int, str]:
    """What the group's variables ns1, ns2... say, by number; with any of them the servers' own names do not count."""
    numbered = {nameserver_number(key): str(name) for key, name in service.product.group.variables.items() if name}
    return {number: name.rstrip(".") for number, name in sorted((n, name) for n, name in numbered.items() if n)}


def _public_ip(server: Server) -> str:
    ips = server.facts.get("ips") or []
    if ips:
        return str(ips[0])
    # PowerDNS does not tell its addresses; what it is asked at is one of them.
    return next((text for text in (server.dns_address, server.address) if _is_address(text)), "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _glue(service: Service, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Addresses of nameservers that lie inside the zone itself, where the records give none; without them it would
    not load."""
    inside = f".{service.domain}"
    known = {record["name"].lower() for record in records if record["type"] in ("A", "AAAA")}
    found = []
    for name, address in _nameserver_hosts(service).items():
        relative = name.removesuffix(inside)
        if name.endswith(inside) and address and relative not in known:
            found.append({"name": relative, "type": "AAAA" if ":" in address else "A", "value": address})
    return found


def _facts(service: Service, action: str) -> dict[str, Any]:
    return next((r.facts for r in service.resources if r.action == action), {})


def zone_values(service: Service) -> dict[str, str]:
    """What fills the placeholders of a zone template."""
    web, mail = _facts(service, "web.domain"), _facts(service, "mail.domain")
    values = {str(key): str(value) for key, value in service.product.group.variables.items()}
    names = _chosen_names(service) or dict(enumerate(nameservers(service), start=1))
    values |= {f"ns{number}": name for number, name in names.items()}
    values |= {
        "domain": service.domain,
        "server_ip": str(web.get("ip", "")),
        "mail_server_ip": str(mail.get("ip", "")),
        "mail_server_hostname": str(mail.get("hostname", "")),
        "mail_domain": service.domain if Capability.MAIL.value in service.roles else "",
        "dkim_selector": str(mail.get("dkim_selector", "")),
        "domainkey": str(mail.get("dkim_public_key", "")),
        "service_id": str(service.id),
        "client_id": str(service.customer_id),
    }
    return values
