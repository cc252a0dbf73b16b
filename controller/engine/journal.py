"""What the engine leaves behind for people: lines of activity (live pages) and of the operation log."""

from __future__ import annotations

from sqlalchemy.orm import Session

from controller.domain.words import READ_ONLY_ACTIONS, TaskStatus
from controller.store.models import Activity, OperationLog, Service, Task

ENGINE = "engine"
"""Who asked when nobody did."""


def is_routine(task: Task) -> bool:
    """Whether the engine looks by itself, as it does all the time: lines about it would bury everything else."""
    return task.action in READ_ONLY_ACTIONS and task.pipeline.actor == ENGINE


def note(session: Session, task: Task, kind: str, message: str) -> None:
    """A line of activity about a task, unless it is the engine's routine and works."""
    if is_routine(task) and task.status in (TaskStatus.RUNNING, TaskStatus.SUCCEEDED):
        return
    session.add(
        Activity(kind=kind, message=message, service_id=task.service_id, server_id=task.server_id, task_id=task.id)
    )


def say(session: Session, service: Service, kind: str, message: str) -> None:
    """A line of activity about a service."""
    session.add(Activity(kind=kind, message=message, service_id=service.id))


def say_server(session: Session, server_id: int, kind: str, message: str) -> None:
    """A line of activity about a server."""
    session.add(Activity(kind=kind, message=message, server_id=server_id))


def record(session: Session, task: Task, message: str, result: str = "") -> None:
    """A line of the operation log about a step that is over. Checks that found nothing wrong leave none:
    a nightly look over a fleet would bury everything else."""
    if task.status is TaskStatus.SUCCEEDED and (task.check_mode or is_routine(task)):
        return
    session.add(
        OperationLog(
            actor=task.pipeline.actor or ENGINE,
            action=task.action,
            target=task.target,
            result=result or task.status.value,
            message=message,
            service_id=task.service_id,
            server_id=task.server_id,
            task_id=task.id,
        )
    )
