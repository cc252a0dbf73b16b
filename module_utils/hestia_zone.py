# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""DNS records as the panel stores them, as a zone file has them and as a server answers them.

No input or output here: parsing, rendering, and comparing by meaning (text in chunks or not, names in any case).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.hestia_check import bad

_HOST_TYPES = {"CNAME": 0, "NS": 0, "PTR": 0, "MX": 1, "SRV": 3}
"""Types whose last field is a host name, with the number of fields before it."""
_TEXT_TYPES = ("TXT", "SPF")
_HEX_TYPES = ("DS", "TLSA")
TYPES = ("A", "AAAA", *_HOST_TYPES, *_TEXT_TYPES, "CAA", *_HEX_TYPES, "DNSKEY", "KEY", "IPSECKEY")

_NAME_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PLAIN = re.compile(r"[ !#-&(-\[\]-~]*")
"""Printable ASCII without double quote, single quote and backslash."""
_TEXT_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))', re.DOTALL)


@dataclass(frozen=True)
class Record:
    """One record of a zone. `value` is the text of a zone file without the priority."""

    name: str
    type: str
    value: str
    priority: str = ""
    ttl: Optional[int] = None

    @property
    def rdata(self) -> str:
        return f"{self.priority} {self.value}" if self.priority else self.value

    def label(self) -> str:
        """The record in words for people."""
        return f"{self.name} {self.type} {self.rdata}"


@dataclass(frozen=True)
class ZoneFile:
    """What a zone file of the panel says."""

    primary: str
    serial: str
    records: frozenset[tuple[str, str, int, str]]


# Reading what the caller wants


def wanted_records(given: list[dict[str, Any]], zone: str, ttl: int) -> list[Record]:
    """The caller's records, checked and in the panel's form, identical ones once; a bad one is named."""
    records: list[Record] = []
    seen: dict[tuple[str, str, str], int] = {}
    ttls: dict[tuple[str, str], int] = {}
    for number, item in enumerate(given):
        where = f"records[{number}]"
        record = _wanted_record(where, item, zone, ttl)
        name, kind, seconds, rdata = canonical(record, zone, ttl)
        if ttls.setdefault((name, kind), seconds) != seconds:
            raise bad(where, f"{record.label()}: records of one name and type must have the same ttl")
        if (name, kind, rdata) not in seen:
            seen[name, kind, rdata] = number
            records.append(record)
    return records


def _wanted_record(where: str, item: dict[str, Any], zone: str, zone_ttl: int) -> Record:
    kind = str(item["type"]).upper()
    if kind not in TYPES:
        raise bad(where, f"{kind!r} is not a record type the panel knows")
    name = _wanted_name(where, str(item["name"]), zone)
    ttl = item.get("ttl")
    if ttl is not None and not 0 <= ttl <= 2147483647:
        raise bad(where, f"ttl {ttl} is out of range")
    value = str(item["value"])
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise bad(where, "value must be one line without control characters")
    priority, value = _wanted_value(where, kind, value, item.get("priority"), zone)
    return Record(name, kind, value, priority, None if ttl == zone_ttl else ttl)


def _wanted_name(where: str, given: str, zone: str) -> str:
    """The name relative to the zone, "@" for the zone itself."""
    name = given.strip().lower() or "@"
    if name in ("@", zone, f"{zone}."):
        return "@"
    if name.endswith(f".{zone}."):
        name = name[: -len(zone) - 2]
    labels = name.split(".")
    if labels[0] == "*":
        labels = labels[1:]
    if not all(_NAME_LABEL.fullmatch(label) for label in labels) or len(name) + len(zone) > 252:
        raise bad(where, f"{given!r} is not a name in the zone {zone}")
    return name


def _wanted_value(where: str, kind: str, value: str, priority: Optional[int], zone: str) -> tuple[str, str]:
    """Priority and value in the panel's form."""
    if kind in _TEXT_TYPES:
        return "", quote_text(_wanted_text(where, value))
    if kind == "CAA":
        return "", _wanted_caa(where, value)
    if not _PLAIN.fullmatch(value):
        raise bad(where, f"value of a {kind} record must not hold quotes or backslashes")
    fields = value.split()
    if kind in ("A", "AAAA"):
        return "", _wanted_address(where, kind, value.strip())
    if kind not in _HOST_TYPES:
        return "", " ".join(fields)
    if kind in ("MX", "SRV") and len(fields) == _HOST_TYPES[kind] + 1 and priority is None:
        priority, fields = _wanted_number(where, "priority", fields[0]), fields[1:]
    before = [str(_wanted_number(where, "value", field)) for field in fields[:-1]]
    if len(fields) != max(1, _HOST_TYPES[kind]):
        raise bad(where, f"{value!r} is not the value of a {kind} record")
    host = _wanted_host(where, fields[-1], zone)
    if kind not in ("MX", "SRV"):
        return "", host
    number = _wanted_number(where, "priority", str(10 if priority is None else priority))
    return str(number), " ".join([*before, host])


def _wanted_number(where: str, what: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise bad(where, f"{what}: {text!r} is not a number between 0 and 65535")
    return int(text)


def _wanted_address(where: str, kind: str, text: str) -> str:
    family = ipaddress.IPv4Address if kind == "A" else ipaddress.IPv6Address
    try:
        return str(family(text))
    except ValueError:
        raise bad(where, f"{text!r} is not an address for a record of type {kind}") from None


def _wanted_host(where: str, text: str, zone: str) -> str:
    """An absolute name with its final dot. Without a dot inside it is a name in the zone, as people write it."""
    host = text.lower()
    if host == ".":
        return host
    if host == "@":
        return f"{zone}."
    if "." not in host:
        host = f"{host}.{zone}."
    host = host if host.endswith(".") else f"{host}."
    if not all(_NAME_LABEL.fullmatch(label) for label in host[:-1].split(".")) or len(host) > 254:
        raise bad(where, f"{text!r} is not a host name")
    return host


def _wanted_text(where: str, value: str) -> str:
    """Plain text of a TXT record; text that comes in quotes, in one or more chunks, is taken out of them."""
    text = value
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        chunks = re.findall(r'"([^"]*)"', value)
        if re.sub(r'"[^"]*"', "", value).strip() == "":
            text = "".join(chunks)
    if '"' in text or "\\" in text or "%quote%" in text:
        raise bad(where, "text must not hold double quotes, backslashes or %quote%")
    return text


def _wanted_caa(where: str, value: str) -> str:
    match = re.fullmatch(r'\s*(\d{1,3})\s+([a-zA-Z0-9]+)\s+(?:"([^"\\\']*)"|([^\s"\\\']+))\s*', value)
    if not match or int(match.group(1)) > 255:
        raise bad(where, f"{value!r} is not the value of a CAA record")
    return f'{int(match.group(1))} {match.group(2).lower()} "{match.group(3) or match.group(4) or ""}"'


# Text


def quote_text(text: str) -> str:
    """Text in the quoted chunks of a zone file, each 255 bytes at most."""
    chunks, chunk, size = [], "", 0
    for character in text:
        length = len(character.encode("utf-8", "surrogateescape"))
        if size + length > 255:
            chunks.append(chunk)
            chunk, size = "", 0
        chunk += character
        size += length
    return " ".join(f'"{part}"' for part in [*chunks, chunk])


def unquote_text(text: str) -> bytes:
    """The bytes of TXT data in zone file or dig form: chunks joined, escapes resolved."""
    data = b""
    for quoted, bare in _TEXT_TOKEN.findall(text.strip()):
        data += _unescape(quoted or bare)
    return data


def _unescape(text: str) -> bytes:
    if "\\" not in text:
        return text.encode("utf-8", "surrogateescape")
    data, position = bytearray(), 0
    while position < len(text):
        character = text[position]
        digits = text[position + 1 : position + 4]
        if character == "\\" and len(digits) == 3 and digits.isdigit() and int(digits) < 256:
            data.append(int(digits))
            position += 4
            continue
        if character == "\\" and position + 1 < len(text):
            position += 1
            character = text[position]
        data += character.encode("utf-8", "surrogateescape")
        position += 1
    return bytes(data)


# Meaning


def absolute(name: str, zone: str) -> str:
    name = name.lower()
    if name in ("@", ""):
        return f"{zone}."
    return name if name.endswith(".") else f"{name}.{zone}."


def canonical_rdata(kind: str, rdata: str, zone: str) -> str:
    """Two values of a type mean the same when these are equal."""
    if kind in _TEXT_TYPES:
        return unquote_text(rdata).hex()
    if kind == "CAA":
        flags, tag, value = (rdata.split(None, 2) + ["", ""])[:3]
        return f"{flags} {tag.lower()} {unquote_text(value).hex()}"
    fields = rdata.split()
    if kind in _HOST_TYPES and fields:
        numbers = [str(int(field)) if field.isdigit() else field for field in fields[:-1]]
        return " ".join([*numbers, absolute(fields[-1], zone) if fields[-1] != "." else "."])
    if kind == "AAAA":
        try:
            return str(ipaddress.IPv6Address(rdata.strip()))
        except ValueError:
            return rdata.strip()
    if kind in _HEX_TYPES:
        return " ".join([*fields[:3], "".join(fields[3:]).lower()])
    if kind in ("DNSKEY", "KEY"):
        return " ".join([*fields[:3], "".join(fields[3:])])
    return " ".join(fields)


def canonical(record: Record, zone: str, ttl: int) -> tuple[str, str, int, str]:
    """Name, type, seconds and value of a record, so that equal means the same."""
    seconds = ttl if record.ttl is None else record.ttl
    return absolute(record.name, zone), record.type, seconds, canonical_rdata(record.type, record.rdata, zone)


def canonical_set(records: Iterable[Record], zone: str, ttl: int) -> frozenset[tuple[str, str, int, str]]:
    return frozenset(canonical(record, zone, ttl) for record in records)


# The panel's file of records


def record_of_row(row: dict[str, str]) -> Record:
    ttl = row.get("TTL", "")
    return Record(
        name=row.get("RECORD", "@").lower(),
        type=row.get("TYPE", ""),
        value=row.get("VALUE", "").replace("%quote%", "'"),
        priority=row.get("PRIORITY", ""),
        ttl=int(ttl) if ttl.isdigit() else None,
    )


def rows_of_records(
    records: list[Record], old_rows: list[dict[str, str]], zone: str, ttl: int, time: str, date: str
) -> list[dict[str, str]]:
    """The rows to hand to the panel, by ID. A record that was there keeps its row; the others get fresh IDs."""
    kept: dict[tuple[str, str, int, str], dict[str, str]] = {}
    for row in old_rows:
        if row.get("SUSPENDED") == "no" and row.get("ID", "").isdigit():
            kept.setdefault(canonical(record_of_row(row), zone, ttl), row)
    used = {int(row["ID"]) for row in kept.values()}
    rows, fresh = [], max(used, default=0)
    for record in records:
        row = kept.get(canonical(record, zone, ttl))
        if row is None:
            fresh += 1
            row = {"ID": str(fresh), "TIME": time, "DATE": date}
        rows.append(_row(record, row))
    return sorted(rows, key=lambda row: int(row["ID"]))


def _row(record: Record, old: dict[str, str]) -> dict[str, str]:
    row = {
        "ID": old["ID"],
        "RECORD": record.name,
        "TYPE": record.type,
        "PRIORITY": record.priority,
        "VALUE": record.value.replace("'", "%quote%"),
        "SUSPENDED": "no",
        "TIME": old.get("TIME", ""),
        "DATE": old.get("DATE", ""),
    }
    if record.ttl is not None:
        row["TTL"] = str(record.ttl)
    return row


# Zone files and answers


def render_zone(records: list[Record], zone: str, ttl: int, primary: str, serial: str) -> str:
    """A zone file with one record a line, the first one on line FIRST_LINE."""
    head = f"$TTL {ttl}\n@\tIN\tSOA\t{primary}. root.{zone}. ( {serial} 7200 3600 1209600 180 )\n"
    lines = []
    for record in records:
        seconds = ttl if record.ttl is None else record.ttl
        lines.append(f"{record.name}\t{seconds}\tIN\t{record.type}\t{record.rdata}\n")
    return head + "".join(lines)


FIRST_LINE = 3


def parse_zone_file(text: str, zone: str) -> Optional[ZoneFile]:
    """A zone file as the panel writes it; None when it is not a complete one."""
    head = re.search(r"SOA\s+(\S+?)\.?\s+\S+\s*\(\s*(\d+)[^)]*\)", text)
    if not head:
        return None
    records = set()
    for line in text[head.end() :].splitlines():
        fields = line.split("\t", 5)
        if len(fields) == 6 and fields[2] == "IN" and fields[1].isdigit():
            record = Record(fields[0], fields[3], fields[5], fields[4], int(fields[1]))
            records.add(canonical(record, zone, 0))
        elif line.strip():
            return None
    return ZoneFile(head.group(1).lower(), head.group(2), frozenset(records))


def parse_answers(text: str, zone: str) -> frozenset[tuple[str, str, int, str]]:
    """The records in the output of dig, by meaning; SOA records have their serial as value."""
    found = set()
    for line in text.splitlines():
        fields = line.split(None, 4)
        if line.startswith(";") or len(fields) < 5 or fields[2] != "IN" or not fields[1].isdigit():
            continue
        kind, rdata = fields[3], fields[4]
        if kind == "SOA":
            values = rdata.split()
            rdata = f"{values[0].lower()} {values[2]}" if len(values) > 2 else ""
        else:
            rdata = canonical_rdata(kind, rdata, zone)
        found.add((fields[0].lower(), kind, int(fields[1]), rdata))
    return frozenset(found)


# Serials


def next_serial(old: str, today: str) -> Optional[str]:
    """The serial after `old` on a day YYYYMMDD; None when the day's numbers are used up.

    The panel counts YYYYMMDDNN and makes an 11-digit serial, with which the zone dies, of the hundredth change of a
    day; newer panels count from 3000000000.
    """
    number = int(old) if old.isdigit() else 0
    if 3000000000 <= number < 4294967295:
        return str(number + 1)
    first = int(today + "01")
    following = max(first, number + 1)
    return str(following) if following <= int(today + "95") else None
