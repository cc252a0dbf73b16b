"""``drift``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import AsJson, actor, new_group, opened, out, out_fields, out_json, out_list, when

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.web.api.drift_answers import DriftCheckAnswer

drift_app = new_group("Drift checks: whether all services are as they should be.")

RunId = Annotated[int, typer.Argument(metavar="CHECK", min=1, max=2**62, help="Id.")]


@drift_app.command("start")
def start(as_json: AsJson = False) -> None:
    """Compare all services with their servers; nothing is changed."""
    from controller.operations import drift

    with opened() as fleet:
        run = drift.start(fleet, actor())
        if as_json:
            out_json(_answer(fleet, run.id))
        else:
            out(f"Drift check {run.id} looks at {run.total} services")


@drift_app.command("list")
def list_runs(
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Checks on a page.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List drift checks, the newest first."""
    from controller.store.run_queries import drift_page
    from controller.web.api.drift_answers import drift_summary

    with opened() as fleet, fleet.database.read() as session:
        found = drift_page(session, page=page, per_page=per_page)
        runs = [drift_summary(run) for run in found.items] if found.page == page else []
    out_list(
        as_json,
        runs,
        ("ID", "STARTED", "FINISHED", "BY", "DONE", "DIFFER", "FAILED"),
        [
            (
                run.id,
                when(run.started_at),
                "cancelled" if run.cancelled else when(run.finished_at),
                run.actor,
                f"{run.done}/{run.total}",
                run.found,
                run.failed,
            )
            for run in runs
        ],
    )


@drift_app.command("show")
def show(run_id: RunId, as_json: AsJson = False) -> None:
    """Show a drift check and what differs."""
    with opened() as fleet:
        run = _answer(fleet, run_id)
    if as_json:
        out_json(run)
        return
    out_fields(
        {
            "id": run.id,
            "by": run.actor,
            "started": when(run.started_at),
            "finished": when(run.finished_at),
            "cancelled": "yes" if run.cancelled else "no",
            "looked at": f"{run.done} of {run.total}",
            "differ": run.found,
            "could not be looked at": run.failed,
        }
    )
    for service in run.services:
        out()
        out(service.domain)
        for thing in service.differences:
            for line in thing.lines or ["differs"]:
                out(f"  {thing.server}  {thing.action} {thing.target}: {line}")


@drift_app.command("cancel")
def cancel(run_id: RunId, as_json: AsJson = False) -> None:
    """Stop a drift check; what it found stays."""
    from controller.operations import drift

    with opened() as fleet:
        drift.cancel(fleet, actor(), run_id)
        if as_json:
            out_json(_answer(fleet, run_id))
        else:
            out(f"Drift check {run_id} is cancelled")


@drift_app.command("repair")
def repair(run_id: RunId, as_json: AsJson = False) -> None:
    """Repair every service that a drift check found to differ."""
    from controller.operations.drift_repair import repair_all
    from controller.web.api.drift_answers import repair_answer

    with opened() as fleet:
        result = repair_all(fleet, actor(), run_id)
    if as_json:
        out_json(repair_answer(result))
    else:
        out(result.words())


def _answer(fleet: Fleet, run_id: int) -> DriftCheckAnswer:
    from controller.operations.records import must
    from controller.store.run_queries import find_drift_check
    from controller.web.api.drift_answers import drift_answer

    with fleet.database.read() as session:
        return drift_answer(must(find_drift_check(session, run_id), "drift check", run_id))
