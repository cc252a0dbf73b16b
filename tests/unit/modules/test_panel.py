"""What a panel command that failed is told as: the exit code in words, and the class the controller acts on."""

from __future__ import annotations

import os
import tempfile
import time

import pytest
from ansible.module_utils.hestia_panel import Finished, Panel

from controller.domain.failures import ErrorClass


@pytest.mark.parametrize(
    ("code", "words", "error_class"),
    [
        (2, "invalid value", "bad_argument"),
        (3, "does not exist", "not_found"),
        (4, "exists already", "refused"),
        (8, "limit reached", "no_room"),
        (10, "forbidden", "refused"),
        (13, "not enough disk space", "no_room"),
        (14, "load too high", "busy"),
        (20, "restart failed", "restart_failed"),
        (77, "unknown exit code", "inconsistent"),
    ],
)
def test_the_exit_code_is_said_in_words(code: int, words: str, error_class: str) -> None:
    error = Finished("v-add-user", code, "Error: package x doesn't exist\nmore\n").error()
    assert str(error) == f"v-add-user ended with {code} ({words}): package x doesn't exist"
    assert error.error_class == error_class


@pytest.mark.parametrize("code", range(1, 30))
def test_every_class_is_one_the_controller_knows(code: int) -> None:
    assert ErrorClass(Finished("v-x", code, "").error().error_class)


def test_a_lock_of_the_package_manager_passes_whatever_the_code() -> None:
    said = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)"
    assert Finished("v-add-sys-web-php", 2, said).error().error_class == "busy"


def test_a_killed_command_is_looked_at_again() -> None:
    error = Finished("v-add-user", -9, "").error()
    assert str(error) == "v-add-user was killed by signal 9"
    assert error.error_class == "inconsistent"


def test_what_killed_modules_have_unpacked_goes_after_a_day() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="ansible_hestia_usage_payload_", dir="/tmp") as running,
        tempfile.TemporaryDirectory(prefix="ansible_hestia_config_payload_", dir="/tmp") as killed,
        tempfile.TemporaryDirectory(prefix="ansible_somebody_payload_", dir="/tmp") as foreign,
    ):
        for folder in (killed, foreign):
            os.utime(folder, (time.time() - 90_000,) * 2)
        assert {running, killed, foreign} & set(Panel()._own_temporary_files()) == {killed}
