"""Create a service: an order made by staff."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import EmailField, StringField
from wtforms.validators import InputRequired, Length

from controller.operations import orders
from controller.operations.errors import OperationError
from controller.store.models import Customer, Product
from controller.web import limit_fields
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices, optional
from controller.web.request_tools import actor_of, database_of, fleet_of, query
from controller.web.session import flash
from controller.web.templating import render


class OrderFields(FleetForm):
    product = ChoiceField("Product")
    domain = StringField("Domain", [InputRequired("Enter the domain."), Length(max=255)])
    customer_email = EmailField("E-mail address", [InputRequired("Enter the customer’s e-mail address.")])
    customer_name = StringField("Name", [InputRequired("Enter the customer’s name."), Length(max=200)])
    reference = StringField("Reference", [optional(), Length(max=100)])

    field_map = {
        "customer.email": "customer_email",
        "customer.name": "customer_name",
        **limit_fields.field_map("options"),
    }


OrderForm = limit_fields.with_limits(OrderFields)


def _form(request: Request, session: Session, **data: Any) -> FleetForm:
    form = OrderForm.of(request, **data)
    products = session.scalars(select(Product).where(Product.active).order_by(Product.name)).all()
    form["product"].choices = choices((product.id, product.name) for product in products)
    return form


def _page(request: Request, session: Session, form: FleetForm, status: int = 200) -> Response:
    customers = session.scalars(select(Customer).order_by(Customer.email).limit(500)).all()
    return render(
        request,
        "admin/services/new.html",
        status,
        form=form,
        customers=customers,
        limit_groups=limit_fields.groups(form),
        hint=limit_fields.hint,
    )


def new(request: Request) -> Response:
    with database_of(request).read() as session:
        wanted = query(request, "customer")
        customer = session.get(Customer, int(wanted)) if wanted.isdigit() and len(wanted) < 19 else None
        known = {"customer_email": customer.email, "customer_name": customer.name} if customer else {}
        return _page(request, session, _form(request, session, **known))


def create(request: Request) -> Response:
    with database_of(request).read() as session:
        form = _form(request, session)
        if not form.validate():
            return _page(request, session, form, 422)
    try:
        service = orders.order(
            fleet_of(request),
            actor_of(request),
            product=form["product"].data,
            domain=form["domain"].data.strip(),
            customer_email=form["customer_email"].data,
            customer_name=form["customer_name"].data,
            options=limit_fields.read(form),
            reference=form["reference"].data or None,
        )
    except OperationError as problem:
        form.refuse(problem)
        with database_of(request).read() as session:
            return _page(request, session, form, 422)
    flash(request, f"{service.domain_unicode} is ordered and being set up.")
    return RedirectResponse(f"/admin/services/{service.id}/deploy", 303)


routes: list[BaseRoute] = [
    page("/admin/services/new", new, Access.OPERATOR),
    page("/admin/services/new", create, Access.OPERATOR, methods=["POST"]),
]
