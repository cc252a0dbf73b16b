"""Order a service: validate all that can be known, write everything in one transaction, ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.limits import active_roles, resolve
from controller.domain.naming import DomainError, DomainName, parse_domain
from controller.domain.placement import Candidate, NoRoomError, place
from controller.domain.words import Capability, Mode, Reason, ServiceStatus
from controller.engine.building import build
from controller.engine.fleet import Fleet
from controller.engine.planning import start_pipeline
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.store.models import Customer, Product, Service
from controller.store.queries import find_customer, find_product, group_candidates
from controller.store.server_queries import server_loads


def order(
    fleet: Fleet,
    actor: str,
    *,
    product: int | str,
    domain: str,
    customer_email: str,
    customer_name: str,
    options: Mapping[str, Any] | None = None,
    reference: str | None = None,
) -> Service:
    """Sell hosting on one domain; the work goes on in the background.

    Raises Invalid with every bad field, Conflict when the domain has a live service. Nothing is written then.
    """
    fields = Fields()
    name = _domain(fields, domain)
    email = fields.email("customer.email", customer_email)
    person = fields.text("customer.name", customer_name)
    reference = fields.text("reference", reference, maximum=100, required=False) or None
    with fleet.database.write() as session:
        sold = find_product(session, product) if product else None
        if sold is None:
            fields.problem("product", f"there is no product {product}")
        elif not sold.active:
            fields.problem("product", f"{sold.name} is not sold any more")
        elif sold.mode is not Mode.SPLIT:
            fields.problem("product", f"{sold.mode.value} deployment is not available yet")
        limits, problems = resolve(sold.limits if sold else {}, options or {})
        fields.extend(problems)
        if sold is not None and not problems:
            roles = active_roles(sold.roles, limits)
            if not set(roles) & {Capability.WEB, Capability.MAIL}:
                fields.problem("options", "neither web nor mail is left: both quotas are 0")
        fields.finish()
        assert sold is not None and name is not None
        _refuse_live_domain(session, name)
        try:
            chosen = _place(session, sold, roles)
        except NoRoomError as full:
            fields.problem("product", str(full))
            fields.finish()
        service = Service(
            reference=reference,
            product_id=sold.id,
            customer_id=_customer(session, email, person).id,
            domain=name.ascii,
            domain_unicode=name.unicode,
            mode=sold.mode,
            roles=[role.value for role in roles],
            limits=limits,
            options=dict(options or {}),
            status=ServiceStatus.PENDING,
        )
        session.add(service)
        try:
            session.flush()
        except IntegrityError:
            raise _taken(name) from None
        resources = build(session, fleet.vault, service, chosen)
        _, ready = start_pipeline(session, reason=Reason.ORDER, resources=resources, actor=actor, service=service)
        audit(
            session,
            actor,
            "service.order",
            service.domain,
            message=f"{sold.name} for {email}",
            service_id=service.id,
            product=sold.name,
        )
    fleet.wake(ready)
    return service


def _domain(fields: Fields, text: Any) -> DomainName | None:
    try:
        return parse_domain(text if isinstance(text, str) else "")
    except DomainError as problem:
        fields.problem("domain", str(problem))
        return None


def _taken(name: DomainName) -> Conflict:
    return Conflict(f"{name.unicode} already has a live service", field="domain")


def _refuse_live_domain(session: Session, name: DomainName) -> None:
    live = select(Service.id).where(Service.domain == name.ascii, Service.status != ServiceStatus.TERMINATED)
    if session.scalar(live) is not None:
        raise _taken(name)


def _customer(session: Session, email: str, name: str) -> Customer:
    customer = find_customer(session, email)
    if customer is None:
        customer = Customer(email=email, name=name)
        session.add(customer)
        session.flush()
    return customer


def _place(session: Session, product: Product, roles: Sequence[Capability]) -> Mapping[Capability, Sequence[int]]:
    servers = group_candidates(session, product.group)
    loads = server_loads(session, [server.id for server in servers])
    candidates = [
        Candidate(server.id, server.name, frozenset(server.open_roles), loads.get(server.id, 0), server.capacity)
        for server in servers
    ]
    attached = {server.id for server in product.group.dns_servers}
    wanted = [role for role in roles if role is not Capability.DNS]
    # DNS goes to the attached nameservers only; a web server that could serve DNS is not one of them by itself.
    nameservers = [candidate for candidate in candidates if candidate.server_id in attached]
    members = [c for c in candidates if c.server_id not in attached or c.server_id in _member_ids(product)]
    chosen = {role: [c.server_id for c in found] for role, found in place(wanted, members).items()}
    if Capability.DNS in roles:
        chosen[Capability.DNS] = [c.server_id for c in place([Capability.DNS], nameservers)[Capability.DNS]]
    return chosen


def _member_ids(product: Product) -> set[int]:
    return {server.id for server in product.group.servers}
