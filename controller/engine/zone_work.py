"""Changes of a service's zone on all its nameservers: one pipeline each, beside the service's own life."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from controller.domain.words import ZONE_ACTION, Desired, Reason, ServiceStatus, TaskStatus
from controller.engine import journal
from controller.engine.dispatch import Ready
from controller.engine.planning import DEPLOYMENT, start_pipeline
from controller.engine.rows import take_task
from controller.engine.settling import settle
from controller.store.base import utcnow
from controller.store.models import Pipeline, Resource, Service, Task

COMING = (TaskStatus.WAITING, TaskStatus.QUEUED)
UNSTARTED = (*COMING, TaskStatus.HELD)
PUBLISHED = {
    "web.domain": ("ip",),
    "mail.domain": ("ip", "hostname", "dkim_selector", "dkim_public_key"),
}
"""Facts that zones are made of, by the action that finds them out."""
SETTLED = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED, ServiceStatus.DEPLOYING, ServiceStatus.ERROR)
"""Services whose zone may be changed: also one that is being built or in trouble, but not one that goes away."""


def copies(service: Service) -> list[Resource]:
    """The zone on each nameserver that shall have it."""
    return [r for r in service.resources if r.action == ZONE_ACTION and r.desired is not Desired.ABSENT]


def zone_changed(
    session: Session,
    service: Service,
    actor: str,
    *,
    also: Iterable[Resource] = (),
    turned: Iterable[Resource] = (),
    priority: int = DEPLOYMENT,
    run_id: int | None = None,
    spare_held: bool = False,
) -> tuple[Pipeline | None, Ready]:
    """The zone shall be other than it was: every nameserver is told, and ``also`` these resources, whatever else is
    planned for them. ``turned`` are those that were to come and shall go now, or the other way round.

    A copy whose task has not started yet needs no other: a task reads the wish when it runs. None when that is so
    for all of them.
    """
    zones = copies(service)
    for resource in zones:
        resource.generation += 1
    more = list(also)
    return bring_up(
        session,
        service,
        [*zones, *more],
        actor,
        anew=more,
        turned=turned,
        priority=priority,
        run_id=run_id,
        spare_held=spare_held,
    )


def follow_facts(session: Session, resource: Resource, before: Mapping[str, Any]) -> Ready:
    """A site or a mail domain has been set up, and what its zone publishes of it is other than before: copies whose
    task does not come after this anyway are brought up to date."""
    service = resource.service
    if resource.action not in PUBLISHED or service is None or service.status not in SETTLED:
        return []
    if all(resource.facts.get(key) == before.get(key) for key in PUBLISHED[resource.action]):
        return []
    # A copy that is held waits for a step of the deployment that this is part of.
    return zone_changed(session, service, journal.ENGINE, spare_held=True)[1]


def bring_up(
    session: Session,
    service: Service,
    resources: Sequence[Resource],
    actor: str,
    *,
    anew: Iterable[Resource] = (),
    turned: Iterable[Resource] = (),
    priority: int = DEPLOYMENT,
    run_id: int | None = None,
    spare_held: bool = False,
) -> tuple[Pipeline | None, Ready]:
    """Tasks for these copies and for what they stand on and is not there yet; for a copy whose task is to come anyway
    only if it is among those ``anew`` or ``turned``.

    A task that is held back by one that failed would come too late or never: it is replaced (unless ``spare_held``).
    So is every task that has not started of what has ``turned``: it was planned in the opposite order.
    """
    session.flush()
    opposite = {r.id for r in turned}
    mine = [r.id for r in service.resources]
    counts = UNSTARTED if spare_held else COMING
    planned = select(Task.resource_id).where(Task.resource_id.in_(mine), Task.status.in_(counts), ~Task.check_mode)
    coming = set(session.scalars(planned)) - opposite - {r.id for r in anew}
    chosen = {r.id: r for r in resources if r.id not in coming}
    accounts = {r.account_id for r in chosen.values() if r.account_id is not None and r.action == ZONE_ACTION}
    for resource in service.resources:
        stands_under = resource.account_id in accounts and resource.action.startswith("dns.")
        if stands_under and resource.applied_generation != resource.generation and resource.id not in coming:
            chosen[resource.id] = resource
    wanted = list(chosen.values())
    if not wanted:
        return None, []
    pipeline, ready = start_pipeline(
        session,
        reason=Reason.ZONE,
        resources=wanted,
        actor=actor,
        service=service,
        priority=priority,
        run_id=run_id,
    )
    ready += _replace(session, pipeline, Task.resource_id.in_(chosen), (TaskStatus.HELD,))
    ready += _replace(session, pipeline, Task.resource_id.in_(opposite), UNSTARTED)
    return pipeline, ready


def _replace(session: Session, newer: Pipeline, which: ColumnElement[bool], states: Collection[TaskStatus]) -> Ready:
    """Cancel older tasks in these states: the newer ones are about the same."""
    older = select(Task.id).where(which, Task.pipeline_id != newer.id, Task.status.in_(states), ~Task.check_mode)
    ready: Ready = []
    for task_id in session.scalars(older.order_by(Task.id)).all():
        task = take_task(session, task_id)
        if task is not None and task.status in states:
            task.status, task.finished_at, task.error = TaskStatus.CANCELLED, utcnow(), "a newer change takes its place"
            task.not_before = None
            ready += settle(session, task.pipeline_id)
    return ready
