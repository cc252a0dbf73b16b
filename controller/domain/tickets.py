"""Tickets for staff: which failures are the same one, and what is said about them. Pure rules."""

from __future__ import annotations

from collections.abc import Mapping

from controller.domain.failures import BLOCKS_SERVER, CLASS_WORDS, ErrorClass
from controller.domain.words import STATUS_ACTION

SUBJECT_MAX = 300
ALWAYS_TOLD = 5

EVENTS: Mapping[str, str] = {
    "ticket.opened": "Ticket opened",
    "ticket.noted": "Note added",
    "ticket.recovered": "Works again",
    "ticket.closed": "Ticket closed",
}
"""What a webhook can ask for, with words for people."""

SERVER_SUBJECTS: Mapping[ErrorClass, str] = {
    ErrorClass.UNREACHABLE: "{server} does not answer",
    ErrorClass.AUTHENTICATION: "{server} refuses our login",
    ErrorClass.HOST_KEY_CHANGED: "{server} shows another host key",
}

ADVICE: Mapping[ErrorClass, str] = {
    ErrorClass.UNREACHABLE: "See whether the server and its network are up, then check the server.",
    ErrorClass.AUTHENTICATION: "Correct the server’s login, or what the server allows, then check the server.",
    ErrorClass.HOST_KEY_CHANGED: "Ask who installed the server anew. If nobody did, somebody may be listening.",
    ErrorClass.BUSY: "See what holds the server up, then try the task again.",
    ErrorClass.REFUSED: "Change what the message names, on the server or in the order, then try the task again.",
    ErrorClass.BAD_ARGUMENT: "Correct the value that the message names, then deploy the service again.",
    ErrorClass.NOT_FOUND: "Repair the service: that makes what is missing first.",
    ErrorClass.NO_ROOM: "Make room on the server or raise the limit, then try the task again.",
    ErrorClass.TIMEOUT: "See in the log where it stood still, then try the task again.",
    ErrorClass.RESTART_FAILED: "Look at the server’s own log of that service, mend its configuration, then try again.",
    ErrorClass.INCONSISTENT: "See in the log what differs, then repair the service.",
    ErrorClass.INTERRUPTED: "See why workers end (memory, kills), then try the task again.",
    ErrorClass.INTERNAL: "Read the log; if it does not say enough, keep it and report it.",
}
"""What a person can do."""


def is_about_server(action: str, kind: ErrorClass) -> bool:
    """Whether the failure says something about the server as a whole."""
    return kind in BLOCKS_SERVER or action == STATUS_ACTION


def server_cause(server_id: int, kind: ErrorClass) -> str:
    """One cause per server and class."""
    return f"server {server_id} {kind.value}"


def step_cause(action: str, server_id: int, target: str) -> str:
    """One cause per operation, server and target."""
    return f"{action} {server_id} {target}"


def cause_of(action: str, server_id: int, target: str, kind: ErrorClass) -> str:
    """What makes a later failure the same one."""
    if is_about_server(action, kind):
        return server_cause(server_id, kind)
    return step_cause(action, server_id, target)


def causes_ended_by(action: str, server_id: int, target: str, *, check_mode: bool) -> list[str]:
    """What a success shows to be over: whoever does a step on a server has reached it and was let in."""
    kinds = list(ErrorClass) if action == STATUS_ACTION else sorted(BLOCKS_SERVER)
    causes = [server_cause(server_id, kind) for kind in kinds]
    # A look does not show that a change would work.
    return causes if check_mode or action == STATUS_ACTION else [*causes, step_cause(action, server_id, target)]


def subject_of(action: str, label: str, server: str, target: str, kind: ErrorClass) -> str:
    """Headline of a ticket."""
    if kind in SERVER_SUBJECTS:
        return SERVER_SUBJECTS[kind].format(server=server)
    if action == STATUS_ACTION:
        return f"The check of {server} does not work"
    text = f"{label} failed: {target} on {server}"
    return text if len(text) <= SUBJECT_MAX else f"{text[: SUBJECT_MAX - 1]}…"


def failure_words(
    label: str, target: str, server: str, attempts: int, error: str | None, kind: ErrorClass, *, known: bool = False
) -> str:
    """The note about one failure: what happened and, unless the ticket says it already, what it means, what to do."""
    title, explanation = CLASS_WORDS[kind]
    times = {0: "before it could run", 1: "after 1 attempt"}.get(attempts, f"after {attempts} attempts")
    where = f"on {server}" if target == server else f"for {target} on {server}"
    happened = f"“{label}” {where} was given up {times}.\nError: {error or 'no message'}"
    return happened if known else f"{happened}\n{title}: {explanation}\nWhat to do: {ADVICE[kind]}"


def success_words(label: str, target: str, server: str) -> str:
    """The note about a recovery."""
    where = f"on {server}" if target == server else f"for {target} on {server}"
    return f"“{label}” {where} succeeded."


def is_told(failures: int, *, recovered: bool) -> bool:
    """Whether this failure of an open ticket is worth an e-mail: the first ones, then the 8th, 16th, 32nd and so on,
    and any that comes after a recovery. A dead server with a thousand tasks must not fill a mailbox."""
    return recovered or failures <= ALWAYS_TOLD or failures & (failures - 1) == 0
