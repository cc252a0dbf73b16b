"""Answers and bodies about tasks, and how they are made of rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.words import TaskStatus
from controller.operations.task_bulk import IDS_MAX, BulkAction, BulkResult
from controller.operations.tasks import PRIORITIES
from controller.store.models import Task, TaskEvent, TaskNeed
from controller.web.api import PREFIX
from controller.web.api.answers import Links
from controller.web.api.bodies import Body, Key
from controller.web.present import error_title
from controller.web.waiting import Wait, waits

PRIORITY_HELP = ", ".join(f"{number} {name}" for name, number in PRIORITIES.items())


class WaitAnswer(BaseModel):
    """Why a task that is not over does not run."""

    reason: str
    tasks: list[int] = Field(description="the tasks it waits for")


class TaskAnswer(BaseModel):
    """One unit of queued work."""

    id: int
    action: str
    label: str
    target: str
    server: str
    service_id: int | None
    pipeline_id: int
    status: TaskStatus
    check_mode: bool
    priority: int = Field(description=f"1 is first, 99 last: {PRIORITY_HELP}")
    attempt: int
    max_attempts: int = Field(description="failures that the policy of the last failure's class allows")
    tries: dict[str, int] = Field(description="failures so far by class")
    error_class: str | None
    error_title: str | None = Field(description="the class in words")
    error: str | None
    changed: bool | None
    result: dict[str, Any] = Field(description="facts, actions, repaired and diff of the last attempt")
    needs: list[int] = Field(description="tasks that must succeed first")
    waits_for: WaitAnswer | None = Field(description="null for one that runs or is over")
    created_at: dt.datetime
    queued_at: dt.datetime | None
    not_before: dt.datetime | None = Field(description="when the next attempt is due")
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    events_expected: int | None = Field(description="how many log lines there are when the attempt is over")
    links: Links


class EventAnswer(BaseModel):
    """One line of a task's log."""

    seq: int
    attempt: int
    at: dt.datetime
    kind: str
    text: str


class EventsAnswer(BaseModel):
    """Log lines after a number; ask again with ``after`` = ``last`` until ``items`` is empty."""

    items: list[EventAnswer]
    last: int


class PriorityBody(Body):
    """A new priority."""

    priority: int = Field(
        description=f"1 is first, 99 last: {PRIORITY_HELP}", json_schema_extra={"minimum": 1, "maximum": 99}
    )


class TaskFilterBody(Body):
    """Which tasks; fields that are left out do not narrow."""

    status: str = Field("", json_schema_extra={"enum": [word.value for word in TaskStatus]})
    stuck: bool = Field(False, description="only tasks that run although their time is long over")
    service: Key | None = Field(None, description="id or domain")
    server: Key | None = Field(None, description="id or name")
    group: Key | None = Field(None, description="id or name")
    action: str = Field("", max_length=40, description="for instance web.account")
    search: str = Field("", max_length=200)


class BulkBody(Body):
    """One action on many tasks: those that are named, or all that a filter finds."""

    action: str = Field(json_schema_extra={"enum": [word.value for word in BulkAction]})
    tasks: list[int] | None = Field(None, description=f"ids, at most {IDS_MAX}")
    filter: TaskFilterBody | None = None
    priority: int | None = Field(None, description=f"for the action priority: {PRIORITY_HELP}")


class SkippedAnswer(BaseModel):
    """Tasks that were left as they are, for one reason."""

    reason: str
    count: int
    tasks: list[int] = Field(description="the first hundred")


class BulkAnswer(BaseModel):
    """What came of it."""

    action: BulkAction
    done: int
    skipped: list[SkippedAnswer]


def task_answers(session: Session, tasks: Sequence[Task]) -> list[TaskAnswer]:
    """Tasks with what they need and wait for."""
    needs: dict[int, list[int]] = {task.id: [] for task in tasks}
    rows = session.execute(
        select(TaskNeed.task_id, TaskNeed.needs_id).where(TaskNeed.task_id.in_(needs)).order_by(TaskNeed.needs_id)
    )
    for task_id, needs_id in rows:
        needs[task_id].append(needs_id)
    reasons = waits(session, tasks)
    return [_task_answer(task, needs[task.id], reasons.get(task.id)) for task in tasks]


def task_answer(session: Session, task: Task) -> TaskAnswer:
    """One task."""
    return task_answers(session, [task])[0]


def _task_answer(task: Task, needs: list[int], wait: Wait | None) -> TaskAnswer:
    me = f"{PREFIX}/tasks/{task.id}"
    links = {"self": me, "events": f"{me}/events", "stream": f"{me}/stream", "log": f"{me}/log"}
    if task.service_id is not None:
        links["service"] = f"{PREFIX}/services/{task.service_id}"
    return TaskAnswer(
        id=task.id,
        action=task.action,
        label=task.label,
        target=task.target,
        server=task.server.name,
        service_id=task.service_id,
        pipeline_id=task.pipeline_id,
        status=task.status,
        check_mode=task.check_mode,
        priority=task.priority,
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        tries=task.tries,
        error_class=task.error_class,
        error_title=error_title(task.error_class) or None,
        error=task.error,
        changed=task.changed,
        result=task.result,
        needs=needs,
        waits_for=WaitAnswer(reason=wait.words, tasks=list(wait.tasks)) if wait else None,
        created_at=task.created_at,
        queued_at=task.queued_at,
        not_before=task.not_before,
        started_at=task.started_at,
        finished_at=task.finished_at,
        events_expected=task.events_expected,
        links=links,
    )


def event_answer(event: TaskEvent) -> EventAnswer:
    """One line of a log."""
    return EventAnswer(seq=event.seq, attempt=event.attempt, at=event.at, kind=event.kind, text=event.text)


def events_answer(events: Iterable[TaskEvent], after: int) -> EventsAnswer:
    """Log lines after a number."""
    items = [event_answer(event) for event in events]
    return EventsAnswer(items=items, last=items[-1].seq if items else after)


def bulk_answer(result: BulkResult) -> BulkAnswer:
    """What came of a bulk action."""
    skipped = [SkippedAnswer(reason=reason, count=len(ids), tasks=ids[:100]) for reason, ids in result.skipped.items()]
    return BulkAnswer(action=result.action, done=result.done, skipped=skipped)
