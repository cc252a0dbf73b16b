"""Why a task that is not over does not run, in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.failures import CLASS_WORDS, ErrorClass
from controller.domain.words import STATUS_ACTION, ServerStatus, TaskStatus
from controller.engine.dispatch import changes_server
from controller.store.base import utcnow
from controller.store.models import Server, ServerLock, Task, TaskNeed
from controller.web.present import duration

OUT_OF_USE = {ServerStatus.MAINTENANCE: "is in maintenance", ServerStatus.DISABLED: "is disabled"}


@dataclass(frozen=True)
class Wait:
    """What a task waits for: in words, and the tasks it waits for if it does."""

    words: str
    tasks: tuple[int, ...] = ()


def waits(session: Session, tasks: Sequence[Task]) -> dict[int, Wait]:
    """By task id; tasks that run or are over are left out. Three queries at most, however many tasks."""
    now = utcnow()
    behind = [task.id for task in tasks if task.status in (TaskStatus.WAITING, TaskStatus.HELD)]
    needs: dict[int, list[Task]] = {}
    if behind:
        rows = session.execute(
            select(TaskNeed.task_id, Task)
            .join(Task, Task.id == TaskNeed.needs_id)
            .where(TaskNeed.task_id.in_(behind), Task.status != TaskStatus.SUCCEEDED)
            .order_by(Task.id)
        )
        for task_id, needed in rows:
            needs.setdefault(task_id, []).append(needed)
    queued = {task.server_id for task in tasks if task.status is TaskStatus.QUEUED}
    locks: dict[int, ServerLock] = {}
    if queued:
        rows_of_locks = session.scalars(
            select(ServerLock).where(ServerLock.server_id.in_(queued), ServerLock.until > now)
        )
        locks = {lock.server_id: lock for lock in rows_of_locks}
    lanes = {task.lane for task in tasks if task.status is TaskStatus.QUEUED and task.lane}
    busy: dict[str | None, str] = {}
    if lanes:
        running = select(Task.lane, Server.name).join(Server, Server.id == Task.server_id)
        in_lanes = running.where(Task.lane.in_(lanes), Task.status == TaskStatus.RUNNING)
        for lane, name in session.execute(in_lanes):
            busy[lane] = name
    found: dict[int, Wait] = {}
    for task in tasks:
        if task.id in behind:
            found[task.id] = _behind(task, needs.get(task.id, []))
        elif task.status is TaskStatus.QUEUED:
            found[task.id] = Wait(_queued(task, locks.get(task.server_id), busy.get(task.lane), now))
    return found


def _behind(task: Task, needs: Sequence[Task]) -> Wait:
    ids = tuple(need.id for need in needs)
    broken = [need for need in needs if need.status in (TaskStatus.FAILED, TaskStatus.CANCELLED)]
    if broken:
        what = "failed" if broken[0].status is TaskStatus.FAILED else "was cancelled"
        return Wait(f"Waits because “{broken[0].label}” {what}", ids)
    if not needs:
        return Wait("Waits to be queued", ids)
    more = f" and {len(needs) - 1} more" if len(needs) > 1 else ""
    return Wait(f"Waits for: {needs[0].label}{more}", ids)


def _queued(task: Task, lock: ServerLock | None, lane_busy_with: str | None, now: dt.datetime) -> str:
    server = task.server
    if server.status in OUT_OF_USE:
        return f"Waits: {server.name} {OUT_OF_USE[server.status]}"
    if waits_for_server(task, server):
        return f"Waiting for {server.name} to come back"
    if task.not_before is not None and task.not_before > now:
        seconds = max(1, round((task.not_before - now).total_seconds()))
        return f"Next try in {f'{seconds} s' if seconds < 60 else duration(seconds)}{_spent(task)}"
    if lock is not None and lock.task_id != task.id and changes_server(task):
        return f"Waits for another change on {server.name}"
    if lane_busy_with is not None:
        return f"Its turn comes after {lane_busy_with}"
    return "Starts as soon as a worker has a place"


def waits_for_server(task: Task, server: Server) -> bool:
    """Whether the server's circuit breaker keeps the task back."""
    return server.blocked_since is not None and task.action != STATUS_ACTION


def _spent(task: Task) -> str:
    """``(3 of 10 for: Server busy)``."""
    kind = error_kind(task)
    if kind is None or not task.tries.get(kind.value):
        return ""
    return f" ({task.tries[kind.value]} of {task.max_attempts} for: {CLASS_WORDS[kind][0]})"


def error_kind(task: Task) -> ErrorClass | None:
    """The class of the last failure, None when there was none or its name is not known any more."""
    return ErrorClass(task.error_class) if task.error_class in set(ErrorClass) else None
