"""Records of zones: what people type checked and brought to one form, sets of them held together. No I/O.

The form is the one that templates, roles and modules share: ``name`` relative to the zone (``@`` the zone itself),
``value`` without the priority, host names absolute with their final dot, text without quotes.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import idna

from controller.domain.problems import Problem

TYPES = ("A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV", "CAA", "TLSA", "PTR", "DS")
"""What every nameserver of a fleet can hold. HestiaCP knows no NAPTR, SSHFP, SVCB, HTTPS, ALIAS."""
MIN_TTL, MAX_TTL = 30, 2_592_000
"""Half a minute to 30 days."""
LONGEST_TEXT = 4000
"""Bytes of a TXT record; a DKIM key of 4096 bits needs 740."""

PREFERRED = ("MX", "SRV")
"""Types with a priority."""
_HOST_OWNERS = ("A", "AAAA", "MX")
_HOST_TARGETS = ("MX", "NS", "SRV")
"""named refuses names that are no host names (RFC 952, 1123) as owner or target of these."""
_USUAL_PRIORITY = 10
EXAMPLES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "CNAME": "www.example.com",
    "NS": "ns1.example.com",
    "PTR": "host.example.com",
    "MX": "mail.example.com",
    "SRV": "5 5060 sip.example.com (weight, port, host)",
    "TXT": '"v=spf1 mx -all"',
    "CAA": '0 issue "letsencrypt.org"',
    "TLSA": "3 1 1 and the hash in hexadecimal digits",
    "DS": "12345 13 2 and the hash in hexadecimal digits",
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_CAA = re.compile(r"([0-9]{1,3})\s+([A-Za-z0-9]+)\s+(?:\"([^\"\\']*)\"|([^\s\"\\']+))")

Record = dict[str, Any]


def check_record(
    name: str, kind: str, value: str, priority: int | str | None, ttl: int | str | None, domain: str
) -> tuple[Record, list[Problem]]:
    """A record that somebody typed for their zone, in our form, and what is wrong with it field by field.

    The zone's SOA and its own NS records come from the server group, so they are refused here.
    """
    record, problems = normal_record(name, kind, str(value).strip(), priority, ttl, domain)
    if record["name"] == "@" and record["type"] == "NS":
        problems.append(Problem("type", "the zone’s own nameservers come from the server group"))
    return record, problems


def normal_record(
    name: str, kind: str, value: str, priority: int | str | None, ttl: int | str | None, domain: str
) -> tuple[Record, list[Problem]]:
    """Any record of a zone, its own nameservers among them, in our form, and what is wrong with it."""
    problems: list[Problem] = []

    def take(field: str, work: Any, *given: Any) -> Any:
        try:
            return work(*given)
        except ValueError as problem:
            problems.append(Problem(field, str(problem)))
            return None

    record: Record = {"name": str(name), "type": str(kind).strip().upper(), "value": str(value)}
    kind = record["type"]
    known = take("type", _known_type, kind)
    seconds = take("ttl", _number, ttl, MIN_TTL, MAX_TTL)
    if seconds is not None:
        record["ttl"] = seconds
    if (relative := take("name", relative_name, record["name"], domain)) is not None:
        record["name"] = relative
        if known:
            take("name", _check_owner, relative, kind)
    if not known:
        return record, problems
    chosen = take("priority", _chosen_priority, kind, priority)
    found = take("value", _value, kind, record["value"], chosen, domain)
    if found is not None:
        preference, record["value"] = found
        if kind in PREFERRED:
            record["priority"] = preference
    return record, problems


def check_records(records: Sequence[Mapping[str, Any]], beside: Iterable[Mapping[str, Any]] = ()) -> list[Problem]:
    """What is wrong with records in our form as a whole; fields are ``records.N.name`` and so on, from 0.

    ``beside``: records of the zone that are not at fault here, the template's for example.
    """
    problems: list[Problem] = []
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    seconds: dict[tuple[str, str], Any] = {}
    seen: set[tuple[Any, ...]] = set()
    for record in (*beside, *records):
        kinds[record["name"]].add(record["type"])
    for record in beside:
        seconds.setdefault((record["name"], record["type"]), record.get("ttl"))
    for number, record in enumerate(records):
        name, kind = record["name"], record["type"]
        label = "the zone itself" if name == "@" else name
        whole = (name, kind, record["value"], record.get("priority"))
        if whole in seen:
            problems.append(Problem(f"records.{number}.value", f"the same {kind} record of {label} is there twice"))
            continue
        if kind == "CNAME" and (kinds[name] != {"CNAME"} or any(one[:2] == whole[:2] for one in seen)):
            reason = f"{label} has other records: a CNAME must be the only record of its name"
            problems.append(Problem(f"records.{number}.name", reason))
        if seconds.setdefault((name, kind), record.get("ttl")) != record.get("ttl"):
            reason = f"all {kind} records of {label} must have the same TTL"
            problems.append(Problem(f"records.{number}.ttl", reason))
        seen.add(whole)
    return problems


def check_nameservers(records: Iterable[Mapping[str, Any]], domain: str) -> list[str]:
    """What is wrong with the zone's own nameservers as far as they lie inside of it, in words: without an address of
    theirs, or with a CNAME in its place, no nameserver loads the zone."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        kinds[record["name"].lower()].add(record["type"])
    hosts = {
        str(record["value"]).lower().rstrip(".")
        for record in records
        if (record["name"], record["type"]) == ("@", "NS")
    }
    problems = []
    for host in sorted(hosts):
        if host != domain and not host.endswith(f".{domain}"):
            continue
        there = kinds["@" if host == domain else host.removesuffix(f".{domain}")]
        if "CNAME" in there:
            problems.append(f"{host} is a nameserver of the zone: it needs an address and cannot be a CNAME")
        elif not there & {"A", "AAAA"}:
            problems.append(f"{host} is a nameserver of the zone and needs an A or AAAA record in it")
    return problems


def merge(template: Iterable[Mapping[str, Any]], own: Iterable[Mapping[str, Any]]) -> list[Record]:
    """A zone's records: its own ones replace the template's of the same name and type.

    A CNAME stands alone at its name (RFC 1034, 3.6.2): an own one replaces all that the template has there, and an
    own record of another type replaces the template's CNAME. The zone's SOA and nameservers are always the fleet's.
    """
    mine = [dict(record) for record in own if not _fleets_own(record)]
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for record in mine:
        kinds[record["name"].lower()].add(record["type"])

    def gives_way(record: Mapping[str, Any]) -> bool:
        there = kinds.get(record["name"].lower(), set())
        return record["type"] in there or "CNAME" in there or (record["type"] == "CNAME" and bool(there))

    return [dict(record) for record in template if _fleets_own(record) or not gives_way(record)] + mine


def _fleets_own(record: Mapping[str, Any]) -> bool:
    return (record["name"], record["type"]) in (("@", "SOA"), ("@", "NS"))


def published(record: Mapping[str, Any], domain: str) -> tuple[Record, dns.rdata.Rdata]:
    """A wished record in our form, and what nameservers make of it. Raises ValueError when they cannot.

    Wished records come from templates too, so their names need not be in our form.
    """
    found, problems = normal_record(
        record["name"], record["type"], record["value"], record.get("priority"), None, domain
    )
    if problems:
        raise ValueError(problems[0].reason)
    if record.get("ttl") is not None:
        found["ttl"] = record["ttl"]
    kind, text = found["type"], found["value"]
    if kind == "TXT":
        text = _quoted(text)
    elif kind in PREFERRED:
        text = f"{found['priority']} {text}"
    return found, _parsed(kind, text, domain)


def absolute_name(name: str, domain: str) -> dns.name.Name:
    """The full name of a record."""
    return dns.name.from_text(f"{domain}." if name == "@" else f"{name}.{domain}.")


def relative_name(text: str, domain: str) -> str:
    """A typed name relative to the zone; also full ones and international ones. Raises ValueError."""
    name = _ascii(text.strip()).lower()
    if name in ("", "@", domain, f"{domain}."):
        return "@"
    if name.endswith(".") and not name.endswith(f".{domain}."):
        raise ValueError(f"{_short(text)} is outside of the zone {domain}")
    name = name.removesuffix(".").removesuffix(f".{domain}")
    labels = name.split(".")
    if labels[0] == "*":
        labels = labels[1:]
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"{_short(text)} is not a name: letters, digits, dashes and underscores between dots, each part at most 63"
            " long, and a * only as the first part"
        )
    if len(name) + len(domain) > 252:
        raise ValueError(f"is too long: with {domain} it must be at most 253 characters")
    return name


def _known_type(kind: str) -> bool:
    if kind in TYPES:
        return True
    if kind == "SOA":
        raise ValueError("the zone’s SOA record is written by the fleet")
    known = ", ".join(TYPES)
    raise ValueError(f"{_short(kind)} is not a type that all nameservers can hold; they can hold {known}")


def _number(given: int | str | None, low: int, high: int) -> int | None:
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if isinstance(given, bool) or not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
        raise ValueError(f"must be a whole number between {low} and {high}")
    return int(text)


def _chosen_priority(kind: str, given: int | str | None) -> int | None:
    number = _number(given, 0, 65535)
    if number is not None and kind not in PREFERRED:
        raise ValueError(f"a {kind} record has no priority")
    return number


def _check_owner(name: str, kind: str) -> None:
    if name == "@" and kind == "CNAME":
        raise ValueError("the zone itself cannot be a CNAME: its own SOA and NS records are there")
    if name == "@" and kind == "DS":
        raise ValueError("the zone’s own DS record belongs into the zone above it")
    if name.startswith("*") and kind in ("NS", "DS"):
        raise ValueError("a * cannot be delegated to other nameservers; each name needs records of its own")
    if kind in _HOST_OWNERS and "_" in name:
        raise ValueError(f"a name with an underscore cannot have {kind} records")


def _value(kind: str, given: str, priority: int | None, domain: str) -> tuple[int, str]:
    """Priority and value in our form."""
    # Blanks around a text are a part of it.
    text = given if kind == "TXT" else given.strip()
    if not text:
        raise ValueError("is needed")
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    if kind == "TXT":
        return 0, _text(text)
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"must be at most {LONGEST_TEXT} characters")
    if kind == "CAA":
        return 0, _caa(text, domain)
    if re.search(r"[\"'\\]", text):
        raise ValueError(f"a {kind} record holds no quotes or backslashes; it is written like {EXAMPLES[kind]}")
    fields = text.split()
    if kind in PREFERRED:
        return _preferred(kind, fields, priority, domain)
    if kind in ("A", "AAAA"):
        return 0, _address(kind, text)
    if kind in ("TLSA", "DS"):
        if len(fields) < 4:
            raise ValueError(f"is not the value of a {kind} record, which is written like {EXAMPLES[kind]}")
        fields = [*fields[:3], "".join(fields[3:]).lower()]
        _parsed(kind, " ".join(fields), domain)
        return 0, " ".join(fields)
    if len(fields) != 1:
        raise ValueError(f"must be one name, like {EXAMPLES[kind]}")
    return 0, _host(kind, text, domain)


def _preferred(kind: str, fields: list[str], priority: int | None, domain: str) -> tuple[int, str]:
    wanted = {"MX": 1, "SRV": 3}[kind]
    if len(fields) == wanted + 1:
        if priority is not None:
            raise ValueError("the priority has a field of its own; leave it out here")
        priority = _number(fields[0], 0, 65535)
        fields = fields[1:]
    if len(fields) != wanted:
        raise ValueError(f"is not the value of a {kind} record, which is written like {EXAMPLES[kind]}")
    if priority is None:
        priority = _USUAL_PRIORITY
    numbers = [str(_number(field, 0, 65535)) for field in fields[:-1]]
    value = " ".join([*numbers, _host(kind, fields[-1], domain)])
    _parsed(kind, f"{priority} {value}", domain)
    return priority, value


def _address(kind: str, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text) if kind == "A" else ipaddress.IPv6Address(text))
    except ValueError:
        family = "IPv4" if kind == "A" else "IPv6"
        raise ValueError(f"{_short(text)} is not an {family} address like {EXAMPLES[kind]}") from None


def _host(kind: str, text: str, domain: str) -> str:
    """An absolute name with its final dot; without a dot inside it is a name in the zone, as people write it."""
    host = _ascii(text).lower()
    if host == "." and kind in PREFERRED:
        return host
    if host == "@":
        return f"{domain}."
    if "." not in host:
        host = f"{host}.{domain}"
    host = host if host.endswith(".") else f"{host}."
    labels = host[:-1].split(".")
    usable = all(_LABEL.fullmatch(label) for label in labels) and len(host) <= 254
    if not usable or (kind in _HOST_TARGETS and "_" in host):
        raise ValueError(f"{_short(text)} is not a host name like {EXAMPLES[kind].split(' (')[0].split()[-1]}")
    if labels[-1].isdigit():
        raise ValueError(f"{_short(text)} is an address; a {kind} record needs the name of a host")
    return host


def _text(text: str) -> str:
    """Plain text; what comes in quotes, in one or more chunks, is taken out of them."""
    if '"' in text and not re.sub(r'"[^"]*"', "", text).strip():
        text = "".join(re.findall(r'"([^"]*)"', text))
    if '"' in text or "\\" in text or "%quote%" in text:
        raise ValueError('must not hold " or \\ (or %quote%): HestiaCP cannot store them')
    if len(text.encode()) > LONGEST_TEXT:
        raise ValueError(f"must be at most {LONGEST_TEXT} bytes")
    if not text:
        raise ValueError("is needed")
    return text


def _caa(text: str, domain: str) -> str:
    found = _CAA.fullmatch(text)
    if not found or not text.isascii():
        raise ValueError(f"is not the value of a CAA record, which is written like {EXAMPLES['CAA']}")
    value = f'{int(found[1])} {found[2].lower()} "{found[3] or found[4] or ""}"'
    _parsed("CAA", value, domain)
    return value


def _parsed(kind: str, text: str, domain: str) -> dns.rdata.Rdata:
    """dnspython has the last word."""
    origin = dns.name.from_text(f"{domain}.")
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text, origin, relativize=False)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"is not the value of a {kind} record: {error}") from None


def _quoted(text: str) -> str:
    """Text in the quoted chunks of a zone file, each at most 255 bytes long."""
    chunks, chunk, size = [], "", 0
    for character in text:
        length = len(character.encode())
        if size + length > 255:
            chunks.append(chunk)
            chunk, size = "", 0
        chunk += character
        size += length
    return " ".join(f'"{part}"' for part in [*chunks, chunk])


def _ascii(text: str) -> str:
    """Labels in another script as they are in the DNS. Raises ValueError."""
    if text.isascii():
        return text
    if len(text) > 255:
        raise ValueError("is too long")
    try:
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode() for label in re.split(r"[.。]", text)
        )
    except idna.IDNAError:
        raise ValueError(f"{_short(text)} is not a name, nor an international one") from None


def _short(text: str) -> str:
    """What was typed, for a message."""
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return repr(shown)
