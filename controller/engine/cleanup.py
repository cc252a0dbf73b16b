"""Clean-up: what is over and has been kept long enough goes, in small transactions.

A writer never waits long for it: each transaction removes some hundred rows, and between two of them others get
their turn. A process that dies in the middle has removed something that was to go anyway.

The newest row of a table always stays: SQLite would give its number out again, and what remembers it would point to
another thing.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from controller.domain.options import RetentionOptions
from controller.domain.words import OPEN_TASK_STATES, READ_ONLY_ACTIONS, Reason, ServiceStatus, TaskStatus, TicketStatus
from controller.engine.fleet import Fleet
from controller.engine.journal import ENGINE
from controller.store.base import utcnow
from controller.store.desk_models import Delivery, Ticket
from controller.store.fleet_models import ServerSample, UsageSample
from controller.store.models import Activity, IdempotencyKey, OperationLog, Pipeline, Service, Task, TaskEvent
from controller.store.options import load
from controller.store.queries import DEPLOY_REASONS
from controller.store.work_models import LongRun, WorkerProcess

ROWS = 500
"""Rows that one transaction removes at most."""
PIPELINES = 20
"""Pipelines that one transaction looks at."""
REST_SECONDS = (0.005, 0.25)
"""Shortest and longest rest after a transaction; it rests as long as it has worked."""
LONGEST_SECONDS = 300.0
"""After this the rest is left to the next time."""
DAY = dt.timedelta(days=1)
ROUTINE = dt.timedelta(hours=1)

Key = InstrumentedAttribute[Any]


def clean_up(fleet: Fleet) -> str:
    """Remove what is older than the settings want it kept; returns what was removed, in words."""
    return CleanUp(fleet).run()


def in_words(removed: Mapping[str, int]) -> str:
    """``removed 120 tasks, 3 400 events``."""
    parts = [
        f"{count:,}".replace(",", " ") + " " + (noun if count == 1 else _plural(noun))
        for noun, count in removed.items()
        if count
    ]
    return f"removed {', '.join(parts)}" if parts else "nothing to remove"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"


class CleanUp:
    """One run; counts what it removes."""

    def __init__(self, fleet: Fleet, longest: float = LONGEST_SECONDS) -> None:
        self._database = fleet.database
        self._until = time.monotonic() + longest
        self._removed: Counter[str] = Counter(task=0, event=0)

    def run(self) -> str:
        """All of it; returns what was removed, in words."""
        with self._database.read() as session:
            kept = load(session, RetentionOptions)
        now = utcnow()

        def ago(days: int) -> dt.datetime:
            return now - days * DAY

        self._remove_pipelines(_over_since(ago(kept.finished_tasks)))
        self._remove_pipelines(and_(_over_since(ago(kept.checks)), _found_nothing()))
        # The engine's own looks are over within seconds and come again within minutes; what they saw is kept apart.
        self._remove_pipelines(and_(_over_since(now - ROUTINE), Pipeline.actor == ENGINE, _found_nothing()))
        self._remove_oldest("activity line", Activity.id, Activity.at, ago(kept.activity))
        self._remove_oldest("operation log line", OperationLog.id, OperationLog.at, ago(kept.operation_log))
        sent = func.coalesce(Delivery.sent_at, Delivery.created_at) < ago(kept.deliveries)
        self._remove("delivery", Delivery.id, and_(Delivery.status != "pending", sent))
        closed = Ticket.closed_at < ago(kept.closed_tickets)
        self._remove("ticket", Ticket.id, and_(Ticket.status == TicketStatus.CLOSED, closed))
        self._remove("long run", LongRun.id, LongRun.finished_at < ago(kept.finished_tasks))
        self._remove("idempotency key", IdempotencyKey.id, IdempotencyKey.created_at < now - DAY)
        self._remove_samples(
            ServerSample.server_id, ServerSample.at, condition=ServerSample.at < ago(kept.server_history)
        )
        self._remove_samples(
            UsageSample.service_id, UsageSample.day, condition=UsageSample.day < ago(kept.usage_history).date()
        )
        self._remove("dead worker", WorkerProcess.name, WorkerProcess.seen_at < now - DAY, spare_newest=False)
        return in_words(self._removed)

    def _repeat(self, step: Callable[[Session], bool]) -> None:
        """Run a step in transactions of its own until it has nothing more to do."""
        while time.monotonic() < self._until:
            began = time.monotonic()
            with self._database.write() as session:
                if not step(session):
                    return
            least, most = REST_SECONDS
            time.sleep(min(max(time.monotonic() - began, least), most))

    def _remove(self, noun: str, key: Key, condition: ColumnElement[bool], *, spare_newest: bool = True) -> None:
        """Remove the rows that fit."""
        wanted = select(key).where(condition).order_by(key).limit(ROWS)
        if spare_newest:
            wanted = wanted.where(key < select(func.max(key)).scalar_subquery())
        self._repeat(lambda session: self._delete(session, noun, key, session.scalars(wanted).all()))

    def _remove_samples(self, *key: Key, condition: ColumnElement[bool]) -> None:
        """Remove old figures; their keys have two parts, and no number is given out again."""
        old = select(*key).where(condition).limit(ROWS)

        def step(session: Session) -> bool:
            rows = session.execute(old).all()
            if rows:
                session.execute(delete(key[0].class_).where(tuple_(*key).in_([tuple(row) for row in rows])))
                self._removed["sample"] += len(rows)
            return bool(rows)

        self._repeat(step)

    def _remove_oldest(self, noun: str, key: Key, at: Key, before: dt.datetime) -> None:
        """Remove the old rows of a table that only grows: the first ones are the oldest, the rest is not looked at."""
        newest = select(func.max(key)).scalar_subquery()
        first = select(key, at).where(key < newest).order_by(key).limit(ROWS)

        def step(session: Session) -> bool:
            old = [number for number, moment in session.execute(first) if moment < before]
            return self._delete(session, noun, key, old)

        self._repeat(step)

    def _delete(self, session: Session, noun: str, key: Key, keys: Sequence[Any]) -> bool:
        if keys:
            session.execute(delete(key.class_).where(key.in_(keys)))
            self._removed[noun] += len(keys)
        return bool(keys)

    # -- pipelines -------------------------------------------------------------------------------------------------

    def _remove_pipelines(self, over: ColumnElement[bool]) -> None:
        """Remove pipelines that are over, with their tasks and events."""
        for some in self._candidates(and_(over, not_(_still_shown()))):
            self._repeat(partial(self._drop, pipeline_ids=some))

    def _candidates(self, condition: ColumnElement[bool]) -> Iterator[Sequence[int]]:
        """Ids of pipelines that fit, some at a time, looked for without holding up a writer."""
        newest = select(func.max(Pipeline.id)).scalar_subquery()
        fitting = select(Pipeline.id).where(Pipeline.id < newest, condition).order_by(Pipeline.id).limit(50 * PIPELINES)
        last = 0
        while time.monotonic() < self._until:
            with self._database.read() as session:
                found = session.scalars(fitting.where(Pipeline.id > last)).all()
            if not found:
                return
            for start in range(0, len(found), PIPELINES):
                yield found[start : start + PIPELINES]
            last = found[-1]

    def _drop(self, session: Session, pipeline_ids: Sequence[int]) -> bool:
        """One transaction's worth of removing these pipelines; False when they are gone."""
        # Locked, so that nobody tries one of the tasks again meanwhile.
        tasks = session.execute(
            select(Task.id, Task.pipeline_id)
            .where(Task.pipeline_id.in_(pipeline_ids))
            .order_by(Task.id)
            .limit(ROWS)
            .with_for_update()
        ).all()
        is_open = Task.status.in_(OPEN_TASK_STATES)
        reopened = set(
            session.scalars(select(Task.pipeline_id).where(Task.pipeline_id.in_(pipeline_ids), is_open).distinct())
        )
        task_ids = [task_id for task_id, pipeline_id in tasks if pipeline_id not in reopened]
        events = session.scalars(select(TaskEvent.id).where(TaskEvent.task_id.in_(task_ids)).limit(ROWS)).all()
        if events:
            session.execute(delete(TaskEvent).where(TaskEvent.id.in_(events)))
            self._removed["event"] += len(events)
        if len(events) == ROWS:
            # More next time; until then nobody shall take what is missing for a loss.
            session.execute(update(Task).where(Task.id.in_(task_ids)).values(events_expected=None))
            return True
        if task_ids:
            session.execute(delete(Task).where(Task.id.in_(task_ids)))
            self._removed["task"] += len(task_ids)
            return True
        has_tasks = exists().where(Task.pipeline_id == Pipeline.id)
        session.execute(delete(Pipeline).where(Pipeline.id.in_(pipeline_ids), not_(has_tasks)))
        return False


def _over_since(moment: dt.datetime) -> ColumnElement[bool]:
    """Finished before then and nothing of it open; or empty. Not the one with the newest task."""
    open_task = exists().where(Task.pipeline_id == Pipeline.id, Task.status.in_(OPEN_TASK_STATES))
    any_task = exists().where(Task.pipeline_id == Pipeline.id)
    newest_task = select(Task.pipeline_id).order_by(Task.id.desc()).limit(1).scalar_subquery()
    going_on = exists().where(LongRun.id == Pipeline.run_id, LongRun.finished_at.is_(None))
    return and_(
        or_(Pipeline.finished_at < moment, and_(Pipeline.created_at < moment, not_(any_task))),
        not_(open_task),
        Pipeline.id != func.coalesce(newest_task, 0),
        not_(going_on),
    )


def _found_nothing() -> ColumnElement[bool]:
    """Only checks, all of which worked and saw no difference."""
    check = or_(Task.action.in_(READ_ONLY_ACTIONS), Task.check_mode)
    same = or_(Task.action.in_(READ_ONLY_ACTIONS), Task.changed.is_not(True))
    harmless = and_(Task.status == TaskStatus.SUCCEEDED, check, same)
    return not_(exists().where(Task.pipeline_id == Pipeline.id, not_(harmless)))


def _still_shown() -> ColumnElement[bool]:
    """The page of a live service shows its newest deployment (also while a newer one runs) and verification."""
    live = exists().where(Service.id == Pipeline.service_id, Service.status != ServiceStatus.TERMINATED)
    newer = aliased(Pipeline)

    def newest(*reasons: Reason) -> ColumnElement[bool]:
        later = exists().where(
            newer.service_id == Pipeline.service_id,
            newer.reason.in_(reasons),
            newer.finished_at.is_not(None),
            newer.id > Pipeline.id,
        )
        return and_(Pipeline.reason.in_(reasons), not_(later))

    return and_(live, or_(newest(*DEPLOY_REASONS), newest(Reason.VERIFY)))
