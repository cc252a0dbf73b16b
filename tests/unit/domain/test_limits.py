"""Limits: checks, resolution, role gates, what the panel gets."""

from __future__ import annotations

import pytest

from controller.domain.limits import BY_KEY, CATALOGUE, active_roles, check, panel_limits, resolve

DEFAULTS, _ = resolve({}, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("web_disk_quota", -1), ("web_disk_quota", 10_000_001), ("web_disk_quota", "many"), ("web_disk_quota", 1.5),
        ("web_disk_quota", True), ("web_disk_quota", None), ("web_backups", "unlimited"), ("nonsense", 1),
    ],
)  # fmt: skip
def test_a_bad_limit_is_named(key: str, value: object) -> None:
    good, problems = check({key: value}, "options")
    assert not good
    assert [problem.field for problem in problems] == [f"options.{key}"]


def test_options_win_over_the_product_which_wins_over_defaults() -> None:
    limits, problems = resolve({"web_databases": 7, "mail_accounts": 3}, {"web_databases": 9})
    assert not problems
    assert (limits["web_databases"], limits["mail_accounts"]) == (9, 3)
    assert limits["dns_records"] == BY_KEY["dns_records"].default


def test_a_role_with_no_disk_is_off_and_dns_has_no_gate() -> None:
    limits = {**DEFAULTS, "web_disk_quota": 0}
    assert active_roles(["web", "mail", "dns"], limits) == ["mail", "dns"]


def test_an_account_gets_only_what_its_role_needs() -> None:
    web, mail, dns = (panel_limits([role], DEFAULTS) for role in ("web", "mail", "dns"))
    assert (web["WEB_DOMAINS"], web["MAIL_DOMAINS"], web["DNS_DOMAINS"]) == (1, 0, 0)
    assert (mail["WEB_DOMAINS"], mail["MAIL_DOMAINS"], mail["DATABASES"]) == (0, 1, 0)
    assert (dns["DNS_DOMAINS"], dns["MAIL_ACCOUNTS"], dns["DISK_QUOTA"]) == (1, 0, "unlimited")
    assert web["WEB_ALIASES"] == DEFAULTS["web_aliases"] + 1  # www.


def test_a_shared_account_gets_the_sum_of_the_disks() -> None:
    both = panel_limits(["web", "mail"], {**DEFAULTS, "web_disk_quota": 100, "mail_disk_quota": 50})
    assert both["DISK_QUOTA"] == 150
    assert panel_limits(["web", "mail"], {**DEFAULTS, "mail_disk_quota": "unlimited"})["DISK_QUOTA"] == "unlimited"


def test_defaults_of_the_catalogue_are_in_their_own_range() -> None:
    good, problems = check({limit.key: limit.default for limit in CATALOGUE}, "limits")
    assert not problems
    assert len(good) == len(CATALOGUE)
