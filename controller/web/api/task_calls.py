"""Calls on tasks: look, read the log, follow, retry, cancel."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from controller.operations import tasks
from controller.operations.errors import NotFound
from controller.operations.fleet import Fleet
from controller.store.models import Task
from controller.store.queries import events_since
from controller.web.api import lists
from controller.web.api.answers import EventsAnswer, TaskAnswer
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Asked, Call, Follow, Listed
from controller.web.api.represent import events_answer, task_answer, task_answers


def find(session: Session, key: str) -> Task:
    """A task by id. Raises NotFound."""
    task = session.get(Task, int(key)) if key.isdecimal() and len(key) < 19 else None
    if task is None:
        raise NotFound("task", key)
    return task


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.tasks(session, asked.query)
        return Listed(page, [*task_answers(session, page.items)])


def _get(asked: Asked) -> TaskAnswer:
    with asked.fleet.database.read() as session:
        return task_answer(session, find(session, asked.key))


def _events(asked: Asked) -> EventsAnswer:
    with asked.fleet.database.read() as session:
        task = find(session, asked.key)
        return events_answer(events_since(session, task.id, asked.query.after, asked.query.limit), asked.query.after)


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


def _action(name: str, summary: str, operation: Callable[[Fleet, str, int], Task]) -> Call:
    return Call(
        "POST",
        f"/tasks/{{id}}/{name}",
        summary,
        _change(operation),
        answer=TaskAnswer,
        status=202,
        body=Nothing,
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
        "/tasks/{id}/stream",
        "Follow a task's log; the event `end` comes when the task is over",
        _stream,
        query=lists.StreamParameters,
        streams="line",
    ),
    _action("retry", "Run a failed task again now, with fresh attempts", tasks.retry),
    _action("cancel", "Stop a task", tasks.cancel),
)
