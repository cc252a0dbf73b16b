"""What staff can do to a single task."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.words import FINAL_TASK_STATES, OPEN_TASK_STATES, VERIFY_ACTION, TaskStatus
from controller.engine import lifecycle
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.rows import take_task
from controller.operations.errors import Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must, note
from controller.store.models import Task, TaskNeed

PRIORITIES = {"urgent": 10, "normal": 50, "low": 90}
RETRYABLE = frozenset({TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED})


def retry(fleet: Fleet, actor: str, task_id: int) -> Task:
    """Run a task that failed, was cancelled or waits for its next attempt now, with fresh attempts.

    Raises NotFound, Refused.
    """
    return _change(fleet, actor, task_id, "task.retry", retry_one)


def retry_one(session: Session, actor: str, task: Task) -> Ready:
    """The same for a task whose rows the caller took. Raises Refused before anything is changed."""
    if task.status not in RETRYABLE:
        raise Refused(f"task {task.id} is {task.status.value}; only one that failed, waits or was cancelled can")
    if task.is_moot:
        raise Refused(f"task {task.id} was about {task.target}, which is gone")
    if task.action == VERIFY_ACTION:
        raise Refused(f"task {task.id} belongs to a drift check; start a new one")
    if (newer := _newer_about_the_same(session, task)) is not None:
        # It was planned in the order of a wish that counts no more.
        if newer.status is TaskStatus.SUCCEEDED:
            raise Refused(f"task {newer.id} has done the same since")
        raise Refused(f"task {newer.id} is newer and about the same; retry that one, or redeploy the service")
    ready = lifecycle.queue_again(session, task)
    note(
        session,
        "task.retry",
        f"{task.label}: trying again",
        actor=actor,
        service_id=task.service_id,
        server_id=task.server_id,
        task_id=task.id,
    )
    return ready


def _newer_about_the_same(session: Session, task: Task) -> Task | None:
    """The newest of them."""
    if task.resource_id is None or task.check_mode:
        return None
    same = select(Task).where(Task.resource_id == task.resource_id, Task.id > task.id, ~Task.check_mode)
    return session.scalars(same.order_by(Task.id.desc()).limit(1)).first()


def cancel(fleet: Fleet, actor: str, task_id: int) -> Task:
    """Stop a task: one that waits is cancelled at once, a running one as soon as its worker sees it.

    Raises NotFound, Refused when it is over already.
    """
    return _change(fleet, actor, task_id, "task.cancel", cancel_one)


def cancel_one(session: Session, actor: str, task: Task) -> Ready:
    """The same for a task whose rows the caller took. Raises Refused."""
    if task.status not in OPEN_TASK_STATES:
        raise Refused(f"task {task.id} is {task.status.value} already")
    return lifecycle.cancel(session, [task], f"cancelled by {actor}")


def force_fail(fleet: Fleet, actor: str, task_id: int) -> Task:
    """Give up a task that hangs, whatever it is doing: its result will not be written any more, and what still
    runs of it is stopped. Raises NotFound, Refused when it is over already."""
    return _change(fleet, actor, task_id, "task.force-fail", force_fail_one)


def force_fail_one(session: Session, actor: str, task: Task) -> Ready:
    """The same for a task whose rows the caller took. Raises Refused."""
    if task.status in FINAL_TASK_STATES:
        raise Refused(f"task {task.id} is {task.status.value} already")
    return lifecycle.force_fail(session, task, f"given up by {actor}")


def change_priority(fleet: Fleet, actor: str, task_id: int, priority: int) -> Task:
    """Let a task, and what waits for it, start before or after others; 1 is first, 99 last.

    Raises NotFound, Invalid, Refused when it is over already.
    """
    check_priority(priority)
    return _change(
        fleet,
        actor,
        task_id,
        "task.priority",
        lambda session, who, task: change_priority_one(session, who, task, priority),
    )


def check_priority(priority: int | None) -> None:
    """Raises Invalid."""
    fields = Fields()
    fields.integer("priority", priority, 1, 99)
    fields.finish()


def change_priority_one(session: Session, _actor: str, task: Task, priority: int) -> Ready:
    """The same for a task whose rows the caller took. Raises Refused."""
    if task.status in FINAL_TASK_STATES:
        raise Refused(f"task {task.id} is {task.status.value} already")
    for one in _and_later(session, task):
        if one.status not in FINAL_TASK_STATES:
            one.priority = priority
    return [(task.id, priority)] if task.status is TaskStatus.QUEUED else []


def _and_later(session: Session, task: Task) -> list[Task]:
    """The task and everything that waits for it, directly or not."""
    found, frontier = {task.id: task}, [task.id]
    while frontier:
        needing = session.scalars(
            select(Task).join(TaskNeed, TaskNeed.task_id == Task.id).where(TaskNeed.needs_id.in_(frontier))
        ).all()
        frontier = [one.id for one in needing if one.id not in found]
        found |= {one.id: one for one in needing}
    return list(found.values())


def _change(fleet: Fleet, actor: str, task_id: int, action: str, change: Callable[[Session, str, Task], Ready]) -> Task:
    with fleet.database.write() as session:
        task = must(take_task(session, task_id), "task", task_id)
        ready = change(session, actor, task)
        audit(
            session,
            actor,
            action,
            f"{task.action} {task.target}",
            message=task.label,
            service_id=task.service_id,
            server_id=task.server_id,
            task_id=task.id,
        )
    fleet.wake(ready)
    return task
