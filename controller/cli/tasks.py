"""``task``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    actor,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    plain,
    when,
)

if TYPE_CHECKING:
    from controller.operations.fleet import Fleet
    from controller.store.models import TaskEvent
    from controller.web.api.task_answers import TaskAnswer

task_app = new_group("Tasks: what is queued, runs, was done.")

TaskId = Annotated[int, typer.Argument(metavar="TASK", min=1, max=2**62, help="Id.")]
POLL_SECONDS = 0.2
OVER = frozenset({"succeeded", "failed", "cancelled"})


def print_tasks(as_json: bool, tasks: Sequence[TaskAnswer]) -> None:
    """Tasks as JSON or as a table."""
    out_list(
        as_json,
        tasks,
        ("ID", "ACTION", "TARGET", "SERVER", "STATUS", "ATTEMPTS", "STARTED", "FINISHED", "ERROR"),
        [
            (
                task.id,
                task.action,
                task.target,
                task.server,
                task.status.value,
                f"{task.attempt}/{task.max_attempts}",
                when(task.started_at),
                when(task.finished_at),
                " ".join((task.error or "").split())[:80],
            )
            for task in tasks
        ],
    )


@task_app.command("list")
def list_tasks(
    status: Annotated[str, typer.Option(help="Only tasks with this status.")] = "",
    service: Annotated[str, typer.Option(help="Only tasks of this service (id or domain).")] = "",
    server: Annotated[str, typer.Option(help="Only tasks on this server (id or name).")] = "",
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Tasks on a page.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List tasks, the newest first."""
    from controller.domain.words import TaskStatus
    from controller.operations.records import must
    from controller.store.queries import find_server, find_service
    from controller.store.task_queries import TaskFilter, task_page
    from controller.web.api.task_answers import task_answers

    if status and status not in set(TaskStatus):
        raise BadInput(f"--status: must be one of {', '.join(TaskStatus)}")
    with opened() as fleet, fleet.database.read() as session:
        found = task_page(
            session,
            TaskFilter(
                service_id=must(find_service(session, service.lower()), "service", service).id if service else None,
                server_id=must(find_server(session, server), "server", server).id if server else None,
                state=status,
            ),
            page=page,
            per_page=per_page,
        )
        print_tasks(as_json, task_answers(session, found.items if found.page == page else []))


@task_app.command("show")
def show_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Show a task."""
    with opened() as fleet:
        task = _answer(fleet, task_id)
    if as_json:
        out_json(task)
        return
    out_fields(
        {
            "id": task.id,
            "action": task.action,
            "step": task.label,
            "target": task.target,
            "server": task.server,
            "service": task.service_id,
            "status": task.status.value,
            "attempts": f"{task.attempt}/{task.max_attempts}",
            "created": when(task.created_at),
            "started": when(task.started_at),
            "finished": when(task.finished_at),
            "next attempt": when(task.not_before),
            "changed": {None: "", True: "yes", False: "no"}[task.changed],
            "error": task.error,
            "needs": ", ".join(map(str, task.needs)),
        }
    )


@task_app.command("log")
def show_log(
    task_id: TaskId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the task is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a task's log; with --json one object on each line."""
    from controller.store.queries import events_since

    seen = 0
    with opened() as fleet:
        while True:
            over = not follow or _answer(fleet, task_id).status.value in OVER
            while True:
                with fleet.database.read() as session:
                    events = events_since(session, _answer(fleet, task_id).id, seen)
                for event in events:
                    seen = event.seq
                    _print_event(event, as_json)
                if not events:
                    break
            sys.stdout.flush()
            if over:
                return
            time.sleep(POLL_SECONDS)


@task_app.command("retry")
def retry_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Run a failed task again now, with fresh attempts."""
    from controller.operations import tasks

    with opened() as fleet:
        tasks.retry(fleet, actor(), task_id)
        _done(fleet, task_id, "is queued again", as_json)


@task_app.command("cancel")
def cancel_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Stop a task."""
    from controller.operations import tasks

    with opened() as fleet:
        tasks.cancel(fleet, actor(), task_id)
        _done(fleet, task_id, "will be stopped", as_json)


def _done(fleet: Fleet, task_id: int, words: str, as_json: bool) -> None:
    task = _answer(fleet, task_id)
    if as_json:
        out_json(task)
    else:
        out(f"Task {task.id} {'is cancelled' if task.status.value == 'cancelled' else words}")


def _answer(fleet: Fleet, task_id: int) -> TaskAnswer:
    from controller.operations.records import must
    from controller.store.models import Task
    from controller.web.api.task_answers import task_answer

    with fleet.database.read() as session:
        return task_answer(session, must(session.get(Task, task_id), "task", task_id))


def _print_event(event: TaskEvent, as_json: bool) -> None:
    from controller.web.api.task_answers import event_answer
    from controller.web.log_lines import readable

    if as_json:
        out(json.dumps(plain(event_answer(event)), ensure_ascii=False))
    elif text := readable(event.text):
        for line in text.splitlines():
            out(f"{event.at:%H:%M:%S}  {line}")
