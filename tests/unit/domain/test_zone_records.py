"""What people type into a zone: brought to one form, or refused with words at the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.zone_records import published
from controller.domain.zones import TYPES, check_record, check_records, merge

ZONE = "acme.test"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("", "@"),
        ("@", "@"),
        ("acme.test", "@"),
        ("ACME.test.", "@"),
        ("WWW", "www"),
        ("www.acme.test", "www"),
        ("www.acme.test.", "www"),
        ("a.b", "a.b"),
        (" www ", "www"),
        ("*", "*"),
        ("*.dev", "*.dev"),
        ("bücher", "xn--bcher-kva"),
        ("_dmarc", "_dmarc"),
    ],
)
def test_names_become_relative(typed: str, name: str) -> None:
    record, problems = check_record(typed, "TXT", "x", None, None, ZONE)
    assert (record["name"], problems) == (name, [])


@pytest.mark.parametrize(
    "typed",
    [
        *("a b", "a..b", "-a", "a-", "x" * 64, "a.*", "w*", "a/b", "..", "ü" * 300, "a;b", "$(x)", "x\ny"),
        *(".".join(["a" * 60] * 5), "www.other.test.", "a.acme.test.x."),
    ],
)
def test_what_is_no_name_of_the_zone(typed: str) -> None:
    _, problems = check_record(typed, "TXT", "x", None, None, ZONE)
    assert [problem.field for problem in problems] == ["name"]


@pytest.mark.parametrize(
    ("kind", "typed", "priority", "value", "chosen"),
    [
        ("a", "192.0.2.1", None, "192.0.2.1", None),
        ("AAAA", "2001:DB8:0:0::1", "", "2001:db8::1", None),
        ("CNAME", "www", None, "www.acme.test.", None),
        ("CNAME", "@", None, "acme.test.", None),
        ("CNAME", "_x.example.net", None, "_x.example.net.", None),
        ("CNAME", "Bücher.example", None, "xn--bcher-kva.example.", None),
        ("MX", "mail", None, "mail.acme.test.", 10),
        ("MX", "20 mail.example.net.", None, "mail.example.net.", 20),
        ("MX", "mail", "5", "mail.acme.test.", 5),
        ("MX", ".", 0, ".", 0),
        ("SRV", "5 5060 sip.example.net", 1, "5 5060 sip.example.net.", 1),
        ("SRV", "1 5 5060 sip", None, "5 5060 sip.acme.test.", 1),
        ("TXT", " v=spf1 -all ", None, "v=spf1 -all", None),
        ("TXT", '"in" "two"', None, "intwo", None),
        ("TXT", "grün 世", None, "grün 世", None),
        ("CAA", "0 Issue letsencrypt.org", None, '0 issue "letsencrypt.org"', None),
        ("CAA", '0 issuewild ";"', None, '0 issuewild ";"', None),
        ("TLSA", "3 1 1 " + "AB " * 32, None, "3 1 1 " + "ab" * 32, None),
        ("DS", "1 13 2 " + "A" * 64, None, "1 13 2 " + "a" * 64, None),
        ("PTR", "host.example.net", None, "host.example.net.", None),
        ("NS", "ns.example.net", None, "ns.example.net.", None),
    ],
)
def test_values_become_one_form(kind: str, typed: str, priority: Any, value: str, chosen: int | None) -> None:
    record, problems = check_record("sub", kind, typed, priority, None, ZONE)
    assert problems == []
    assert record == {"name": "sub", "type": kind.upper(), "value": value} | (
        {} if chosen is None else {"priority": chosen}
    )
    assert check_record("sub", kind, record["value"], record.get("priority"), None, ZONE) == (record, [])
    assert published(record, ZONE)[0] == record


@pytest.mark.parametrize(
    ("kind", "typed", "priority", "field", "words"),
    [
        ("A", "1.2.3", None, "value", "not an IPv4 address"),
        ("A", "2001:db8::1", None, "value", "not an IPv4 address"),
        ("A", "192.0.2.1", 10, "priority", "has no priority"),
        ("AAAA", "192.0.2.1", None, "value", "not an IPv6 address"),
        ("CNAME", "two names", None, "value", "must be one name"),
        ("CNAME", "192.0.2.1", None, "value", "is an address"),
        ("MX", "_mail", None, "value", "not a host name like mail.example.com"),
        ("MX", "10 mail", 10, "value", "a field of its own"),
        ("MX", "mail", 70000, "priority", "between 0 and 65535"),
        ("MX", "mail", "ten", "priority", "between 0 and 65535"),
        ("MX", "192.0.2.1", None, "value", "is an address"),
        ("SRV", "5060 sip.example.net", None, "value", "5 5060 sip.example.com"),
        ("SRV", "5 99999 sip.example.net", 1, "value", "between 0 and 65535"),
        ("TXT", 'say "hi" \\ now', None, "value", "HestiaCP cannot store"),
        ("TXT", "x" * 4001, None, "value", "at most 4000"),
        ("TXT", "two\nlines", None, "value", "one line"),
        ("TXT", "\udc80", None, "value", "one line"),
        ("TXT", "", None, "value", "is needed"),
        ("CAA", "letsencrypt.org", None, "value", "0 issue"),
        ("CAA", "300 issue x", None, "value", "CAA"),
        ("TLSA", "3 1 1 xyz", None, "value", "TLSA"),
        ("TLSA", "3 1", None, "value", "TLSA"),
        ("DS", "1 13 2 00", None, "value", "digest"),
        ("PTR", "$(reboot)", None, "value", "host.example.com"),
        ("NAPTR", "x", None, "type", "can hold A, AAAA"),
        ("SOA", "x", None, "type", "written by the fleet"),
        ("<b>", "x", None, "type", "is not a type"),
    ],
)
def test_what_is_refused_and_why(kind: str, typed: str, priority: Any, field: str, words: str) -> None:
    _, problems = check_record("sub", kind, typed, priority, None, ZONE)
    assert [problem.field for problem in problems] == [field]
    assert words in problems[0].reason


@pytest.mark.parametrize(
    ("name", "kind", "value", "field"),
    [
        ("@", "NS", "ns1.example.net", "type"),
        ("@", "CNAME", "www", "name"),
        ("@", "DS", "1 13 2 " + "a" * 64, "name"),
        ("_x", "A", "192.0.2.1", "name"),
        ("_x", "MX", "mail", "name"),
        ("*", "NS", "ns.example.net", "name"),
    ],
)
def test_what_cannot_stand_at_a_name(name: str, kind: str, value: str, field: str) -> None:
    assert [problem.field for problem in check_record(name, kind, value, None, None, ZONE)[1]] == [field]


@pytest.mark.parametrize(("typed", "ttl"), [(None, None), ("", None), ("300", 300), (30, 30), (2592000, 2592000)])
def test_a_ttl(typed: Any, ttl: int | None) -> None:
    record, problems = check_record("www", "A", "192.0.2.1", None, typed, ZONE)
    assert (record.get("ttl"), problems) == (ttl, [])


@pytest.mark.parametrize("typed", ["1h", -1, 0, 29, 2592001, "9" * 30, True, "３００"])
def test_a_ttl_out_of_bounds(typed: Any) -> None:
    _, problems = check_record("www", "A", "192.0.2.1", None, typed, ZONE)
    assert [problem.field for problem in problems] == ["ttl"]


@settings(deadline=None)
@given(st.sampled_from([*TYPES, "X"]), st.text(), st.text(), st.text(max_size=5) | st.integers() | st.none())
def test_whatever_is_typed_is_published_as_it_was_checked_or_refused(
    kind: str, name: str, value: str, number: Any
) -> None:
    record, problems = check_record(name, kind, value, number, number, ZONE)
    if problems:
        assert {problem.field for problem in problems} <= {"name", "type", "value", "priority", "ttl"}
    else:
        assert published(record, ZONE)[0] == record


def a(name: str, value: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "A", "value": value, **more}


def cname(name: str, value: str = "x.example.") -> dict[str, Any]:
    return {"name": name, "type": "CNAME", "value": value}


def ns(value: str) -> dict[str, Any]:
    return {"name": "@", "type": "NS", "value": value}


def test_records_are_held_against_each_other() -> None:
    assert check_records([a("www"), a("www", "192.0.2.2"), cname("alias")]) == []
    found = check_records([a("www"), cname("www"), a("m", ttl=60), a("m", "192.0.2.2"), a("d"), a("d"), cname("e")])
    assert [problem.field for problem in found] == ["records.1.name", "records.3.ttl", "records.5.value"]
    assert [problem.field for problem in check_records([cname("x"), cname("x", "y.example.")])] == ["records.1.name"]
    assert [problem.field for problem in check_records([cname("x")], beside=[a("x")])] == ["records.0.name"]


def test_own_records_replace_the_templates_set() -> None:
    template = [ns("ns1."), a("@"), a("www"), cname("ftp"), {"name": "www", "type": "TXT", "value": "t"}]
    assert merge(template, []) == template
    assert merge(template, [a("www", "192.0.2.9")]) == [
        ns("ns1."), a("@"), cname("ftp"), template[4], a("www", "192.0.2.9"),
    ]  # fmt: skip
    assert merge(template, [cname("www")]) == [ns("ns1."), a("@"), cname("ftp"), cname("www")]
    assert merge(template, [a("ftp")]) == [ns("ns1."), a("@"), a("www"), template[4], a("ftp")]


def test_the_zones_nameservers_are_always_the_fleets() -> None:
    assert merge([ns("ns1.")], [ns("evil."), {"name": "@", "type": "SOA", "value": "x"}]) == [ns("ns1.")]
    assert merge([ns("ns1.")], [{**ns("ns.sub."), "name": "sub"}])[1]["name"] == "sub"
