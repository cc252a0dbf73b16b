"""Turn a reason into tasks: rows with their needs, ready ones queued."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
}
