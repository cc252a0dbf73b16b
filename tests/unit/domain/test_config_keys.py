"""Settings that groups manage: what a value may be, and that none reaches a server it does not concern."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.config_keys import KEYS, READ_ONLY, VALUE, Kind, Tier, check, for_scope
from controller.domain.words import Capability
from controller.sandbox.panel.sys_config import LISTED

MANAGED = sorted(key for key, entry in KEYS.items() if entry.managed)


def test_the_catalogue_has_what_the_panel_lists() -> None:
    assert set(KEYS) == set(LISTED)


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_explained(key: str) -> None:
    entry = KEYS[key]
    assert entry.title
    assert re.fullmatch(r"[A-Z{].*\.", entry.explanation), entry.explanation
    assert bool(entry.choices) == (entry.kind is Kind.CHOICE)
    if entry.managed and not entry.choices:
        assert 0 < entry.minimum <= entry.maximum
    assert bool(entry.pattern) == bool(entry.pattern_words)


@pytest.mark.parametrize(
    "key",
    [
        "WEB_PORT",
        "WEB_SSL_PORT",
        "PROXY_PORT",
        "WEB_BACKEND",
        "ANTIVIRUS_SYSTEM",
        "MAIL_SYSTEM",
        "VERSION",
        "DISK_QUOTA",
    ],
)
def test_what_is_installed_is_a_fact(key: str) -> None:
    assert KEYS[key].how == READ_ONLY
    with pytest.raises(ValueError, match="cannot be set from here"):
        check(key, "8080")


@pytest.mark.parametrize(
    "key", ["DB_PMA_ALIAS", "DB_PGA_ALIAS", "WEBMAIL_ALIAS", "LANGUAGE", "BACKEND_PORT", "API_SYSTEM"]
)
def test_what_stands_for_something_else_has_a_way_of_its_own(key: str) -> None:
    assert KEYS[key].how not in (READ_ONLY, VALUE)


def test_passwords_are_secret_and_not_managed() -> None:
    secret = {key for key, entry in KEYS.items() if entry.secret}
    assert secret == {"SERVER_SMTP_PASSWD", "PHPMYADMIN_KEY"}
    assert not secret & set(MANAGED)


@pytest.mark.parametrize(
    ("key", "text", "stored"),
    [
        ("LANGUAGE", " pt-br ", "pt-br"),
        ("POLICY_USER_VIEW_LOGS", "YES", "yes"),
        ("POLICY_CSRF_STRICTNESS", "2", "2"),
        ("INACTIVE_SESSION_TIMEOUT", "0090", "90"),
        ("BACKEND_PORT", "65535", "65535"),
        ("APP_NAME", "Żółw Hosting", "Żółw Hosting"),
        ("TITLE", "{{page}} - {{hostname}} - {{appname}}", "{{page}} - {{hostname}} - {{appname}}"),
        ("FROM_EMAIL", "panel+1@mail.example.com", "panel+1@mail.example.com"),
        ("API_ALLOWED_IP", "Allow-All", "allow-all"),
        ("API_ALLOWED_IP", "192.0.2.1, 2001:DB8::1 192.0.2.1,", "192.0.2.1,2001:db8::1"),
        ("DB_PMA_ALIAS", "db-admin_2", "db-admin_2"),
        ("WEBMAIL_ALIAS", "post", "post"),
    ],
)
def test_good_values(key: str, text: str, stored: str) -> None:
    assert check(key, text) == stored


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("NO_SUCH_KEY", "x", "is not a setting"),
        ("app_name", "x", "is not a setting"),
        ("LANGUAGE", "xx", "must be one of en, az"),
        ("LANGUAGE", "", "is empty"),
        ("LANGUAGE", "   ", "is empty"),
        ("API", "true", "must be one of yes, no"),
        ("DEBUG_MODE", "yes", "must be one of true, false"),
        ("INACTIVE_SESSION_TIMEOUT", "0", "between 1 and 10080"),
        ("INACTIVE_SESSION_TIMEOUT", "-5", "whole number"),
        ("INACTIVE_SESSION_TIMEOUT", "5.5", "whole number"),
        ("INACTIVE_SESSION_TIMEOUT", "²", "whole number"),
        ("INACTIVE_SESSION_TIMEOUT", "9" * 30, "whole number"),
        ("BACKEND_PORT", "80", "between 1024 and 65535"),
        ("APP_NAME", "x" * 61, "longer than 60"),
        ("APP_NAME", "x'; touch /tmp/pwned; '", "must not hold '"),
        ("APP_NAME", 'a"b', 'must not hold "'),
        ("APP_NAME", "a|b", r"must not hold \|"),
        ("APP_NAME", "Smith & Sons", "must not hold &"),
        ("APP_NAME", "$(id) `id` <b>", r"must not hold \$ < > `"),
        ("APP_NAME", "two\nlines", "one line"),
        ("APP_NAME", "end\n", "one line"),
        ("APP_NAME", "bell\x07", "one line"),
        ("APP_NAME", "right\u202eleft", "one line"),
        ("FROM_EMAIL", "panel", "not an e-mail address"),
        ("FROM_EMAIL", "a@b@c.example", "not an e-mail address"),
        ("FROM_EMAIL", "panel@example.com, x@example.com", "not an e-mail address"),
        ("API_ALLOWED_IP", "192.0.2.300", "not an IP address"),
        ("API_ALLOWED_IP", "192.0.2.0/24", "not an IP address"),
        ("API_ALLOWED_IP", "fe80::1%x';id;'", "not an IP address"),
        ("API_ALLOWED_IP", ",".join(f"2001:db8::{number:x}" for number in range(1, 400)), "longer than 2000"),
        ("DB_PMA_ALIAS", "../etc", "letters and digits"),
        ("DB_PMA_ALIAS", "webmail", "not error, vstats or webmail"),
        ("DB_PMA_ALIAS", "a--b", "letters and digits"),
        ("DB_PMA_ALIAS", "a" * 41, "longer than 40"),
        ("WEBMAIL_ALIAS", "www", "not www"),
        ("WEBMAIL_ALIAS", "Mail", "small letters"),
        ("WEBMAIL_ALIAS", "web.mail", "small letters"),
        ("SERVER_SMTP_PASSWD", "secret", "cannot be set from here"),
    ],
)
def test_bad_values(key: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(key, text)


@given(st.sampled_from(MANAGED), st.text(max_size=80))
def test_what_passes_is_safe_and_stays_as_it_is(key: str, text: str) -> None:
    try:
        value = check(key, text)
    except ValueError:
        return
    assert value.isprintable()
    assert value.strip() == value != ""
    assert not set("'\"|&\\`$<>^") & set(value)
    assert check(key, value) == value


configs = st.dictionaries(
    st.sampled_from([*KEYS, "UNKNOWN"]), st.text(max_size=5) | st.sampled_from(["yes", "no", "90", "webmail"])
)


@given(configs, st.sets(st.sampled_from(list(Capability))), st.sampled_from(list(Tier)))
def test_no_setting_reaches_a_server_without_its_capability(
    config: dict[str, str], capabilities: set[Capability], scope: Tier
) -> None:
    settings = for_scope(config, capabilities, scope)
    keys = [entry["key"] for entry in settings]
    assert len(keys) == len(set(keys))
    for entry in settings:
        known = KEYS[entry["key"]]
        assert known.tier in {Tier.ALL, *capabilities}
        assert scope in (Tier.ALL, known.tier)
        assert entry["how"] == known.how != READ_ONLY
        assert entry["value"] == check(entry["key"], config[entry["key"]])
    for key, value in config.items():
        good = key in MANAGED and _passes(key, value)
        wanted = good and KEYS[key].tier in {Tier.ALL, *capabilities} and scope in (Tier.ALL, KEYS[key].tier)
        assert (key in keys) == wanted


def _passes(key: str, value: str) -> bool:
    try:
        return bool(check(key, value))
    except ValueError:
        return False


def test_the_scope_all_has_every_tier_of_the_server() -> None:
    config = {"BACKUP_MODE": "gzip", "DB_PMA_ALIAS": "db", "WEBMAIL_ALIAS": "post", "SUPPORT_DNSSEC": "no"}
    assert for_scope(config, ["web", "dns"], "all") == [
        {"key": "BACKUP_MODE", "value": "gzip", "how": "value"},
        {"key": "DB_PMA_ALIAS", "value": "db", "how": "pma_alias"},
        {"key": "SUPPORT_DNSSEC", "value": "no", "how": "value"},
    ]
    assert [entry["key"] for entry in for_scope(config, ["web", "dns"], "web")] == ["DB_PMA_ALIAS"]
    assert for_scope(config, ["web", "dns"], "mail") == []
    assert for_scope(config, [], "all") == [{"key": "BACKUP_MODE", "value": "gzip", "how": "value"}]
