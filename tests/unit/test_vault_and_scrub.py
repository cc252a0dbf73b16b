"""Secrets at rest, and secrets kept out of what is stored."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.automation.scrub import Scrubber
from controller.store.vault import Vault, VaultError, create_key


def test_a_secret_comes_back_and_is_not_readable_in_between(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    vault = Vault.open(tmp_path / "key")
    sealed = vault.seal("Sekret.2026x")
    assert "Sekret" not in sealed
    assert vault.unseal(sealed) == "Sekret.2026x"


def test_the_key_is_only_for_its_owner_and_is_never_made_twice(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    before = (tmp_path / "key").read_text()
    create_key(tmp_path / "key")
    assert (tmp_path / "key").read_text() == before
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(VaultError):
        Vault(b"one").unseal(Vault(b"two").seal("x"))


def test_without_init_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="init"):
        Vault.open(tmp_path / "none")


SECRET = st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=8, max_size=40)


@given(SECRET, st.text(alphabet="xyz \n{}"), st.text(alphabet="xyz \n{}"))
def test_no_form_of_a_secret_passes(secret: str, before: str, after: str) -> None:
    scrubber = Scrubber([secret])
    text = scrubber.text(before + secret + after)
    nested = json.dumps(scrubber.data({"a": [{secret: json.dumps(secret)}]}))
    assert secret not in text
    assert json.dumps(secret)[1:-1] not in nested


def test_every_line_of_a_key_is_a_secret() -> None:
    key = "-----BEGIN-----\nabcdefghijkl\nmnopqrstuvwx\n-----END-----"
    assert "mnop" not in Scrubber([key]).text("x mnopqrstuvwx y")


def test_nul_is_taken_out() -> None:
    assert Scrubber([]).text("a\x00b") == "ab"
