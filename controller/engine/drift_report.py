"""What a drift check says of a service that was looked at on all its servers: counters, report, the service's mark.

Of a service that differs the result is written as a verification of its own, with a task for each of its things: pages,
repair and clean-up know it from there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from controller.automation.variables import mark_of
from controller.domain.differences import differences
from controller.domain.pipelines import label, plan
from controller.domain.words import OPEN_TASK_STATES, STATUS_ACTION, Reason, TaskStatus
from controller.engine import zone_rollout
from controller.engine.drift_looks import CHECKED, UNCERTAIN
from controller.engine.drift_looks import Found as FoundOn
from controller.engine.planning import NIGHTLY, nodes_of
from controller.store.base import utcnow
from controller.store.models import Pipeline, Resource, Server, Service, Task
from controller.store.work_models import LongRun

REPORTED = 500
"""Services that a report names; the counters tell of all."""
NOT_SEEN = "could not be looked at"
"""How a report's line begins when the thing could not be compared."""


@dataclass
class _Found:
    """What was found of one service."""

    wrong: dict[int, Any] = field(default_factory=dict)
    """The differences by id of the resource."""
    failed: dict[int, dict[str, str]] = field(default_factory=dict)
    unseen: dict[int, str] = field(default_factory=dict)
    """Why something on a server could not be looked at, by id of the server."""

    @property
    def is_whole(self) -> bool:
        return not self.failed and not self.unseen


def count(session: Session, run: LongRun, report: dict[str, Any], looks: Mapping[int, FoundOn]) -> None:
    """Count services that were looked at on all their servers and say what was found."""
    run.done += len(looks)
    suspects = [service_id for service_id, found in looks.items() if found]
    if suspects:
        _tell(session, run, report, suspects, looks)
    calm = [service_id for service_id, found in looks.items() if not found]
    changed = _changed_since(session, calm, run.started_at)
    good = [service_id for service_id in calm if service_id not in changed]
    # All of these are as they should be: their rows say so, and nothing else is left of it.
    session.execute(
        update(Service)
        .where(Service.id.in_(good), Service.status.in_(CHECKED))
        .values(verified_at=utcnow(), differences=0)
        .execution_options(synchronize_session=False)
    )


def _tell(
    session: Session, run: LongRun, report: dict[str, Any], ids: Sequence[int], looks: Mapping[int, FoundOn]
) -> None:
    """Say what was found of these services."""
    services = session.scalars(
        select(Service)
        .where(Service.id.in_(ids))
        .options(selectinload(Service.resources).selectinload(Resource.server))
        .order_by(Service.id)
        .execution_options(populate_existing=True)
    ).all()
    changing = _changing(session, ids)
    names = _server_names(session, [looks[service_id] for service_id in ids])
    for service in services:
        if service.terminated_at is not None:
            continue
        found = _found(service, looks[service.id], certain=service.status in CHECKED and service.id not in changing)
        run.found += bool(found.wrong)
        run.failed += not found.is_whole
        if found.wrong or found.failed:
            pipeline = _record(session, run, service, found)
            _report(report, service, pipeline.id, _lines(service, found, names))
        elif found.unseen:
            _report(report, service, None, _lines(service, found, names))


def _changing(session: Session, ids: Sequence[int]) -> set[int]:
    """Services that something is being done to now, or is about to be."""
    is_open = (Task.service_id.in_(ids), Task.status.in_(OPEN_TASK_STATES), ~Task.check_mode)
    found = session.scalars(select(Task.service_id).where(*is_open).distinct())
    return {service_id for service_id in found if service_id is not None} | zone_rollout.waiting(session, ids)


def _changed_since(session: Session, ids: Sequence[int], moment: dt.datetime) -> set[int]:
    """Services that something was begun for since then: the mark that they have is newer than what was seen."""
    since = select(Pipeline.service_id).where(Pipeline.service_id.in_(ids), Pipeline.created_at >= moment)
    return {service_id for service_id in session.scalars(since.distinct()) if service_id is not None}


def _server_names(session: Session, found: Sequence[FoundOn]) -> dict[int, str]:
    ids = {server_id for each in found for server_id in each}
    rows = session.execute(select(Server.id, Server.name).where(Server.id.in_(ids)))
    return {row.id: row.name for row in rows}


def _found(service: Service, found_on: FoundOn, *, certain: bool) -> _Found:
    """All that was found of a service, without what is no longer true of it."""
    found = _Found()
    resources = {resource.id: resource for resource in service.resources}
    for server_id, one in found_on.items():
        if "unseen" in one:
            found.unseen[server_id] = one["unseen"]
        for key, wrong in one.get("wrong", {}).items():
            resource = resources.get(int(key))
            if resource is not None and certain and mark_of(resource) == wrong["mark"]:
                found.wrong[resource.id] = wrong["diff"]
            elif resource is not None:
                found.unseen[server_id] = UNCERTAIN
        for key, failed in one.get("failed", {}).items():
            if int(key) in resources and certain:
                found.failed[int(key)] = failed
            elif int(key) in resources:
                found.unseen[server_id] = UNCERTAIN
    return found


def _lines(service: Service, found: _Found, names: Mapping[int, str]) -> list[dict[str, Any]]:
    lines = [
        _line(r.action, r.server.name, r.name, differences(found.wrong[r.id]))
        for r in service.resources
        if r.id in found.wrong
    ]
    lines += [
        _line(r.action, r.server.name, r.name, [f"{NOT_SEEN}: {found.failed[r.id]['words']}"])
        for r in service.resources
        if r.id in found.failed
    ]
    for server_id, words in found.unseen.items():
        name = names.get(server_id, "")
        lines.append(_line(STATUS_ACTION, name, name, [f"{NOT_SEEN}: {words}"]))
    return lines


def _line(action: str, server: str, target: str, lines: list[str]) -> dict[str, Any]:
    return {"action": action, "server": server, "target": target, "lines": lines}


def _report(report: dict[str, Any], service: Service, pipeline_id: int | None, found: list[dict[str, Any]]) -> None:
    if len(report["differing"]) < REPORTED:
        report["differing"].append(
            {"service_id": service.id, "domain": service.domain, "pipeline_id": pipeline_id, "differences": found}
        )


def _record(session: Session, run: LongRun, service: Service, found: _Found) -> Pipeline:
    """The verification of the service, as if it had been looked at alone."""
    now = utcnow()
    pipeline = Pipeline(reason=Reason.VERIFY, actor=run.actor, service_id=service.id, run_id=run.id, finished_at=now)
    session.add(pipeline)
    session.flush()
    resources = {resource.id: resource for resource in service.resources}
    for node, _ in plan(Reason.VERIFY, nodes_of(service.resources)):
        resource = resources[node.resource_id]
        task = Task(
            pipeline_id=pipeline.id,
            service_id=service.id,
            server_id=node.server_id,
            resource_id=node.resource_id,
            action=node.action,
            target=resource.name,
            label=label(node.action, resource.server.hostname or resource.server.name, node.desired, check=True),
            check_mode=True,
            priority=NIGHTLY,
            finished_at=now,
            generation=resource.generation,
            events_expected=0,
        )
        _say(task, found)
        session.add(task)
    if found.wrong:
        service.differences = len(found.wrong)
    if found.is_whole:
        service.verified_at = now
    return pipeline


def _say(task: Task, found: _Found) -> None:
    """How the comparison of one thing ended."""
    failed, diff = found.failed.get(task.resource_id or 0), found.wrong.get(task.resource_id or 0)
    if failed is not None:
        task.status, task.error_class, task.error = TaskStatus.FAILED, failed["class"], failed["words"]
    elif diff is None and task.server_id in found.unseen:
        task.status, task.error = TaskStatus.CANCELLED, found.unseen[task.server_id]
    else:
        task.status, task.changed = TaskStatus.SUCCEEDED, diff is not None
        task.result = {"facts": {}, "actions": [], "repaired": [], "diff": diff}
