"""A step's log as its customer reads it: our own words for what we know to be fit, and nothing else.

No text of an event is ever passed on. Servers' names and addresses, commands, paths, values and Ansible's output
cannot get through, because every line comes from this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.failures import CUSTOMER_WORDS, ErrorClass
from controller.domain.words import TaskStatus
from controller.store.models import Task, TaskEvent
from controller.web.waiting import waits_for_server

AWAY = "Waiting for a server to come back; nothing is lost and it goes on by itself"
AGAIN = "This did not work at once. We try again by ourselves"
KINDS = ("fleet_attempt", "fleet_result", "playbook_on_task_start")
FAILED = re.compile(r"failed \((\w+)\)")

STEPS: Mapping[str, str] = {
    "Bring the package to its state": "Working on the plan",
    "Bring the account to its state": "Working on the account",
    "Bring the domain to its state": "Working on the domain",
    "Bring the zone to its state": "Working on the DNS records",
    "Bring the certificate to its state": "Working on the certificate",
}
"""Tasks of our roles by name."""


def words(event: TaskEvent) -> tuple[str, str] | None:
    """Words and tone of a line, None for what is not for customers."""
    match event.kind:
        case "fleet_attempt":
            return ("Started" if event.attempt <= 1 else "Trying again"), "plain"
        case "fleet_result":
            return _result(event.text)
        case "playbook_on_task_start":
            known = STEPS.get(str(event.data.get("task", "")).rpartition(" : ")[2])
            return (known, "plain") if known else None
    return None


def _result(text: str) -> tuple[str, str] | None:
    if text.startswith("done"):
        return ("Finished" if "nothing" not in text else "Finished; it was right already"), "good"
    if text.startswith("stopped"):
        return "Stopped", "plain"
    if failed := FAILED.match(text):
        kind = ErrorClass(failed[1]) if failed[1] in set(ErrorClass) else ErrorClass.INTERNAL
        return CUSTOMER_WORDS.get(kind, "This try did not work."), "bad"
    return None


def line(event: TaskEvent) -> dict[str, Any] | None:
    """One line for the page and its stream."""
    found = words(event)
    if found is None:
        return None
    return {"seq": event.seq, "at": event.at.isoformat(), "text": found[0], "tone": found[1]}


def lines_of(session: Session, tasks: Iterable[Task]) -> dict[int, list[dict[str, Any]]]:
    """The lines of several steps by task id."""
    found: dict[int, list[dict[str, Any]]] = {task.id: [] for task in tasks}
    events = session.scalars(
        select(TaskEvent)
        .where(TaskEvent.task_id.in_(found), TaskEvent.kind.in_(KINDS))
        .order_by(TaskEvent.task_id, TaskEvent.seq)
    )
    for event in events:
        if (one := line(event)) is not None:
            found[event.task_id].append(one)
    return found


def hints(tasks: Sequence[Task]) -> dict[int, str]:
    """What a customer is told about steps that wait for a server or for another try."""
    found: dict[int, str] = {}
    for task in tasks:
        if task.status is not TaskStatus.QUEUED:
            continue
        if waits_for_server(task, task.server):
            found[task.id] = f"{AWAY}."
        elif task.error:
            found[task.id] = f"{AGAIN}."
    return found
