"""Changes of many zones: a template that changed, a nameserver more or less, zones that are written again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from controller.operations.records import must
from controller.store.queries import is_id
from controller.store.work_models import LongRun
from controller.store.zone_queries import ZONE_RUN, zone_runs
from controller.web.api import PREFIX
from controller.web.api.answers import Links
from controller.web.api.calls import Asked, Call, Once

NEWEST = 50


class ZoneRunAnswer(BaseModel):
    """A change of many zones, a few at a time."""

    id: int
    title: str
    actor: str
    started_at: dt.datetime
    finished_at: dt.datetime | None = Field(description="null while it runs")
    total: int = Field(description="zones")
    done: int = Field(description="written, or waiting for a server that is away")
    failed: int = Field(description="of these, with a failure")
    kept: int = Field(description="zones that stay on a nameserver until another one has confirmed them")
    links: Links


class ZoneRunsAnswer(BaseModel):
    """The newest of them."""

    items: list[ZoneRunAnswer]


def zone_run_answer(run: LongRun) -> ZoneRunAnswer:
    """One run."""
    return ZoneRunAnswer(
        id=run.id,
        title=run.title,
        actor=run.actor,
        started_at=run.started_at,
        finished_at=run.finished_at,
        total=run.total,
        done=run.done,
        failed=run.failed,
        kept=0 if run.finished_at else run.report.get("kept", 0),
        links={"self": f"{PREFIX}/zone-runs/{run.id}"},
    )


def _begun(_session: Session, run: LongRun, _added: Sequence[Any]) -> ZoneRunAnswer:
    return zone_run_answer(run)


STARTS = Once(LongRun, _begun)
"""For calls whose answer is the run they start."""


def find(session: Session, key: str) -> LongRun:
    """A run by id. Raises NotFound."""
    run = session.get(LongRun, int(key)) if is_id(key) else None
    return must(run if run is not None and run.kind == ZONE_RUN else None, "zone run", key)


def _list(asked: Asked) -> ZoneRunsAnswer:
    with asked.fleet.database.read() as session:
        return ZoneRunsAnswer(items=[zone_run_answer(run) for run in zone_runs(session, NEWEST)])


def _get(asked: Asked) -> ZoneRunAnswer:
    with asked.fleet.database.read() as session:
        return zone_run_answer(find(session, asked.key))


CALLS = (
    Call("GET", "/zone-runs", "List changes of many zones, the newest first", _list, answer=ZoneRunsAnswer),
    Call("GET", "/zone-runs/{id}", "Show how far a change of many zones is", _get, answer=ZoneRunAnswer),
)
