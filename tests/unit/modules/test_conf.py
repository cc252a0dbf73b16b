"""Reading and writing the panel's KEY='value' lines."""

from __future__ import annotations

import string
from pathlib import Path

from ansible.module_utils import hestia_conf as conf
from hypothesis import given
from hypothesis import strategies as st

WEB_LINE = (
    "DOMAIN='acme.test' IP='192.0.2.11' IP6='' CUSTOM_DOCROOT='' ALIAS='www.acme.test' TPL='default' SSL='no' "
    "FTP_MD5='$y$j9T$IzZighM.EkSJLmcKixB.g1$A7:$y$j9T$but' PROXY_EXT='jpg,png' SUSPENDED='no' TIME='19:44:53'"
)
RECORD_LINE = (
    "ID='15' RECORD='@' TYPE='TXT' PRIORITY='' VALUE='\"v=spf1 a mx ip4:192.0.2.11 -all\"' "
    "SUSPENDED='no' TIME='19:45:52' DATE='2026-11-21' TTL='300'"
)


def test_a_recorded_web_line() -> None:
    pairs = conf.parse_pairs(WEB_LINE)
    assert pairs["DOMAIN"] == "acme.test"
    assert pairs["IP6"] == ""
    assert pairs["FTP_MD5"] == "$y$j9T$IzZighM.EkSJLmcKixB.g1$A7:$y$j9T$but"
    assert len(pairs) == 11


def test_a_recorded_dns_line() -> None:
    pairs = conf.parse_pairs(RECORD_LINE)
    assert pairs["VALUE"] == '"v=spf1 a mx ip4:192.0.2.11 -all"'
    assert pairs["TTL"] == "300"


def test_a_value_that_looks_like_a_pair_is_no_pair() -> None:
    assert conf.parse_pairs("A='x B=y' C='$(touch /tmp/x) `id`'") == {"A": "x B=y", "C": "$(touch /tmp/x) `id`"}


def test_the_first_of_a_repeated_key_counts() -> None:
    assert conf.parse_pairs("A='1' A='2'") == {"A": "1"}


def test_files_with_one_key_a_line() -> None:
    assert conf.parse_file("NAME='Acme Ltd'\nNS='a,b'\n\n# no\nVERSION=1.9.9\nQ=\"x\"\nbad line\n") == {
        "NAME": "Acme Ltd",
        "NS": "a,b",
        "VERSION": "1.9.9",
        "Q": "x",
    }


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert conf.read_records(str(tmp_path / "no" / "web.conf")) == []


def test_replace_keeps_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "named.conf"
    file.write_text("one\n")
    file.chmod(0o640)
    conf.replace_text(str(file), "two\n")
    assert file.read_text() == "two\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


KEYS = st.text(string.ascii_uppercase + "_", min_size=1, max_size=12)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="'\n\r", exclude_categories=["Cc", "Zl", "Zp"]))


@given(st.dictionaries(KEYS, VALUES, min_size=1))
def test_what_is_written_is_read_again(pairs: dict[str, str]) -> None:
    assert conf.parse_pairs(conf.format_pairs(pairs)) == pairs


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    conf.parse_records(text)
    conf.parse_file(text)
