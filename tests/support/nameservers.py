"""What nameservers answer, asked with dnspython alone: nothing of the product's own asker is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from sqlalchemy import select

from controller.automation.zone_wishes import wanted_zone
from controller.sandbox.demo import Demo
from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer
from controller.store.models import Server
from controller.store.zone_models import Zone, ZoneAnswer

Nameserver = SandboxServer | SandboxPowerDns
TYPES = ("SOA", "NS", "A", "AAAA", "CNAME", "MX", "TXT", "SRV", "CAA", "TLSA", "DS")
SILENT = "no answer"


@dataclass(frozen=True)
class Said:
    """An answer, comparable between servers: the serial is each server's own and left out."""

    code: str
    authoritative: bool = False
    ttl: int | None = None
    values: tuple[str, ...] = ()


def nameserver(demo: Demo, name: str) -> Nameserver:
    """A nameserver of the sandbox by name, of either kind."""
    return demo.servers.nameservers[name] if name in demo.servers.nameservers else demo.servers[name]


def ask(server: Nameserver, name: str, kind: str, timeout: float = 2.0) -> Said:
    """One question without recursion; over TCP where the answer does not fit."""
    query = dns.message.make_query(name, kind, flags=0)
    assert server.dns_port is not None
    try:
        answer, _ = dns.query.udp_with_fallback(query, server.address, port=server.dns_port, timeout=timeout)
    except (dns.exception.DNSException, OSError):
        return Said(SILENT)
    found = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.from_text(kind)]
    return Said(
        dns.rcode.to_text(answer.rcode()),
        bool(answer.flags & dns.flags.AA),
        found[0].ttl if found else None,
        tuple(sorted(_plain(rdata) for rrset in found for rdata in rrset)),
    )


def _plain(rdata: Any) -> str:
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode()
    if rdata.rdtype == dns.rdatatype.SOA:
        return f"{rdata.mname} {rdata.rname} {rdata.refresh} {rdata.retry} {rdata.expire} {rdata.minimum}"
    return str(rdata)


def values(server: Nameserver, name: str, kind: str) -> list[str]:
    """The values of an answer, none if there is none."""
    return list(ask(server, name, kind).values)


def disagreements(servers: Sequence[Nameserver], domain: str, names: Iterable[str]) -> list[str]:
    """Every name (relative, ``@`` the zone) and type for which the servers do not all say the same."""
    found = []
    for name in sorted({"@", *names}):
        full = domain if name == "@" else f"{name}.{domain}"
        for kind in TYPES:
            said = {server.name: ask(server, full, kind) for server in servers}
            if len(set(said.values())) != 1 or SILENT in {each.code for each in said.values()}:
                found.append(f"{full} {kind}: {said}")
    return found


def wished(demo: Demo, domain: str) -> dict[tuple[str, str], int]:
    """How many records of each name and type the zone of a service shall have."""
    with demo.fleet.database.read() as session:
        zone = session.scalars(select(Zone).where(Zone.domain == domain)).one()
        counts: dict[tuple[str, str], int] = {}
        for record in wanted_zone(session, zone.service).records:
            key = (record["name"].lower(), record["type"])
            counts[key] = counts.get(key, 0) + 1
        return counts


def wrong(demo: Demo, names: Iterable[str], domain: str, also: Iterable[str] = ()) -> list[str]:
    """What is wrong with a zone: servers that do not all say the same about a name, be it in the zone now or once,
    or that do not have as many records as they should."""
    servers = [nameserver(demo, name) for name in names]
    counts = wished(demo, domain)
    found = disagreements(servers, domain, {*(name for name, _ in counts), *also})
    for (name, kind), number in counts.items():
        full = domain if name == "@" else f"{name}.{domain}"
        said = ask(servers[0], full, kind)
        if said.authoritative and len(said.values) != number:
            found.append(f"{servers[0].name}: {full} {kind}: {number} records are wished, it has {said.values}")
    return found


def verdict(demo: Demo, domain: str) -> tuple[bool | None, dict[str, tuple[bool, bool, list[str]]]]:
    """What the product says about a zone: whether all agree, and (reached, agrees, problems) by nameserver."""
    with demo.fleet.database.read() as session:
        zone = session.scalars(select(Zone).where(Zone.domain == domain)).one()
        rows = session.execute(
            select(Server.name, ZoneAnswer)
            .join(ZoneAnswer, ZoneAnswer.server_id == Server.id)
            .where(ZoneAnswer.zone_id == zone.id)
        )
        return zone.agrees, {name: (row.reached, row.agrees, list(row.problems)) for name, row in rows}
