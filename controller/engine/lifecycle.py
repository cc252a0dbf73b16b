"""Life of a task: every change of its state is here, each one transaction's worth of work on rows.

Nothing here runs a task or talks to the queue; callers do that after the commit.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass, RetryPolicy, customer_words
from controller.domain.words import Desired, ServerStatus, ServiceStatus, TaskStatus
from controller.settings import Settings
from controller.store.base import utcnow
from controller.store.models import (
    Account,
    Activity,
    Pipeline,
    Resource,
    Server,
    ServerLock,
    Service,
    Task,
    TaskEvent,
    TaskNeed,
)
from controller.store.queries import current_pipeline

READ_ONLY_ACTIONS = frozenset({"server.status"})
# A task whose worker dies again and again is a poison; from then on an interruption counts as an attempt.
FREE_INTERRUPTIONS = 5

Ready = list[tuple[int, int]]
"""Tasks to ring for after the commit, as (id, priority)."""


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a task; the fence tells this hold from every other."""

    task_id: int
    fence: int
    attempt: int
    last_seq: int


def changes_server(task: Task) -> bool:
    """Whether the task may change its server (and so needs the server's lock)."""
    return not task.check_mode and task.action not in READ_ONLY_ACTIONS


def claim(session: Session, task_id: int, owner: str, settings: Settings) -> Claim | None:
    """Take a queued task that is due and whose server is free; None when it is not to be had now."""
    now = utcnow()
    task = session.scalars(select(Task).where(Task.id == task_id).with_for_update()).first()
    if task is None or task.status is not TaskStatus.QUEUED or (task.not_before and task.not_before > now):
        return None
    if task.server.status in (ServerStatus.MAINTENANCE, ServerStatus.DISABLED):
        return None
    until = now + dt.timedelta(seconds=settings.lease_seconds)
    fence = task.fence + 1
    if changes_server(task) and not _take_lock(session, task, fence, now, until):
        return None
    task.fence, task.status, task.attempt = fence, TaskStatus.RUNNING, task.attempt + 1
    task.lease_owner, task.lease_until = owner, until
    task.started_at, task.finished_at = now, None
    task.error_class = task.error = None
    task.cancel_requested = False
    if task.resource is not None:
        task.generation = task.resource.generation
    if task.service is not None and task.service.status is ServiceStatus.PENDING:
        task.service.status = ServiceStatus.DEPLOYING
    _note(session, task, "task.running", task.label)
    last = session.scalar(
        select(TaskEvent.seq).where(TaskEvent.task_id == task.id).order_by(TaskEvent.seq.desc()).limit(1)
    )
    return Claim(task.id, fence, task.attempt, last or 0)


def _take_lock(session: Session, task: Task, fence: int, now: dt.datetime, until: dt.datetime) -> bool:
    held = session.scalars(select(ServerLock).where(ServerLock.server_id == task.server_id).with_for_update()).first()
    if held is not None and held.until > now:
        return False
    if held is not None:
        session.delete(held)
        session.flush()
    session.add(ServerLock(server_id=task.server_id, task_id=task.id, fence=fence, until=until))
    session.flush()
    return True


def renew(session: Session, owner: str, claims: Iterable[Claim], settings: Settings) -> tuple[set[int], set[int]]:
    """Renew leases; returns the ids of tasks that were lost, and of those somebody wants cancelled."""
    until = utcnow() + dt.timedelta(seconds=settings.lease_seconds)
    lost, cancelled = set(), set()
    for held in claims:
        task = session.get(Task, held.task_id)
        if task is None or task.status is not TaskStatus.RUNNING or task.fence != held.fence:
            lost.add(held.task_id)
            continue
        task.lease_until = until
        session.execute(
            update(ServerLock)
            .where(ServerLock.task_id == held.task_id, ServerLock.fence == held.fence)
            .values(until=until)
        )
        if task.cancel_requested:
            cancelled.add(held.task_id)
    return lost, cancelled


def finish(session: Session, held: Claim, outcome: Outcome, last_seq: int, settings: Settings) -> Ready | None:
    """Write the result of an attempt; None when a newer attempt holds the task (then nothing is written)."""
    task = session.scalars(select(Task).where(Task.id == held.task_id).with_for_update()).first()
    if task is None or task.fence != held.fence or task.status is not TaskStatus.RUNNING:
        return None
    _release(session, task)
    task.lease_owner = task.lease_until = None
    task.events_expected = last_seq
    task.result = {
        "facts": outcome.facts,
        "actions": outcome.actions,
        "repaired": outcome.repaired,
        "diff": outcome.diff,
    }
    task.changed = outcome.changed
    if outcome.ok:
        _succeed(session, task, outcome)
    elif outcome.stopped:
        if task.cancel_requested:
            _end(session, task, TaskStatus.CANCELLED, "cancelled", "task.cancelled")
        else:
            _interrupt(session, task)
    else:
        _fail(session, task, outcome, settings)
    session.flush()
    ready = _wake_successors(session, task)
    _settle(session, task)
    session.flush()
    return ready + next_on_server(session, task.server_id)


def queue_again(session: Session, task: Task) -> None:
    """Make a task ready with fresh attempts; what it held back waits for it again."""
    task.status, task.attempt, task.not_before = TaskStatus.QUEUED, 0, None
    task.queued_at, task.finished_at = utcnow(), None
    task.error_class = task.error = None
    for later in _later(session, task, TaskStatus.HELD):
        later.status = TaskStatus.WAITING


def cancel(session: Session, task: Task, why: str) -> None:
    """Cancel a task that is not over: one that runs is stopped by its worker as soon as it sees the wish."""
    if task.status is TaskStatus.RUNNING:
        task.cancel_requested = True
        return
    _end(session, task, TaskStatus.CANCELLED, why, "task.cancelled")
    session.flush()
    _settle(session, task)


def next_on_server(session: Session, server_id: int) -> Ready:
    """The most urgent due task that waits for this server."""
    rows = session.execute(
        select(Task.id, Task.priority)
        .where(
            Task.server_id == server_id,
            Task.status == TaskStatus.QUEUED,
            or_(Task.not_before.is_(None), Task.not_before <= utcnow()),
        )
        .order_by(Task.priority, Task.id)
        .limit(1)
    )
    return [(task_id, priority) for task_id, priority in rows]


def expired(session: Session) -> Sequence[Task]:
    """Running tasks whose worker has not renewed its lease."""
    return session.scalars(select(Task).where(Task.status == TaskStatus.RUNNING, Task.lease_until < utcnow())).all()


def take_back(session: Session, task_id: int, fence: int) -> Ready:
    """Queue the task of a dead worker again; only if it is still held by that fence and overdue."""
    task = session.scalars(select(Task).where(Task.id == task_id).with_for_update()).first()
    if (
        task is None
        or task.fence != fence
        or task.status is not TaskStatus.RUNNING
        or task.lease_until is None
        or task.lease_until >= utcnow()
    ):
        return []
    _release(session, task)
    task.lease_owner = task.lease_until = None
    if _interrupt(session, task):
        _note(session, task, "task.interrupted", f"{task.label}: interrupted, starting again")
    session.flush()
    _settle(session, task)
    session.flush()
    return next_on_server(session, task.server_id)


def due(session: Session, limit: int = 200) -> Ready:
    """Queued tasks that could start now: due, and no valid lock on their server unless they only read."""
    now = utcnow()
    locked = select(ServerLock.server_id).where(ServerLock.until > now)
    rows = session.execute(
        select(Task.id, Task.priority)
        .join(Server, Server.id == Task.server_id)
        .where(
            Task.status == TaskStatus.QUEUED,
            or_(Task.not_before.is_(None), Task.not_before <= now),
            Server.status.in_((ServerStatus.ACTIVE, ServerStatus.CLOSED)),
            or_(Task.server_id.not_in(locked), Task.check_mode, Task.action.in_(READ_ONLY_ACTIONS)),
        )
        .order_by(Task.priority, Task.id)
        .limit(limit)
    )
    return [(task_id, priority) for task_id, priority in rows]


def _release(session: Session, task: Task) -> None:
    session.execute(delete(ServerLock).where(ServerLock.task_id == task.id, ServerLock.fence == task.fence))


def _succeed(session: Session, task: Task, outcome: Outcome) -> None:
    _end(session, task, TaskStatus.SUCCEEDED, None, "task.succeeded")
    if task.action == "server.status":
        _store_status(task.server, outcome)
    resource = task.resource
    if resource is None or task.check_mode or task.generation is None:
        return
    resource.facts = {**resource.facts, **outcome.facts}
    resource.applied_generation = max(resource.applied_generation, task.generation)
    resource.applied_at = utcnow()
    if resource.desired is Desired.ABSENT and resource.applied_generation == resource.generation:
        # The server has confirmed that it is gone.
        session.delete(resource)
        task.resource_id = None


def _store_status(server: Server, outcome: Outcome) -> None:
    server.facts = outcome.facts
    server.hostname = str(outcome.facts.get("hostname") or server.hostname)
    server.checked_at, server.problem = utcnow(), None


def _fail(session: Session, task: Task, outcome: Outcome, settings: Settings) -> None:
    kind = outcome.error_class or ErrorClass.INTERNAL
    task.error_class, task.error = kind.value, outcome.error
    policy = RetryPolicy(task.max_attempts, settings.retry_delay, delay_max=settings.retry_delay_max)
    delay = policy.next_delay(task.attempt, kind, random.SystemRandom())
    if delay is not None:
        task.status = TaskStatus.QUEUED
        task.not_before = task.queued_at = utcnow() + dt.timedelta(seconds=delay)
        _note(session, task, "task.retrying", f"{task.label}: did not work, trying again in {delay:.0f} s")
        return
    _give_up(session, task, outcome.error)
    if task.action == "server.status":
        task.server.problem, task.server.checked_at = outcome.error, utcnow()


def _interrupt(session: Session, task: Task) -> bool:
    """Queue again without spending an attempt; a task that is interrupted again and again spends them.

    Returns whether it will run again.
    """
    if task.fence - task.attempt < FREE_INTERRUPTIONS:
        task.attempt -= 1
    task.error_class = ErrorClass.INTERRUPTED.value
    if task.attempt >= task.max_attempts:
        _give_up(session, task, "its worker ended in the middle again and again")
        return False
    task.status, task.not_before, task.queued_at = TaskStatus.QUEUED, None, utcnow()
    task.error = "interrupted; will be looked at again"
    return True


def _give_up(session: Session, task: Task, error: str | None) -> None:
    """Failed for good: what depends on it is held."""
    _end(session, task, TaskStatus.FAILED, error, "task.failed")
    for later in _later(session, task, TaskStatus.WAITING):
        later.status = TaskStatus.HELD


def _end(session: Session, task: Task, status: TaskStatus, error: str | None, kind: str) -> None:
    task.status, task.finished_at, task.error = status, utcnow(), error
    _note(session, task, kind, task.label)
    if status is TaskStatus.CANCELLED:
        for later in _later(session, task, TaskStatus.WAITING):
            later.status = TaskStatus.HELD


def _later(session: Session, task: Task, state: TaskStatus) -> list[Task]:
    """Everything that waits for the task, directly or not, and is in this state."""
    found: dict[int, Task] = {}
    frontier = [task.id]
    while frontier:
        rows = session.scalars(
            select(Task).join(TaskNeed, TaskNeed.task_id == Task.id).where(TaskNeed.needs_id.in_(frontier))
        ).all()
        frontier = [row.id for row in rows if row.id not in found]
        found.update({row.id: row for row in rows})
    return [later for later in found.values() if later.status is state]


def _wake_successors(session: Session, task: Task) -> Ready:
    if task.status is not TaskStatus.SUCCEEDED:
        return []
    ready: Ready = []
    successors = session.scalars(
        select(Task)
        .join(TaskNeed, TaskNeed.task_id == Task.id)
        .where(TaskNeed.needs_id == task.id, Task.status.in_((TaskStatus.WAITING, TaskStatus.HELD)))
    ).all()
    for successor in successors:
        open_needs = session.scalar(
            select(Task.id)
            .join(TaskNeed, TaskNeed.needs_id == Task.id)
            .where(TaskNeed.task_id == successor.id, Task.status != TaskStatus.SUCCEEDED)
            .limit(1)
        )
        if open_needs is None:
            successor.status, successor.queued_at = TaskStatus.QUEUED, utcnow()
            ready.append((successor.id, successor.priority))
    return ready


def _settle(session: Session, task: Task) -> None:
    """Bring pipeline and service in line with their tasks."""
    pipeline = session.get_one(Pipeline, task.pipeline_id)
    states = set(session.scalars(select(Task.status).where(Task.pipeline_id == pipeline.id)))
    moving = states & {TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.WAITING}
    if not moving and not states & {TaskStatus.HELD}:
        pipeline.finished_at = utcnow()
    service = task.service
    if service is None or task.check_mode:
        return
    newest = current_pipeline(session, service.id)
    if newest is None or newest.id != pipeline.id:
        return
    if task.status is TaskStatus.FAILED:
        service.status = ServiceStatus.ERROR
        service.error = customer_words(ErrorClass(task.error_class or ErrorClass.INTERNAL), task.label)
        _say(session, service, "service.error", service.error)
    elif task.status is TaskStatus.CANCELLED:
        service.status = ServiceStatus.ERROR
        service.error = f"“{task.label}” was cancelled by our staff."
        _say(session, service, "service.error", service.error)
    elif states <= {TaskStatus.SUCCEEDED}:
        _complete(session, service)


def _complete(session: Session, service: Service) -> None:
    now = utcnow()
    service.error = None
    if service.desired is Desired.ABSENT:
        if session.scalar(select(Resource.id).where(Resource.service_id == service.id).limit(1)) is None:
            session.execute(delete(Account).where(Account.service_id == service.id))
            service.status, service.terminated_at = ServiceStatus.TERMINATED, now
            _say(session, service, "service.terminated", "Everything is removed")
    elif service.desired is Desired.SUSPENDED:
        service.status = ServiceStatus.SUSPENDED
        _say(session, service, "service.suspended", "The service is suspended")
    else:
        service.status, service.activated_at = ServiceStatus.ACTIVE, service.activated_at or now
        _say(session, service, "service.active", "The service is live")


def _note(session: Session, task: Task, kind: str, message: str) -> None:
    session.add(
        Activity(kind=kind, message=message, service_id=task.service_id, server_id=task.server_id, task_id=task.id)
    )


def _say(session: Session, service: Service, kind: str, message: str) -> None:
    session.add(Activity(kind=kind, message=message, service_id=service.id))
