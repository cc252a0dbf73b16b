"""Failures told apart, and what is done about each: pure rules.

Classes come from the modules (``error_class`` of a failed result) and from Ansible itself.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ErrorClass(StrEnum):
    """What kind of failure it was."""

    UNREACHABLE = "unreachable"
    AUTHENTICATION = "authentication"
    HOST_KEY_CHANGED = "host_key_changed"
    BUSY = "busy"
    REFUSED = "refused"
    BAD_ARGUMENT = "bad_argument"
    NOT_FOUND = "not_found"
    NO_ROOM = "no_room"
    TIMEOUT = "timeout"
    RESTART_FAILED = "restart_failed"
    INCONSISTENT = "inconsistent"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


NEVER_RETRIED = frozenset(
    {ErrorClass.BAD_ARGUMENT, ErrorClass.HOST_KEY_CHANGED, ErrorClass.AUTHENTICATION, ErrorClass.REFUSED}
)

CUSTOMER_WORDS: Mapping[ErrorClass, str] = {
    ErrorClass.UNREACHABLE: "One of our servers does not answer at the moment.",
    ErrorClass.AUTHENTICATION: "One of our servers did not let us in.",
    ErrorClass.HOST_KEY_CHANGED: "One of our servers has to be checked by our staff first.",
    ErrorClass.BUSY: "One of our servers is busy.",
    ErrorClass.NO_ROOM: "One of our servers has no room left.",
    ErrorClass.TIMEOUT: "A step took too long and was stopped.",
}


def customer_words(error_class: ErrorClass, label: str) -> str:
    """What a customer is told about a step that failed for good."""
    cause = CUSTOMER_WORDS.get(error_class, "Something went wrong on one of our servers.")
    return f"“{label}” could not be finished. {cause} Our staff can see this and will take care of it."


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with jitter; seconds."""

    max_attempts: int
    delay: float
    growth: float = 2.0
    delay_max: float = 300.0
    jitter: float = 0.25

    def next_delay(self, attempts: int, error_class: ErrorClass, rng: random.Random) -> float | None:
        """Seconds until the next attempt after ``attempts`` failed ones, or None to give up."""
        if error_class in NEVER_RETRIED or attempts >= self.max_attempts:
            return None
        base: float = min(self.delay * self.growth ** (attempts - 1), self.delay_max)
        return base * (1 + rng.uniform(-self.jitter, self.jitter))


def classify(result: Mapping[str, Any], *, unreachable: bool) -> tuple[ErrorClass, str]:
    """Class and plain words for the result of a failed Ansible task."""
    message = str(result.get("msg") or result.get("stderr") or result.get("exception") or "no message").strip()
    if unreachable:
        lowered = message.lower()
        if "host key verification failed" in lowered or "remote host identification has changed" in lowered:
            return ErrorClass.HOST_KEY_CHANGED, "the server shows another SSH host key than the pinned one"
        if "permission denied" in lowered or "invalid/incorrect" in lowered:
            return ErrorClass.AUTHENTICATION, "the server refused the SSH login"
        return ErrorClass.UNREACHABLE, message
    try:
        return ErrorClass(str(result.get("error_class"))), message
    except ValueError:
        pass
    if "validation of arguments failed" in message.lower():
        return ErrorClass.BAD_ARGUMENT, "; ".join(result.get("argument_errors") or [message])
    return ErrorClass.INTERNAL, message
