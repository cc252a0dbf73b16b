"""Asking nameservers themselves, record by record, whether they serve a zone as it is wished.

Answers are compared by meaning: text in chunks or not, names in any case. The serial is reported and not compared:
every nameserver counts by itself.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from controller.automation.dns_exchange import Asker, GivenUp, Place
from controller.domain.zone_records import absolute_name, published

TIMEOUT = 2.0
"""Seconds for one answer."""
AGAIN = 1.0
"""Seconds until what differs is asked for once more: the server may be about to load the zone."""
_AT_ONCE = 4
_MOST_PROBLEMS = 50
_MOST_WORDS = 120

Key = TypeVar("Key")


@dataclass
class Answer:
    """What one server said."""

    reached: bool = False
    serial: int | None = None
    found: int = 0
    """Of the wished records, how many it has right."""
    problems: list[str] = field(default_factory=list)
    """What differs from the wish, in words."""
    given: dict[str, str] = field(default_factory=dict)
    """What it said to each question, in words; of the SOA all but the serial."""


@dataclass(frozen=True)
class _Question:
    """One name and type, with all records that shall be there."""

    label: str
    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    ttl: int
    wanted: Mapping[bytes, str]
    """By meaning; empty if anything is right."""
    hidden: bool = False
    """Below a delegation: seen at most beside an answer."""


@dataclass(frozen=True)
class _Seen:
    """What came of a question."""

    right: int = 0
    problem: str = ""
    words: str = ""


class _NotServing(Exception):
    """The server does not serve the zone; why, in words."""


def ask(
    server: Place,
    domain: str,
    records: Iterable[Mapping[str, Any]],
    ttl: int,
    timeout: float = TIMEOUT,
    again: float = AGAIN,
) -> Answer:
    """Ask a nameserver for the zone's SOA and for every name and type of its wished records."""
    answer = Answer()
    questions, strange = _questions(domain, records, ttl)
    try:
        asker = Asker(server, timeout)
        seen: dict[str, _Seen] = {}
        problems = _ask_once(asker, domain, ttl, questions, seen, answer)
        if problems:
            time.sleep(again)
            problems = _ask_once(asker, domain, ttl, questions, seen, answer)
    except GivenUp as reason:
        answer.problems = [str(reason)]
        return answer
    answer.reached = True
    answer.found = sum(one.right for one in seen.values())
    answer.given |= {label: one.words for label, one in seen.items() if one.words}
    answer.problems = strange + problems
    if (more := len(answer.problems) - _MOST_PROBLEMS) > 0:
        answer.problems[_MOST_PROBLEMS:] = [f"and {more} more"]
    return answer


@dataclass(frozen=True)
class Agreement:
    """Which servers say the same."""

    agrees: bool
    groups: list[list[Any]]
    """Those that say the same are in one group, the largest first; who was not reached is in none."""
    differences: list[str]


def agree(answers: Mapping[Key, Answer]) -> Agreement:
    """Which of the servers agree with each other, whatever was wished, and where they do not."""
    reached = {key: answer.given for key, answer in answers.items() if answer.reached}
    groups: dict[tuple[tuple[str, str], ...], list[Key]] = defaultdict(list)
    for key, given in reached.items():
        groups[tuple(sorted(given.items()))].append(key)
    differences = []
    for label in dict.fromkeys(label for given in reached.values() for label in given):
        said: dict[str, list[str]] = defaultdict(list)
        for key, given in reached.items():
            said[given.get(label, "nothing")].append(str(key))
        if len(said) > 1:
            words = "; ".join(f"{', '.join(keys)}: {text}" for text, keys in said.items())
            differences.append(f"{label}: {words}")
    differences += [f"{key}: {'; '.join(answer.problems)}" for key, answer in answers.items() if not answer.reached]
    ordered = sorted(groups.values(), key=len, reverse=True)
    return Agreement(len(ordered) == 1 and len(reached) == len(answers), ordered, differences)


# -- one round -----------------------------------------------------------------------------------------------


def _ask_once(
    asker: Asker, domain: str, ttl: int, questions: list[_Question], seen: dict[str, _Seen], answer: Answer
) -> list[str]:
    """What differs; what was right before is not asked for again."""
    try:
        about_soa = _ask_soa(asker, domain, ttl, answer)
    except _NotServing as reason:
        return [str(reason)]
    _ask_all(asker, [one for one in questions if one.label not in seen or seen[one.label].problem], seen)
    return [*about_soa, *(one.problem for one in seen.values() if one.problem)]


def _ask_soa(asker: Asker, domain: str, ttl: int, answer: Answer) -> list[str]:
    """What is wrong with the SOA; its serial goes into the answer. Raises _NotServing when there is no zone."""
    apex = absolute_name("@", domain)
    said = asker.ask(apex, dns.rdatatype.SOA)
    if said is None:
        raise _NotServing("gives an answer that is not understood")
    if said.rcode() != dns.rcode.NOERROR:
        raise _NotServing(f"does not serve the zone ({dns.rcode.to_text(said.rcode())})")
    if not said.flags & dns.flags.AA:
        raise _NotServing("is not authoritative for the zone")
    found = said.get_rrset(said.answer, apex, dns.rdataclass.IN, dns.rdatatype.SOA)
    if not found:
        raise _NotServing("does not serve the zone, but one above it")
    soa = found[0]
    answer.serial = soa.serial
    timers = f"{soa.refresh} {soa.retry} {soa.expire} {soa.minimum}"
    answer.given["@ SOA"] = f"{found.ttl} {soa.mname} {soa.rname} {timers}".lower()
    return [] if found.ttl == ttl else [f"@ SOA: TTL is {found.ttl}, wished is {ttl}"]


# -- the records -------------------------------------------------------------------------------------------


def _questions(domain: str, records: Iterable[Mapping[str, Any]], ttl: int) -> tuple[list[_Question], list[str]]:
    """One question for each name and type, the zone's nameservers first, and what cannot be asked for."""
    wished: dict[tuple[str, str], dict[bytes, str]] = {("@", "NS"): {}}
    seconds: dict[tuple[str, str], int] = {}
    strange: list[str] = []
    for given in records:
        try:
            record, data = published(given, domain)
        except ValueError as problem:
            strange.append(f"{given['name']} {given['type']}: cannot be served: {problem}")
            continue
        key = (record["name"], record["type"])
        wished.setdefault(key, {})[_meaning(data)] = _text(data)
        seconds.setdefault(key, record.get("ttl", ttl))
    cuts = {name for name, kind in wished if kind == "NS" and name != "@"}
    questions = [
        _Question(
            label=f"{name} {kind}",
            name=absolute_name(name, domain),
            kind=dns.rdatatype.from_text(kind),
            ttl=seconds.get((name, kind), ttl),
            wanted=wanted,
            hidden=any(name.endswith(f".{cut}") or (name == cut and kind not in ("NS", "DS")) for cut in cuts),
        )
        for (name, kind), wanted in wished.items()
    ]
    return questions, strange


def _ask_all(asker: Asker, questions: list[_Question], seen: dict[str, _Seen]) -> None:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dns-ask") as pool:
        found = pool.map(lambda one: _see(one, asker.ask(one.name, one.kind)), questions)
        seen.update(zip([one.label for one in questions], found, strict=True))


def _see(question: _Question, said: dns.message.Message | None) -> _Seen:
    """Compare the whole set of records of a name and type with what is wished."""
    found = _found(question, said) if said is not None else None
    if question.hidden and found is None:
        return _Seen(right=len(question.wanted))
    if found is None:
        words = _instead(question, said)
        return _Seen(problem=f"{question.label}: {words}", words=words)
    given = {_meaning(data): _text(data) for data in found}
    words = f"{found.ttl} {', '.join(sorted(given.values()))}"
    if not question.wanted:
        return _Seen(words=words)
    if given.keys() != question.wanted.keys():
        wrong = _list(text for meaning, text in given.items() if meaning not in question.wanted)
        missing = _list(text for meaning, text in question.wanted.items() if meaning not in given)
        parts = [f"has {wrong}" if wrong else "", f"lacks {missing}" if missing else ""]
        problem = f"{question.label}: {' and '.join(filter(None, parts))}"
    elif found.ttl != question.ttl:
        problem = f"{question.label}: TTL is {found.ttl}, wished is {question.ttl}"
    else:
        # Glue is no answer of its own, so servers need not give it alike.
        return _Seen(len(question.wanted), words="" if question.hidden else words)
    right = len(given.keys() & question.wanted.keys()) if found.ttl == question.ttl else 0
    return _Seen(right, problem, words)


def _found(question: _Question, said: dns.message.Message) -> dns.rrset.RRset | None:
    """The records that were asked for; those of a delegation stand beside the answer."""
    if said.rcode() != dns.rcode.NOERROR:
        return None
    sections = [said.answer] if said.flags & dns.flags.AA else []
    if question.kind == dns.rdatatype.NS:
        sections.append(said.authority)
    if question.hidden:
        sections.append(said.additional)
    for section in sections:
        found = said.get_rrset(section, question.name, dns.rdataclass.IN, question.kind)
        if found:
            return found
    return None


def _instead(question: _Question, said: dns.message.Message | None) -> str:
    """What came in place of the records, in words."""
    if said is None:
        return "the answer is not understood"
    if said.rcode() == dns.rcode.NXDOMAIN:
        return "there is no such name"
    if said.rcode() != dns.rcode.NOERROR:
        return f"the answer is {dns.rcode.to_text(said.rcode())}"
    if not said.flags & dns.flags.AA:
        return "the answer is not authoritative"
    alias = said.get_rrset(said.answer, question.name, dns.rdataclass.IN, dns.rdatatype.CNAME)
    return f"is a CNAME of {alias[0].target}" if alias else "there are no such records"


def _meaning(data: Any) -> bytes:
    """The same for equal records: text joined, names in lower case."""
    if data.rdtype == dns.rdatatype.TXT:
        return b"".join(data.strings)
    return bytes(data.to_digestable())


def _text(data: dns.rdata.Rdata) -> str:
    text = data.to_text()
    return text if len(text) <= _MOST_WORDS else f"{text[: _MOST_WORDS - 1]}…"


def _list(texts: Iterable[str]) -> str:
    listed = sorted(texts)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
