"""Putting right everything that a drift check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.domain.words import Reason
from controller.engine.drift import KIND
from controller.engine.drift_report import NOT_SEEN
from controller.engine.fleet import Fleet
from controller.operations import services
from controller.operations.errors import OperationError, Refused
from controller.operations.records import audit, must
from controller.store.run_queries import newest_changes
from controller.store.work_models import LongRun

CHANGED_SINCE = "changed since"


@dataclass
class RepairResult:
    """How many repairs were started, and why others were not."""

    done: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    """Reason by domain."""

    def words(self) -> str:
        """For the one who asked."""
        text = f"{self.done} repair{'' if self.done == 1 else 's'} started."
        if self.skipped:
            text += f" Left as they are: {'; '.join(f'{domain} ({why})' for domain, why in self.skipped.items())}."
        return text


def repair_all(fleet: Fleet, actor: str, run_id: int) -> RepairResult:
    """Start a repair of every service that a drift check found to differ and that has not changed since.

    Raises NotFound, Refused when nothing differs.
    """
    with fleet.database.read() as session:
        run = session.get(LongRun, run_id)
        run = must(run if run is not None and run.kind == KIND else None, "drift check", run_id)
        entries = [entry for entry in run.report.get("differing", []) if differs(entry)]
        newest = newest_changes(session, [entry["service_id"] for entry in entries])
    if not entries:
        raise Refused(f"drift check {run_id} found nothing that a repair could put right")
    result = RepairResult()
    for entry in entries:
        service_id, domain = int(entry["service_id"]), str(entry["domain"])
        if changed_since(entry, newest):
            result.skipped[domain] = CHANGED_SINCE
            continue
        try:
            services.repair(fleet, actor, service_id)
            result.done += 1
        except OperationError as problem:
            result.skipped[domain] = problem.message
    with fleet.database.write() as session:
        audit(session, actor, "drift.repair", "fleet", message=result.words(), run_id=run_id)
    return result


def differs(entry: Mapping[str, Any]) -> bool:
    """Whether a service of a report was looked at and found to differ, so that a repair makes sense."""
    things = entry["differences"] if entry.get("pipeline_id") is not None else []
    return any(not any(line.startswith(NOT_SEEN) for line in thing["lines"]) for thing in things)


def changed_since(entry: Mapping[str, Any], newest: Mapping[int, tuple[int, Reason]]) -> bool:
    """Whether something was done to the service after the check looked at it."""
    last = newest.get(entry["service_id"])
    return last is not None and entry["pipeline_id"] is not None and last[0] > entry["pipeline_id"]
