"""The drift check: every service of the fleet verified, a few at a time, with one report.

A run's row says how far it is; each round counts the verifications that are over and starts the next ones, so that
a fleet of thousands of services never floods the queue.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from controller.domain.differences import differences
from controller.domain.options import DriftOptions
from controller.domain.words import RUNNABLE, STATUS_ACTION, Reason, ServiceStatus, TaskStatus
from controller.engine import journal, lifecycle
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import NIGHTLY, start_pipeline
from controller.engine.rows import take_task
from controller.store.base import utcnow
from controller.store.database import Database
from controller.store.models import OperationLog, Pipeline, Resource, Server, Service, Task
from controller.store.options import load
from controller.store.work_models import LongRun

KIND = "drift-check"
CHECKED = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
REPORTED = 500
"""Services that a report names; the counters tell of all."""


def running(session: Session) -> LongRun | None:
    """The drift check that is under way."""
    return session.scalars(select(LongRun).where(LongRun.kind == KIND, LongRun.finished_at.is_(None))).first()


def start(session: Session, actor: str) -> LongRun:
    """A new drift check over all services that are live now; the caller has seen that none is running."""
    total = session.scalar(select(func.count()).select_from(Service).where(Service.status.in_(CHECKED))) or 0
    run = LongRun(kind=KIND, title="Drift check", actor=actor, total=total, report={"open": [], "differing": []})
    session.add(run)
    session.flush()
    return run


def nightly(fleet: Fleet) -> str:
    """The periodic job: start one unless one runs or it is switched off."""
    with fleet.database.write() as session:
        if not load(session, DriftOptions).enabled:
            return "switched off"
        if running(session) is not None:
            return "one is running already"
        run = start(session, journal.ENGINE)
        return f"started over {run.total} services"


def stop(session: Session, run: LongRun) -> None:
    """End a run: what waits of it is cancelled, what was found stays."""
    for pipeline_id in run.report.get("open", []):
        _cancel_waiting(session, pipeline_id)
    run.cancelled = True
    _finish(session, run)


def advance(database: Database) -> Ready:
    """One round of the run that is under way, if any; the tasks to ring for."""
    with database.read() as session:
        if running(session) is None:
            return []
    ready: Ready = []
    with database.write() as session:
        run = session.scalars(
            select(LongRun)
            .where(LongRun.kind == KIND, LongRun.finished_at.is_(None))
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).first()
        if run is None:
            return []
        report: dict[str, Any] = {"open": list(run.report["open"]), "differing": list(run.report["differing"])}
        report["open"] = [number for number in report["open"] if not _count(session, run, report, number)]
        at_once = load(session, DriftOptions).at_once
        while len(report["open"]) < at_once and (service := _following(session, run.cursor)) is not None:
            run.cursor = service.id
            ready += _look_at(session, run, report, service)
        run.report = report
        if not report["open"] and _following(session, run.cursor) is None:
            _finish(session, run)
    return ready


def _following(session: Session, cursor: int) -> Service | None:
    return session.scalars(
        select(Service).where(Service.id > cursor, Service.status.in_(CHECKED)).order_by(Service.id).limit(1)
    ).first()


def _look_at(session: Session, run: LongRun, report: dict[str, Any], service: Service) -> Ready:
    """Start the verification of one service; one whose server is away is only counted."""
    away = _away(session, service.id)
    if away:
        run.done, run.failed = run.done + 1, run.failed + 1
        _report(report, service, None, [_line(STATUS_ACTION, away, away, ["is not in reach"])])
        return []
    pipeline, ready = start_pipeline(
        session,
        reason=Reason.VERIFY,
        resources=service.resources,
        actor=run.actor,
        service=service,
        priority=NIGHTLY,
        run_id=run.id,
    )
    report["open"].append(pipeline.id)
    return ready


def _away(session: Session, service_id: int) -> str:
    """Name of a server of the service that takes no tasks now, or ""."""
    return (
        session.scalar(
            select(Server.name)
            .join(Resource, Resource.server_id == Server.id)
            .where(
                Resource.service_id == service_id,
                Server.blocked_since.is_not(None) | Server.status.not_in(RUNNABLE),
            )
            .limit(1)
        )
        or ""
    )


def _count(session: Session, run: LongRun, report: dict[str, Any], pipeline_id: int) -> bool:
    """Count a verification that is over; one that waits for a server that went away is ended first."""
    pipeline = session.get(Pipeline, pipeline_id)
    if pipeline is None or pipeline.service_id is None:
        run.done += 1
        return True
    away = ""
    if pipeline.finished_at is None:
        away = _away(session, pipeline.service_id)
        if not away:
            return False
        _cancel_waiting(session, pipeline_id)
        session.refresh(pipeline)
        if pipeline.finished_at is None:
            return False
    tasks = session.scalars(select(Task).where(Task.pipeline_id == pipeline_id).order_by(Task.id)).all()
    found = [
        _line(task.action, task.server.name, task.target, differences(task.result.get("diff")))
        for task in tasks
        if task.status is TaskStatus.SUCCEEDED and task.changed
    ]
    failed = [
        _line(task.action, task.server.name, task.target, [f"could not be looked at: {task.error}"])
        for task in tasks
        if task.status is TaskStatus.FAILED
    ]
    cancelled = next((task for task in tasks if task.status is TaskStatus.CANCELLED), None)
    if away:
        failed.append(_line(STATUS_ACTION, away, away, ["is not in reach"]))
    elif cancelled is not None:
        failed.append(
            _line(cancelled.action, cancelled.server.name, cancelled.target, [f"not looked at: {cancelled.error}"])
        )
    run.done += 1
    run.found += bool(found)
    run.failed += bool(failed)
    if found or failed:
        _report(report, session.get_one(Service, pipeline.service_id), pipeline_id, found + failed)
    else:
        # All is as it should be, the service's row says so, and nobody will read these logs.
        session.execute(delete(Task).where(Task.pipeline_id == pipeline_id))
        session.execute(delete(Pipeline).where(Pipeline.id == pipeline_id))
    return True


def _line(action: str, server: str, target: str, lines: list[str]) -> dict[str, Any]:
    return {"action": action, "server": server, "target": target, "lines": lines}


def _report(report: dict[str, Any], service: Service, pipeline_id: int | None, found: list[dict[str, Any]]) -> None:
    if len(report["differing"]) < REPORTED:
        report["differing"].append(
            {"service_id": service.id, "domain": service.domain, "pipeline_id": pipeline_id, "differences": found}
        )


def _cancel_waiting(session: Session, pipeline_id: int) -> None:
    waiting = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.HELD)
    for task_id in session.scalars(
        select(Task.id).where(Task.pipeline_id == pipeline_id, Task.status.in_(waiting)).order_by(Task.id)
    ).all():
        task = take_task(session, task_id)
        if task is not None and task.status in waiting:
            lifecycle.cancel(session, task, "its server is not in reach, or the drift check was stopped")


def _finish(session: Session, run: LongRun) -> None:
    run.finished_at = utcnow()
    words = f"{run.done} services looked at, {run.found} differ, {run.failed} could not be looked at"
    session.add(
        OperationLog(
            actor=run.actor,
            action="drift.check",
            target="fleet",
            result="cancelled" if run.cancelled else "done",
            message=words,
            detail={"run_id": run.id},
        )
    )
