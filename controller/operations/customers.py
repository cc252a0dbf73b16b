"""Customers."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.store.models import Customer


def create(fleet: Fleet, actor: str, *, email: str, name: str) -> Customer:
    """A new customer, keyed by e-mail address. Raises Invalid, Conflict."""
    fields = Fields()
    email = fields.email("email", email)
    name = fields.text("name", name)
    fields.finish()
    with fleet.database.write() as session:
        customer = Customer(email=email, name=name)
        session.add(customer)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a customer {email} already", field="email") from None
        audit(session, actor, "customer.create", email, message=name, customer_id=customer.id)
    return customer
