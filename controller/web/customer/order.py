"""A customer orders hosting: a product that is open to customers, and a domain."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length

from controller.domain.limits import resolve
from controller.operations import orders
from controller.operations.errors import OperationError
from controller.store.models import Customer, Product
from controller.web.access import Access, page
from controller.web.forms import FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import person_of
from controller.web.templating import render

HIGHLIGHTS = ("web_disk_quota", "mail_accounts", "web_databases")
"""Limits that are shown on a product's card."""


class OrderForm(FleetForm):
    product = RadioField("Product", invalid_choice_message="Choose a product.")
    domain = StringField("Your domain", [InputRequired("Enter your domain."), Length(max=255)])

    def refuse(self, problem: OperationError) -> None:
        super().refuse(problem)
        if self.product.errors:
            # Which servers are full is for staff.
            self.product.errors = ["This product is not available at the moment. Please try again later or contact us."]


def products_for_customers(session: Session) -> Sequence[Product]:
    """Products a signed-in customer may order."""
    return session.scalars(select(Product).where(Product.active, Product.self_service).order_by(Product.name)).all()


def _page(request: Request, form: OrderForm | None = None, status: int = 200) -> Response:
    with database_of(request).read() as session:
        products = products_for_customers(session)
        form = form or OrderForm.of(request, product=str(products[0].id) if products else "")
        form.product.choices = choices((product.id, product.name) for product in products)
        highlights = {product.id: _highlights(product) for product in products}
        return render(request, "customer/order.html", status, form=form, products=products, highlights=highlights)


def _highlights(product: Product) -> dict[str, object]:
    limits, _problems = resolve(product.limits, {})
    return {key: limits[key] for key in HIGHLIGHTS if key.split("_")[0] in product.roles}


def show(request: Request) -> Response:
    return _page(request)


def order(request: Request) -> Response:
    with database_of(request).read() as session:
        form = OrderForm.of(request)
        form.product.choices = choices((product.id, product.name) for product in products_for_customers(session))
        customer = session.get_one(Customer, person_of(request).customer_id)
    if not form.validate():
        return _page(request, form, 422)
    try:
        service = orders.order(
            fleet_of(request),
            actor_of(request),
            product=form.product.data,
            domain=(form.domain.data or "").strip(),
            customer_email=customer.email,
            customer_name=customer.name,
        )
    except OperationError as problem:
        form.refuse(problem)
        return _page(request, form, 422)
    return RedirectResponse(f"/panel/services/{service.id}", 303)


routes: list[BaseRoute] = [
    page("/panel/order", show, Access.CUSTOMER),
    page("/panel/order", order, Access.CUSTOMER, methods=["POST"]),
]
