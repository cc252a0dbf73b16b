"""Failures told apart, and when each class is tried again."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.failures import (
    BLOCKS_SERVER,
    CLASS_WORDS,
    DEFAULT_POLICIES,
    NEVER_RETRIED,
    ErrorClass,
    RetryPolicy,
    classify,
    customer_words,
)

POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 1000),
    delay=st.floats(0, 86_400),
    growth=st.floats(1, 10),
    delay_max=st.floats(0, 86_400),
    jitter=st.floats(0, 1),
)


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (RetryPolicy(attempts=5, delay=2, growth=2, delay_max=300, jitter=0), [2, 4, 8, 16, None, None]),
        (RetryPolicy(attempts=5, delay=10, growth=3, delay_max=60, jitter=0), [10, 30, 60, 60, None]),
        (RetryPolicy(attempts=3, delay=7, growth=1, delay_max=300, jitter=0), [7, 7, None]),
        (RetryPolicy(attempts=3, delay=10, growth=2, delay_max=5, jitter=0), [5, 5, None]),
        (RetryPolicy(attempts=2, delay=0, growth=2, delay_max=300, jitter=0.5), [0, None]),
        (RetryPolicy(attempts=1), [None]),
    ],
)
def test_pauses_grow_to_their_cap_and_end_with_the_attempts(policy: RetryPolicy, pauses: list[float | None]) -> None:
    rng = random.Random(1)
    assert [policy.next_delay(failures, rng) for failures in range(1, len(pauses) + 1)] == pauses


@given(POLICIES, st.integers(1, 100_000), st.integers())
def test_a_pause_stays_within_its_jitter_whatever_the_policy(policy: RetryPolicy, failures: int, seed: int) -> None:
    delay = policy.next_delay(failures, random.Random(seed))
    if failures >= policy.attempts:
        assert delay is None
    else:
        assert delay is not None
        assert 0 <= delay <= policy.delay_max * (1 + policy.jitter) * 1.0001
        plain = policy.pause(failures, random.Random(seed))
        assert plain == delay


@given(POLICIES, st.integers(1, 998))
def test_without_chance_a_later_pause_is_never_shorter(policy: RetryPolicy, failures: int) -> None:
    still = RetryPolicy(1000, policy.delay, policy.growth, policy.delay_max, jitter=0)
    rng = random.Random(0)
    assert still.pause(failures, rng) <= still.pause(failures + 1, rng)


def test_what_failed_together_does_not_come_back_together() -> None:
    policy = RetryPolicy(attempts=10, delay=100, jitter=0.25)
    pauses = [policy.pause(1, random.Random(seed)) for seed in range(200)]
    assert len(set(pauses)) > 190
    assert min(pauses) < 85
    assert max(pauses) > 115


def test_every_class_has_a_policy_and_words() -> None:
    assert set(DEFAULT_POLICIES) == set(CLASS_WORDS) == set(ErrorClass)
    assert all(title and explanation for title, explanation in CLASS_WORDS.values())


@pytest.mark.parametrize("kind", sorted(NEVER_RETRIED))
def test_what_cannot_get_better_is_not_tried_again(kind: ErrorClass) -> None:
    assert DEFAULT_POLICIES[kind].next_delay(1, random.Random(0)) is None


def test_a_server_that_is_away_for_an_hour_is_waited_for() -> None:
    policy = DEFAULT_POLICIES[ErrorClass.UNREACHABLE]
    rng = random.Random(0)
    waited = sum(policy.next_delay(failures, rng) or 0.0 for failures in range(1, policy.attempts))
    assert waited > 3600


# What ansible-core 2.19 says, recorded: the SSH connection.
REACH = 'Task failed: Data could not be sent to remote host "192.0.2.1". Make sure this host can be reached over ssh: '
CONNECT = "Task failed: Failed to connect to the host via ssh: "
CHANGED = (
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
    "The fingerprint for the ED25519 key sent by the remote host is\nSHA256:G9JX94Vn27yI3LtQqM1WSadQ7.\r\n"
    "Host key for [192.0.2.1]:22 has changed and you have requested strict checking.\r\nHost key verification failed."
)
UNREACHABLE = [
    (CONNECT + "ssh: connect to host 192.0.2.1 port 22: Connection refused", ErrorClass.UNREACHABLE),
    (CONNECT + "ssh: connect to host 192.0.2.1 port 22: Connection timed out", ErrorClass.UNREACHABLE),
    (CONNECT + "ssh: connect to host 192.0.2.1 port 22: No route to host", ErrorClass.UNREACHABLE),
    (CONNECT + "ssh: Could not resolve hostname x.invalid: Name or service not known", ErrorClass.UNREACHABLE),
    (CONNECT + "kex_exchange_identification: Connection closed by remote host", ErrorClass.UNREACHABLE),
    (REACH + "Connection timed out during banner exchange\r\nConnection to 192.0.2.1 port 22 timed out",
     ErrorClass.UNREACHABLE),
    (REACH + "Connection to 192.0.2.1 closed by remote host.", ErrorClass.UNREACHABLE),
    (REACH.removesuffix(" "), ErrorClass.UNREACHABLE),
    (CONNECT + "Shared connection to 192.0.2.1 closed.", ErrorClass.UNREACHABLE),
    (REACH + "root@192.0.2.1: Permission denied (publickey,password,keyboard-interactive).", ErrorClass.AUTHENTICATION),
    ("Task failed: Invalid/incorrect password: Permission denied, please try again.", ErrorClass.AUTHENTICATION),
    (CONNECT + CHANGED, ErrorClass.HOST_KEY_CHANGED),
    (REACH + CHANGED, ErrorClass.HOST_KEY_CHANGED),
    (REACH + "No ED25519 host key is known for [192.0.2.1]:22 and you have requested strict checking.\r\n"
     "Host key verification failed.", ErrorClass.HOST_KEY_CHANGED),
]  # fmt: skip

NO_JSON = "Module result deserialization failed: No start of json char found"
# What a failed task says: Ansible itself, without a class of ours.
FAILED: list[tuple[dict[str, Any], ErrorClass]] = [
    # A login by password does not even try a host with another key, and is not called unreachable.
    ({"msg": "Task failed: Using a SSH password instead of a key is not possible because Host Key checking is "
             "enabled. Please add this host's fingerprint to your known_hosts file to manage this host."},
     ErrorClass.HOST_KEY_CHANGED),
    ({"msg": "Task failed: Missing sudo password"}, ErrorClass.AUTHENTICATION),
    ({"msg": NO_JSON, "module_stdout": "This account is currently not available.\r\n"}, ErrorClass.AUTHENTICATION),
    ({"msg": NO_JSON, "module_stderr": "This service allows sftp connections only.\n"}, ErrorClass.AUTHENTICATION),
    ({"msg": "Task failed: Incorrect sudo password"}, ErrorClass.AUTHENTICATION),
    ({"msg": NO_JSON, "module_stderr": "sudo: a password is required\n", "rc": 1}, ErrorClass.AUTHENTICATION),
    ({"msg": NO_JSON, "rc": 1,
      "module_stderr": "ada is not in the sudoers file.  This incident will be reported.\n"},
     ErrorClass.AUTHENTICATION),
    ({"msg": "Validation of arguments failed:\nmissing required arguments: hestia_web_domain",
      "argument_errors": ["missing required arguments: hestia_web_domain"]}, ErrorClass.BAD_ARGUMENT),
    ({"msg": NO_JSON, "module_stderr": "Killed\n", "module_stdout": "", "rc": 137}, ErrorClass.INTERNAL),
    ({"msg": "The module interpreter '/usr/bin/python9' was not found.", "rc": 127}, ErrorClass.INTERNAL),
    ({"msg": "Task failed: Module failed: 'x'", "exception": "(traceback unavailable)"}, ErrorClass.INTERNAL),
    ({"msg": "MODULE FAILURE\nSee stdout/stderr for the exact error", "rc": 1,
      "module_stderr": "Traceback (most recent call last):\n  File \"x.py\", line 3\nKeyError: 'x'\n"},
     ErrorClass.INTERNAL),
    ({}, ErrorClass.INTERNAL),
    ({"msg": ""}, ErrorClass.INTERNAL),
    ({"msg": None, "exception": "Traceback"}, ErrorClass.INTERNAL),
]  # fmt: skip


@pytest.mark.parametrize(("message", "kind"), UNREACHABLE)
def test_a_connection_that_failed_is_told_apart(message: str, kind: ErrorClass) -> None:
    found, words = classify({"msg": message, "unreachable": True}, unreachable=True)
    assert found is kind
    assert words


@pytest.mark.parametrize(("result", "kind"), FAILED)
def test_what_ansible_itself_reports_is_told_apart(result: dict[str, Any], kind: ErrorClass) -> None:
    found, words = classify(result, unreachable=False)
    assert found is kind
    assert words


@pytest.mark.parametrize("kind", ErrorClass)
def test_the_class_of_a_module_is_taken_as_it_is_with_its_words(kind: ErrorClass) -> None:
    message = "v-add-web-domain ended with 8 (limit reached): WEB_DOMAINS limit is reached :: upgrade user package"
    result = {"msg": message, "error_class": kind.value, "exit_code": 8}
    assert classify(result, unreachable=False) == (kind, message)


@pytest.mark.parametrize("word", ["no such class", "", None, 7, ["busy"]])
def test_a_class_nobody_knows_is_an_error_of_ours(word: object) -> None:
    assert classify({"msg": "words", "error_class": word}, unreachable=False) == (ErrorClass.INTERNAL, "words")


def test_a_module_that_died_without_a_word_of_its_own_leaves_the_last_ones_to_be_read() -> None:
    _, words = classify({"msg": NO_JSON, "module_stderr": "Killed\n", "rc": 137}, unreachable=False)
    assert "Killed" in words


def test_every_argument_that_was_refused_is_named() -> None:
    result = {"msg": "Validation of arguments failed:\nx", "argument_errors": ["missing a", "b is not an int"]}
    assert classify(result, unreachable=False) == (ErrorClass.BAD_ARGUMENT, "missing a; b is not an int")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KEYS = st.sampled_from(("msg", "stderr", "exception", "error_class", "argument_errors", "module_stderr", "rc"))


@given(st.dictionaries(KEYS, JSON), st.booleans())
def test_no_result_is_too_strange_to_be_classified(result: dict[str, Any], unreachable: bool) -> None:
    kind, words = classify(result, unreachable=unreachable)
    assert kind in ErrorClass
    assert isinstance(words, str)
    if unreachable:
        assert kind in BLOCKS_SERVER


def test_a_customer_reads_no_internals() -> None:
    for kind in ErrorClass:
        words = customer_words(kind, "Configuring web hosting")
        assert "Configuring web hosting" in words
        assert "ssh" not in words.lower()
