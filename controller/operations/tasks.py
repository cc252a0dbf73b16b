"""What staff can do to a single task."""

from __future__ import annotations

from controller.domain.words import OPEN_TASK_STATES, ServiceStatus, TaskStatus
from controller.engine import lifecycle
from controller.operations.errors import Refused
from controller.operations.fleet import Fleet
from controller.operations.records import audit, must, note
from controller.store.models import Task


def retry(fleet: Fleet, actor: str, task_id: int) -> Task:
    """Run a task that failed, was cancelled or waits for its next attempt now, with fresh attempts.

    Raises NotFound, Refused.
    """
    with fleet.database.write() as session:
        task = must(session.get(Task, task_id), "task", task_id)
        if task.status not in (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED):
            raise Refused(f"task {task_id} is {task.status.value}; only one that failed, waits or was cancelled can")
        lifecycle.queue_again(session, task)
        if task.service is not None:
            task.service.error = None
            if task.service.status is ServiceStatus.ERROR:
                task.service.status = ServiceStatus.DEPLOYING
        note(
            session,
            "task.retry",
            f"{task.label}: trying again",
            actor=actor,
            service_id=task.service_id,
            server_id=task.server_id,
            task_id=task.id,
        )
        audit(session, actor, "task.retry", f"{task.action} {task.target}", task_id=task.id)
    fleet.wake([(task.id, task.priority)])
    return task


def cancel(fleet: Fleet, actor: str, task_id: int) -> Task:
    """Stop a task: one that waits is cancelled at once, a running one as soon as its worker sees it.

    Raises NotFound, Refused when it is over already.
    """
    with fleet.database.write() as session:
        task = must(session.get(Task, task_id), "task", task_id)
        if task.status not in OPEN_TASK_STATES:
            raise Refused(f"task {task_id} is {task.status.value} already")
        lifecycle.cancel(session, task, f"cancelled by {actor}")
        audit(session, actor, "task.cancel", f"{task.action} {task.target}", task_id=task.id)
    return task
