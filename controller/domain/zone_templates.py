"""Zone templates: records with placeholders, filled from what is known about a service. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.problems import Problem
from controller.domain.zone_records import check_nameservers, check_records, normal_record

PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
_NAMESERVER = re.compile(r"ns([1-9][0-9]?)")
MOST_LINES = 500
_LONGEST_LINE = 4000

PLACEHOLDERS: Mapping[str, str] = {
    "domain": "the domain of the service",
    "server_ip": "address of its web server, once the web domain is there",
    "server_ipv6": "IPv6 address of its web server, if the group has a variable of this name",
    "mail_server_ip": "address of its mail server, once the mail domain is there",
    "mail_server_ipv6": "IPv6 address of its mail server, if the group has a variable of this name",
    "mail_server_hostname": "full name of its mail server",
    "mail_domain": "the domain of the service, if mail is hosted here",
    **{f"ns{number}": f"name of nameserver {number}" for number in range(1, 9)},
    "dkim_selector": "selector of the DKIM key",
    "domainkey": "the public DKIM key, once the mail domain is there",
    "caa_contact": "address that certificate authorities write to, if the group has a variable of this name",
    "client_id": "number of the customer",
    "service_id": "number of the service",
}
"""What can stand in braces, and what it becomes; beside these every variable of the server group can."""
OF_GROUP = frozenset({"server_ipv6", "mail_server_ipv6", "caa_contact"})
"""Of these, what only a variable of the group fills."""

_SAMPLES: Mapping[str, str] = {
    "domain": "example.com",
    "server_ip": "192.0.2.1",
    "server_ipv6": "2001:db8::1",
    "mail_server_ip": "192.0.2.2",
    "mail_server_ipv6": "2001:db8::2",
    "mail_server_hostname": "mx.example.net",
    "mail_domain": "example.com",
    **{f"ns{number}": f"ns{number}.example.net" for number in range(1, 9)},
    "dkim_selector": "mail",
    "domainkey": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
    "caa_contact": "security@example.net",
    "client_id": "1",
    "service_id": "1",
}
_GUESSES = ("sample", "1", "192.0.2.1", "2001:db8::1", "0 issue", "0 587 sample", "3 1 1 " + "0" * 64)
"""What a variable of the group may be; a line is right if it is with one of these."""


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
    *(TemplateRecord(name, "A", "{server_ip}") for name in ("@", "www", "ftp")),
    *(TemplateRecord(name, "AAAA", "{server_ipv6}") for name in ("@", "www", "ftp")),
    TemplateRecord("@", "CAA", '0 issue "letsencrypt.org"'),
    TemplateRecord("@", "CAA", '0 iodef "mailto:{caa_contact}"'),
    *(TemplateRecord(name, "A", "{mail_server_ip}") for name in ("mail", "webmail", "autodiscover", "autoconfig")),
    *(TemplateRecord(name, "AAAA", "{mail_server_ipv6}") for name in ("mail", "webmail", "autodiscover", "autoconfig")),
    TemplateRecord("@", "MX", "mail.{mail_domain}.", priority=10),
    TemplateRecord("@", "TXT", "v=spf1 a mx ip4:{mail_server_ip} -all"),
    TemplateRecord("_dmarc", "TXT", "v=DMARC1; p=quarantine; rua=mailto:postmaster@{mail_domain}"),
    TemplateRecord("_smtp._tls", "TXT", "v=TLSRPTv1; rua=mailto:postmaster@{mail_domain}"),
    TemplateRecord("{dkim_selector}._domainkey", "TXT", "v=DKIM1; k=rsa; p={domainkey}"),
    TemplateRecord("_submissions._tcp", "SRV", "0 465 mail.{mail_domain}.", priority=0),
    TemplateRecord("_submission._tcp", "SRV", "0 587 mail.{mail_domain}.", priority=0),
    TemplateRecord("_imap._tcp", "SRV", "0 143 mail.{mail_domain}.", priority=0),
    TemplateRecord("_imaps._tcp", "SRV", "0 993 mail.{mail_domain}.", priority=0),
    TemplateRecord("_pop3s._tcp", "SRV", "0 995 mail.{mail_domain}.", priority=0),
)
"""Working web and mail: MX, SPF, DKIM, DMARC (RFC 7208, 6376, 7489), reports about TLS (RFC 8460), client set-up
(RFC 6186, 8314), CAA (RFC 8659)."""


def nameserver_number(name: str) -> int | None:
    """3 of ``ns3``, from 1 to 99; None for another placeholder or variable."""
    found = _NAMESERVER.fullmatch(name)
    return int(found[1]) if found else None


def placeholders_of(lines: Iterable[TemplateRecord]) -> list[str]:
    """The placeholders of a template in the order they come."""
    found = (name for line in lines for name in PLACEHOLDER.findall(f"{line.name} {line.value}"))
    return list(dict.fromkeys(found))


def of_zone(name: str) -> bool:
    """Whether a placeholder is filled for every zone from what its servers have reported, whatever variables say."""
    return name in PLACEHOLDERS and name not in OF_GROUP and nameserver_number(name) is None


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


def check_template(records: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """What is wrong with the lines of a template; fields are ``records.N.name`` and so on, from 0.

    Values are checked as they are when the placeholders are filled with samples.
    """
    if len(records) > MOST_LINES:
        return [Problem("records", f"must be at most {MOST_LINES}")]
    problems: list[Problem] = []
    right: list[dict[str, Any]] = []
    for number, line in enumerate(records):
        found = _check_line(line)
        if isinstance(found, dict):
            right.append(found)
        else:
            problems += [Problem(f"records.{number}.{problem.field}", problem.reason) for problem in found]
    # Records are compared with each other once each of them is right.
    lost = check_nameservers(right, _SAMPLES["domain"]) if not problems else []
    return problems or check_records(right) or [Problem("records", words) for words in lost]


def _check_line(line: Mapping[str, Any]) -> dict[str, Any] | list[Problem]:
    """The line filled with samples, or what is wrong with it."""
    problems: list[Problem] = []
    texts = {field: line.get(field) for field in ("name", "type", "value")}
    for field, text in texts.items():
        if not isinstance(text, str):
            problems.append(Problem(field, "must be text"))
        elif not text.strip() and field != "name":
            problems.append(Problem(field, "is needed"))
        elif len(text) > _LONGEST_LINE:
            problems.append(Problem(field, f"must be at most {_LONGEST_LINE} characters"))
        elif stray := _stray_brace(text):
            problems.append(Problem(field, stray))
        elif field == "type" and PLACEHOLDER.search(text):
            problems.append(Problem(field, "cannot be a placeholder"))
    if problems:
        return problems
    first: list[Problem] = []
    for guess in _GUESSES if _unknown(f"{texts['name']}{texts['value']}") else _GUESSES[:1]:
        # A name gets the first guess: of those only it is a part of a name.
        name, value = _sample(str(texts["name"]), _GUESSES[0]), _sample(str(texts["value"]), guess)
        record, problems = normal_record(
            name, str(texts["type"]), value, line.get("priority"), line.get("ttl"), _SAMPLES["domain"]
        )
        if not problems:
            return record
        first = first or problems
    return first


def _unknown(text: str) -> bool:
    return any(name not in _SAMPLES for name in PLACEHOLDER.findall(text))


def _sample(text: str, guess: str) -> str:
    return PLACEHOLDER.sub(lambda match: _SAMPLES.get(match.group(1), guess), text)


def _stray_brace(text: str) -> str:
    """What is wrong with the braces, "" if nothing is."""
    rest = PLACEHOLDER.sub("", text)
    wrong = re.search(r"\{[^{}]*\}?|\}", rest)
    if not wrong:
        return ""
    return f"{wrong.group()[:60]!r} is not a placeholder: these are small letters, digits and underscores in braces"
