"""Products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError

from controller.domain.limits import check
from controller.domain.words import Capability, Mode
from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.store.models import Product
from controller.store.queries import find_group


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
) -> Product:
    """A new product; with ``self_service`` customers may order it themselves.

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
        )
        session.add(product)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a product {name} already", field="name") from None
        words = f"{mode}: {', '.join(product.roles)} on {pool.name}"
        audit(session, actor, "product.create", name, message=words, product_id=product.id)
    return product
