"""Periodic jobs of the engine: look at them, run one now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.engine.fleet import Fleet
from controller.engine.jobs import JOBS, JobSpec, hurry
from controller.operations.errors import NotFound, Refused
from controller.operations.records import audit
from controller.store.base import utcnow
from controller.store.work_models import Job


@dataclass(frozen=True)
class JobView:
    """A job and how it is doing; ``due_at`` is None when it runs only if somebody asks."""

    name: str
    title: str
    rhythm: str
    running: bool
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    result: str
    error: str | None
    due_at: dt.datetime | None


def list_jobs(session: Session) -> list[JobView]:
    """All jobs in their fixed order."""
    rows = {job.name: job for job in session.scalars(select(Job))}
    return [_view(session, spec, rows.get(spec.name)) for spec in JOBS]


def run_now(fleet: Fleet, actor: str, name: str) -> JobView:
    """Let the next worker that looks run a job. Raises NotFound, and Refused while it runs."""
    with fleet.database.write() as session:
        job = session.get(Job, name, with_for_update=True, populate_existing=True)
        if job is not None and _is_running(job):
            raise Refused(f"the job {name} is running")
        if not hurry(session, name):
            raise NotFound("job", name)
        session.flush()
        spec = next(spec for spec in JOBS if spec.name == name)
        audit(session, actor, "job.run", name, message=spec.title)
        return _view(session, spec, session.get(Job, name))


def replan(session: Session, name: str) -> None:
    """Work out anew when a job is due: what says so has changed."""
    job = session.get(Job, name)
    now = utcnow()
    for spec in JOBS:
        if spec.name == name and job is not None and job.due_at > now:
            job.due_at = spec.next_due(session, now)


def _is_running(job: Job) -> bool:
    return job.lease_until is not None and job.lease_until > utcnow()


def _view(session: Session, spec: JobSpec, job: Job | None) -> JobView:
    rhythm = _rhythm(session, spec)
    hurried = job is not None and job.due_at <= utcnow()
    return JobView(
        name=spec.name,
        title=spec.title,
        rhythm=rhythm or "switched off",
        running=job is not None and _is_running(job),
        started_at=job.started_at if job else None,
        finished_at=job.finished_at if job else None,
        result=job.result if job else "",
        error=job.error if job else None,
        due_at=job.due_at if job and (rhythm or hurried) else None,
    )


def _rhythm(session: Session, spec: JobSpec) -> str:
    """How often, in words; empty when it is switched off."""
    if spec.every is not None:
        minutes = round(spec.every / 60)
        if minutes == 60:
            return "every hour"
        return f"every {minutes} minutes" if minutes < 60 else f"every {minutes // 60} hours"
    hour = spec.hour(session) if spec.hour else None
    return "" if hour is None else f"every day at {hour:02d}:00 UTC"
