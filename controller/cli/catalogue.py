"""``product`` and ``customer``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    actor,
    new_group,
    opened,
    out,
    out_json,
    out_list,
    pairs,
    when,
    words,
)

product_app = new_group("Products.")
customer_app = new_group("Customers.")


@product_app.command("create")
def create_product(
    name: Annotated[str, typer.Argument(help="Name of the product.")],
    group: Annotated[str, typer.Option(help="Server group that hosts it.")],
    role: Annotated[list[str] | None, typer.Option(help="web, mail or dns; default: all three.")] = None,
    mode: Annotated[str, typer.Option(help="Deployment mode.")] = "split",
    limit: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, for instance web_disk_quota=5000.")] = None,
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    self_service: Annotated[bool, typer.Option("--self-service", help="Customers may order it themselves.")] = False,
    zone_template: Annotated[str | None, typer.Option(help="For its zones; default: no choice.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a product."""
    from controller.operations import products
    from controller.store.models import Product
    from controller.web.api.represent import product_answer

    limits = pairs(limit or [], "--limit")
    with opened() as fleet:
        product = products.create(
            fleet,
            actor(),
            name=name,
            mode=mode,
            roles=words(role or ["web,mail,dns"]),
            group=group,
            limits=limits,
            description=description,
            self_service=self_service,
            zone_template=zone_template,
        )
        if not as_json:
            out(f"Product {product.name} created")
            return
        with fleet.database.read() as session:
            out_json(product_answer(session, session.get_one(Product, product.id)))


@product_app.command("edit")
def edit_product(
    key: Annotated[str, typer.Argument(metavar="PRODUCT", help="Id or name.")],
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    active: Annotated[bool | None, typer.Option("--on-sale/--withdrawn", help="Whether it can be ordered.")] = None,
    self_service: Annotated[
        bool | None, typer.Option("--self-service/--staff-only", help="Whether customers may order it themselves.")
    ] = None,
    zone_template: Annotated[str | None, typer.Option(help="For its zones; empty: no choice.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a product; what is not named stays, and so do services that are there."""
    from controller.operations import products
    from controller.store.models import Product
    from controller.web.api.represent import product_answer

    given: dict[str, Any] = {
        "name": name,
        "description": description,
        "active": active,
        "self_service": self_service,
        "zone_template": zone_template,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise BadInput("nothing to change: name at least one option")
    with opened() as fleet:
        product = products.edit(fleet, actor(), key, **changes)
        with fleet.database.read() as session:
            answer = product_answer(session, session.get_one(Product, product.id))
    if as_json:
        out_json(answer)
    else:
        out(f"Product {answer.name} changed")


@product_app.command("list")
def list_products(as_json: AsJson = False) -> None:
    """List products."""
    from sqlalchemy import select

    from controller.store.models import Product
    from controller.web.api.represent import product_answers

    with opened() as fleet, fleet.database.read() as session:
        products = product_answers(session, session.scalars(select(Product).order_by(Product.name)).all())
    out_list(
        as_json,
        products,
        ("ID", "NAME", "MODE", "ROLES", "GROUP", "ON SALE", "SELF-SERVICE"),
        [
            (
                product.id,
                product.name,
                product.mode.value,
                ",".join(product.roles),
                product.group.name,
                "yes" if product.active else "no",
                "yes" if product.self_service else "no",
            )
            for product in products
        ],
    )


@customer_app.command("create")
def create_customer(
    email: Annotated[str, typer.Argument(help="E-mail address.")],
    name: Annotated[str, typer.Option(help="Name of the person or firm.")],
    as_json: AsJson = False,
) -> None:
    """Create a customer."""
    from controller.operations import customers
    from controller.web.api.represent import customer_answer

    with opened() as fleet:
        customer = customers.create(fleet, actor(), email=email, name=name)
    if as_json:
        out_json(customer_answer(customer))
    else:
        out(f"Customer {customer.email} created")


@customer_app.command("list")
def list_customers(as_json: AsJson = False) -> None:
    """List customers."""
    from sqlalchemy import select

    from controller.store.models import Customer
    from controller.web.api.represent import customer_answer

    with opened() as fleet, fleet.database.read() as session:
        customers = [customer_answer(one) for one in session.scalars(select(Customer).order_by(Customer.email))]
    out_list(
        as_json,
        customers,
        ("ID", "E-MAIL", "NAME", "SINCE"),
        [(one.id, one.email, one.name, when(one.created_at)) for one in customers],
    )
