"""The task queue, one task with its log, and what staff can do with a task."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.domain.pipelines import STEP_ORDER
from controller.domain.words import TaskStatus
from controller.operations import tasks as operations
from controller.operations.errors import OperationError
from controller.operations.fleet import Fleet
from controller.operations.records import must
from controller.store.models import Server, Task
from controller.store.task_queries import TaskFilter, task_page
from controller.web.access import Access, page
from controller.web.live import after_of, all_lines, live_of, stream_response
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash
from controller.web.templating import render

ACTIONS = (*STEP_ORDER, "server.status")
LINES_SHOWN = 2000
"""A log longer than this begins with a note; the API gives all of it."""


def find(session: Session, request: Request) -> Task:
    """The task in the path, or NotFound."""
    task_id = path_id(request)
    return must(session.get(Task, task_id), "task", task_id)


def task_list(request: Request) -> Response:
    search, state, action = query(request, "search"), query(request, "state"), query(request, "action")
    server, sort = query(request, "server"), query(request, "sort") or "-id"
    with database_of(request).read() as session:
        servers = session.scalars(select(Server).order_by(Server.name)).all()
        found = task_page(
            session,
            TaskFilter(
                search=search,
                state=state,
                action=action if action in ACTIONS else "",
                server_id=int(server) if server.isdigit() and len(server) < 19 else None,
            ),
            sort=sort,
            page=page_number(request),
        )
        return render(
            request,
            "admin/tasks/list.html",
            found=found,
            search=search,
            state=state,
            action=action,
            server=server,
            servers=servers,
            sort=sort,
            actions=ACTIONS,
        )


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        task = find(session, request)
        lines = all_lines(session, task.id, 0)
        return render(
            request,
            "admin/tasks/detail.html",
            task=task,
            lines=lines[-LINES_SHOWN:],
            left_out=max(0, len(lines) - LINES_SHOWN),
            last=lines[-1]["seq"] if lines else 0,
            open=task.status not in (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED),
        )


async def stream(request: Request) -> Response:
    await run_in_threadpool(_exists, request)
    return stream_response(live_of(request).task(path_id(request), after_of(request)))


def _exists(request: Request) -> None:
    with database_of(request).read() as session:
        find(session, request)


def action(operation: Callable[[Fleet, str, int], object], done: str) -> Callable[[Request], Response]:
    """A button's endpoint; goes back to where the task was seen."""

    def endpoint(request: Request) -> Response:
        with database_of(request).read() as session:
            task = find(session, request)
        try:
            operation(fleet_of(request), actor_of(request), task.id)
            flash(request, done)
        except OperationError as problem:
            flash(request, problem.message, "danger")
        back = f"/admin/services/{task.service_id}/tasks" if task.service_id else f"/admin/tasks/{task.id}"
        return RedirectResponse(back, 303)

    return endpoint


routes: list[BaseRoute] = [
    page("/admin/tasks", task_list, Access.STAFF),
    page("/admin/tasks/{id:int}", detail, Access.STAFF),
    page("/admin/tasks/{id:int}/stream", stream, Access.STAFF),
    page(
        "/admin/tasks/{id:int}/retry",
        action(operations.retry, "The task is queued again."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/tasks/{id:int}/cancel",
        action(operations.cancel, "The task is being cancelled."),
        Access.OPERATOR,
        methods=["POST"],
    ),
]
