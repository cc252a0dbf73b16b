"""Zone files (RFC 1035): read into records of ours, and written. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
import dns.ttl

from controller.domain.problems import Problem
from controller.domain.zone_records import EXAMPLES, TYPES, Record, check_records, normal_record, published

MOST_BYTES = 1024 * 1024
MOST_RECORDS = 5000
_MOST_PROBLEMS = 100
_SIGNATURES = ("DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "CDS", "CDNSKEY")
_DIRECTIVES_REFUSED = {"$INCLUDE": "other files cannot be read from here", "$GENERATE": "write the records themselves"}
_TIMERS = "7200 3600 1209600 180"


@dataclass
class ZoneImport:
    """What a zone file holds. With problems it should not be taken over; what was skipped does no harm."""

    records: list[Record] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """A line or record, and why it is none of ours."""
    problems: list[Problem] = field(default_factory=list)
    """The field is ``line N``, or ``file``."""


def parse_zone_file(text: str, domain: str, ttl: int | None = None) -> ZoneImport:
    """The records of a zone file. With ``ttl``, the zone's own, records that have the same carry none."""
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        return ZoneImport(problems=[Problem("file", f"is larger than {MOST_BYTES // 1024} KiB")])
    return _Reader(domain, ttl).read(text)


def format_zone_file(
    domain: str, records: Iterable[Mapping[str, Any]], ttl: int, soa: str = "", serial: int | str = 1
) -> str:
    """A zone file of wished records. ``soa`` names the primary nameserver; without it the first NS record does."""
    lines: list[str] = []
    for wished in records:
        try:
            record, data = published(wished, domain)
        except ValueError as problem:
            lines.append(f"; left out: {_one_line(wished)}: {_one_line(problem)}\n")
            continue
        seconds = record.get("ttl", ttl)
        lines.append(f"{record['name']}\t{seconds}\tIN\t{record['type']}\t{data.to_text()}\n")
        if not soa and (record["name"], record["type"]) == ("@", "NS"):
            soa = record["value"]
    primary = f"{soa.rstrip('.') or f'ns1.{domain}'}."
    head = f"$ORIGIN {domain}.\n$TTL {ttl}\n@\t{ttl}\tIN\tSOA\t{primary} root.{domain}. {serial} {_TIMERS}\n"
    return head + "".join(lines)


def _one_line(thing: Any) -> str:
    text = " ".join(str(thing[key]) for key in ("name", "type", "value")) if isinstance(thing, Mapping) else str(thing)
    return re.sub(r"[^ -~]+", " ", text)[:200]


class _Reader:
    """Goes through the entries of one file."""

    def __init__(self, domain: str, ttl: int | None) -> None:
        self.domain = domain
        self.apex = dns.name.from_text(f"{domain}.")
        self.origin = self.apex
        self.owner: dns.name.Name | None = None
        self.zone_ttl = ttl
        self.default_ttl: int | None = None
        self.last_ttl: int | None = None
        self.found = ZoneImport()
        self.seconds: dict[tuple[str, str], int | None] = {}
        self.lines: list[int] = []
        self.seen: set[tuple[Any, ...]] = set()

    def read(self, text: str) -> ZoneImport:
        for number, entry in _entries(text.removeprefix("\ufeff").replace("\r\n", "\n")):
            try:
                self._entry(number, entry)
            except dns.exception.UnexpectedEnd:
                self._problem(number, "quotes or parentheses are not closed")
            except (dns.exception.DNSException, ValueError) as error:
                self._problem(number, str(error) or type(error).__name__)
            if len(self.found.records) > MOST_RECORDS:
                return ZoneImport(problems=[Problem("file", f"has more than {MOST_RECORDS} records")])
            if len(self.found.problems) >= _MOST_PROBLEMS:
                self.found.problems.append(Problem("file", "has more of these; only the first are listed"))
                return self.found
        for problem in check_records(self.found.records):
            self._problem(self.lines[int(problem.field.split(".")[1])], problem.reason)
        return self.found

    def _problem(self, number: int, reason: str) -> None:
        self.found.problems.append(Problem(f"line {number}", reason))

    def _entry(self, number: int, entry: str) -> None:
        tokens = dns.tokenizer.Tokenizer(entry)
        first = tokens.get(want_leading=True)
        if first.is_eol_or_eof():
            return
        if first.is_whitespace():
            if tokens.get().is_eol_or_eof():
                return
            if self.owner is None:
                raise ValueError("a record without a name, and there is none before it")
            tokens = dns.tokenizer.Tokenizer(entry.lstrip())
            tokens_owner = self.owner
        elif first.value.startswith("$") and not first.is_quoted_string():
            self._directive(first.value.upper(), tokens)
            return
        else:
            tokens_owner = tokens.as_name(first, self.origin)
            self.owner = tokens_owner
        self._record(number, tokens_owner, tokens)

    def _directive(self, name: str, tokens: dns.tokenizer.Tokenizer) -> None:
        if name == "$ORIGIN":
            self.origin = tokens.get_name(self.origin)
        elif name == "$TTL":
            self.default_ttl = dns.ttl.from_text(tokens.get_string())
        elif name in _DIRECTIVES_REFUSED:
            raise ValueError(f"{name} is not possible: {_DIRECTIVES_REFUSED[name]}")
        else:
            raise ValueError(f"{name[:40]} is not a directive of zone files")
        tokens.get_eol()

    def _record(self, number: int, owner: dns.name.Name, tokens: dns.tokenizer.Tokenizer) -> None:
        seconds, kind = self._ttl_and_type(tokens)
        label = f"line {number}: {owner.to_text().lower()} {kind}"
        if not owner.is_subdomain(self.apex):
            raise ValueError(f"{owner.to_text()} is outside of the zone {self.domain}")
        if kind in _SIGNATURES:
            self.found.skipped.append((label, "nameservers that sign a zone make these themselves"))
            return
        if kind != "SOA" and kind not in TYPES:
            self.found.skipped.append((label, "not all nameservers can hold this type"))
            return
        data = self._data(kind, tokens)
        if kind == "SOA":
            if self.default_ttl is None and self.last_ttl is None:
                self.last_ttl = int(data.minimum)
            self.found.skipped.append((label, "the zone’s SOA record is written by the fleet"))
            return
        if kind == "NS" and owner == self.apex:
            self.found.skipped.append((label, "the zone’s own nameservers come from the server group"))
            return
        self._take(number, label, owner, kind, data, seconds)

    def _data(self, kind: str, tokens: dns.tokenizer.Tokenizer) -> Any:
        try:
            return dns.rdata.from_text(
                dns.rdataclass.IN, dns.rdatatype.from_text(kind), tokens, self.origin, relativize=False
            )
        except dns.exception.UnexpectedEnd:
            raise
        except (dns.exception.DNSException, ValueError) as error:
            example = f", which is written like {EXAMPLES[kind]}" if kind in EXAMPLES else ""
            raise ValueError(f"not the value of a record of type {kind}{example} ({error})") from None

    def _ttl_and_type(self, tokens: dns.tokenizer.Tokenizer) -> tuple[int | None, str]:
        """TTL and class may come in either order, or not at all."""
        seconds: int | None = None
        word = tokens.get_string()
        for _ in range(2):
            if re.fullmatch(r"[0-9].*", word):
                seconds = self.last_ttl = dns.ttl.from_text(word)
                word = tokens.get_string()
            elif word.upper() == "IN":
                word = tokens.get_string()
        if word.upper() in ("CH", "HS", "CS", "ANY"):
            raise ValueError(f"class {word.upper()} is not the class of the internet, IN")
        try:
            kind = dns.rdatatype.to_text(dns.rdatatype.from_text(word))
        except (dns.exception.DNSException, ValueError):
            raise ValueError(f"{word[:40]!r} is not a type of records") from None
        if seconds is None:
            seconds = self.default_ttl if self.default_ttl is not None else self.last_ttl
        return seconds, kind

    def _take(self, number: int, label: str, owner: dns.name.Name, kind: str, data: Any, seconds: int | None) -> None:
        name = owner.relativize(self.apex).to_text()
        priority, value = _words(kind, data)
        if self.zone_ttl is not None and seconds == self.zone_ttl:
            seconds = None
        record, problems = normal_record(name, kind, value, priority, seconds, self.domain)
        for problem in problems:
            self._problem(number, f"{owner.to_text()} {kind}: {problem.field} {problem.reason}")
        if problems:
            return
        # As named does: of one name and type the first line's TTL is everybody's.
        first = self.seconds.setdefault((record["name"], kind), record.get("ttl"))
        record.pop("ttl", None)
        if first is not None:
            record["ttl"] = first
        whole = (record["name"], kind, record["value"], record.get("priority"))
        if whole in self.seen:
            self.found.skipped.append((label, "it is there twice"))
            return
        self.seen.add(whole)
        self.lines.append(number)
        self.found.records.append(record)


def _words(kind: str, data: Any) -> tuple[int | None, str]:
    """Priority and value as somebody would type them."""
    if kind == "TXT":
        try:
            text = b"".join(data.strings).decode()
        except UnicodeDecodeError:
            raise ValueError("text must be UTF-8") from None
        # In quotes, lest quotes of its own are taken for those around it.
        return None, text if '"' in text else f'"{text}"'
    if kind == "MX":
        return data.preference, data.exchange.to_text()
    if kind == "SRV":
        return data.priority, f"{data.weight} {data.port} {data.target.to_text()}"
    return None, data.to_text()


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """The entries of a zone file, each with the number of its first line; one in parentheses goes over many lines."""
    start, number, depth, quoted, begun = 0, 1, 0, False, 1
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 2 if text[position + 1 : position + 2] not in ("\n", "") else 1
            continue
        if character == ";" and not quoted:
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif character == "\n":
            # Text in quotes ends with its line; what is wrong with it is said for this entry alone.
            number += 1
            if depth <= 0 or quoted:
                yield begun, text[start:position]
                start, depth, quoted, begun = position + 1, 0, False, number
        position += 1
    if start < len(text):
        yield begun, text[start:]
