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


NEVER_RETRIED = frozenset({ErrorClass.BAD_ARGUMENT, ErrorClass.HOST_KEY_CHANGED})
"""Trying again cannot help, and settings cannot change that."""

BLOCKS_SERVER = frozenset({ErrorClass.UNREACHABLE, ErrorClass.AUTHENTICATION, ErrorClass.HOST_KEY_CHANGED})
"""Says something about the server, not about the step: its other tasks need not find out one by one."""

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
    """How often and when a failure of one class is tried again: exponential back-off with jitter; seconds."""

    attempts: int
    """Failures until it is given up; 1 means no second attempt."""
    delay: float = 2.0
    growth: float = 2.0
    delay_max: float = 300.0
    jitter: float = 0.25
    """Share of the delay that is left to chance, so that what failed together does not come back together."""

    def next_delay(self, failures: int, rng: random.Random) -> float | None:
        """Seconds until the next attempt after this many failures of the class, or None to give up."""
        if failures >= self.attempts:
            return None
        return self.pause(failures, rng)

    @property
    def patience(self) -> float:
        """Seconds from the first failure until it is given up, without jitter."""
        return sum(self._base(failures) for failures in range(1, self.attempts))

    def pause(self, failures: int, rng: random.Random) -> float:
        """Seconds between failure number ``failures`` and the next attempt, whatever the limit of attempts."""
        return max(0.0, self._base(failures) * (1 + rng.uniform(-self.jitter, self.jitter)))

    def _base(self, failures: int) -> float:
        # Beyond 2 ** 64 every cap is reached, and a float could overflow.
        return min(self.delay * self.growth ** min(max(failures, 1) - 1, 64), self.delay_max)


DEFAULT_POLICIES: Mapping[ErrorClass, RetryPolicy] = {
    # About three hours of waiting for a server that is away. Its circuit breaker asks, not every task, and often:
    # when the server is back its tasks should go on within the minute.
    ErrorClass.UNREACHABLE: RetryPolicy(attempts=360, delay_max=30),
    ErrorClass.AUTHENTICATION: RetryPolicy(attempts=2, delay=30),
    ErrorClass.HOST_KEY_CHANGED: RetryPolicy(attempts=1),
    ErrorClass.BUSY: RetryPolicy(attempts=10, delay=5, delay_max=120),
    ErrorClass.REFUSED: RetryPolicy(attempts=1),
    ErrorClass.BAD_ARGUMENT: RetryPolicy(attempts=1),
    ErrorClass.NOT_FOUND: RetryPolicy(attempts=3),
    ErrorClass.NO_ROOM: RetryPolicy(attempts=3, delay=60, delay_max=900),
    ErrorClass.TIMEOUT: RetryPolicy(attempts=3, delay=10),
    ErrorClass.RESTART_FAILED: RetryPolicy(attempts=4, delay=5),
    ErrorClass.INCONSISTENT: RetryPolicy(attempts=4),
    ErrorClass.INTERRUPTED: RetryPolicy(attempts=3),
    ErrorClass.INTERNAL: RetryPolicy(attempts=3),
}
"""What is tried how often unless staff say otherwise. Panel exit codes 13-15, 19 and 20 can pass by themselves,
1, 2 and 8-11 cannot (recordings of the panel)."""

CLASS_WORDS: Mapping[ErrorClass, tuple[str, str]] = {
    ErrorClass.UNREACHABLE: (
        "Server does not answer",
        "No SSH connection could be made, or it broke. The server’s other tasks wait until a check gets through.",
    ),
    ErrorClass.AUTHENTICATION: (
        "Login refused",
        "The server did not accept our SSH login or sudo. Check user, key or password of the server.",
    ),
    ErrorClass.HOST_KEY_CHANGED: (
        "Host key changed",
        "The server shows another SSH host key than the pinned one. Find out why before you accept the new one.",
    ),
    ErrorClass.BUSY: (
        "Server busy",
        "Another change, the panel or the package manager holds a lock, or the load is high.",
    ),
    ErrorClass.REFUSED: ("Refused by the panel", "The panel will not do this; the message says why."),
    ErrorClass.BAD_ARGUMENT: ("Bad argument", "What the step was given cannot be right; trying again cannot help."),
    ErrorClass.NOT_FOUND: ("Something is missing", "The step stands on something that is not there (yet)."),
    ErrorClass.NO_ROOM: ("Not enough room", "The server’s disk is full or a limit of the panel is reached."),
    ErrorClass.TIMEOUT: ("Took too long", "The step was stopped after the longest time a step may take."),
    ErrorClass.RESTART_FAILED: (
        "Restart failed",
        "The change is made, but a service of the server could not be restarted; its configuration may be broken.",
    ),
    ErrorClass.INCONSISTENT: (
        "Not as it should be afterwards",
        "The panel said it was done, but what is on the server is something else.",
    ),
    ErrorClass.INTERRUPTED: ("Interrupted", "The worker that ran the step ended in the middle, again and again."),
    ErrorClass.INTERNAL: ("Internal error", "A mistake of ours or an answer we do not understand; see the log."),
}
"""Title and explanation of each class, for staff."""


# What ssh and sudo say, in lower case. A login by password does not even try a host with another key than the
# pinned one, and Ansible does not call that unreachable.
KEY_WORDS = ("host key verification failed", "remote host identification has changed", "using a ssh password instead")
LOGIN_WORDS = ("permission denied", "invalid/incorrect")
SHELL_WORDS = ("this account is currently not available", "allows sftp connections only")
"""What a login that may not run commands is told: by nologin, and by an SSH server that only takes files."""
SUDO_WORDS = ("missing sudo password", "incorrect sudo password", "a password is required", "not in the sudoers file")


def classify(result: Mapping[str, Any], *, unreachable: bool) -> tuple[ErrorClass, str]:
    """Class and plain words for the result of a failed Ansible task."""
    message = str(result.get("msg") or result.get("stderr") or result.get("exception") or "no message").strip()
    lowered = message.lower()
    of_ansible = unreachable or not result.get("error_class")
    if of_ansible and any(words in lowered for words in KEY_WORDS):
        return ErrorClass.HOST_KEY_CHANGED, "the server shows another SSH host key than the pinned one"
    if unreachable:
        if any(words in lowered for words in LOGIN_WORDS):
            return ErrorClass.AUTHENTICATION, "the server refused the SSH login"
        return ErrorClass.UNREACHABLE, _ssh_words(message)
    try:
        return ErrorClass(str(result.get("error_class"))), message
    except ValueError:
        pass
    if "validation of arguments failed" in lowered:
        return ErrorClass.BAD_ARGUMENT, "; ".join(result.get("argument_errors") or [message])
    # The module never came to speak for itself: what was said instead tells why.
    said = str(result.get("module_stderr") or "").strip().splitlines()
    if any(words in text for words in SUDO_WORDS for text in (lowered, *(line.lower() for line in said))):
        return ErrorClass.AUTHENTICATION, f"the server refused sudo: {said[-1] if said else message}"
    heard = f"{lowered} {result.get('module_stdout') or ''} {' '.join(said)}".lower()
    if any(words in heard for words in SHELL_WORDS):
        return ErrorClass.AUTHENTICATION, "this login may not run commands on the server; it has no shell"
    return ErrorClass.INTERNAL, f"{message} ({said[-1]})" if said else message


def _ssh_words(message: str) -> str:
    """What ssh itself said, without what Ansible says around it."""
    _, found, said = message.rpartition("ssh: ")
    return said.strip() if found else message.removeprefix("Task failed: ")
