"""Placement and zone templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.placement import Candidate, NoRoomError, place
from controller.domain.words import Capability
from controller.domain.zones import DEFAULT_TEMPLATE, TemplateRecord, render

WEB, MAIL, DNS = Capability.WEB, Capability.MAIL, Capability.DNS


def server(number: int, *capabilities: Capability, load: int = 0, capacity: int = 10) -> Candidate:
    return Candidate(number, f"s{number}", frozenset(capabilities), load, capacity)


def test_the_least_loaded_server_with_room_is_taken() -> None:
    servers = [server(1, WEB, load=5), server(2, WEB, load=2), server(3, WEB, load=10), server(4, MAIL)]
    assert [c.server_id for c in place([WEB], servers)[WEB]] == [2]


def test_load_is_a_share_of_the_capacity() -> None:
    servers = [server(1, WEB, load=5, capacity=100), server(2, WEB, load=2, capacity=4)]
    assert [c.server_id for c in place([WEB], servers)[WEB]] == [1]


def test_dns_goes_to_every_nameserver_even_a_full_one() -> None:
    servers = [server(1, DNS, load=10), server(2, DNS), server(3, WEB)]
    assert [c.server_id for c in place([DNS], servers)[DNS]] == [1, 2]


@pytest.mark.parametrize("servers", [[], [server(1, MAIL)], [server(1, WEB, load=10)]])
def test_a_role_that_nobody_can_take_is_refused(servers: list[Candidate]) -> None:
    with pytest.raises(NoRoomError, match="web"):
        place([WEB], servers)


def test_no_limit_means_room() -> None:
    assert place([WEB], [server(1, WEB, load=100_000, capacity=0)])


FULL = {
    "ns1": "ns1.example.net", "ns2": "ns2.example.net", "domain": "customer.com", "mail_domain": "customer.com",
    "server_ip": "192.0.2.11", "mail_server_ip": "192.0.2.21", "dkim_selector": "mail", "domainkey": "AAAA",
}  # fmt: skip


def test_the_default_zone_has_working_mail() -> None:
    records = {(r["name"], r["type"]): r["value"] for r in render(DEFAULT_TEMPLATE, FULL)}
    assert records[("@", "MX")] == "mail.customer.com."
    assert records[("mail", "A")] == "192.0.2.21"
    assert records[("mail._domainkey", "TXT")] == "v=DKIM1; k=rsa; p=AAAA"
    assert "ip4:192.0.2.21" in records[("@", "TXT")]
    assert ("_dmarc", "TXT") in records
    assert "letsencrypt.org" in records[("@", "CAA")]


def test_a_record_with_an_empty_placeholder_is_left_out() -> None:
    names = {(r["name"], r["type"]) for r in render(DEFAULT_TEMPLATE, {**FULL, "domainkey": "", "mail_server_ip": ""})}
    assert ("mail._domainkey", "TXT") not in names
    assert ("mail", "A") not in names
    assert ("@", "A") in names


def test_as_many_ns_records_as_nameservers() -> None:
    values = [r["value"] for r in render(DEFAULT_TEMPLATE, FULL) if r["type"] == "NS"]
    assert values == ["ns1.example.net.", "ns2.example.net."]


@given(st.text())
def test_a_value_is_never_read_as_a_template_again(text: str) -> None:
    rendered = render([TemplateRecord("@", "TXT", "{a}")], {"a": text, "b": "secret"})
    assert rendered == ([{"name": "@", "type": "TXT", "value": text}] if text else [])
