"""Answers about pipelines: what was started at once, how far it is, what came out on each server."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from controller.domain.words import Reason, TaskStatus
from controller.store.models import Pipeline
from controller.web.api import PREFIX
from controller.web.api.answers import Links
from controller.web.verification import Found, Thing, Verification, found_by


class RunState(StrEnum):
    """How a pipeline is doing."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Something in it has failed for good."""
    CANCELLED = "cancelled"
    """Nothing has failed, but not all of it was done."""


class ResultAnswer(BaseModel):
    """What one task of a pipeline came to."""

    task_id: int
    server: str
    action: str
    target: str
    status: TaskStatus
    changed: bool | None = Field(description="in a preview: whether it would change something")
    differences: list[str] = Field(description="what differed, in words")
    error: str | None = Field(description="why it failed, or why it waits")
    links: Links


class RunAnswer(BaseModel):
    """A pipeline with its results."""

    id: int
    reason: Reason
    title: str
    check: bool = Field(description="a preview: its tasks only look")
    state: RunState
    actor: str
    group_id: int | None
    service_id: int | None
    created_at: dt.datetime
    finished_at: dt.datetime | None = Field(description="null while it runs")
    total: int = Field(description="tasks")
    done: int = Field(description="over, whatever came out")
    changed: int = Field(description="changed something, or would")
    failed: int = Field(description="failed or cancelled")
    results: list[ResultAnswer] = Field(description="by server")
    links: Links


def run_answer(session: Session, pipeline: Pipeline) -> RunAnswer:
    """A pipeline, as far as it is."""
    found = found_by(session, pipeline)
    me = f"{PREFIX}/pipelines/{pipeline.id}"
    links = {"self": me, "tasks": f"{me}/tasks"}
    if pipeline.group_id is not None:
        links["group"] = f"{PREFIX}/groups/{pipeline.group_id}"
    if pipeline.service_id is not None:
        links["service"] = f"{PREFIX}/services/{pipeline.service_id}"
    return RunAnswer(
        id=pipeline.id,
        reason=pipeline.reason,
        title=pipeline.title,
        check=pipeline.check,
        state=_state(found),
        actor=pipeline.actor,
        group_id=pipeline.group_id,
        service_id=pipeline.service_id,
        created_at=pipeline.created_at,
        finished_at=pipeline.finished_at,
        total=found.total,
        done=found.done,
        changed=found.count(Found.DIFFERS),
        failed=found.count(Found.UNKNOWN),
        results=[_result(server.name, thing) for server, things in found.servers for thing in things],
        links=links,
    )


def _state(found: Verification) -> RunState:
    if found.pipeline.finished_at is None:
        return RunState.RUNNING
    states = {thing.task.status for _, things in found.servers for thing in things}
    if TaskStatus.FAILED in states:
        return RunState.FAILED
    return RunState.CANCELLED if TaskStatus.CANCELLED in states else RunState.SUCCEEDED


def _result(server: str, thing: Thing) -> ResultAnswer:
    task = thing.task
    differs = thing.found is Found.DIFFERS
    return ResultAnswer(
        task_id=task.id,
        server=server,
        action=task.action,
        target=task.target,
        status=task.status,
        changed=task.changed,
        differences=list(thing.lines) if differs else [],
        error=None if differs else " ".join(thing.lines) or None,
        links={"task": f"{PREFIX}/tasks/{task.id}"},
    )
