"""DNS records: what is accepted, how it is written for the panel, and when two of them mean the same."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible.module_utils import hestia_zone as zone
from ansible.module_utils.hestia_conf import format_pairs, parse_pairs
from ansible.module_utils.hestia_panel import PanelError
from hypothesis import given, settings
from hypothesis import strategies as st


def one(**item):
    (record,) = zone.wanted_records([{"name": "@", "ttl": None, "priority": None, **item}], "acme.test", 3600)
    return record


@pytest.mark.parametrize(
    ("given_name", "name"),
    [("@", "@"), ("", "@"), ("acme.test", "@"), ("acme.test.", "@"), ("WWW", "www"), ("a.acme.test.", "a"), ("*", "*"),
     ("_dmarc", "_dmarc"), ("mail._domainkey", "mail._domainkey"), ("*.sub", "*.sub")],
)  # fmt: skip
def test_names(given_name, name) -> None:
    assert one(name=given_name, type="A", value="192.0.2.1").name == name


@pytest.mark.parametrize(
    ("kind", "value", "priority", "stored"),
    [
        ("A", " 192.0.2.1 ", None, ("", "192.0.2.1")),
        ("AAAA", "2001:DB8:0::1", None, ("", "2001:db8::1")),
        ("CNAME", "acme.test", None, ("", "acme.test.")),
        ("CNAME", "www", None, ("", "www.acme.test.")),
        ("CNAME", "@", None, ("", "acme.test.")),
        ("NS", "NS1.Example.NET.", None, ("", "ns1.example.net.")),
        ("MX", "mail.acme.test", 20, ("20", "mail.acme.test.")),
        ("MX", "20 mail.acme.test", None, ("20", "mail.acme.test.")),
        ("MX", "mail.acme.test", None, ("10", "mail.acme.test.")),
        ("SRV", "5 5060 sip.acme.test", 10, ("10", "5 5060 sip.acme.test.")),
        ("SRV", "10 5 5060 sip.acme.test.", None, ("10", "5 5060 sip.acme.test.")),
        ("SRV", "0 0 0 .", None, ("0", "0 0 .")),
        ("TXT", "v=spf1 mx -all", None, ("", '"v=spf1 mx -all"')),
        ("TXT", '"in" "chunks"', None, ("", '"inchunks"')),
        ("TXT", "it's; $(x) `y`", None, ("", '"it\'s; $(x) `y`"')),
        ("CAA", "0 issue letsencrypt.org", None, ("", '0 issue "letsencrypt.org"')),
        ("CAA", '128 ISSUE "ca.example; x=1"', None, ("", '128 issue "ca.example; x=1"')),
        ("TLSA", "3 1 1  ABCD", None, ("", "3 1 1 ABCD")),
    ],
)
def test_values(kind, value, priority, stored) -> None:
    record = one(type=kind, value=value, priority=priority)
    assert (record.priority, record.value) == stored


@pytest.mark.parametrize(
    "item",
    [
        {"type": "XX", "value": "x"},
        {"type": "A", "value": "192.0.2.300"},
        {"type": "A", "value": "2001:db8::1"},
        {"type": "AAAA", "value": "192.0.2.1"},
        {"type": "A", "name": "bad name", "value": "192.0.2.1"},
        {"type": "A", "name": "$(x)", "value": "192.0.2.1"},
        {"type": "A", "name": "a'", "value": "192.0.2.1"},
        {"type": "A", "name": "-a", "value": "192.0.2.1"},
        {"type": "CNAME", "value": "a b"},
        {"type": "CNAME", "value": "$(x).test"},
        {"type": "MX", "value": "mail.acme.test", "priority": 70000},
        {"type": "MX", "value": "mail.acme.test", "priority": -1},
        {"type": "SRV", "value": "5060 sip.acme.test", "priority": 1},
        {"type": "TXT", "value": "two\nlines"},
        {"type": "TXT", "value": "back\\slash"},
        {"type": "TXT", "value": 'a "quote'},
        {"type": "TXT", "value": "%quote%"},
        {"type": "CAA", "value": "0 issue 'x'"},
        {"type": "TLSA", "value": "3 1 1 ab' X='1"},
        {"type": "A", "value": "192.0.2.1", "ttl": -1},
    ],
)
def test_bad_records_are_named(item) -> None:
    with pytest.raises(PanelError) as caught:
        one(**item)
    assert caught.value.error_class == "bad_argument"
    assert caught.value.message.startswith("records[0]: ")


def test_the_same_record_twice_is_one() -> None:
    twice = [
        {"name": "a", "type": "CNAME", "value": "acme.test"},
        {"name": "A", "type": "cname", "value": "ACME.test."},
    ]
    assert len(zone.wanted_records(twice, "acme.test", 3600)) == 1


def test_one_set_has_one_ttl() -> None:
    items = [{"name": "a", "type": "A", "value": f"192.0.2.{last}", "ttl": last} for last in (1, 2)]
    with pytest.raises(PanelError, match="same ttl"):
        zone.wanted_records(items, "acme.test", 3600)


def test_a_ttl_like_the_zones_is_not_written() -> None:
    assert one(type="A", value="192.0.2.1", ttl=3600).ttl is None
    assert one(type="A", value="192.0.2.1", ttl=300).ttl == 300


# By meaning


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        ("TXT", '"one" "two"', '"onetwo"'),
        ("TXT", '"a\\;b"', '"a;b"'),
        ("TXT", '"\\195\\188"', '"\u00fc"'),
        ("TXT", "bare", '"bare"'),
        ("CNAME", "WWW.acme.test.", "www.ACME.test."),
        ("CNAME", "www", "www.acme.test."),
        ("MX", "10 mail.acme.test.", "10 MAIL.acme.test."),
        ("SRV", "10 5 5060 sip", "10 5 5060 sip.acme.test."),
        ("AAAA", "2001:db8:0:0:0:0:0:1", "2001:DB8::1"),
        ("CAA", '0 ISSUE "ca.test"', "0 issue ca.test"),
        ("TLSA", "3 1 1 ABCD EF", "3 1 1 abcdef"),
    ],
)
def test_equal_by_meaning(kind, left, right) -> None:
    assert zone.canonical_rdata(kind, left, "acme.test") == zone.canonical_rdata(kind, right, "acme.test")


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        ("TXT", '"a b"', '"ab"'),
        ("TXT", '"A"', '"a"'),
        ("MX", "10 a.test.", "20 a.test."),
        ("CAA", '0 iodef "x"', '0 issue "x"'),
    ],
)
def test_not_equal(kind, left, right) -> None:
    assert zone.canonical_rdata(kind, left, "acme.test") != zone.canonical_rdata(kind, right, "acme.test")


PLAIN_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), max_size=900
)


@given(PLAIN_TEXT)
def test_text_survives_its_chunks(text) -> None:
    quoted = zone.quote_text(text)
    assert zone.unquote_text(quoted) == text.encode()
    assert all(len(part.encode()) <= 255 for part in quoted[1:-1].split('" "'))


@given(PLAIN_TEXT.filter(lambda text: "%quote%" not in text and "\u2028" not in text and "\u2029" not in text))
def test_text_survives_the_panels_file(text) -> None:
    wanted = zone.wanted_records([{"name": "@", "type": "TXT", "value": text}], "acme.test", 3600)
    (row,) = zone.rows_of_records(wanted, [], "acme.test", 3600, "12:00:00", "2026-11-21")
    read = zone.record_of_row(parse_pairs(format_pairs(row)))
    assert zone.canonical(read, "acme.test", 3600) == zone.canonical(wanted[0], "acme.test", 3600)


# Rows


def row(number, name, value, **more):
    return {"ID": str(number), "RECORD": name, "TYPE": "A", "PRIORITY": "", "VALUE": value, "SUSPENDED": "no",
            "TIME": "19:45:52", "DATE": "2026-11-21", **more}  # fmt: skip


def test_rows_keep_their_id_and_new_ones_follow() -> None:
    wanted = [
        zone.Record("new", "A", "192.0.2.9"),
        zone.Record("www", "A", "192.0.2.2"),
        zone.Record("@", "A", "192.0.2.1"),
    ]
    old = [row(9, "@", "192.0.2.1"), row(10, "gone", "192.0.2.5"), row(12, "www", "192.0.2.2")]
    rows = zone.rows_of_records(wanted, old, "acme.test", 3600, "20:00:00", "2026-11-22")
    assert [(item["ID"], item["RECORD"], item["TIME"]) for item in rows] == [
        ("9", "@", "19:45:52"), ("12", "www", "19:45:52"), ("13", "new", "20:00:00"),
    ]  # fmt: skip


def test_a_row_looks_like_the_panels() -> None:
    wanted = [zone.Record("v6", "AAAA", "2001:db8::1", ttl=300)]
    (line,) = zone.rows_of_records(wanted, [], "acme.test", 3600, "19:46:33", "2026-11-21")
    assert format_pairs(line) == (
        "ID='1' RECORD='v6' TYPE='AAAA' PRIORITY='' VALUE='2001:db8::1' SUSPENDED='no' TIME='19:46:33' "
        "DATE='2026-11-21' TTL='300'"
    )


# Zone files and answers

RECORDED = """$TTL 3600
@    IN    SOA    ns1.lab.test.    root.acme.test. (
                                            2026112119
                                            7200
                                            3600
                                            1209600
                                            180 )

@\t3600\tIN\tNS\t\tns1.lab.test.
www\t3600\tIN\tCNAME\t\tacme.test.
@\t3600\tIN\tMX\t0\tmail.acme.test.
v6\t300\tIN\tAAAA\t\t2001:db8::1
_sip._tcp\t3600\tIN\tSRV\t10\t5 5060 sip.acme.test.
"""


def test_a_recorded_zone_file() -> None:
    read = zone.parse_zone_file(RECORDED, "acme.test")
    assert read is not None
    assert (read.primary, read.serial, len(read.records)) == ("ns1.lab.test", "2026112119", 5)
    assert ("_sip._tcp.acme.test.", "SRV", 3600, "10 5 5060 sip.acme.test.") in read.records


@pytest.mark.parametrize("cut", [0, 60, 130])
def test_half_a_zone_file_is_none(cut) -> None:
    assert zone.parse_zone_file(RECORDED[:cut], "acme.test") is None


def test_answers_of_dig() -> None:
    said = """;; Got answer:
;; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
acme.test.\t\t3600\tIN\tSOA\tns1.lab.test. root.acme.test. 2026112119 7200 3600 1209600 180
*.acme.test.\t\t3600\tIN\tA\t192.0.2.12
k.acme.test.\t\t3600\tIN\tTXT\t"one" "two"
"""
    assert zone.parse_answers(said, "acme.test") == {
        ("acme.test.", "SOA", 3600, "ns1.lab.test. 2026112119"),
        ("*.acme.test.", "A", 3600, "192.0.2.12"),
        ("k.acme.test.", "TXT", 3600, b"onetwo".hex()),
    }


@pytest.mark.skipif(shutil.which("named-checkzone") is None, reason="named-checkzone is not installed")
@settings(max_examples=30, deadline=None)
@given(st.lists(PLAIN_TEXT.filter(lambda text: "%quote%" not in text), min_size=1, max_size=5))
def test_rendered_text_is_a_zone_that_bind_loads(texts) -> None:
    items = [{"name": f"t{number}", "type": "TXT", "value": text} for number, text in enumerate(texts)]
    records = zone.wanted_records([{"name": "@", "type": "NS", "value": "ns1.lab.test"}, *items], "acme.test", 3600)
    text = zone.render_zone(records, "acme.test", 3600, "ns1.lab.test", "1")
    line = ["named-checkzone", "-i", "local", "acme.test", "/dev/stdin"]
    assert subprocess.run(line, input=text.encode(), capture_output=True, check=False).returncode == 0


# Serials


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "2026112101"),
        ("2026112001", "2026112101"),
        ("2026112107", "2026112108"),
        ("2026112194", "2026112195"),
        ("2026112195", None),
        ("2026112199", None),
        ("3000000007", "3000000008"),
        ("2026112203", None),
        ("2026030112", "2026112101"),
    ],
)
def test_serials(old, new) -> None:
    assert zone.next_serial(old, "20261121") == new
