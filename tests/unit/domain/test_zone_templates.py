"""Zone templates: the default one, and the check of others."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.zone_templates import MOST_LINES
from controller.domain.zones import DEFAULT_TEMPLATE, PLACEHOLDER, PLACEHOLDERS, check_records, check_template, render

FULL = {
    "ns1": "ns1.example.net", "ns2": "ns2.example.net", "domain": "customer.com", "mail_domain": "customer.com",
    "server_ip": "192.0.2.11", "server_ipv6": "2001:db8::11", "mail_server_ip": "192.0.2.21",
    "mail_server_ipv6": "2001:db8::21", "dkim_selector": "mail", "domainkey": "AAAA",
    "caa_contact": "security@example.net",
}  # fmt: skip


def line(name: str = "www", kind: str = "A", value: str = "{server_ip}", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "value": value, **more}


def test_the_default_template_passes_its_own_check() -> None:
    assert check_template([asdict(record) for record in DEFAULT_TEMPLATE]) == []
    assert check_records(render(DEFAULT_TEMPLATE, FULL)) == []


def test_every_placeholder_of_the_default_template_is_explained() -> None:
    used = {name for record in DEFAULT_TEMPLATE for name in PLACEHOLDER.findall(f"{record.name} {record.value}")}
    assert used <= set(PLACEHOLDERS)


def test_the_default_zone_publishes_working_mail() -> None:
    records = render(DEFAULT_TEMPLATE, FULL)
    names = {(record["name"], record["type"]) for record in records}
    wanted = {("@", "MX"), ("mail", "A"), ("mail", "AAAA"), ("_dmarc", "TXT"), ("mail._domainkey", "TXT")}
    wanted |= {("_smtp._tls", "TXT"), ("autodiscover", "A"), ("autoconfig", "A"), ("_submissions._tcp", "SRV")}
    assert wanted <= names
    values = {record["value"] for record in records}
    assert {"v=spf1 a mx ip4:192.0.2.21 -all", '0 iodef "mailto:security@example.net"'} <= values


def test_without_mail_there_is_nothing_about_mail() -> None:
    without = {key: value for key, value in FULL.items() if "mail" not in key and "dkim" not in key}
    records = render(DEFAULT_TEMPLATE, {**without, "domainkey": "", "caa_contact": ""})
    assert {record["type"] for record in records} == {"NS", "A", "AAAA", "CAA"}
    assert {record["name"] for record in records} == {"@", "www", "ftp"}


@pytest.mark.parametrize(
    "record",
    [
        line(),
        line("{dkim_selector}._domainkey", "TXT", "v=DKIM1; p={domainkey}"),
        line("@", "NS", "{ns1}."),
        line("@", "MX", "{mail_host}", priority=10),
        line("vpn", "A", "{office_ip}"),
        line("vpn", "AAAA", "{office_ipv6}"),
        line("vpn", "A", "192.0.2.{office_number}"),
        line("_443._tcp", "TLSA", "{tlsa}"),
        line("_sip._tcp", "SRV", "{sip}", priority=0, ttl=300),
        line("{domain}.", "A", "{server_ip}"),
    ],
)
def test_lines_that_are_right(record: dict[str, Any]) -> None:
    assert check_template([record]) == []


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        (line(value="{Server IP}"), "value", "is not a placeholder"),
        (line(value="{server_ip"), "value", "is not a placeholder"),
        (line(value="server_ip}"), "value", "is not a placeholder"),
        (line(name="{}"), "name", "is not a placeholder"),
        (line(kind="{domain}"), "type", "cannot be a placeholder"),
        (line(value="{domain}"), "value", "IPv4"),
        (line(value="{office}.{x}.y"), "value", "IPv4"),
        (line(name="a b"), "name", "is not a name"),
        (line(name="www.other.net."), "name", "outside"),
        (line(kind="NAPTR"), "type", "all nameservers"),
        (line(kind=""), "type", "is needed"),
        (line(value=""), "value", "is needed"),
        (line(ttl=5), "ttl", "between"),
        (line(priority=5), "priority", "no priority"),
        (line(value="x" * 5000), "value", "at most"),
        ({"name": 5, "type": "A", "value": "192.0.2.1"}, "name", "must be text"),
        ({"type": "A", "value": "192.0.2.1"}, "name", "must be text"),
    ],
)
def test_lines_that_are_wrong(record: dict[str, Any], field: str, words: str) -> None:
    (problem, *more) = check_template([line("@"), record])
    assert (problem.field, more) == (f"records.1.{field}", [])
    assert words in problem.reason


def test_lines_are_held_against_each_other() -> None:
    found = check_template([line(), line(kind="CNAME", value="@"), line("m", ttl=60), line("m", value="192.0.2.9")])
    assert [problem.field for problem in found] == ["records.1.name", "records.3.ttl"]
    assert [problem.field for problem in check_template([line(), line()])] == ["records.1.value"]
    assert [problem.field for problem in check_template([line(f"n{n}") for n in range(MOST_LINES + 1)])] == ["records"]


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({"name": st.text(), "type": st.text(), "value": st.text()}), max_size=3))
def test_no_template_breaks_the_check(records: list[dict[str, Any]]) -> None:
    for problem in check_template(records):
        assert problem.field.startswith("records") and problem.reason
