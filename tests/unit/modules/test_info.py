"""What a server is told to be: what it lacks in words, and settings without their secrets."""

from __future__ import annotations

import pytest
from ansible.module_utils import hestia_info as info

EVERYTHING = {"web": "apache2", "mail": "exim4", "dns": "bind9"}


@pytest.mark.parametrize("version", ["1.9.0", "1.9.9", "1.10.2", "2.0.0~beta", "1.9"])
def test_versions_that_will_do(version: str) -> None:
    assert not [words for words in info.missing(version, {}) if "HestiaCP" in words]


@pytest.mark.parametrize(("version", "words"), [("1.8.12", "1.8.12 is too old"), ("0.9", "too old"), ("", "not known")])
def test_a_version_that_is_too_old(version: str, words: str) -> None:
    (said,) = info.missing(version, {})
    assert words in said


def test_programs_are_missed_only_where_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "TOOL_PATH", "/nowhere")
    assert [words.split()[0] for words in info.missing("1.9.9", EVERYTHING)] == ["openssl", "named-checkzone", "dig"]
    assert info.missing("1.9.9", {"web": "", "mail": "", "dns": ""}) == []


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        ("SERVER_SMTP_PASSWD", True),
        ("PHPMYADMIN_KEY", True),
        ("API_SECRET", True),
        ("POLICY_SYSTEM_PASSWORD_RESET", False),
        ("LANGUAGE", False),
    ],
)
def test_secrets_are_masked(key: str, masked: bool) -> None:
    shown = info.shown_config({key: "value"})[key]
    assert (shown != "value") == masked
    assert info.shown_config({key: ""}) == {key: ""}


def test_the_processors_are_between_idle_and_busy() -> None:
    assert 0.0 <= info._cpu_percent() <= 100.0
