"""The life of a service after its order: each a new wish and the same tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from controller.domain.limits import active_roles, resolve
from controller.domain.words import Capability, Desired, Reason, ServiceStatus
from controller.operations.errors import Invalid, Refused
from controller.operations.fields import Fields
from controller.operations.fleet import Fleet
from controller.operations.planning import cancel_open_tasks, start_pipeline, wish
from controller.operations.records import audit
from controller.operations.records import service as find
from controller.store.models import Pipeline, Resource, Service
from controller.store.queries import find_product

Key = int | str
GONE = (ServiceStatus.TERMINATING, ServiceStatus.TERMINATED)


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
    """As redeploy, asked for after a verification."""
    return _change(fleet, actor, key, Reason.REPAIR, lambda _session, service: service.resources)


def verify(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """The same tasks in check mode: what differs is shown, nothing is touched."""
    with fleet.database.write() as session:
        service = find(session, key)
        if service.status in GONE:
            raise Refused(f"{service.domain} is {service.status.value}")
        pipeline, ready = start_pipeline(
            session, fleet.settings, reason=Reason.VERIFY, resources=service.resources, actor=actor, service=service
        )
        audit(session, actor, "service.verify", service.domain)
    fleet.wake(ready)
    return pipeline


def change_product(fleet: Fleet, actor: str, key: Key, product: int | str) -> Pipeline:
    """Resolve the limits of another product and apply them; roles and mode must be the same."""

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
        if service.status is ServiceStatus.TERMINATED or (
            service.desired is Desired.ABSENT and reason not in (Reason.TERMINATE, Reason.REDEPLOY)
        ):
            raise Refused(f"{service.domain} is {service.status.value}")
        resources = apply(session, service)
        cancel_open_tasks(session, service.id)
        service.error = None
        service.status = ServiceStatus.TERMINATING if service.desired is Desired.ABSENT else ServiceStatus.DEPLOYING
        reason = Reason.TERMINATE if service.desired is Desired.ABSENT else reason
        pipeline, ready = start_pipeline(
            session, fleet.settings, reason=reason, resources=resources, actor=actor, service=service
        )
        audit(session, actor, f"service.{reason.value}", service.domain)
    fleet.wake(ready)
    return pipeline


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
