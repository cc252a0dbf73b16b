"""Tickets: which failures are the same one, and which are told."""

from __future__ import annotations

import pytest

from controller.domain import tickets
from controller.domain.failures import BLOCKS_SERVER, ErrorClass


@pytest.mark.parametrize("kind", sorted(BLOCKS_SERVER))
def test_failures_of_the_server_itself_share_one_cause_per_class(kind: ErrorClass) -> None:
    first = tickets.cause_of("web.domain", 3, "a.com", kind)
    assert first == tickets.cause_of("mail.account", 3, "b", kind)
    assert first != tickets.cause_of("web.domain", 4, "a.com", kind)
    assert len({tickets.cause_of("web.domain", 3, "a.com", other) for other in BLOCKS_SERVER}) == len(BLOCKS_SERVER)


def test_other_failures_are_one_per_operation_server_and_target() -> None:
    cause = tickets.cause_of("web.domain", 3, "a.com", ErrorClass.REFUSED)
    assert cause == tickets.cause_of("web.domain", 3, "a.com", ErrorClass.TIMEOUT)
    others = [("web.account", 3, "a.com"), ("web.domain", 33, "a.com"), ("web.domain", 3, "b.com")]
    assert cause not in [tickets.cause_of(*other, ErrorClass.REFUSED) for other in others]


def test_a_cause_fits_its_column_however_long_its_parts() -> None:
    assert len(tickets.cause_of("a" * 40, 2**62, "t" * 253, ErrorClass.REFUSED)) <= 400
    assert len(tickets.subject_of("web.domain", "l" * 200, "s" * 63, "t" * 253, ErrorClass.REFUSED)) <= 300


def test_a_success_ends_its_own_cause_and_those_of_its_server() -> None:
    ended = tickets.causes_ended_by("web.domain", 3, "a.com", check_mode=False)
    assert tickets.cause_of("web.domain", 3, "a.com", ErrorClass.REFUSED) in ended
    assert tickets.cause_of("server.status", 3, "web01", ErrorClass.UNREACHABLE) in ended
    assert tickets.cause_of("server.status", 3, "web01", ErrorClass.TIMEOUT) not in ended
    assert tickets.cause_of("web.domain", 4, "a.com", ErrorClass.UNREACHABLE) not in ended


def test_a_look_ends_no_step_but_shows_that_the_server_is_there() -> None:
    ended = tickets.causes_ended_by("web.domain", 3, "a.com", check_mode=True)
    assert tickets.cause_of("web.domain", 3, "a.com", ErrorClass.REFUSED) not in ended
    assert tickets.cause_of("web.domain", 3, "a.com", ErrorClass.UNREACHABLE) in ended


def test_a_good_check_of_the_server_ends_every_failed_one() -> None:
    ended = tickets.causes_ended_by("server.status", 3, "web01", check_mode=False)
    assert all(tickets.cause_of("server.status", 3, "web01", kind) in ended for kind in ErrorClass)


def test_every_class_has_advice_and_words() -> None:
    for kind in ErrorClass:
        assert tickets.ADVICE[kind]
        words = tickets.failure_words("Setting up web account", "a.com", "web01", 1, None, kind)
        assert "after 1 attempt." in words
        assert "What to do: " in words
    assert "before it could run." in tickets.failure_words("L", "a.com", "web01", 0, None, ErrorClass.UNREACHABLE)
    assert tickets.subject_of("web.x", "L", "web01", "t", ErrorClass.UNREACHABLE) == "web01 does not answer"


def test_a_thousand_failures_are_a_dozen_mails() -> None:
    told = [number for number in range(2, 1001) if tickets.is_told(number, recovered=False)]
    assert told[:6] == [2, 3, 4, 5, 8, 16]
    assert len(told) < 15
    assert tickets.is_told(777, recovered=True)
