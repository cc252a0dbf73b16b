"""Calls on tasks: look, read the log, follow, and what can be done to one or to many."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from controller.domain.words import TaskStatus
from controller.engine.dispatch import stuck
from controller.engine.fleet import Fleet
from controller.operations import task_bulk, tasks
from controller.operations.errors import NotFound
from controller.operations.fields import Fields
from controller.store.base import utcnow
from controller.store.models import OperationLog, Task
from controller.store.queries import events_since
from controller.store.task_queries import TaskFilter
from controller.web import log_files
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import AFTERWARDS, Asked, Call, Follow, Listed, TextFile, logged
from controller.web.api.task_answers import (
    BulkAnswer,
    BulkBody,
    EventsAnswer,
    PriorityBody,
    TaskAnswer,
    TaskFilterBody,
    bulk_answer,
    events_answer,
    task_answer,
    task_answers,
)


def find(session: Session, key: str) -> Task:
    """A task by id. Raises NotFound."""
    task = session.get(Task, int(key)) if key.isdecimal() and len(key) < 19 else None
    if task is None:
        raise NotFound("task", key)
    return task


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.tasks(session, asked.query, stuck(utcnow(), asked.fleet.settings.task_timeout))
        return Listed(page, [*task_answers(session, page.items)])


def _get(asked: Asked) -> TaskAnswer:
    with asked.fleet.database.read() as session:
        return task_answer(session, find(session, asked.key))


def _events(asked: Asked) -> EventsAnswer:
    with asked.fleet.database.read() as session:
        task = find(session, asked.key)
        return events_answer(events_since(session, task.id, asked.query.after, asked.query.limit), asked.query.after)


def _log(asked: Asked) -> TextFile:
    with asked.fleet.database.read() as session:
        task_id = find(session, asked.key).id
    if asked.query.format == "json":
        return TextFile(log_files.as_json_lines(asked.fleet.database, task_id), "application/jsonl")
    return TextFile(log_files.as_text(asked.fleet.database, task_id), "text/plain")


def _stream(asked: Asked) -> Follow:
    with asked.fleet.database.read() as session:
        return Follow("task", find(session, asked.key).id)


def _change(operation: Callable[[Fleet, str, int], Task]) -> Callable[[Asked], TaskAnswer]:
    def run(asked: Asked) -> TaskAnswer:
        with asked.fleet.database.read() as session:
            task_id = find(session, asked.key).id
        operation(asked.fleet, asked.actor, task_id)
        return _get(asked)

    return run


def _priority(asked: Asked) -> TaskAnswer:
    body: PriorityBody = asked.body
    return _change(lambda fleet, actor, task_id: tasks.change_priority(fleet, actor, task_id, body.priority))(asked)


def _bulk(asked: Asked) -> BulkAnswer:
    body: BulkBody = asked.body
    result = task_bulk.run(
        asked.fleet,
        asked.actor,
        body.action,
        ids=body.tasks,
        wanted=_filter(asked, body.filter) if body.filter is not None else None,
        priority=body.priority,
    )
    return bulk_answer(result)


def _filter(asked: Asked, body: TaskFilterBody) -> TaskFilter:
    fields = Fields()
    if body.status:
        fields.choice("filter.status", body.status, TaskStatus)
    fields.finish()
    with asked.fleet.database.read() as session:
        return lists.task_filter(session, body)


def _changed(session: Session, line: OperationLog) -> TaskAnswer:
    return task_answer(session, session.get_one(Task, line.task_id))


def _action(name: str, summary: str, operation: Callable[[Fleet, str, int], Task]) -> Call:
    return Call(
        "POST",
        f"/tasks/{{id}}/{name}",
        summary,
        _change(operation),
        answer=TaskAnswer,
        status=202,
        body=Nothing,
        once=logged(f"task.{name}", _changed),
        problems=("refused",),
    )


CALLS = (
    Call(
        "GET",
        "/tasks",
        "List tasks",
        _list,
        answer=TaskAnswer,
        query=lists.TaskParameters,
        listed=True,
        problems=("not-found",),
    ),
    Call(
        "POST",
        "/tasks/bulk",
        "Do one thing to many tasks",
        _bulk,
        answer=BulkAnswer,
        body=BulkBody,
        once=AFTERWARDS,
        problems=("not-found",),
    ),
    Call("GET", "/tasks/{id}", "Show a task", _get, answer=TaskAnswer),
    Call(
        "GET",
        "/tasks/{id}/events",
        "Read a task's log",
        _events,
        answer=EventsAnswer,
        query=lists.EventParameters,
    ),
    Call(
        "GET",
        "/tasks/{id}/log",
        "Download a task's whole log",
        _log,
        query=lists.LogParameters,
        text=("text/plain", "application/jsonl"),
    ),
    Call(
        "GET",
        "/tasks/{id}/stream",
        "Follow a task's log; the event `end` comes when the task is over",
        _stream,
        query=lists.StreamParameters,
        streams="line",
    ),
    _action("retry", "Run a failed task again now, with fresh attempts", tasks.retry),
    _action("cancel", "Stop a task", tasks.cancel),
    _action("force-fail", "Give up a task, whatever it is doing", tasks.force_fail),
    Call(
        "POST",
        "/tasks/{id}/priority",
        "Let a task start before or after others",
        _priority,
        answer=TaskAnswer,
        status=202,
        body=PriorityBody,
        once=logged("task.priority", _changed),
        problems=("refused",),
    ),
)
