"""Products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.limits import check
from controller.domain.words import Capability, Mode
from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.operations.server_changes import template_id
from controller.store.models import Product
from controller.store.queries import find_group, find_product

EDITABLE = frozenset({"name", "description", "active", "self_service", "zone_template"})


def create(
    fleet: Fleet,
    actor: str,
    *,
    name: str,
    mode: str,
    roles: Sequence[str],
    group: int | str,
    limits: Mapping[str, Any] | None = None,
    description: str = "",
    self_service: bool = False,
    zone_template: int | str | None = None,
) -> Product:
    """A new product; with ``self_service`` customers may order it themselves, ``zone_template`` is for its zones.

    Raises Invalid with every bad field, Conflict when the name exists.
    """
    fields = Fields()
    name = fields.name("name", name)
    description = fields.text("description", description, maximum=1000, required=False)
    mode = fields.choice("mode", mode, (Mode.SPLIT,))
    if not isinstance(roles, Sequence) or isinstance(roles, str) or any(role not in set(Capability) for role in roles):
        fields.problem("roles", "must be a list of web, mail, dns")
        roles = []
    elif not {Capability.WEB, Capability.MAIL} & set(roles):
        fields.problem("roles", "web or mail is needed")
    values, problems = check(limits or {}, "limits")
    fields.extend(problems)
    with fleet.database.write() as session:
        pool = find_group(session, group) if group not in (None, "") else None
        if pool is None:
            fields.problem("group", f"there is no group {group}")
        template = template_id(session, fields, zone_template)
        _refuse_taken(session, fields, name)
        fields.finish()
        assert pool is not None
        product = Product(
            name=name,
            description=description,
            mode=Mode(mode),
            roles=[role.value for role in Capability if role in roles],
            group_id=pool.id,
            limits=values,
            self_service=self_service,
            zone_template_id=template,
        )
        session.add(product)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a product {name} already", field="name") from None
        words = f"{mode}: {', '.join(product.roles)} on {pool.name}"
        audit(session, actor, "product.create", name, message=words, product_id=product.id)
    return product


def edit(fleet: Fleet, actor: str, key: int | str, **changes: Any) -> Product:
    """Change ``name``, ``description``, ``active``, ``self_service``, ``zone_template`` (of zones, None: no choice);
    what is not named stays, and so does what services that are there have. Raises NotFound, Invalid, Conflict.
    """
    unknown = set(changes) - EDITABLE
    if unknown:
        raise TypeError(f"not a field of a product: {', '.join(sorted(unknown))}")
    fields = Fields()
    values = dict(changes)
    if "name" in values:
        values["name"] = fields.name("name", values["name"])
    if "description" in values:
        values["description"] = fields.text("description", values["description"], maximum=1000, required=False)
    with fleet.database.write() as session:
        product = must(find_product(session, key), "product", key)
        if "zone_template" in values:
            values["zone_template_id"] = template_id(session, fields, values.pop("zone_template"))
        _refuse_taken(session, fields, values.get("name", product.name), product)
        fields.finish()
        lines = [
            f"{field}: {getattr(product, field)} -> {value}"
            for field, value in values.items()
            if getattr(product, field) != value
        ]
        for field, value in values.items():
            setattr(product, field, value)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a product {values.get('name')} already", field="name") from None
        if lines:
            audit(session, actor, "product.edit", product.name, message="; ".join(lines), product_id=product.id)
    return product


def _refuse_taken(session: Session, fields: Fields, name: str, product: Product | None = None) -> None:
    """A name that another product has."""
    if fields.wrong("name"):
        return
    other = session.scalar(select(Product.id).where(Product.name == name))
    if other is not None and (product is None or other != product.id):
        fields.refusal("name", Conflict(f"there is a product {name} already", field="name"))
