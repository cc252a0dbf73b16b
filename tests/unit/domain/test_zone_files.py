"""Zone files: any of them is read with its problems told line by line, and ours are read back as they were written."""

from __future__ import annotations

import subprocess
from typing import Any

import dns.zone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.zone_files import format_zone_file, parse_zone_file
from controller.domain.zone_records import TYPES, check_records, normal_record, published

ZONE = "acme.test"

FILE = """\
; The zone of a customer
$TTL 1h
@   IN  SOA ns1.old.example. hostmaster.acme.test. (
        2026010101 ; serial
        7200 3600 1209600 180 )
        IN  NS  ns1.old.example.
        MX  10 mail           ; relative, and the name of the line before
mail    300 IN  A   192.0.2.1
        IN  300 AAAA 2001:DB8::1
txt     TXT ( "v=DKIM1; not a comment; "
              "second" ) ; a comment (
WWW.acme.test.  CNAME @
$ORIGIN sub.ACME.test.
@       2d  A   192.0.2.2
deep    A   192.0.2.3
        A   192.0.2.3
_sip._tcp SRV 1 2 5060 sip.example.net.
loc     LOC 51 0 0 N 4 0 0 E 0m
"""


def test_a_file_from_elsewhere() -> None:
    found = parse_zone_file(FILE.replace("\n", "\r\n"), ZONE, 3600)
    assert found.problems == []
    assert found.records == [
        {"name": "@", "type": "MX", "value": "mail.acme.test.", "priority": 10},
        {"name": "mail", "type": "A", "value": "192.0.2.1", "ttl": 300},
        {"name": "mail", "type": "AAAA", "value": "2001:db8::1", "ttl": 300},
        {"name": "txt", "type": "TXT", "value": "v=DKIM1; not a comment; second"},
        {"name": "www", "type": "CNAME", "value": "acme.test."},
        {"name": "sub", "type": "A", "value": "192.0.2.2", "ttl": 172800},
        {"name": "deep.sub", "type": "A", "value": "192.0.2.3"},
        {"name": "_sip._tcp.sub", "type": "SRV", "value": "2 5060 sip.example.net.", "priority": 1},
    ]
    assert [where for where, _ in found.skipped] == [
        "line 3: acme.test. SOA",
        "line 6: acme.test. NS",
        "line 16: deep.sub.acme.test. A",
        "line 18: loc.sub.acme.test. LOC",
    ]


def problems(text: str) -> list[tuple[str, str]]:
    return [(problem.field, problem.reason) for problem in parse_zone_file(text, ZONE).problems]


def test_every_problem_has_its_line() -> None:
    found = problems(
        "$INCLUDE /etc/passwd\n$GENERATE 1-99 host$ A 192.0.2.$\n$FOO x\nx.other.test. A 192.0.2.1\na A 1.2.3\n"
        'b TXT "open\nc TXT ( "x" )\nd WHAT 1\ne CH A 192.0.2.1\nf A 192.0.2.1 more\ng TXT "say \\"hi\\""\n'
        'h TXT "\\200"\ni 5 A 192.0.2.1\n$TTL 60\nj CNAME k\nj A 192.0.2.1\n@ CNAME x\nk A ( 192.0.2.1\n'
    )
    words = [
        ("line 1", "other files"), ("line 2", "themselves"), ("line 3", "directive"), ("line 4", "outside"),
        ("line 5", "like 192.0.2.1"), ("line 6", "not closed"), ("line 8", "not a type"), ("line 9", "class"),
        ("line 10", "more"), ("line 11", "HestiaCP"), ("line 12", "UTF-8"), ("line 13", "ttl"), ("line 17", "itself"),
        ("line 18", "parentheses"), ("line 15", "only record"),
    ]  # fmt: skip
    assert [line for line, _ in found] == [line for line, _ in words]
    for (_, said), (line, word) in zip(found, words, strict=True):
        assert word in said, line


def test_what_is_too_large() -> None:
    assert problems("x" * (1024 * 1024 + 1)) == [("file", "is larger than 1024 KiB")]
    many = "".join(f"a{number} A 192.0.2.1\n" for number in range(5001))
    assert problems(many) == [("file", "has more than 5000 records")]
    assert problems("a A x\n" * 1000)[-1][0] == "file"
    assert len(problems("a A x\n" * 1000)) == 101


def test_the_first_ttl_of_a_set_is_everybodys() -> None:
    found = parse_zone_file("a 60 A 192.0.2.1\na 90 A 192.0.2.2\n", ZONE)
    assert (found.problems, [record["ttl"] for record in found.records]) == ([], [60, 60])


def test_a_file_without_ttl_has_that_of_its_soa() -> None:
    found = parse_zone_file("@ SOA a. b. 1 2 3 4 999\nw A 192.0.2.1\n", ZONE)
    assert found.records == [{"name": "w", "type": "A", "value": "192.0.2.1", "ttl": 999}]


def test_what_cannot_be_published_stays_a_comment() -> None:
    text = format_zone_file(ZONE, [{"name": "a", "type": "TXT", "value": 'x "\n$INCLUDE /etc/passwd'}], 60, "ns1.x.")
    assert text.splitlines()[3:] == [
        '; left out: a TXT x " $INCLUDE /etc/passwd: must be one line without control characters'
    ]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from('\n\t ();"$@\\*.'), max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    parse_zone_file(text, ZONE)


# -- there and back ----------------------------------------------------------------------------------------

label = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
names = st.just("@") | st.lists(label | st.just("_x"), min_size=1, max_size=3).map(".".join) | label.map("*.{}".format)
hosts = st.lists(label.filter(lambda text: not text.isdigit()), min_size=2, max_size=4).map(".".join)
small = st.integers(0, 255)
number = st.integers(0, 65535)
hexadecimal = st.binary(min_size=32, max_size=32).map(bytes.hex)
text = st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=("Cc", "Cs", "Zl", "Zp")))
values = {
    "A": st.ip_addresses(v=4).map(str),
    "AAAA": st.ip_addresses(v=6).map(str),
    "CNAME": hosts,
    "NS": hosts,
    "PTR": hosts,
    "MX": hosts,
    "TXT": text | st.integers(1, 900).map("ü;".__mul__),
    "SRV": st.builds("{} {} {}".format, number, number, hosts),
    "CAA": st.builds('{} issue "{}"'.format, small, hosts),
    "TLSA": st.builds("{} {} {} {}".format, small, small, small, hexadecimal),
    "DS": st.builds("{} 13 2 {}".format, number, hexadecimal),
}
assert set(values) == set(TYPES)
records = st.one_of(
    *(
        st.tuples(names, st.just(kind), value, number if kind in ("MX", "SRV") else st.none())
        for kind, value in values.items()
    )
)


@st.composite
def zones(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Records in our form that can stand together."""
    wished: list[dict[str, Any]] = []
    ttls: dict[tuple[str, str], int | None] = {}
    for name, kind, value, priority in draw(st.lists(records, max_size=12)):
        ttl = ttls.setdefault((name, kind), draw(st.none() | st.integers(30, 100_000)))
        record, wrong = normal_record(name, kind, value, priority, ttl, ZONE)
        if wrong or (record["name"], kind) == ("@", "NS") or check_records([*wished, record]):
            continue
        wished.append({key: item for key, item in record.items() if (key, item) != ("ttl", 3600)})
    return wished


@settings(deadline=None)
@given(zones())
def test_our_files_are_read_back_as_they_were_written(wished: list[dict[str, Any]]) -> None:
    head = [{"name": "@", "type": "NS", "value": f"ns{number}.example.net."} for number in (1, 2)]
    written = format_zone_file(ZONE, [*head, *wished], 3600, serial=7)
    found = parse_zone_file(written, ZONE, 3600)
    assert (found.problems, found.records) == ([], wished)
    zone = dns.zone.from_text(written, ZONE, relativize=False)
    for record in wished:
        _, data = published(record, ZONE)
        assert data in zone.find_rdataset(f"{record['name']}.{ZONE}.".removeprefix("@."), record["type"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(zones())
def test_named_takes_our_files(wished: list[dict[str, Any]]) -> None:
    head = [{"name": "@", "type": "NS", "value": "ns1.example.net."}]
    written = format_zone_file(ZONE, [*head, *wished], 3600)
    done = subprocess.run(
        ["named-checkzone", "-i", "local", "-k", "fail", ZONE, "/dev/stdin"],
        input=written, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + written
