"""What a drift check still has to look at, row by row: one service on one server; and what was found there.

A server is looked at as a whole, some hundred of its services at a time. The rows are written in the transaction of
the task's result, so a worker that dies in the middle leaves them as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from controller.automation.variables import mark_of
from controller.domain.words import RUNNABLE, Desired, Driver, ServerStatus, ServiceStatus
from controller.store.models import Resource, Server, Service, Task
from controller.store.work_models import DriftLook, LongRun

CHECKED = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
PORTION = {Driver.HESTIACP: 500, Driver.POWERDNS: 1000}
"""Services that one task compares: some ten seconds on a busy machine."""
Found = dict[int, dict[str, Any]]
"""What was found of a service, by id of the server."""
UNCERTAIN = "what it shall be is not certain now: it is being changed, or stands on something that is not known yet"


def begin(session: Session, run: LongRun) -> tuple[int, int]:
    """Write down what is to be looked at; the numbers of services of which there is something, and of looks."""
    rows = (
        select(
            literal(run.id), Resource.service_id, Resource.server_id, literal(False), literal({}, DriftLook.found.type)
        )
        .join(Service, Service.id == Resource.service_id)
        .where(Service.status.in_(CHECKED))
        .group_by(Resource.service_id, Resource.server_id)
    )
    columns = ["run_id", "service_id", "server_id", "looked", "found"]
    session.execute(insert(DriftLook).from_select(columns, rows))
    there = select(func.count(DriftLook.service_id.distinct()), func.count()).where(DriftLook.run_id == run.id)
    services, looks = session.execute(there).one()
    return services, looks


def forget(session: Session, run: LongRun) -> None:
    """Nothing more is to be looked at."""
    session.execute(delete(DriftLook).where(DriftLook.run_id == run.id))


def next_portion(session: Session, run: LongRun, busy: Collection[int]) -> tuple[Server | None, list[int]] | None:
    """The server with the most services left that none of the run's tasks is at, and the next of its services.

    No server: it was deleted meanwhile, and that is written down.
    """
    left = (DriftLook.run_id == run.id, ~DriftLook.looked)
    server_id = session.scalar(
        select(DriftLook.server_id)
        .where(*left, DriftLook.server_id.not_in(busy))
        .group_by(DriftLook.server_id)
        .order_by(func.count().desc(), DriftLook.server_id)
        .limit(1)
    )
    if server_id is None:
        return None
    server = session.get(Server, server_id)
    limit = PORTION[server.driver if server is not None else Driver.HESTIACP]
    following = select(DriftLook.service_id).where(*left, DriftLook.server_id == server_id)
    ids = list(session.scalars(following.order_by(DriftLook.service_id).limit(limit)))
    if server is None:
        _looked(session, run.id, server_id, ids, {})
    return server, ids


def away_words(server: Server) -> str:
    """Why nothing runs on a server now, "" if it does."""
    if server.status not in RUNNABLE:
        return "is in maintenance" if server.status is ServerStatus.MAINTENANCE else "is out of use"
    return "is not in reach" if server.blocked_since is not None else ""


def arrived(session: Session, task: Task, facts: Mapping[str, Any]) -> None:
    """What a task has found of its portion. A wish that has changed since it was read is not compared."""
    run_id, ids = int(task.arguments["run_id"]), task.arguments["services"]
    waiting = set(session.scalars(select(DriftLook.service_id).where(*_portion(run_id, task.server_id, ids))))
    found: dict[int, dict[str, Any]] = {}
    looked_at = set(facts.get("looked_at") or [])
    differing = {one["mark"]: one["diff"] for one in facts.get("differences") or []}
    failed = {one["mark"]: one for one in facts.get("failures") or []}
    # As rows, not as objects: there are thousands, and others wait for their turn to write.
    mine = select(
        Resource.id,
        Resource.service_id,
        Resource.generation,
        Resource.applied_generation,
        Resource.applied_at,
        Resource.desired,
    ).where(Resource.server_id == task.server_id, Resource.service_id.in_(waiting))
    for row in session.execute(mine):
        mark = mark_of(row)
        of_service = found.setdefault(row.service_id or 0, {})
        if mark in differing:
            of_service.setdefault("wrong", {})[str(row.id)] = {"mark": mark, "diff": differing[mark]}
        elif mark in failed:
            told = {"class": failed[mark]["error_class"], "words": failed[mark]["msg"]}
            of_service.setdefault("failed", {})[str(row.id)] = told
        elif mark not in looked_at and (row.applied_generation or row.desired is Desired.ACTIVE):
            # Not what a suspended service never had: that is made when it comes back.
            of_service["unseen"] = UNCERTAIN
    _looked(session, run_id, task.server_id, waiting, {})
    for service_id, one in found.items():
        if one:
            _looked(session, run_id, task.server_id, [service_id], one)


def _portion(run_id: int, server_id: int, ids: Collection[int]) -> tuple[ColumnElement[bool], ...]:
    return (
        DriftLook.run_id == run_id,
        DriftLook.server_id == server_id,
        DriftLook.service_id.in_(ids),
        ~DriftLook.looked,
    )


def _looked(session: Session, run_id: int, server_id: int, ids: Collection[int], found: dict[str, Any]) -> None:
    session.execute(
        update(DriftLook)
        .where(DriftLook.run_id == run_id, DriftLook.server_id == server_id, DriftLook.service_id.in_(ids))
        .values(looked=True, found=found)
        .execution_options(synchronize_session=False)
    )


def not_seen(session: Session, run: LongRun, server_id: int, ids: Collection[int], words: str) -> None:
    """Nothing of these services could be looked at on a server."""
    waiting = session.scalars(select(DriftLook.service_id).where(*_portion(run.id, server_id, ids))).all()
    _looked(session, run.id, server_id, waiting, {"unseen": words})


def seen_whole(session: Session, run: LongRun, ids: Collection[int]) -> dict[int, Found]:
    """Those of these services of which nothing is left to be looked at, each with what was found by server if anything
    was; their rows go."""
    mine = (DriftLook.run_id == run.id, DriftLook.service_id.in_(ids))
    there: dict[int, Found] = {}
    waiting: set[int] = set()
    columns = select(DriftLook.service_id, DriftLook.server_id, DriftLook.looked, DriftLook.found).where(*mine)
    for service_id, server_id, looked, found in session.execute(columns.order_by(DriftLook.server_id)):
        of_service = there.setdefault(service_id, {})
        if found:
            of_service[server_id] = found
        if not looked:
            waiting.add(service_id)
    whole = {service_id: found for service_id, found in there.items() if service_id not in waiting}
    session.execute(
        delete(DriftLook)
        .where(DriftLook.run_id == run.id, DriftLook.service_id.in_(whole))
        .execution_options(synchronize_session=False)
    )
    return whole


def is_left(session: Session, run: LongRun) -> bool:
    """Whether there is something that was not counted yet."""
    return session.scalar(select(DriftLook.run_id).where(DriftLook.run_id == run.id).limit(1)) is not None
