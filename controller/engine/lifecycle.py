"""Life of a task: every change of its state is here, each one transaction's worth of work on rows.

Nothing here runs a task or talks to the queue; callers do that after the commit.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from controller.automation.runner import Outcome
from controller.domain.failures import BLOCKS_SERVER, ErrorClass
from controller.domain.options import RetryOptions
from controller.domain.words import FINAL_TASK_STATES, STATUS_ACTION, Desired, ServiceStatus, TaskStatus
from controller.engine import arrivals, breaker, desk, journal
from controller.engine.dispatch import Ready, changes_server, claimable, next_in_lane, next_on_server, reads_only
from controller.engine.rows import take, take_task
from controller.engine.settling import is_overtaken, settle
from controller.engine.zone_work import follow_facts
from controller.settings import Settings
from controller.store.base import utcnow
from controller.store.models import Account, Pipeline, Resource, Server, ServerLock, Task, TaskEvent
from controller.store.options import load
from controller.store.queries import current_pipeline

# A task whose worker dies again and again is a poison; from then on an interruption counts as an attempt.
FREE_INTERRUPTIONS = 5
BULKY_FACTS = frozenset({"views", "users", "content", "looked_at", "differences", "failures"})
"""Facts that have a place of their own (``arrivals``) and are not kept with the task."""


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a task; the fence tells this hold from every other."""

    task_id: int
    fence: int
    attempt: int
    last_seq: int
    is_probe: bool = False
    """Whether it asks for a server that did not answer, and so may take long to come to nothing."""


def claim(session: Session, task_id: int, owner: str, settings: Settings) -> Claim | None:
    """Take a queued task that is due and whose server is free; None when it is not to be had now."""
    task = take_task(session, task_id)
    if task is None or task.status is not TaskStatus.QUEUED:
        return None
    server = take(session, Server, task.server_id)
    if server is None or not claimable(session, task_id):
        return None
    now = utcnow()
    until = now + dt.timedelta(seconds=settings.lease_seconds)
    fence = task.fence + 1
    if changes_server(task):
        # What is there has run out, or the task would not be claimable.
        session.execute(delete(ServerLock).where(ServerLock.server_id == server.id))
        session.add(ServerLock(server_id=server.id, task_id=task.id, fence=fence, until=until))
    task.fence, task.status, task.attempt = fence, TaskStatus.RUNNING, task.attempt + 1
    task.lease_owner, task.lease_until = owner, until
    task.started_at, task.finished_at = now, None
    task.error_class = task.error = None
    task.cancel_requested = False
    if task.resource is not None:
        task.generation = task.resource.generation
    if task.service is not None and task.service.status is ServiceStatus.PENDING:
        task.service.status = ServiceStatus.DEPLOYING
    journal.note(session, task, "task.running", task.label)
    last = session.scalar(
        select(TaskEvent.seq).where(TaskEvent.task_id == task.id).order_by(TaskEvent.seq.desc()).limit(1)
    )
    return Claim(task.id, fence, task.attempt, last or 0, is_probe=server.blocked_since is not None)


def renew(session: Session, claims: Iterable[Claim], settings: Settings) -> set[int]:
    """Renew leases; returns the ids of tasks that were lost.

    An attempt whose lock ran out and was taken by another is lost too, even if nobody has taken its task back yet.
    """
    until = utcnow() + dt.timedelta(seconds=settings.lease_seconds)
    lost = set()
    for held in sorted(claims, key=lambda claim: claim.task_id):
        mine = (ServerLock.task_id == held.task_id, ServerLock.fence == held.fence)
        renewed = session.execute(
            update(Task)
            .where(
                Task.id == held.task_id,
                Task.status == TaskStatus.RUNNING,
                Task.fence == held.fence,
                or_(reads_only(), select(ServerLock.server_id).where(*mine).exists()),
            )
            .values(lease_until=until)
        )
        if renewed.rowcount:  # type: ignore[attr-defined]
            session.execute(update(ServerLock).where(*mine).values(until=until))
        else:
            lost.add(held.task_id)
    return lost


def finish(session: Session, held: Claim, outcome: Outcome, last_seq: int) -> Ready | None:
    """Write the result of an attempt; None when a newer attempt holds the task (then nothing is written)."""
    task = take_task(session, held.task_id)
    if task is None or task.fence != held.fence or task.status is not TaskStatus.RUNNING:
        return None
    _release(session, task)
    task.events_expected = last_seq
    # What earlier attempts changed is not undone by another one; a look tells what it saw itself.
    earlier = task.result if task.tries and not task.check_mode else {}
    task.changed = outcome.changed or bool(earlier and task.changed)
    task.result = {
        "facts": {key: value for key, value in outcome.facts.items() if key not in BULKY_FACTS},
        "actions": [*earlier.get("actions", ()), *outcome.actions],
        "repaired": [*earlier.get("repaired", ()), *outcome.repaired],
        "diff": _both(earlier.get("diff"), outcome.diff),
    }
    ready: Ready = []
    if outcome.ok:
        breaker.close_breaker(session, task.server_id)
        ready = _succeed(session, task, outcome)
    elif outcome.stopped:
        _stopped(session, task)
    else:
        kind = outcome.error_class or ErrorClass.INTERNAL
        if kind not in BLOCKS_SERVER:
            breaker.close_breaker(session, task.server_id)
        arrivals.partly_arrive(session, task, outcome)
        _fail(session, task, kind, outcome.error)
    return ready + _after(session, task)


def _both(earlier: Any, later: Any) -> Any:
    """Two differences, one after the other: from before the first to after the last."""
    if not isinstance(earlier, dict) or not isinstance(later, dict):
        return later or earlier
    sides = [one.get(side) for side in ("before", "after") for one in (earlier, later)]
    known = [dict(side) for side in sides if isinstance(side, dict)]
    if len(known) < len(sides):
        return later
    return later | {"before": known[1] | known[0], "after": known[2] | known[3]}


def take_back(session: Session, task_id: int, fence: int) -> Ready:
    """Queue the task of a dead worker again; only if it is still held by that fence and overdue."""
    task = take_task(session, task_id)
    if (
        task is None
        or task.fence != fence
        or task.status is not TaskStatus.RUNNING
        or task.lease_until is None
        or task.lease_until >= utcnow()
    ):
        return []
    _release(session, task)
    _stopped(session, task)
    return _after(session, task)


def _after(session: Session, task: Task) -> Ready:
    """What an attempt that is over makes ready: by its result, by its server and by its lane."""
    ready = settle(session, task.pipeline_id)
    return ready + next_on_server(session, task.server_id) + next_in_lane(session, task.lane)


def queue_again(session: Session, task: Task) -> Ready:
    """Make a task ready with fresh attempts; what it held back waits for it again. The caller took its rows."""
    task.status, task.attempt, task.tries, task.not_before = TaskStatus.QUEUED, 0, {}, None
    task.queued_at, task.finished_at = utcnow(), None
    task.error_class = task.error = None
    task.cancel_requested = False
    return [(task.id, task.priority), *settle(session, task.pipeline_id)]


def cancel(session: Session, tasks: Iterable[Task], why: str) -> Ready:
    """Cancel tasks that are not over: one that runs is stopped by its worker as soon as it sees the wish.

    Returns what has become ready. The caller took the rows.
    """
    pipelines = set()
    for task in tasks:
        if task.status is TaskStatus.RUNNING:
            task.cancel_requested = True
        else:
            _end(session, task, TaskStatus.CANCELLED, why)
            pipelines.add(task.pipeline_id)
    return [one for pipeline_id in sorted(pipelines) for one in settle(session, pipeline_id)]


def force_fail(session: Session, task: Task, why: str) -> Ready:
    """Give up a task whatever it is doing. If it runs, its result will not be written any more.

    Its lock on the server stays until it runs out: the old run may take a moment to end.
    """
    task.fence += 1
    task.lease_owner = task.lease_until = None
    task.error_class = ErrorClass.INTERRUPTED.value
    # How many lines the run would have left is known to nobody.
    task.events_expected = None
    _give_up(session, task, why)
    return settle(session, task.pipeline_id)


def overtake(session: Session, service_id: int, newer: Pipeline) -> None:
    """Cancel what has not started of a service's older pipelines; a running task ends on its own, and whatever it
    did is looked at again by the newer tasks."""
    waiting = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.HELD)
    pipelines = session.scalars(
        select(Pipeline.id)
        .where(Pipeline.service_id == service_id, Pipeline.id != newer.id, Pipeline.finished_at.is_(None))
        .order_by(Pipeline.id)
    ).all()
    for pipeline_id in pipelines:
        take(session, Pipeline, pipeline_id)
        for task in session.scalars(select(Task).where(Task.pipeline_id == pipeline_id, Task.status.in_(waiting))):
            task.status, task.finished_at, task.error = TaskStatus.CANCELLED, utcnow(), "overtaken by a newer request"
        settle(session, pipeline_id)


def give_up_waiting(session: Session, task_id: int) -> None:
    """End a task that has waited for its server as long as its policy allows."""
    task = take_task(session, task_id)
    if task is None or task.status is not TaskStatus.QUEUED or task.server.blocked_since is None:
        return
    task.error_class = task.error_class or task.server.blocked_cause or ErrorClass.UNREACHABLE.value
    _give_up(session, task, task.error or f"{task.server.name} did not come back in time: {task.server.problem}")
    settle(session, task.pipeline_id)


def _release(session: Session, task: Task) -> None:
    task.lease_owner = task.lease_until = None
    session.execute(delete(ServerLock).where(ServerLock.task_id == task.id, ServerLock.fence == task.fence))


def _succeed(session: Session, task: Task, outcome: Outcome) -> Ready:
    _end(session, task, TaskStatus.SUCCEEDED, None)
    desk.task_succeeded(session, task)
    arrivals.arrive(session, task, outcome)
    resource = task.resource
    if resource is None or task.check_mode or task.generation is None:
        return []
    before, resource.facts = resource.facts, {**resource.facts, **outcome.facts}
    resource.applied_generation = max(resource.applied_generation, task.generation)
    resource.applied_at = utcnow()
    # What others wanted and could not do may have come true with it.
    others = _others_about(session, task)
    if is_gone := (resource.desired is Desired.ABSENT and resource.applied_generation == resource.generation):
        # The server has confirmed that it is gone.
        session.delete(resource)
        task.resource_id = None
        _forget_account(session, resource)
    session.flush()
    ready = [one for pipeline_id in others for one in _settle_other(session, pipeline_id)]
    return ready if is_gone else ready + follow_facts(session, resource, before)


def _others_about(session: Session, task: Task) -> list[int]:
    """Other pipelines with tasks about the same resource, as far as they are not history."""
    current = current_pipeline(session, task.service_id) if task.service_id is not None else None
    not_over = or_(Pipeline.finished_at.is_(None), Pipeline.id == (current.id if current is not None else None))
    query = (
        select(Pipeline.id)
        .join(Task, Task.pipeline_id == Pipeline.id)
        .where(Task.resource_id == task.resource_id, Pipeline.id != task.pipeline_id, not_over)
    )
    return list(session.scalars(query.distinct().order_by(Pipeline.id)))


def _settle_other(session: Session, pipeline_id: int) -> Ready:
    take(session, Pipeline, pipeline_id)
    # The database has let go of the resource in their rows.
    session.scalars(select(Task).where(Task.pipeline_id == pipeline_id).execution_options(populate_existing=True)).all()
    return settle(session, pipeline_id)


def _forget_account(session: Session, resource: Resource) -> None:
    """An account goes with the last thing that stood for it (a whole service's go with the service)."""
    service = resource.service
    if resource.account_id is None or service is None or service.desired is Desired.ABSENT:
        return
    session.flush()
    left = session.scalar(select(Resource.id).where(Resource.account_id == resource.account_id).limit(1))
    if left is None:
        session.execute(delete(Account).where(Account.id == resource.account_id))


def _stopped(session: Session, task: Task) -> None:
    """The attempt ended without a verdict: on request, or with its worker."""
    if task.cancel_requested:
        _end(session, task, TaskStatus.CANCELLED, "cancelled")
    elif is_overtaken(session, task):
        _end(session, task, TaskStatus.CANCELLED, "overtaken by a newer request")
    else:
        _interrupt(session, task)


def _fail(session: Session, task: Task, kind: ErrorClass, error: str | None) -> None:
    task.error_class, task.error = kind.value, error
    failures = int(task.tries.get(kind.value, 0)) + 1
    task.tries = {**task.tries, kind.value: failures}
    policy = load(session, RetryOptions).policy(kind)
    task.max_attempts = policy.attempts
    if kind in BLOCKS_SERVER:
        breaker.open_breaker(session, task.server_id, kind, error)
    if task.cancel_requested:
        _end(session, task, TaskStatus.CANCELLED, f"cancelled; the last attempt failed: {error}")
        return
    if is_overtaken(session, task):
        _end(session, task, TaskStatus.CANCELLED, "overtaken by a newer request")
        return
    now = utcnow()
    if task.action == STATUS_ACTION and kind in BLOCKS_SERVER:
        # The check of an open breaker goes on until the server is back.
        pause = breaker.probe_pause(session, failures + 1)
        if breaker.needs_a_person(task.server):
            desk.task_failed(session, task)
        task.status, task.queued_at, task.not_before = TaskStatus.QUEUED, now, now + pause
        return
    delay = policy.next_delay(failures, random.SystemRandom())
    if delay is None:
        _give_up(session, task, error)
        return
    task.status, task.queued_at = TaskStatus.QUEUED, now
    if kind in BLOCKS_SERVER:
        # The breaker lets it go on; meanwhile it costs nobody's time.
        task.not_before = None
        words = f"{task.label}: waiting for a server to come back"
    else:
        task.not_before = now + dt.timedelta(seconds=delay)
        words = f"{task.label}: did not work, trying again in {delay:.0f} s"
    journal.note(session, task, "task.retrying", words)


def _interrupt(session: Session, task: Task) -> None:
    """Queue again without spending an attempt; a task that is interrupted again and again spends them."""
    kind = ErrorClass.INTERRUPTED
    task.error_class = kind.value
    interruptions = int(task.tries.get(kind.value, 0)) + 1
    task.tries = {**task.tries, kind.value: interruptions}
    if interruptions <= FREE_INTERRUPTIONS:
        task.attempt -= 1
    elif interruptions - FREE_INTERRUPTIONS >= load(session, RetryOptions).policy(kind).attempts:
        _give_up(session, task, "its worker ended in the middle again and again")
        return
    task.status, task.not_before, task.queued_at = TaskStatus.QUEUED, None, utcnow()
    task.error = "interrupted; will be looked at again"
    journal.note(session, task, "task.interrupted", f"{task.label}: interrupted, starting again")


def _give_up(session: Session, task: Task, error: str | None) -> None:
    """Failed for good."""
    _end(session, task, TaskStatus.FAILED, error)
    desk.task_failed(session, task)


def _end(session: Session, task: Task, status: TaskStatus, error: str | None) -> None:
    assert status in FINAL_TASK_STATES
    task.status, task.finished_at, task.error = status, utcnow(), error
    task.not_before = None
    journal.note(session, task, f"task.{status.value}", task.label)
    if status is TaskStatus.SUCCEEDED:
        words = f"{task.label}: done" + (", something was changed" if task.changed else ", nothing had to be changed")
    else:
        words = f"{task.label}: {error}"
    journal.record(session, task, words)
