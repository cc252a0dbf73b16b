"""The drift check: everything that services have compared with their servers, server by server, with one report.

A run's row says how far it is, ``drift_looks`` what is left. A few servers are looked at at a time, each by one task
that only reads; each round counts what has come of them and starts the next, so that a fleet of thousands of services
never floods the queue.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from controller.domain.options import DriftOptions
from controller.domain.words import VERIFY_ACTION, Reason, TaskStatus
from controller.engine import drift_looks, drift_report, journal, lifecycle
from controller.engine.dispatch import Ready
from controller.engine.drift_looks import CHECKED, away_words
from controller.engine.fleet import Fleet
from controller.engine.planning import NIGHTLY, ServerTask, start_server_run
from controller.engine.rows import take_task
from controller.store.base import utcnow
from controller.store.database import Database
from controller.store.models import OperationLog, Pipeline, Service, Task
from controller.store.options import load
from controller.store.work_models import LongRun

KIND = "drift-check"
PASSED_OVER = 1000
"""Services on servers that are away of which one round writes down that they were not seen."""


def running(session: Session) -> LongRun | None:
    """The drift check that is under way."""
    return session.scalars(select(LongRun).where(LongRun.kind == KIND, LongRun.finished_at.is_(None))).first()


def start(session: Session, actor: str) -> LongRun:
    """A new drift check over all services that are live now; the caller has seen that none is running."""
    total = session.scalar(select(func.count()).select_from(Service).where(Service.status.in_(CHECKED))) or 0
    run = LongRun(kind=KIND, title="Drift check", actor=actor, total=total, report={"open": [], "differing": []})
    session.add(run)
    session.flush()
    services, looks = drift_looks.begin(session, run)
    # A service that has nothing on any server is as it should be.
    run.done = total - services
    run.report = {**run.report, "looks": looks}
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
        _cancel(session, pipeline_id, "the drift check was stopped")
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
        report = {**run.report, "open": list(run.report["open"]), "differing": list(run.report["differing"])}
        report["open"] = [number for number in report["open"] if not _is_over(session, run, report, number)]
        ready = _go_on(session, run, report)
        run.report = report
        if not report["open"] and not drift_looks.is_left(session, run):
            _finish(session, run)
    return ready


def _go_on(session: Session, run: LongRun, report: dict[str, Any]) -> Ready:
    """Start the next portions; servers that are away are passed over."""
    ready: Ready = []
    at_once = load(session, DriftOptions).at_once
    busy = set(session.scalars(select(Task.server_id).where(Task.pipeline_id.in_(report["open"]))))
    passed = 0
    while len(report["open"]) < at_once and passed < PASSED_OVER:
        portion = drift_looks.next_portion(session, run, busy)
        if portion is None:
            break
        server, ids = portion
        if server is None:
            _count(session, run, report, ids)
            passed += len(ids)
            continue
        if words := away_words(server):
            drift_looks.not_seen(session, run, server.id, ids, f"the server {words}")
            _count(session, run, report, ids)
            passed += len(ids)
            continue
        busy.add(server.id)
        pipeline, more = start_server_run(
            session,
            reason=Reason.VERIFY,
            title=f"Drift check of {server.name}",
            actor=run.actor,
            tasks=[ServerTask(server, VERIFY_ACTION, server.name, arguments={"run_id": run.id, "services": ids})],
            run_id=run.id,
            priority=NIGHTLY,
            check=True,
        )
        report["open"].append(pipeline.id)
        ready += more
    return ready


def _is_over(session: Session, run: LongRun, report: dict[str, Any], pipeline_id: int) -> bool:
    """Whether a portion needs no more watching; one that waits for a server that went away is ended first."""
    task = session.scalars(select(Task).where(Task.pipeline_id == pipeline_id)).first()
    if task is None:
        # Somebody has deleted it: its services are looked at by another.
        return True
    words = ""
    if task.pipeline.finished_at is None:
        words = away_words(task.server)
        if not words:
            return False
        _cancel(session, pipeline_id, f"the server {words}")
        session.refresh(task.pipeline)
        if task.pipeline.finished_at is None:
            return False
    ids = task.arguments["services"]
    if task.status is TaskStatus.SUCCEEDED:
        _count(session, run, report, ids)
        # Nobody will read its log.
        session.execute(delete(Task).where(Task.pipeline_id == pipeline_id))
        session.execute(delete(Pipeline).where(Pipeline.id == pipeline_id))
        return True
    why = f"the server {words}" if words else str(task.error)
    drift_looks.not_seen(session, run, task.server_id, ids, why)
    _count(session, run, report, ids)
    return True


def _count(session: Session, run: LongRun, report: dict[str, Any], ids: list[int]) -> None:
    drift_report.count(session, run, report, drift_looks.seen_whole(session, run, ids))


def _cancel(session: Session, pipeline_id: int, why: str) -> None:
    waiting = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.HELD)
    tasks = [take_task(session, one) for one in session.scalars(select(Task.id).where(Task.pipeline_id == pipeline_id))]
    lifecycle.cancel(session, [task for task in tasks if task is not None and task.status in waiting], why)


def _finish(session: Session, run: LongRun) -> None:
    drift_looks.forget(session, run)
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
