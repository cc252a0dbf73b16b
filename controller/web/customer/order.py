"""A customer orders hosting: a product that is open to customers, and a domain."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from controller.operations import orders
from controller.operations.errors import OperationError
from controller.store.models import Customer, Product
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import person_of
from controller.web.templating import render


class CustomerOrderForm(FleetForm):
    product = ChoiceField("Product")
    domain = StringField("Domain", [InputRequired("Enter the domain."), Length(max=255)])

    field_map = {"options": "product"}


def products_for_customers(session: Session) -> list[Product]:
    """Products a signed-in customer may order."""
    query = select(Product).where(Product.active, Product.self_service).order_by(Product.name)
    return list(session.scalars(query))


def _page(request: Request, form: FleetForm, status: int = 200) -> Response:
    with database_of(request).read() as session:
        products = products_for_customers(session)
    return render(request, "customer/order.html", status, form=form, products=products)


def _form(request: Request) -> FleetForm:
    form = CustomerOrderForm.of(request)
    with database_of(request).read() as session:
        form["product"].choices = choices((product.id, product.name) for product in products_for_customers(session))
    return form


def new(request: Request) -> Response:
    return _page(request, _form(request))


def create(request: Request) -> Response:
    form = _form(request)
    if not form.validate():
        return _page(request, form, 422)
    with database_of(request).read() as session:
        customer = session.get_one(Customer, person_of(request).customer_id)
    try:
        service = orders.order(
            fleet_of(request),
            actor_of(request),
            product=form["product"].data,
            domain=form["domain"].data.strip(),
            customer_email=customer.email,
            customer_name=customer.name,
        )
    except OperationError as problem:
        form.refuse(problem)
        return _page(request, form, 422)
    return RedirectResponse(f"/panel/services/{service.id}", 303)


routes: list[BaseRoute] = [
    page("/panel/order", new, Access.CUSTOMER),
    page("/panel/order", create, Access.CUSTOMER, methods=["POST"]),
]
