"""Answers about drift checks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from controller.operations.drift_repair import RepairResult
from controller.store.work_models import LongRun
from controller.web.api import PREFIX
from controller.web.api.answers import Links


class DriftCheckSummary(BaseModel):
    """A drift check, as lists show it."""

    id: int
    actor: str
    started_at: dt.datetime
    finished_at: dt.datetime | None = Field(description="null while it runs")
    cancelled: bool
    total: int = Field(description="services")
    done: int = Field(description="looked at, whatever came out")
    failed: int = Field(description="of these, could not be looked at")
    found: int = Field(description="of these, differ")
    links: Links


class DriftThing(BaseModel):
    """One thing on one server that is not as it should be."""

    action: str
    server: str
    target: str
    lines: list[str]


class DriftService(BaseModel):
    """A service that differs or could not be looked at."""

    service_id: int
    domain: str
    pipeline_id: int | None = Field(description="its verification; null when its server was away")
    differences: list[DriftThing]


class DriftCheckAnswer(DriftCheckSummary):
    """A drift check with what it found; the first 500 services."""

    services: list[DriftService]


class DriftRepairAnswer(BaseModel):
    """Which repairs were started."""

    started: int
    skipped: dict[str, str] = Field(description="reason by domain")


def drift_summary(run: LongRun) -> DriftCheckSummary:
    """A drift check for a list."""
    me = f"{PREFIX}/drift-checks/{run.id}"
    return DriftCheckSummary(
        id=run.id,
        actor=run.actor,
        started_at=run.started_at,
        finished_at=run.finished_at,
        cancelled=run.cancelled,
        total=run.total,
        done=run.done,
        failed=run.failed,
        found=run.found,
        links={"self": me, "cancel": f"{me}/cancel", "repair": f"{me}/repair"},
    )


def drift_answer(run: LongRun) -> DriftCheckAnswer:
    """A drift check in full."""
    entries: list[dict[str, Any]] = run.report.get("differing", [])
    services = [DriftService.model_validate(entry) for entry in entries]
    return DriftCheckAnswer(**dict(drift_summary(run)), services=services)


def started_answer(_session: Session, run: LongRun, _added: Sequence[Any]) -> DriftCheckAnswer:
    """A drift check that has just begun."""
    return drift_answer(run)


def repair_answer(result: RepairResult) -> DriftRepairAnswer:
    """Repairs that were asked for at once."""
    return DriftRepairAnswer(started=result.done, skipped=result.skipped)
