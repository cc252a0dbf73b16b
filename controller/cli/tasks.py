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
    words,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
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
        ("ID", "ACTION", "TARGET", "SERVER", "STATUS", "ATTEMPTS", "STARTED", "FINISHED", "ERROR OR WAIT"),
        [
            (
                task.id,
                task.action,
                task.target,
                task.server,
                task.status.value,
                task.attempt,
                when(task.started_at),
                when(task.finished_at),
                " ".join((task.waits_for.reason if task.waits_for else task.error or "").split())[:80],
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
            "waits for": task.waits_for.reason if task.waits_for else "",
            "priority": task.priority,
            "attempts": task.attempt,
            "failures": ", ".join(f"{name} {count}" for name, count in task.tries.items()),
            "created": when(task.created_at),
            "started": when(task.started_at),
            "finished": when(task.finished_at),
            "next attempt": when(task.not_before),
            "changed": {None: "", True: "yes", False: "no"}[task.changed],
            "error": f"{task.error_title}: {task.error}" if task.error and task.error_title else task.error,
            "needs": ", ".join(map(str, task.needs)),
        }
    )


@task_app.command("log")
def show_log(
    task_id: TaskId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the task is over.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Everything that is stored: numbers, kinds and data too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a task's log; with --json one object on each line."""
    from controller.store.queries import events_since

    if raw and follow:
        raise BadInput("--raw and --follow do not go together")
    seen = 0
    with opened() as fleet:
        if raw:
            _print_raw(fleet, task_id, as_json)
            return
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


@task_app.command("force-fail")
def force_fail_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Give up a task that hangs, whatever it is doing."""
    from controller.operations import tasks

    with opened() as fleet:
        tasks.force_fail(fleet, actor(), task_id)
        _done(fleet, task_id, "has failed", as_json)


@task_app.command("priority")
def change_priority(
    task_id: TaskId,
    priority: Annotated[str, typer.Argument(help="urgent, normal, low, or a number from 1 (first) to 99.")],
    as_json: AsJson = False,
) -> None:
    """Let a task, and what waits for it, start before or after others."""
    from controller.operations import tasks

    number = tasks.PRIORITIES.get(priority.lower())
    if number is None and priority.isascii() and priority.isdigit() and len(priority) < 4:
        number = int(priority)
    if number is None:
        raise BadInput("PRIORITY: must be urgent, normal, low or a number from 1 to 99")
    with opened() as fleet:
        tasks.change_priority(fleet, actor(), task_id, number)
        _done(fleet, task_id, f"has priority {number}", as_json)


@task_app.command("clean")
def clean_tasks(
    days: Annotated[int, typer.Option(min=0, max=3650, help="Only tasks that finished more days ago than this.")] = 30,
    status: Annotated[
        list[str] | None, typer.Option(help="succeeded, failed or cancelled; default: succeeded. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete finished tasks with their logs. What is still needed stays."""
    from datetime import timedelta

    from controller.domain.words import FINAL_TASK_STATES, TaskStatus
    from controller.engine.dispatch import stuck
    from controller.operations import task_bulk
    from controller.store.base import utcnow
    from controller.store.task_queries import TaskFilter
    from controller.web.api.task_answers import bulk_answer

    states = words(status or ["succeeded"])
    if unknown := [state for state in states if state not in FINAL_TASK_STATES]:
        raise BadInput(f"--status: {unknown[0]} is none of {', '.join(sorted(FINAL_TASK_STATES))}")
    wanted = TaskFilter(states=[TaskStatus(state) for state in states], finished_before=utcnow() - timedelta(days=days))
    with opened() as fleet:
        if dry_run:
            with fleet.database.read() as session:
                result = task_bulk.removable(session, wanted, stuck(utcnow(), fleet.settings.task_timeout))
        else:
            result = task_bulk.run(fleet, actor(), task_bulk.BulkAction.DELETE, wanted=wanted)
    if as_json:
        out_json(bulk_answer(result))
    else:
        out(f"{'Would do: ' if dry_run else ''}{result.words()}")


def _done(fleet: Fleet, task_id: int, what: str, as_json: bool) -> None:
    task = _answer(fleet, task_id)
    if as_json:
        out_json(task)
    else:
        out(f"Task {task.id} {'is cancelled' if task.status.value == 'cancelled' else what}")


def _answer(fleet: Fleet, task_id: int) -> TaskAnswer:
    from controller.operations.records import must
    from controller.store.models import Task
    from controller.web.api.task_answers import task_answer

    with fleet.database.read() as session:
        return task_answer(session, must(session.get(Task, task_id), "task", task_id))


def _print_raw(fleet: Fleet, task_id: int, as_json: bool) -> None:
    from controller.web import log_files

    pieces = log_files.as_json_lines if as_json else log_files.as_text
    for piece in pieces(fleet.database, _answer(fleet, task_id).id):
        sys.stdout.write(piece)


def _print_event(event: TaskEvent, as_json: bool) -> None:
    from controller.web.api.task_answers import event_answer
    from controller.web.log_lines import readable

    if as_json:
        out(json.dumps(plain(event_answer(event)), ensure_ascii=False))
    elif text := readable(event.text):
        for line in text.splitlines():
            out(f"{event.at:%H:%M:%S}  {line}")
