"""One task: what it is at and why, its log, and what staff can do with it. The list is in ``task_queue``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from controller.domain.failures import CLASS_WORDS
from controller.domain.words import FINAL_TASK_STATES
from controller.engine.fleet import Fleet
from controller.operations import tasks as operations
from controller.operations.records import must
from controller.store.database import Database
from controller.store.models import Task
from controller.store.task_queries import events_stored, successors, tickets_of
from controller.web import log_files
from controller.web.access import Access, page
from controller.web.live import after_of, all_lines, live_of, stream_response
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render
from controller.web.waiting import error_kind, waits

LINES_SHOWN = 2000
"""A log longer than this begins with a note; the downloads have all of it."""


def find(session: Session, request: Request) -> Task:
    """The task in the path, or NotFound."""
    task_id = path_id(request)
    return must(session.get(Task, task_id), "task", task_id)


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        task = find(session, request)
        lines = all_lines(session, task.id, 0)
        kind = error_kind(task)
        expected = task.events_expected or 0
        return render(
            request,
            "admin/tasks/detail.html",
            task=task,
            wait=waits(session, [task]).get(task.id),
            class_words=CLASS_WORDS[kind] if kind else None,
            needs=task.needs,
            later=successors(session, task.id),
            lines=lines[-LINES_SHOWN:],
            left_out=max(0, len(lines) - LINES_SHOWN),
            missing=max(0, expected - events_stored(session, task.id)),
            last=lines[-1]["seq"] if lines else 0,
            ticket=tickets_of(session, [task.id]).get(task.id),
            open=task.status not in FINAL_TASK_STATES,
        )


async def stream(request: Request) -> Response:
    await run_in_threadpool(_exists, request)
    return stream_response(live_of(request).task(path_id(request), after_of(request)))


def _exists(request: Request) -> None:
    with database_of(request).read() as session:
        find(session, request)


def log_file(
    pieces: Callable[[Database, int], Iterator[str]], ending: str, media_type: str
) -> Callable[[Request], Response]:
    """A download of everything that is stored of a task's log."""

    def endpoint(request: Request) -> Response:
        _exists(request)
        task_id = path_id(request)
        return StreamingResponse(
            pieces(database_of(request), task_id),
            media_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="task-{task_id}.{ending}"'},
        )

    return endpoint


def action(operation: Callable[[Fleet, str, int], object], done: str) -> Callable[[Request], Response]:
    """A button's endpoint; shows the task afterwards."""

    def endpoint(request: Request) -> Response:
        return _run(request, operation, done)

    return endpoint


def priority(request: Request) -> Response:
    wanted = str(request.state.form.get("priority", ""))
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 4 else 0
    return _run(
        request,
        lambda fleet, actor, task_id: operations.change_priority(fleet, actor, task_id, number),
        "The priority is changed.",
    )


def _run(request: Request, operation: Callable[[Fleet, str, int], object], done: str) -> Response:
    with database_of(request).read() as session:
        task = find(session, request)
    with refusal_flashed(request):
        operation(fleet_of(request), actor_of(request), task.id)
        flash(request, done)
    return RedirectResponse(f"/admin/tasks/{task.id}", 303)


def _post(name: str, endpoint: Callable[[Request], Response]) -> BaseRoute:
    return page(f"/admin/tasks/{{id:int}}/{name}", endpoint, Access.OPERATOR, methods=["POST"])


routes: list[BaseRoute] = [
    page("/admin/tasks/{id:int}", detail, Access.STAFF),
    page("/admin/tasks/{id:int}/stream", stream, Access.STAFF),
    page("/admin/tasks/{id:int}/log.txt", log_file(log_files.as_text, "log.txt", "text/plain"), Access.STAFF),
    page(
        "/admin/tasks/{id:int}/log.jsonl",
        log_file(log_files.as_json_lines, "log.jsonl", "application/jsonl"),
        Access.STAFF,
    ),
    _post("retry", action(operations.retry, "The task is queued again.")),
    _post("cancel", action(operations.cancel, "The task is being cancelled.")),
    _post("force-fail", action(operations.force_fail, "The task has failed now.")),
    _post("priority", priority),
]
