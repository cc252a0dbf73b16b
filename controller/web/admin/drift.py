"""Drift checks: the list, and one while it runs and afterwards."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.domain.options import DriftOptions
from controller.domain.words import Reason
from controller.engine.drift_report import REPORTED
from controller.operations import drift as operations
from controller.operations.drift_repair import changed_since, differs, repair_all
from controller.operations.records import must
from controller.store.base import utcnow
from controller.store.options import load
from controller.store.run_queries import drift_page, find_drift_check, newest_changes, share_done
from controller.store.work_models import LongRun
from controller.web.access import Access, page
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

ESTIMATE_FROM = 0.02
"""Share of a check that is done before an estimate is worth saying."""


@dataclass(frozen=True)
class Times:
    """How long a run has taken and, while it goes on, how long it may still take; seconds."""

    taken: float
    left: float | None


def times(run: LongRun, share: float, now: dt.datetime) -> Times:
    """By the share that has been done so far."""
    taken = max(0.0, ((run.finished_at or now) - run.started_at).total_seconds())
    if run.finished_at is not None or share < ESTIMATE_FROM:
        return Times(taken, None)
    return Times(taken, taken / share * (1 - share))


def run_state(run: LongRun) -> tuple[str, str]:
    """Words and tone."""
    if run.finished_at is None:
        return "Running", "busy"
    if run.cancelled:
        return "Cancelled", "quiet"
    if run.found:
        return "Differences", "warn"
    return ("Not complete", "warn") if run.failed else ("All as it should be", "good")


def schedule_words(options: DriftOptions) -> str:
    """When it runs by itself."""
    if not options.enabled:
        return "Runs only when somebody asks for it."
    side = "one server" if options.at_once == 1 else f"{options.at_once} servers"
    return f"Runs every night at {options.hour:02}:00 UTC, {side} at a time."


def run_list(request: Request) -> Response:
    with database_of(request).read() as session:
        found = drift_page(session, page=page_number(request))
        shares = {run.id: share_done(session, run) for run in found.items}
        return render(
            request,
            "admin/drift/list.html",
            found=found,
            states={run.id: run_state(run) for run in found.items},
            shares=shares,
            times={run.id: times(run, shares[run.id], utcnow()) for run in found.items},
            running=next((run for run in found.items if run.finished_at is None), None),
            schedule=schedule_words(load(session, DriftOptions)),
        )


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        run = must(find_drift_check(session, path_id(request)), "drift check", path_id(request))
        entries = run.report.get("differing", [])
        share = share_done(session, run)
        newest = newest_changes(session, [entry["service_id"] for entry in entries])
        since = {
            entry["service_id"]: "Repair started"
            if newest[entry["service_id"]][1] is Reason.REPAIR
            else "Changed since"
            for entry in entries
            if changed_since(entry, newest)
        }
        return render(
            request,
            "admin/drift/detail.html",
            run=run,
            state=run_state(run),
            share=share,
            times=times(run, share, utcnow()),
            entries=entries,
            reported=REPORTED,
            repairable={entry["service_id"] for entry in entries if differs(entry)} - set(since),
            since=since,
        )


def start(request: Request) -> Response:
    address = "/admin/drift"
    with refusal_flashed(request):
        address += f"/{operations.start(fleet_of(request), actor_of(request)).id}"
    return RedirectResponse(address, 303)


def cancel(request: Request) -> Response:
    run_id = path_id(request)
    with refusal_flashed(request):
        operations.cancel(fleet_of(request), actor_of(request), run_id)
        flash(request, "The check is cancelled. What it found so far stays.")
    return RedirectResponse(f"/admin/drift/{run_id}", 303)


def repair(request: Request) -> Response:
    run_id = path_id(request)
    with refusal_flashed(request):
        result = repair_all(fleet_of(request), actor_of(request), run_id)
        flash(request, result.words(), "success" if result.done else "warning")
    return RedirectResponse(f"/admin/drift/{run_id}", 303)


routes: list[BaseRoute] = [
    page("/admin/drift", run_list, Access.STAFF),
    page("/admin/drift", start, Access.OPERATOR, methods=["POST"]),
    page("/admin/drift/{id:int}", detail, Access.STAFF),
    page("/admin/drift/{id:int}/cancel", cancel, Access.OPERATOR, methods=["POST"]),
    page("/admin/drift/{id:int}/repair", repair, Access.OPERATOR, methods=["POST"]),
]
