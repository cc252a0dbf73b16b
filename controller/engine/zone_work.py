"""Changes of a service's zone on all its nameservers: one pipeline each, beside the service's own life."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.words import ZONE_ACTION, Desired, Reason, ServiceStatus, TaskStatus
from controller.engine import journal
from controller.engine.dispatch import Ready
from controller.engine.planning import DEPLOYMENT, start_pipeline
from controller.store.models import Pipeline, Resource, Service, Task

UNSTARTED = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.HELD)
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
    priority: int = DEPLOYMENT,
    run_id: int | None = None,
) -> tuple[Pipeline | None, Ready]:
    """The zone shall be other than it was: every nameserver is told, and ``also`` these resources.

    A copy whose task has not started yet needs no other: a task reads the wish when it runs. None when that is so
    for all of them.
    """
    zones = copies(service)
    for resource in zones:
        resource.generation += 1
    return bring_up(session, service, [*zones, *also], actor, priority=priority, run_id=run_id)


def follow_facts(session: Session, resource: Resource, before: Mapping[str, Any]) -> Ready:
    """A site or a mail domain has been set up, and what its zone publishes of it is other than before: copies whose
    task does not come after this anyway are brought up to date."""
    service = resource.service
    if resource.action not in PUBLISHED or service is None or service.status not in SETTLED:
        return []
    if all(resource.facts.get(key) == before.get(key) for key in PUBLISHED[resource.action]):
        return []
    return zone_changed(session, service, journal.ENGINE)[1]


def bring_up(
    session: Session,
    service: Service,
    resources: Sequence[Resource],
    actor: str,
    *,
    priority: int = DEPLOYMENT,
    run_id: int | None = None,
) -> tuple[Pipeline | None, Ready]:
    """Tasks for these copies and for what they stand on and is not there yet."""
    session.flush()
    mine = [r.id for r in service.resources]
    coming = set(
        session.scalars(
            select(Task.resource_id).where(Task.resource_id.in_(mine), Task.status.in_(UNSTARTED), ~Task.check_mode)
        )
    )
    chosen = {r.id: r for r in resources if r.id not in coming}
    accounts = {r.account_id for r in chosen.values() if r.account_id is not None and r.action == ZONE_ACTION}
    for resource in service.resources:
        stands_under = resource.account_id in accounts and resource.action.startswith("dns.")
        if stands_under and resource.applied_generation != resource.generation and resource.id not in coming:
            chosen[resource.id] = resource
    wanted = list(chosen.values())
    if not wanted:
        return None, []
    return start_pipeline(
        session,
        reason=Reason.ZONE,
        resources=wanted,
        actor=actor,
        service=service,
        priority=priority,
        run_id=run_id,
    )
