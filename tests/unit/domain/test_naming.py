"""Domain names and account names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.naming import (
    ACCOUNT_NAME_MAX,
    RESERVED_NAMES,
    DomainError,
    account_name,
    panel_email,
    panel_full_name,
    parse_domain,
    valid_account_name,
    www_alias,
)

LABEL = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True).filter(lambda text: "--" not in text)
DOMAIN = st.builds(
    lambda labels, end: ".".join([*labels, end]),
    st.lists(LABEL, min_size=1, max_size=3),
    st.sampled_from(["com", "co.uk", "test", "de"]),
)


@pytest.mark.parametrize(
    ("text", "ascii_name", "unicode_name"),
    [
        ("customer.com", "customer.com", "customer.com"),
        ("  Customer.COM. ", "customer.com", "customer.com"),
        ("münchen.de", "xn--mnchen-3ya.de", "münchen.de"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de", "münchen.de"),
        ("shop.customer.co.uk", "shop.customer.co.uk", "shop.customer.co.uk"),
    ],
)
def test_a_domain_is_brought_to_its_two_forms(text: str, ascii_name: str, unicode_name: str) -> None:
    name = parse_domain(text)
    assert (name.ascii, name.unicode) == (ascii_name, unicode_name)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "com", "localhost", "co.uk", "http://customer.com", "customer.com/x", "a@customer.com", "1.2.3.4",
        "::1", "foo_bar.com", "-a.com", "a-.com", "a..com", "a b.com", "a.1", f"{'a' * 64}.com",
        ".".join(["abcdefgh"] * 32) + ".com", "a.com; rm -rf /", "$(id).com", "a\n.com", "'.com",
    ],
)  # fmt: skip
def test_what_is_no_domain_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(DomainError) as refused:
        parse_domain(text)
    assert str(refused.value)


def test_the_plain_account_name_is_the_domain_and_the_role() -> None:
    assert account_name("customer.com", "web", lambda _: False) == "customer-com-web"


@given(DOMAIN, st.sampled_from(["web", "mail", "dns"]))
def test_every_account_name_is_valid_for_the_panel(domain: str, role: str) -> None:
    name = account_name(domain, role, lambda _: False)
    assert valid_account_name(name)
    assert 1 <= len(name) <= ACCOUNT_NAME_MAX
    assert name.endswith(f"-{role}")
    # Rule of panels newer than 1.9.9.
    assert re.fullmatch(r"[a-zA-Z][-|_\w]{0,28}[a-zA-Z0-9]", name)


@given(st.lists(DOMAIN, min_size=2, max_size=20, unique=True))
def test_account_names_on_one_server_are_unique(domains: list[str]) -> None:
    taken: set[str] = set()
    for domain in domains:
        taken.add(account_name(domain, "web", taken.__contains__))
    assert len(taken) == len(domains)


def test_domains_that_look_alike_as_names_stay_apart() -> None:
    taken = {account_name("a-b.com", "web", lambda _: False)}
    assert account_name("a.b.com", "web", taken.__contains__) not in taken


def test_long_domains_with_a_common_beginning_stay_apart() -> None:
    first, second = (account_name(f"{'a' * 60}{end}.example.com", "mail", lambda _: False) for end in "xy")
    assert first != second


@pytest.mark.parametrize("name", ["root", "admin", "1abc", "-abc", "abc-", "a.b", "a_b", "A", "", "x" * 31])
def test_bad_account_names_are_known(name: str) -> None:
    assert not valid_account_name(name)


def test_reserved_names_are_written_in_lower_case() -> None:
    assert all(name == name.lower() for name in RESERVED_NAMES)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Customer", "Ada Customer"),
        ("Müller & Söhne GmbH", "Muller Sohne GmbH"),
        ('O\'Brien "x" $(id)', "O Brien x id"),
        ("株式会社", "customer.com"),
        ("", "customer.com"),
    ],
)
def test_a_name_is_brought_to_what_the_panel_takes(name: str, shown: str) -> None:
    assert panel_full_name(name, "customer.com") == shown


def test_an_address_the_panel_refuses_becomes_the_postmaster() -> None:
    assert panel_email("ada@customer.com", "customer.com") == "ada@customer.com"
    assert panel_email("o'brien@customer.com", "customer.com") == "postmaster@customer.com"


def test_www_goes_with_registered_domains_only() -> None:
    assert www_alias("customer.co.uk") == ["www.customer.co.uk"]
    assert www_alias("shop.customer.co.uk") == []
