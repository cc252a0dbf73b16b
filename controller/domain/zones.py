"""Zone templates: records with placeholders, filled from what is known about a service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
DEFAULT_TTL = 3600


@dataclass(frozen=True)
class TemplateRecord:
    """One line of a template; ``name`` is relative, ``@`` the zone itself."""

    name: str
    type: str
    value: str
    priority: int | None = None
    ttl: int | None = None


DEFAULT_TEMPLATE: tuple[TemplateRecord, ...] = (
    *(TemplateRecord("@", "NS", f"{{ns{number}}}.") for number in range(1, 9)),
    TemplateRecord("@", "A", "{server_ip}"),
    TemplateRecord("www", "A", "{server_ip}"),
    TemplateRecord("ftp", "A", "{server_ip}"),
    TemplateRecord("@", "CAA", '0 issue "letsencrypt.org"'),
    TemplateRecord("mail", "A", "{mail_server_ip}"),
    TemplateRecord("webmail", "A", "{mail_server_ip}"),
    TemplateRecord("autodiscover", "A", "{mail_server_ip}"),
    TemplateRecord("autoconfig", "A", "{mail_server_ip}"),
    TemplateRecord("@", "MX", "mail.{mail_domain}.", priority=10),
    TemplateRecord("@", "TXT", "v=spf1 a mx ip4:{mail_server_ip} -all"),
    TemplateRecord("_dmarc", "TXT", "v=DMARC1; p=quarantine; rua=mailto:postmaster@{mail_domain}"),
    TemplateRecord("{dkim_selector}._domainkey", "TXT", "v=DKIM1; k=rsa; p={domainkey}"),
    TemplateRecord("_submission._tcp", "SRV", "0 587 mail.{mail_domain}.", priority=0),
    TemplateRecord("_imap._tcp", "SRV", "0 143 mail.{mail_domain}.", priority=0),
    TemplateRecord("_imaps._tcp", "SRV", "0 993 mail.{mail_domain}.", priority=0),
    TemplateRecord("_pop3s._tcp", "SRV", "0 995 mail.{mail_domain}.", priority=0),
)
"""Working web and mail: MX, SPF, DKIM, DMARC (RFC 7208, 6376, 7489), client set-up (RFC 6186), CAA (RFC 8659)."""


def _fill(text: str, values: Mapping[str, str]) -> str | None:
    """Text with its placeholders filled; None when one of them is empty or unknown."""
    names = PLACEHOLDER.findall(text)
    if any(not values.get(name) for name in names):
        return None
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text)


def render(template: Iterable[TemplateRecord], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Records of a zone; a record with an empty placeholder is left out until it is filled."""
    records: list[dict[str, Any]] = []
    for line in template:
        name, value = _fill(line.name, values), _fill(line.value, values)
        if name is None or value is None:
            continue
        record: dict[str, Any] = {"name": name, "type": line.type, "value": value}
        if line.priority is not None:
            record["priority"] = line.priority
        if line.ttl is not None:
            record["ttl"] = line.ttl
        records.append(record)
    return records


def merge(template: Iterable[Mapping[str, Any]], own: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A zone's records: its own ones replace the template's of the same name and type.

    A CNAME stands alone at its name (RFC 1034, 3.6.2): an own one replaces all that the template has there, and an
    own record of another type replaces the template's CNAME.
    """
    mine = [dict(record) for record in own]
    kinds: dict[str, set[str]] = {}
    for record in mine:
        kinds.setdefault(record["name"], set()).add(record["type"])

    def gives_way(record: Mapping[str, Any]) -> bool:
        there = kinds.get(record["name"], set())
        return record["type"] in there or "CNAME" in there or (record["type"] == "CNAME" and bool(there))

    return [dict(record) for record in template if not gives_way(record)] + mine
