"""Calls on products and customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.operations import customers, products
from controller.operations.records import must
from controller.store.models import Customer, Product
from controller.store.queries import find_customer, find_product
from controller.web.api import lists
from controller.web.api.answers import CustomerAnswer, ProductAnswer
from controller.web.api.bodies import NewCustomer, NewProduct, ProductEdit
from controller.web.api.calls import Asked, Call, Listed, Once
from controller.web.api.represent import customer_answer, product_answer, product_answers


def _list_products(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.products(session, asked.query)
        return Listed(page, [*product_answers(session, page.items)])


def _get_product(asked: Asked) -> ProductAnswer:
    with asked.fleet.database.read() as session:
        return product_answer(session, must(find_product(session, asked.key), "product", asked.key))


def _create_product(asked: Asked) -> None:
    body: NewProduct = asked.body
    products.create(
        asked.fleet,
        asked.actor,
        name=body.name,
        mode=body.mode,
        roles=body.roles,
        group=body.group,
        limits=body.limits,
        description=body.description,
        self_service=body.self_service,
        zone_template=body.zone_template,
    )


def _edit_product(asked: Asked) -> ProductAnswer:
    body: ProductEdit = asked.body
    # Of all but the template null means what leaving out means: there is nothing else it could.
    given = {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None or name == "zone_template"
    }
    product = products.edit(asked.fleet, asked.actor, asked.key, **given)
    with asked.fleet.database.read() as session:
        return product_answer(session, session.get_one(Product, product.id))


def _list_customers(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.customers(session, asked.query)
        return Listed(page, [customer_answer(customer) for customer in page.items])


def _get_customer(asked: Asked) -> CustomerAnswer:
    with asked.fleet.database.read() as session:
        return customer_answer(must(find_customer(session, asked.key), "customer", asked.key))


def _create_customer(asked: Asked) -> None:
    body: NewCustomer = asked.body
    customers.create(asked.fleet, asked.actor, email=body.email, name=body.name)


def _created_product(session: Session, product: Product, _added: Sequence[Any]) -> ProductAnswer:
    return product_answer(session, product)


def _created_customer(_session: Session, customer: Customer, _added: Sequence[Any]) -> CustomerAnswer:
    return customer_answer(customer)


CALLS = (
    Call(
        "GET",
        "/products",
        "List products",
        _list_products,
        answer=ProductAnswer,
        query=lists.NamedParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/products",
        "Create a product",
        _create_product,
        answer=ProductAnswer,
        status=201,
        body=NewProduct,
        once=Once(Product, _created_product),
    ),
    Call("GET", "/products/{id}", "Show a product", _get_product, answer=ProductAnswer),
    Call(
        "PATCH",
        "/products/{id}",
        "Change a product; what is left out stays, and so do services that are there",
        _edit_product,
        answer=ProductAnswer,
        body=ProductEdit,
        problems=("conflict",),
    ),
    Call(
        "GET",
        "/customers",
        "List customers",
        _list_customers,
        answer=CustomerAnswer,
        query=lists.CustomerParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/customers",
        "Create a customer",
        _create_customer,
        answer=CustomerAnswer,
        status=201,
        body=NewCustomer,
        once=Once(Customer, _created_customer),
    ),
    Call("GET", "/customers/{id}", "Show a customer", _get_customer, answer=CustomerAnswer),
)
