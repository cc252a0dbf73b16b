"""Turn a reason into tasks: rows with their needs, ready ones queued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from controller.domain.pipelines import Node, label, plan
from controller.domain.words import Desired, Reason, TaskStatus
from controller.store.base import utcnow
from controller.store.models import Activity, Pipeline, Resource, Server, Service, Task, TaskNeed

CUSTOMER_CLICK = 10
DEPLOYMENT = 50
NIGHTLY = 90


def wish(resources: Iterable[Resource], desired: Desired) -> None:
    """Set the desired state; a new wish is a new generation."""
    for resource in resources:
        resource.desired = desired
        resource.generation += 1


def nodes_of(resources: Iterable[Resource]) -> list[Node]:
    """Resources as the rules of planning see them."""
    return [Node(r.id, r.action, r.server_id, r.account_id, r.desired) for r in resources]


def start_pipeline(
    session: Session,
    *,
    reason: Reason,
    resources: Sequence[Resource],
    actor: str,
    service: Service | None = None,
    priority: int = DEPLOYMENT,
    run_id: int | None = None,
) -> tuple[Pipeline, list[tuple[int, int]]]:
    """Write a pipeline and its tasks; returns it and the ready tasks as (id, priority) to ring for."""
    pipeline = Pipeline(reason=reason, actor=actor, service_id=service.id if service else None, run_id=run_id)
    session.add(pipeline)
    session.flush()
    wanted = {resource.server_id for resource in resources}
    names = {
        server_id: hostname or name
        for server_id, hostname, name in session.execute(
            select(Server.id, Server.hostname, Server.name).where(Server.id.in_(wanted))
        )
    }
    by_resource = {resource.id: resource for resource in resources}
    tasks: dict[int, Task] = {}
    now = utcnow()
    planned = plan(reason, nodes_of(resources))
    for node, needs in planned:
        ready = not needs
        task = Task(
            pipeline_id=pipeline.id,
            service_id=pipeline.service_id,
            server_id=node.server_id,
            resource_id=node.resource_id,
            action=node.action,
            target=by_resource[node.resource_id].name,
            label=label(node.action, names[node.server_id], node.desired, check=reason is Reason.VERIFY),
            check_mode=reason is Reason.VERIFY,
            status=TaskStatus.QUEUED if ready else TaskStatus.WAITING,
            queued_at=now if ready else None,
            priority=priority,
        )
        session.add(task)
        tasks[node.resource_id] = task
    session.flush()
    edges = [
        {"task_id": tasks[node.resource_id].id, "needs_id": tasks[needed].id}
        for node, needs in planned
        for needed in needs
    ]
    if edges:
        session.execute(insert(TaskNeed), edges)
    if service is not None and run_id is None:
        words = f"{REASON_WORDS[reason]} ({len(tasks)} steps)"
        session.add(Activity(kind=f"pipeline.{reason.value}", message=words, actor=actor, service_id=service.id))
    return pipeline, [(task.id, task.priority) for task in tasks.values() if task.status is TaskStatus.QUEUED]


@dataclass(frozen=True)
class ServerTask:
    """One task on a server itself: what a resource stands for, or something done once with arguments."""

    server: Server
    action: str
    target: str
    resource_id: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def start_server_run(
    session: Session,
    *,
    reason: Reason,
    title: str,
    actor: str,
    tasks: Iterable[ServerTask],
    group_id: int | None = None,
    run_id: int | None = None,
    priority: int = DEPLOYMENT,
    check: bool = False,
    lanes: Mapping[int, str] | None = None,
) -> tuple[Pipeline, list[tuple[int, int]]]:
    """Write a pipeline of tasks on servers themselves, none of which waits for another; those of servers in one lane
    (by server id) run one after another all the same. Returns it and the tasks as (id, priority) to ring for."""
    pipeline = Pipeline(reason=reason, title=title, actor=actor, group_id=group_id, run_id=run_id, check=check)
    session.add(pipeline)
    session.flush()
    now = utcnow()
    rows = [
        Task(
            pipeline_id=pipeline.id,
            server_id=one.server.id,
            resource_id=one.resource_id,
            action=one.action,
            target=one.target,
            label=label(one.action, one.server.name, Desired.ACTIVE, check=check),
            arguments=dict(one.arguments),
            check_mode=check,
            lane=None if check or lanes is None else lanes.get(one.server.id),
            status=TaskStatus.QUEUED,
            queued_at=now,
            priority=priority,
        )
        for one in tasks
    ]
    session.add_all(rows)
    session.flush()
    return pipeline, [(task.id, task.priority) for task in rows]


def server_resource(session: Session, server: Server, action: str, name: str) -> Resource:
    """What a server itself shall have (settings in a scope, standard files), made when it is first asked for."""
    found = session.scalars(
        select(Resource).where(Resource.server_id == server.id, Resource.action == action, Resource.name == name)
    ).first()
    if found is None:
        found = Resource(server_id=server.id, action=action, name=name)
        session.add(found)
        session.flush()
    return found


REASON_WORDS = {
    Reason.ORDER: "Order accepted",
    Reason.REDEPLOY: "Redeploy started",
    Reason.SUSPEND: "Suspension started",
    Reason.UNSUSPEND: "Reactivation started",
    Reason.TERMINATE: "Termination started",
    Reason.CHANGE_PRODUCT: "Product change started",
    Reason.VERIFY: "Verification started",
    Reason.REPAIR: "Repair started",
    Reason.CHECK: "Check started",
    Reason.ZONE: "DNS change started",
    Reason.CONFIG: "Settings push started",
    Reason.FILES: "Standard files push started",
    Reason.MAINTENANCE: "Maintenance started",
    Reason.USAGE: "Usage collection started",
}
