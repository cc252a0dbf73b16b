"""What a module accepts as a value; everything else is a bad argument that names its parameter."""

from __future__ import annotations

import pytest
from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_packages import check_limits
from ansible.module_utils.hestia_panel import PanelError

HOSTILE = ["$(touch /tmp/x)", "a'b", 'a"b', "a\nb", "--help", "a;b", "a b", "../x", "", "a\x00b", "`id`", "a|b"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("rule", [check.domain, check.alias, check.user, check.package, check.template, check.email])
def test_hostile_names_are_refused(rule, value) -> None:
    with pytest.raises(PanelError) as caught:
        rule("thing", value)
    assert caught.value.error_class == "bad_argument"
    assert caught.value.message.startswith("thing: ")


@pytest.mark.parametrize("value", ["acme.test", "a.b.example", "xn--mnchen-3ya.example", "3.example", "a--b.test"])
def test_domains(value) -> None:
    assert check.domain("domain", value) == value


@pytest.mark.parametrize(
    "value", ["acme", "-a.test", "a-.test", "a..test", "192.0.2.1", "a.test.", "_x.test", "münchen.de"]
)
def test_no_domains(value) -> None:
    with pytest.raises(PanelError):
        check.domain("domain", value)


def test_domains_are_lower_case() -> None:
    assert check.domain("domain", "ACME.Test") == "acme.test"


def test_wildcard_alias() -> None:
    assert check.alias("aliases", "*.acme.test") == "*.acme.test"


@pytest.mark.parametrize("value", ["a", "customer-com-web", "x" * 30, "a.b_c"])
def test_users(value) -> None:
    assert check.user("user", value) == value


@pytest.mark.parametrize("value", ["x" * 31, "-a", "a-", "a b"])
def test_no_users(value) -> None:
    with pytest.raises(PanelError):
        check.user("user", value)


def test_quotes_in_a_name_become_typographic() -> None:
    assert check.person("full_name", "Conan  O'Brien") == "Conan O\u2019Brien"


@pytest.mark.parametrize("value", ["a<b", "$(x)", "a\\b", "`x`", "a\nb"])
def test_hostile_full_names(value) -> None:
    with pytest.raises(PanelError, match="full_name"):
        check.person("full_name", value)


@pytest.mark.parametrize("value", ["", "a\nb", "/tmp/secret"])
def test_bad_passwords(value) -> None:
    with pytest.raises(PanelError, match="password"):
        check.password("password", value)


def test_limits() -> None:
    given = {"WEB_DOMAINS": 3, "DISK_QUOTA": "unlimited", "BACKUPS_INCREMENTAL": True, "SHELL": "bash"}
    expected = {"WEB_DOMAINS": "3", "DISK_QUOTA": "unlimited", "BACKUPS_INCREMENTAL": "yes", "SHELL": "bash"}
    assert check_limits(given) == expected


@pytest.mark.parametrize(
    "limits", [{"web": 1}, {"WEB_DOMAINS": "many"}, {"RATE_LIMIT": "unlimited"}, {"WEB_DOMAINS": "1'"}]
)
def test_bad_limits(limits) -> None:
    with pytest.raises(PanelError, match="limits"):
        check_limits(limits)
