"""Calls on drift checks: start, look, cancel, repair what was found."""

from __future__ import annotations

from sqlalchemy.orm import Session

from controller.operations import drift
from controller.operations.drift_repair import repair_all
from controller.operations.records import must
from controller.store.models import OperationLog
from controller.store.queries import is_id
from controller.store.run_queries import drift_page, find_drift_check
from controller.store.work_models import LongRun
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import AFTERWARDS, Asked, Call, Listed, Once, logged
from controller.web.api.drift_answers import (
    DriftCheckAnswer,
    DriftCheckSummary,
    DriftRepairAnswer,
    drift_answer,
    drift_summary,
    repair_answer,
    started_answer,
)


def find(session: Session, key: str) -> LongRun:
    """A drift check by id. Raises NotFound."""
    return must(find_drift_check(session, int(key)) if is_id(key) else None, "drift check", key)


def _id(asked: Asked) -> int:
    with asked.fleet.database.read() as session:
        return find(session, asked.key).id


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.as_asked(drift_page(session, page=asked.query.page, per_page=asked.query.per_page), asked.query)
        return Listed(page, [drift_summary(run) for run in page.items])


def _start(asked: Asked) -> None:
    drift.start(asked.fleet, asked.actor)


def _get(asked: Asked) -> DriftCheckAnswer:
    with asked.fleet.database.read() as session:
        return drift_answer(find(session, asked.key))


def _cancel(asked: Asked) -> DriftCheckAnswer:
    drift.cancel(asked.fleet, asked.actor, _id(asked))
    return _get(asked)


def _cancelled(session: Session, line: OperationLog) -> DriftCheckAnswer:
    return drift_answer(session.get_one(LongRun, line.detail["run_id"]))


def _repair(asked: Asked) -> DriftRepairAnswer:
    return repair_answer(repair_all(asked.fleet, asked.actor, _id(asked)))


CALLS = (
    Call(
        "GET",
        "/drift-checks",
        "List drift checks, the newest first",
        _list,
        answer=DriftCheckSummary,
        query=lists.PageParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/drift-checks",
        "Compare all services with their servers; nothing is changed",
        _start,
        answer=DriftCheckAnswer,
        status=202,
        body=Nothing,
        once=Once(LongRun, started_answer),
        problems=("refused",),
    ),
    Call("GET", "/drift-checks/{id}", "Show a drift check and what differs", _get, answer=DriftCheckAnswer),
    Call(
        "POST",
        "/drift-checks/{id}/cancel",
        "Stop a drift check; what it found stays",
        _cancel,
        answer=DriftCheckAnswer,
        status=202,
        body=Nothing,
        once=logged("drift.cancel", _cancelled),
        problems=("refused",),
    ),
    Call(
        "POST",
        "/drift-checks/{id}/repair",
        "Repair every service that a drift check found to differ",
        _repair,
        answer=DriftRepairAnswer,
        status=202,
        body=Nothing,
        once=AFTERWARDS,
        problems=("refused",),
    ),
)
