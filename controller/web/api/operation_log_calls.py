"""The call on the operation log, with its answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from controller.operations.operation_log import log_filter
from controller.store.models import OperationLog
from controller.store.operation_log_queries import RESULTS, log_page
from controller.web.api import PREFIX, lists
from controller.web.api.answers import Links
from controller.web.api.calls import Asked, Call


class LogParameters(lists.Parameters):
    """Which lines; all filters must fit."""

    search: lists.Search = Field("", description="part of who, action, target, result or message")
    result: str = Field("", pattern=f"^({'|'.join(RESULTS)})?$", description=f"one of {', '.join(RESULTS)}")
    area: str = Field("", max_length=40, description="what the action begins with: service, task, settings, web...")
    actor: lists.Search = Field("", description="part of who")
    server: lists.Name = Field(None, description="id or name")
    service: lists.Name = Field(None, description="id or domain")
    task: int | None = Field(None, ge=1, lt=10**18)
    since: str = Field("", max_length=40, description="first day (2026-01-31) or time, UTC")
    until: str = Field("", max_length=40, description="last day, included, or the time before which it was")
    before: int | None = Field(None, ge=1, lt=10**18, description="only lines with a lower id")
    limit: int = Field(100, ge=1, le=1000)


class LogLineAnswer(BaseModel):
    """One thing that happened."""

    id: int
    at: dt.datetime
    actor: str
    action: str
    target: str
    result: str
    message: str
    detail: dict[str, Any]
    service_id: int | None = Field(description="what it is about; it may be gone")
    server_id: int | None
    task_id: int | None
    links: Links


class LogAnswer(BaseModel):
    """Lines, the newest first; ask again with ``before`` = ``next`` until that is empty."""

    items: list[LogLineAnswer]
    next: int | None


def log_line_answer(line: OperationLog) -> LogLineAnswer:
    """One line."""
    about = {"service": line.service_id, "server": line.server_id, "task": line.task_id}
    return LogLineAnswer(
        id=line.id,
        at=line.at,
        actor=line.actor,
        action=line.action,
        target=line.target,
        result=line.result,
        message=line.message,
        detail=line.detail,
        service_id=line.service_id,
        server_id=line.server_id,
        task_id=line.task_id,
        links={name: f"{PREFIX}/{name}s/{number}" for name, number in about.items() if number is not None},
    )


def log_answer(lines: Sequence[OperationLog], *, more: bool) -> LogAnswer:
    """Some lines."""
    return LogAnswer(items=[log_line_answer(line) for line in lines], next=lines[-1].id if more and lines else None)


def _list(asked: Asked) -> LogAnswer:
    query: LogParameters = asked.query
    with asked.fleet.database.read() as session:
        wanted = log_filter(
            session,
            search=query.search,
            result=query.result,
            area=query.area,
            actor=query.actor,
            server=query.server or "",
            service=query.service or "",
            task=str(query.task or ""),
            since=query.since,
            until=query.until,
        )
        page = log_page(session, wanted, before=query.before, limit=query.limit)
        return log_answer(page.items, more=page.older)


CALLS = (
    Call(
        "GET",
        "/operation-log",
        "Read the operation log",
        _list,
        answer=LogAnswer,
        query=LogParameters,
        problems=("not-found",),
    ),
)
