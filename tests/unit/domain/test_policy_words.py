"""Retry policies read as people would say them."""

from __future__ import annotations

import pytest

from controller.domain.failures import RetryPolicy
from controller.domain.policy_words import policy_words, seconds_words, total_words


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RetryPolicy(attempts=1), "not tried again"),
        (RetryPolicy(attempts=2, delay=30), "again after 30 s"),
        (RetryPolicy(attempts=3, delay=60), "again after 1 min, 2 min, about 3 minutes in all"),
        (RetryPolicy(attempts=40, delay=5), "again after 5 s, 10 s, 20 s … about 3 hours in all"),
        (RetryPolicy(attempts=4, delay=5, growth=1), "again after 5 s, 5 s, 5 s, about 15 seconds in all"),
        (RetryPolicy(attempts=2, delay=0), "again at once"),
        (RetryPolicy(attempts=5, delay=0), "again at once, 4 times"),
        (
            RetryPolicy(attempts=1000, delay=86_400, growth=10, delay_max=86_400),
            "again after 24 h, 24 h, 24 h … about 999 days in all",
        ),
    ],
)
def test_policy_words(policy: RetryPolicy, words: str) -> None:
    assert policy_words(policy) == words


def test_seconds() -> None:
    assert [seconds_words(s) for s in (0.5, 20, 60, 90, 300, 3600, 5400, 7200)] == [
        *("0.5 s", "20 s", "1 min", "90 s", "5 min", "1 h", "90 min", "2 h"),
    ]


def test_totals() -> None:
    assert [total_words(s) for s in (0.2, 59, 90, 3600, 9000, 86_400, 200_000)] == [
        *("1 second", "1 minute", "1.5 minutes", "1 hour", "2.5 hours", "1 day", "2.5 days"),
    ]
