"""One action on many tasks: those that are named, or everything that a filter finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from controller.domain.words import FINAL_TASK_STATES, TaskStatus
from controller.engine.dispatch import Ready, stuck
from controller.engine.fleet import Fleet
from controller.engine.rows import take
from controller.operations import tasks
from controller.operations.errors import OperationError
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.store.base import utcnow
from controller.store.models import OperationLog, Pipeline, Service, Task, TaskNeed
from controller.store.portions import portions
from controller.store.task_queries import TaskFilter, count_tasks, matching_ids

CHUNK = 100
"""Tasks per transaction: others get their turn in between."""
DELETE_CHUNK = 500
LOOK_MAX = 5000
"""Tasks that are looked at one by one before they are deleted."""
IDS_MAX = 10_000


class BulkAction(StrEnum):
    """What can be done to many tasks."""

    RETRY = "retry"
    CANCEL = "cancel"
    PRIORITY = "priority"
    FORCE_FAIL = "force-fail"
    DELETE = "delete"


DONE_WORDS = {
    BulkAction.RETRY: "queued again",
    BulkAction.CANCEL: "cancelled or being stopped",
    BulkAction.PRIORITY: "given the new priority",
    BulkAction.FORCE_FAIL: "failed",
    BulkAction.DELETE: "deleted",
}
NOT_OVER = "is not over yet"
PIPELINE_OPEN = "belongs to a run that is not over yet"
STILL_NEEDED = "is still needed by a task that has not worked out"
GONE = "is not there any more"
NEWEST = "is the newest task of all, whose number would be given out again"


@dataclass
class BulkResult:
    """How many were done, and why the others were not."""

    action: BulkAction
    done: int = 0
    at_most: bool = False
    """A count of what may be done, before each was looked at."""
    skipped: dict[str, list[int]] = field(default_factory=dict)
    """Ids by reason."""

    def skip(self, task_id: int, reason: str) -> None:
        """Note one that was left as it is."""
        self.skipped.setdefault(reason, []).append(task_id)

    @property
    def skipped_count(self) -> int:
        """How many were left as they are."""
        return sum(map(len, self.skipped.values()))

    def words(self) -> str:
        """``12 tasks queued again. 3 left as they are: 2 is running, 1 ...``."""
        text = f"{tasks_in_words(self.done)} {DONE_WORDS[self.action]}."
        if self.skipped:
            reasons = "; ".join(
                f"{len(ids)} × {reason}" if len(ids) > 1 else f"#{ids[0]} {reason}"
                for reason, ids in self.skipped.items()
            )
            text += f" {self.skipped_count} left as {'it is' if self.skipped_count == 1 else 'they are'}: {reasons}."
        return text


def tasks_in_words(count: int) -> str:
    """``1 task``, ``12 tasks``."""
    return f"{count} task{'' if count == 1 else 's'}"


def run(
    fleet: Fleet,
    actor: str,
    action: str,
    *,
    ids: Collection[int] | None = None,
    wanted: TaskFilter | None = None,
    priority: int | None = None,
) -> BulkResult:
    """Do it to the tasks with these ids, or to all that the filter finds now. What cannot be done is skipped.

    Raises Invalid.
    """
    fields = Fields()
    fields.choice("action", action, BulkAction)
    if (ids is None) == (wanted is None):
        fields.problem("tasks", "name the tasks, or a filter, not both")
    elif ids is not None and not ids:
        fields.problem("tasks", "choose at least one task")
    elif ids is not None and len(ids) > IDS_MAX:
        fields.problem("tasks", f"at most {IDS_MAX} can be named; use a filter")
    fields.finish()
    kind = BulkAction(action)
    if kind is BulkAction.PRIORITY:
        tasks.check_priority(priority)
    chosen = sorted(set(ids)) if ids is not None else _matching(fleet, wanted or TaskFilter())
    result = BulkResult(kind)
    line = _Line(actor, result, {"filter": _filter_words(wanted)} if wanted is not None else {"tasks": chosen[:100]})
    if kind is BulkAction.DELETE:
        _delete(fleet, chosen, result, line)
        return result
    for chunk in portions(chosen, CHUNK):
        with fleet.database.write() as session:
            ready = _apply(session, actor, _changer(kind, priority), chunk, result)
            line.write(session)
        fleet.wake(ready)
    return result


def removable(session: Session, wanted: TaskFilter, stuck_now: ColumnElement[bool]) -> BulkResult:
    """What deleting everything a filter finds would do now; of very many only how many there are."""
    result = BulkResult(BulkAction.DELETE)
    found = count_tasks(session, *wanted.where(stuck_now))
    if found > LOOK_MAX:
        result.done, result.at_most = found, True
    else:
        result.done = len(_sort_out(session, matching_ids(session, wanted, stuck_now), result))
    return result


def _matching(fleet: Fleet, wanted: TaskFilter) -> list[int]:
    with fleet.database.read() as session:
        return matching_ids(session, wanted, stuck(utcnow(), fleet.settings.task_timeout))


def _filter_words(wanted: TaskFilter) -> dict[str, str]:
    return {name: str(value) for name, value in vars(wanted).items() if value not in (None, "", ())}


class _Line:
    """The one line of the operation log, true after every chunk."""

    def __init__(self, actor: str, result: BulkResult, detail: dict[str, Any]) -> None:
        self.actor, self.result, self.detail = actor, result, detail
        self.row_id: int | None = None

    def write(self, session: Session) -> None:
        """Add it, or bring it up to date, in the transaction of the chunk."""
        action = f"task.bulk-{self.result.action}"
        if self.row_id is None:
            audit(session, self.actor, action, "tasks", message=self.result.words(), **self.detail)
            session.flush()
            newest = select(OperationLog.id).where(OperationLog.actor == self.actor, OperationLog.action == action)
            self.row_id = session.scalar(newest.order_by(OperationLog.id.desc()).limit(1))
        elif (row := session.get(OperationLog, self.row_id)) is not None:
            row.message = self.result.words()


Change = Callable[[Session, str, Task], Ready]


def _changer(kind: BulkAction, priority: int | None) -> Change:
    match kind:
        case BulkAction.RETRY:
            return tasks.retry_one
        case BulkAction.CANCEL:
            return tasks.cancel_one
        case BulkAction.FORCE_FAIL:
            return tasks.force_fail_one
    return lambda session, actor, task: tasks.change_priority_one(session, actor, task, priority or 0)


def _apply(session: Session, actor: str, change: Change, ids: Sequence[int], result: BulkResult) -> Ready:
    ready: Ready = []
    for task in _take(session, ids, result):
        try:
            ready += change(session, actor, task)
        except OperationError as problem:
            result.skip(task.id, problem.message.removeprefix(f"task {task.id} "))
        else:
            result.done += 1
    return ready


def _take(session: Session, ids: Sequence[int], result: BulkResult) -> Iterator[Task]:
    """The tasks with their rows, taken in the order everybody takes them."""
    rows = session.execute(select(Task.id, Task.service_id, Task.pipeline_id).where(Task.id.in_(ids))).all()
    for service_id in sorted({row.service_id for row in rows if row.service_id is not None}):
        take(session, Service, service_id)
    for pipeline_id in sorted({row.pipeline_id for row in rows}):
        take(session, Pipeline, pipeline_id)
    for task_id in ids:
        task = take(session, Task, task_id)
        if task is None:
            result.skip(task_id, GONE)
        else:
            yield task


def _delete(fleet: Fleet, chosen: Sequence[int], result: BulkResult, line: _Line) -> None:
    """Newest first, so that what a task stands on goes after it; each chunk looks again before it deletes."""
    with fleet.database.read() as session:
        going = _sort_out(session, chosen, result)
    for chunk in portions(sorted(going, reverse=True), DELETE_CHUNK):
        with fleet.database.write() as session:
            pipelines = session.scalars(select(Task.pipeline_id).where(Task.id.in_(chunk)).distinct()).all()
            for pipeline_id in sorted(pipelines):
                take(session, Pipeline, pipeline_id)
            still = _sort_out(session, chunk, result)
            session.execute(delete(Task).where(Task.id.in_(still)))
            result.done += len(still)
            line.write(session)
    if not going:
        with fleet.database.write() as session:
            line.write(session)


def _sort_out(session: Session, ids: Sequence[int], result: BulkResult) -> list[int]:
    """Which of these may be deleted; the others are skipped with the reason.

    A task may go when it is over and its run is. One that did not work out stays while a task that stands on it
    could still be tried again: with it gone, the engine would take what it does for done.
    """
    keep: list[int] = []
    newest = session.scalar(select(func.max(Task.id)))
    for chunk in portions(sorted(ids)):
        rows = session.execute(
            select(Task.id, Task.status, Pipeline.finished_at)
            .join(Pipeline, Pipeline.id == Task.pipeline_id)
            .where(Task.id.in_(chunk))
        ).all()
        for missing in sorted(set(chunk) - {row.id for row in rows}):
            result.skip(missing, GONE)
        for row in rows:
            if row.status not in FINAL_TASK_STATES:
                result.skip(row.id, NOT_OVER)
            elif row.finished_at is None:
                result.skip(row.id, PIPELINE_OPEN)
            elif row.id == newest:
                result.skip(row.id, NEWEST)
            else:
                keep.append(row.id)
    going = set(keep)
    for task_id in sorted(_stand_on_failed(session, keep), reverse=True):
        needed_by = set(session.scalars(
            select(Task.id).join(TaskNeed, TaskNeed.task_id == Task.id)
            .where(TaskNeed.needs_id == task_id, Task.status != TaskStatus.SUCCEEDED)
        ))  # fmt: skip
        if needed_by - going:
            going.discard(task_id)
            result.skip(task_id, STILL_NEEDED)
    return sorted(going)


def _stand_on_failed(session: Session, ids: Sequence[int]) -> list[int]:
    """Those of the tasks that did not succeed and are needed by others that did not."""
    found: list[int] = []
    for chunk in portions(ids):
        later = select(TaskNeed.needs_id).join(Task, Task.id == TaskNeed.task_id)
        later = later.where(Task.status != TaskStatus.SUCCEEDED, TaskNeed.needs_id.in_(chunk))
        found += session.scalars(select(Task.id).where(Task.id.in_(later), Task.status != TaskStatus.SUCCEEDED)).all()
    return found
