"""Services written straight into the database as if they were built, where only a part of them is to be real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.limits import resolve
from controller.domain.words import Capability, ServiceStatus
from controller.engine.building import build
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Customer, Product, Server, Service

FACTS = {
    "web.domain": {"ip": "192.0.2.11"},
    "mail.domain": {"ip": "192.0.2.21", "hostname": "mx01.fleet.test", "dkim_selector": "mail"},
}


def sold(
    session: Session, fleet: Fleet, product: Product, domain: str, places: Mapping[Capability, Sequence[str]]
) -> Service:
    """A live service on the named servers. Web and mail are taken for built; its zone is still to be published."""
    customer = session.scalars(select(Customer)).first()
    if customer is None:
        customer = Customer(email="ada@demo.test", name="Ada")
        session.add(customer)
        session.flush()
    service = Service(
        product_id=product.id,
        customer_id=customer.id,
        domain=domain,
        domain_unicode=domain,
        mode=product.mode,
        roles=[role.value for role in places],
        limits=resolve(product.limits, {})[0],
        options={},
        status=ServiceStatus.ACTIVE,
        activated_at=utcnow(),
    )
    session.add(service)
    session.flush()
    ids = {name: number for name, number in session.execute(select(Server.name, Server.id))}  # noqa: C416
    chosen = {role: [ids[name] for name in names] for role, names in places.items()}
    for resource in build(session, fleet.vault, service, chosen):
        if not resource.action.startswith("dns."):
            resource.applied_generation, resource.applied_at = resource.generation, utcnow()
            resource.facts = dict(FACTS.get(resource.action, {}))
    session.flush()
    return service
