"""How values look on a page: times, amounts, states. Pure functions, used as template filters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import idna

from controller.domain.failures import CLASS_WORDS, ErrorClass
from controller.domain.limits import BY_KEY, CATALOGUE, UNLIMITED
from controller.domain.words import Role, ServerStatus, ServiceStatus, TaskStatus
from controller.store.base import utcnow
from controller.store.models import Server, Task

SERVICE_STATES = {
    ServiceStatus.PENDING: ("Waiting", "quiet"),
    ServiceStatus.DEPLOYING: ("Being set up", "busy"),
    ServiceStatus.ACTIVE: ("Active", "good"),
    ServiceStatus.ERROR: ("Error", "bad"),
    ServiceStatus.SUSPENDED: ("Suspended", "warn"),
    ServiceStatus.TERMINATING: ("Being removed", "busy"),
    ServiceStatus.TERMINATED: ("Terminated", "quiet"),
}

TASK_STATES = {
    TaskStatus.WAITING: ("Waiting", "quiet"),
    TaskStatus.QUEUED: ("Queued", "quiet"),
    TaskStatus.RUNNING: ("Running", "busy"),
    TaskStatus.SUCCEEDED: ("Done", "good"),
    TaskStatus.FAILED: ("Failed", "bad"),
    TaskStatus.HELD: ("On hold", "warn"),
    TaskStatus.CANCELLED: ("Cancelled", "quiet"),
}

TASK_ICONS = {
    TaskStatus.WAITING: "circle-dashed",
    TaskStatus.QUEUED: "clock",
    TaskStatus.RUNNING: "loader-2",
    TaskStatus.SUCCEEDED: "circle-check",
    TaskStatus.FAILED: "circle-x",
    TaskStatus.HELD: "player-pause",
    TaskStatus.CANCELLED: "ban",
}

SERVER_STATES = {
    ServerStatus.ACTIVE: ("Active", "good"),
    ServerStatus.CLOSED: ("No new services", "warn"),
    ServerStatus.MAINTENANCE: ("Maintenance", "warn"),
    ServerStatus.DISABLED: ("Disabled", "quiet"),
}

ROLE_WORDS = {
    Role.OWNER: "Owner",
    Role.OPERATOR: "Operator",
    Role.SUPPORT: "Support",
    Role.CUSTOMER: "Customer",
}

CAPABILITY_WORDS = {"web": "Web", "mail": "Mail", "dns": "DNS"}


ACTIVITY_STATES = {
    "task.running": ("Started", "quiet"),
    "task.succeeded": ("Done", "good"),
    "task.failed": ("Did not work", "bad"),
    "task.retrying": ("Trying again", "warn"),
    "task.interrupted": ("Trying again", "warn"),
    "task.retry": ("Trying again", "quiet"),
    "task.cancelled": ("Cancelled", "quiet"),
    "task.cancel": ("Cancelled", "quiet"),
    "service.error": ("Problem", "bad"),
}


def readable(name: str) -> str:
    """A host name as people write it; whatever is none stays as it is."""
    if "xn--" not in name:
        return name
    try:
        return idna.decode(name)
    except UnicodeError:  # IDNAError is one, too
        return name


def activity_state(kind: str) -> tuple[str, str] | None:
    """Words and tone of a line of activity; None for one that says all by itself."""
    return ACTIVITY_STATES.get(kind)


def task_state(task: Task) -> tuple[str, str]:
    """Words and tone of a task's state; a failed attempt that will be repeated says so."""
    if task.status is TaskStatus.QUEUED and task.attempt and task.error:
        return "Will try again", "warn"
    if task.status is TaskStatus.RUNNING and task.cancel_requested:
        return "Stopping", "busy"
    return TASK_STATES[task.status]


ACTION_WORDS = {
    "web.package": "Web plan",
    "web.account": "Web account",
    "web.domain": "Website",
    "web.certificate": "Certificate",
    "mail.package": "Mail plan",
    "mail.account": "Mail account",
    "mail.domain": "Mail domain",
    "dns.package": "DNS plan",
    "dns.account": "DNS account",
    "dns.zone": "DNS zone",
    "server.status": "Server",
    "server.verify": "Comparison",
}


def action_words(action: str) -> str:
    """What a step is about."""
    return ACTION_WORDS.get(action, action)


PRIORITY_WORDS = {10: "Urgent", 50: "Normal", 90: "Low"}


def priority_words(priority: int) -> str:
    """``Urgent``, ``Normal``, ``Low``, or the number in between."""
    return PRIORITY_WORDS.get(priority, str(priority))


def error_title(name: str | None) -> str:
    """What staff call a class of failures; a name that is not known stays as it is."""
    return CLASS_WORDS[ErrorClass(name)][0] if name in set(ErrorClass) else name or ""


def failures(task: Task) -> list[tuple[str, int]]:
    """How often a task failed, by title of the class, the most frequent first."""
    counted = [(error_title(name), int(count)) for name, count in task.tries.items() if count]
    return sorted(counted, key=lambda pair: (-pair[1], pair[0]))


def server_state(server: Server) -> tuple[str, str]:
    """Words and tone of a server's state; that it does not answer or a failed check shows before the status."""
    if server.blocked_since is not None:
        return "Not answering", "bad"
    if server.problem:
        return "Problem", "bad"
    return SERVER_STATES[server.status]


BLOCKED_WORDS = {
    ErrorClass.AUTHENTICATION.value: "has refused our login for",
    ErrorClass.HOST_KEY_CHANGED.value: "has shown another host key for",
}


def blocked_words(server: Server) -> str:
    """``has not answered for 5 minutes``: since when and why nothing runs on a server."""
    since = server.blocked_since or utcnow()
    text = relative(since).removesuffix(" ago")
    pause = "a moment" if text == "just now" else text
    return f"{BLOCKED_WORDS.get(server.blocked_cause or '', 'has not answered for')} {pause}"


def relative(moment: dt.datetime, now: dt.datetime | None = None) -> str:
    """``3 minutes ago``; ``in 2 minutes`` for what is to come. The browser keeps it true with the same words."""
    seconds = (moment - (now or utcnow())).total_seconds()
    if abs(seconds) < 10:
        return "just now"
    amount, unit = abs(seconds), "second"
    for name, size in (("minute", 60), ("hour", 60), ("day", 24), ("month", 30), ("year", 12)):
        if amount < size:
            break
        amount, unit = amount / size, name
    count = max(1, round(amount))
    text = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{text} ago" if seconds < 0 else f"in {text}"


def exact(moment: dt.datetime) -> str:
    """``21 Nov 2026, 14:03:22 UTC``."""
    return moment.astimezone(dt.UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def task_duration(task: Task) -> float | None:
    """Seconds the last attempt took; None when it never ran or still runs."""
    if task.started_at is None or task.finished_at is None:
        return None
    return max(0.0, (task.finished_at - task.started_at).total_seconds())


def grouped(value: object) -> str:
    """A whole number with its thousands apart, by a space that does not break; anything else as it is."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def counted(count: int, noun: str) -> str:
    """``1 zone``, ``20 000 zones``."""
    return f"{grouped(count)} {noun}{'' if count == 1 else 's'}"


def megabytes(amount: float) -> str:
    """``512 MB``, ``5 GB``, ``1.5 TB``."""
    for unit, size in (("PB", 1_000_000_000), ("TB", 1_000_000), ("GB", 1_000)):
        if amount >= size:
            return f"{amount / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{amount:.0f} MB"


def limit_value(key: str, value: Any) -> str:
    """A limit as people read it."""
    if value == UNLIMITED:
        return "Unlimited"
    limit = BY_KEY.get(key)
    if limit is not None and limit.unit == "MB":
        return megabytes(float(value))
    return grouped(value)


def limit_rows(limits: dict[str, Any], roles: list[str]) -> list[tuple[str, str]]:
    """Label and value of the limits that matter for these roles, in the catalogue's order."""
    return [
        (limit.label, limit_value(limit.key, limits[limit.key]))
        for limit in CATALOGUE
        if limit.role.value in roles and limit.key in limits
    ]


def roles_in_words(roles: list[str]) -> str:
    """``Web, Mail, DNS``."""
    return ", ".join(CAPABILITY_WORDS.get(role, role) for role in roles)


def initials(name: str) -> str:
    """One or two letters for a person."""
    parts = [part for part in name.replace("@", " ").split() if part]
    return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper() or "?"
