"""``pipeline``, and following what any command has started."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import AsJson, new_group, opened, out, out_fields, out_json, when

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.store.models import Pipeline
    from controller.web.api.pipeline_answers import ResultAnswer, RunAnswer

pipeline_app = new_group("Pipelines: tasks that were started together.")

Wait = Annotated[bool, typer.Option("--wait", help="Print what comes out, to the end; exit code 1 when it fails.")]
POLL_SECONDS = 0.2
OVER = frozenset({"succeeded", "failed", "cancelled"})


@pipeline_app.command("show")
def show_pipeline(
    number: Annotated[int, typer.Argument(metavar="PIPELINE", min=1, max=2**62, help="Id.")],
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Show how far a pipeline is, and what came out on each server."""
    with opened() as fleet:
        run = _answer(fleet, number)
        if wait:
            follow(fleet, number, as_json)
            return
    if as_json:
        out_json(run)
        return
    out_fields(
        {
            "id": run.id,
            "what": run.title or run.reason.value,
            "preview": "yes" if run.check else "no",
            "by": run.actor,
            "started": when(run.created_at),
            "finished": when(run.finished_at),
            "state": run.state.value,
            "done": f"{run.done} of {run.total}",
            "would change" if run.check else "changed": run.changed,
            "failed": run.failed,
        }
    )
    out()
    for result in run.results:
        _print(result, run.check)


def started(fleet: Fleet, pipeline: Pipeline, wait: bool, as_json: bool) -> None:
    """Say what was started, or follow it."""
    if wait:
        follow(fleet, pipeline.id, as_json)
    elif as_json:
        out_json(_answer(fleet, pipeline.id))
    else:
        out(f"Pipeline {pipeline.id} started: {pipeline.title or pipeline.reason.value}")


def follow(fleet: Fleet, number: int, as_json: bool) -> None:
    """Print results as they come; raises Exit(1) when something has failed or was cancelled."""
    seen: set[int] = set()
    while True:
        run = _answer(fleet, number)
        for result in run.results:
            if result.status.value in OVER and result.task_id not in seen:
                seen.add(result.task_id)
                if not as_json:
                    _print(result, run.check)
        sys.stdout.flush()
        if run.finished_at is not None:
            break
        time.sleep(POLL_SECONDS)
    if as_json:
        out_json(run)
    else:
        out(_verdict(run))
    if run.failed:
        raise typer.Exit(1)


def _answer(fleet: Fleet, number: int) -> RunAnswer:
    from controller.operations.records import must
    from controller.store.models import Pipeline
    from controller.web.api.pipeline_answers import run_answer

    with fleet.database.read() as session:
        return run_answer(session, must(session.get(Pipeline, number), "pipeline", number))


def _print(result: ResultAnswer, check: bool) -> None:
    """One line per server and difference."""
    state = result.status.value
    if state == "succeeded":
        state = ("would change" if check else "changed") if result.changed else "nothing to change"
    head = f"{result.server}  {result.action} {result.target}: {state}"
    out(f"{head}: {result.error}" if result.error else head)
    for line in result.differences:
        out(f"{result.server}    {line}")


def _verdict(run: RunAnswer) -> str:
    words = "would change" if run.check else "changed"
    return f"{run.total} done, {run.changed} {words}, {run.failed} failed"
