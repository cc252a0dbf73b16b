"""Drift checks asked for by people; the nightly one starts by itself."""

from __future__ import annotations

from controller.engine import drift
from controller.engine.fleet import Fleet
from controller.operations.errors import Refused
from controller.operations.records import audit, must
from controller.store.work_models import LongRun


def start(fleet: Fleet, actor: str) -> LongRun:
    """Compare all live services with their servers. Raises Refused when a check is running."""
    with fleet.database.write() as session:
        if drift.running(session) is not None:
            raise Refused("a drift check is running already")
        run = drift.start(session, actor)
        audit(session, actor, "drift.start", "fleet", message=f"{run.total} services", run_id=run.id)
    fleet.wake(drift.advance(fleet.database))
    return run


def cancel(fleet: Fleet, actor: str, run_id: int) -> LongRun:
    """Stop a drift check; what it found so far stays. Raises NotFound, Refused when it is over."""
    with fleet.database.write() as session:
        run = must(session.get(LongRun, run_id, with_for_update=True, populate_existing=True), "drift check", run_id)
        if run.kind != drift.KIND:
            must(None, "drift check", run_id)
        if run.finished_at is not None:
            raise Refused(f"drift check {run_id} is over already")
        drift.stop(session, run)
        audit(session, actor, "drift.cancel", "fleet", run_id=run.id)
    return run
