"""The life of a service after its order: each a new wish and the same tasks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from controller.domain.limits import active_roles, resolve
from controller.domain.pipelines import with_dependents
from controller.domain.words import Capability, Desired, Reason, ServiceStatus, TaskStatus
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import overtake
from controller.engine.planning import nodes_of, start_pipeline, wish
from controller.engine.rows import take
from controller.engine.settling import settle
from controller.operations.errors import Invalid, Refused
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.operations.records import service as find
from controller.store.base import utcnow
from controller.store.models import Pipeline, Resource, Service
from controller.store.queries import current_pipeline, find_product, last_verification

Key = int | str
GONE = (ServiceStatus.TERMINATING, ServiceStatus.TERMINATED)
FRESH = dt.timedelta(minutes=30)
"""How long a verification is believed by a repair."""


def suspend(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Take web and mail out of service; nothing is deleted and DNS stays, so mail kept elsewhere lives on.

    Raises NotFound, Refused for a terminated service.
    """
    return _change(fleet, actor, key, Reason.SUSPEND, _suspend)


def unsuspend(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Bring a suspended service back. Raises NotFound, Refused."""
    return _change(fleet, actor, key, Reason.UNSUSPEND, _unsuspend)


def terminate(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Remove the service from every server, data included. Raises NotFound, Refused when it is gone already."""
    return _change(fleet, actor, key, Reason.TERMINATE, _terminate)


def redeploy(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """All tasks again; what is right already is not touched. Raises NotFound, Refused."""
    return _change(fleet, actor, key, Reason.REDEPLOY, lambda _session, service: service.resources)


def repair(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Put right what differs: after a fresh verification what it found (and what stands on that), otherwise all
    is looked at and what is right is left alone. Raises NotFound, Refused."""
    return _change(fleet, actor, key, Reason.REPAIR, _what_differs)


def verify(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """The same tasks in check mode: what differs is shown, nothing is touched. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        service = find(session, key)
        take(session, Service, service.id)
        if service.status in GONE:
            raise Refused(f"{service.domain} is {service.status.value}")
        running = last_verification(session, service.id)
        if running is not None and running.finished_at is None and running.run_id is None:
            raise Refused(f"{service.domain} is being verified already")
        pipeline, ready = start_pipeline(
            session, reason=Reason.VERIFY, resources=service.resources, actor=actor, service=service
        )
        audit(session, actor, "service.verify", service.domain, service_id=service.id)
    fleet.wake(ready)
    return pipeline


def change_product(fleet: Fleet, actor: str, key: Key, product: int | str) -> Pipeline:
    """Resolve the limits of another product and apply them; roles, mode and group must be the same: another group
    has other servers, and the service stays where it is.

    Raises NotFound, Invalid (field ``product``), Refused.
    """

    def apply(session: Session, service: Service) -> Sequence[Resource]:
        fields = Fields()
        sold = find_product(session, product)
        if sold is None or not sold.active:
            fields.problem("product", f"there is no product {product} on sale")
            fields.finish()
        assert sold is not None
        limits, problems = resolve(sold.limits, service.options)
        if problems:
            raise Invalid(problems)
        roles = [role.value for role in active_roles(sold.roles, limits)]
        if sold.mode is not service.mode or roles != service.roles:
            fields.problem("product", f"{sold.name} has another mode or other roles than this service")
        elif sold.group_id != service.product.group_id:
            fields.problem(
                "product", f"{sold.name} is sold on the servers of another group; a service stays on its own"
            )
        fields.finish()
        service.product_id, service.limits = sold.id, limits
        changed = [resource for resource in service.resources if resource.action.endswith((".package", ".account"))]
        for resource in changed:
            resource.generation += 1
        return changed

    return _change(fleet, actor, key, Reason.CHANGE_PRODUCT, apply)


def _change(
    fleet: Fleet,
    actor: str,
    key: Key,
    reason: Reason,
    apply: Callable[[Session, Service], Sequence[Resource]],
) -> Pipeline:
    with fleet.database.write() as session:
        service = find(session, key)
        take(session, Service, service.id)
        if service.status is ServiceStatus.TERMINATED or (
            service.desired is Desired.ABSENT and reason not in (Reason.TERMINATE, Reason.REDEPLOY)
        ):
            raise Refused(f"{service.domain} is {service.status.value}")
        resources = _and_what_is_behind(session, service, apply(session, service))
        service.error = None
        service.status = ServiceStatus.TERMINATING if service.desired is Desired.ABSENT else ServiceStatus.DEPLOYING
        reason = Reason.TERMINATE if service.desired is Desired.ABSENT else reason
        pipeline, ready = start_pipeline(session, reason=reason, resources=resources, actor=actor, service=service)
        overtake(session, service.id, pipeline)
        # Nothing to do is done at once.
        settle(session, pipeline.id)
        audit(session, actor, f"service.{reason.value}", service.domain, service_id=service.id)
    fleet.wake(ready)
    return pipeline


def _and_what_is_behind(session: Session, service: Service, chosen: Sequence[Resource]) -> Sequence[Resource]:
    """Also what an earlier request has left undone: the request is overtaken, its work is not.

    Of a suspended service what cannot be done now waits until it comes back: an account that was never made would
    be suspended before its domains are there, and the panel gives no certificate to a suspended domain.
    """
    wanted = {resource.id for resource in chosen}
    before = current_pipeline(session, service.id)
    if before is not None:
        undone = [task for task in before.tasks if task.status is not TaskStatus.SUCCEEDED]
        wanted |= {task.resource_id for task in undone if task.resource_id is not None}
    resources = [r for r in service.resources if r.id in wanted or r.applied_generation != r.generation]
    if service.desired is not Desired.SUSPENDED:
        return resources
    never_made = {
        r.account_id
        for r in service.resources
        if r.action.endswith(".account") and r.desired is Desired.SUSPENDED and not r.applied_generation
    }
    return [r for r in resources if r.account_id not in never_made and r.action != "web.certificate"]


def _what_differs(session: Session, service: Service) -> Sequence[Resource]:
    """What a fresh verification found and what stands on it; everything if there is none or it found nothing
    (something may have broken since)."""
    checked = last_verification(session, service.id)
    if checked is None or checked.finished_at is None or utcnow() - checked.finished_at > FRESH:
        return service.resources
    newest = current_pipeline(session, service.id)
    if newest is not None and newest.id > checked.id:
        return service.resources
    wrong = {
        task.resource_id
        for task in checked.tasks
        if task.resource_id is not None and (task.changed or task.status is not TaskStatus.SUCCEEDED)
    }
    chosen = with_dependents(wrong, nodes_of(service.resources))
    return [resource for resource in service.resources if resource.id in chosen] or service.resources


def _domains_and_accounts(service: Service) -> tuple[list[Resource], list[Resource]]:
    """What suspension touches: hosted domains, and accounts that carry no zone (a suspended account would
    take its zones offline)."""
    domains = [r for r in service.resources if r.action in ("web.domain", "mail.domain")]
    accounts = [
        r
        for r in service.resources
        if r.action.endswith(".account") and r.account is not None and Capability.DNS.value not in r.account.roles
    ]
    return domains, accounts


def _touched_zones(service: Service) -> list[Resource]:
    """Zones in an account that has the mail domain too: the panel edits them when mail is suspended or comes
    back, so they are looked at again afterwards."""
    return [
        r
        for r in service.resources
        if r.action == "dns.zone" and r.account is not None and Capability.MAIL.value in r.account.roles
    ]


def _suspend(_session: Session, service: Service) -> Sequence[Resource]:
    service.desired = Desired.SUSPENDED
    domains, accounts = _domains_and_accounts(service)
    wish([*domains, *accounts], Desired.SUSPENDED)
    return [*domains, *accounts, *_touched_zones(service)]


def _unsuspend(_session: Session, service: Service) -> Sequence[Resource]:
    service.desired = Desired.ACTIVE
    domains, accounts = _domains_and_accounts(service)
    # Whatever an account has come to carry since.
    accounts += [r for r in service.resources if r.desired is Desired.SUSPENDED and r not in (*domains, *accounts)]
    wish([*accounts, *domains], Desired.ACTIVE)
    return [*accounts, *domains, *_touched_zones(service)]


def _terminate(session: Session, service: Service) -> Sequence[Resource]:
    service.desired = Desired.ABSENT
    # A certificate goes with its domain.
    for resource in [r for r in service.resources if r.action == "web.certificate"]:
        service.resources.remove(resource)
        session.delete(resource)
    session.flush()
    wish(service.resources, Desired.ABSENT)
    return service.resources
