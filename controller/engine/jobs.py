"""Periodic jobs: any worker runs what is due, one worker at a time, told by a row in the database."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from controller.domain.options import DriftOptions
from controller.engine import cleanup, collection, drift
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.options import load
from controller.store.work_models import Job

log = logging.getLogger(__name__)
LEASE = dt.timedelta(minutes=10)
"""A worker that dies in a job leaves it to another after this."""


@dataclass(frozen=True)
class JobSpec:
    """One kind of periodic job: every so many seconds, or daily at an hour (UTC, None: not at all)."""

    name: str
    title: str
    work: Callable[[Fleet], str]
    """Does it, and says in words what it did."""
    every: float | None = None
    hour: Callable[[Session], int | None] | None = None

    def next_due(self, session: Session, now: dt.datetime) -> dt.datetime:
        """When it is due after a run, or a first look, at ``now``."""
        if self.every is not None:
            return now + dt.timedelta(seconds=self.every)
        hour = self.hour(session) if self.hour else None
        if hour is None:
            # Switched off: whether it still is will be seen in a while.
            return now + dt.timedelta(minutes=10)
        due = now.replace(hour=hour, minute=0, second=0, microsecond=0)
        return due if due > now else due + dt.timedelta(days=1)


def _drift_hour(session: Session) -> int | None:
    options = load(session, DriftOptions)
    return options.hour if options.enabled else None


JOBS: tuple[JobSpec, ...] = (
    JobSpec("clean-up", "Remove what is over and old", cleanup.clean_up, every=3600.0),
    JobSpec("server-status", "Ask the servers how they are", collection.collect_status, collection.EVERY_SECONDS),
    JobSpec("usage", "Collect what the services use", collection.collect_usage, collection.EVERY_SECONDS),
    JobSpec("drift-check", "Compare all services with their servers", drift.nightly, hour=_drift_hour),
)


def run_due(fleet: Fleet, owner: str) -> int:
    """Run what is due; how many jobs this process ran."""
    return sum(run_one(fleet, owner, spec) for spec in JOBS)


def run_one(fleet: Fleet, owner: str, spec: JobSpec) -> bool:
    """Run a job if it is due and nobody else has it."""
    with fleet.database.read() as session:
        row = session.get(Job, spec.name)
        if row is not None and not _is_takeable(row, utcnow()):
            return False
    with fleet.database.write() as session:
        if not _take(session, spec, owner):
            return False
    error: str | None = None
    result = ""
    try:
        result = spec.work(fleet)
    except Exception as problem:
        log.exception("job %s failed", spec.name)
        error = f"{type(problem).__name__}: {problem}"
    with fleet.database.write() as session:
        job = session.get_one(Job, spec.name)
        if job.lease_owner == owner:
            job.lease_owner = job.lease_until = None
            job.finished_at, job.error = utcnow(), error
            job.result = result or job.result
    return True


def _is_takeable(row: Job, now: dt.datetime) -> bool:
    return row.due_at <= now and (row.lease_until is None or row.lease_until <= now)


def _take(session: Session, spec: JobSpec, owner: str) -> bool:
    """Claim a due job; the first look at a new one only sets its time. A job that is switched off is put off."""
    now = utcnow()
    row = session.get(Job, spec.name)
    if row is None:
        session.add(Job(name=spec.name, due_at=spec.next_due(session, now)))
        return False
    following = spec.next_due(session, now)
    mine = session.execute(
        update(Job)
        .where(Job.name == spec.name, Job.due_at <= now, or_(Job.lease_until.is_(None), Job.lease_until <= now))
        .values(due_at=following, lease_owner=owner, lease_until=now + LEASE, started_at=now)
        .execution_options(synchronize_session=False)
    )
    return bool(mine.rowcount)  # type: ignore[attr-defined]


def hurry(session: Session, name: str) -> bool:
    """Make a job due now; False when there is none of this name."""
    if name not in {spec.name for spec in JOBS}:
        return False
    job = session.scalars(select(Job).where(Job.name == name)).first()
    if job is None:
        session.add(Job(name=name, due_at=utcnow()))
    else:
        job.due_at = utcnow()
    return True
