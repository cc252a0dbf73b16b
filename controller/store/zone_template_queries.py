"""Which zones a template is used by."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.orm import Session

from controller.domain.words import Capability
from controller.store.models import Account, Product, Server, ServerGroup, Service
from controller.store.zone_models import Zone, ZoneTemplate


def chosen_template() -> ColumnElement[int]:
    """Id of the template that somebody chose for a zone's service, NULL for the default: the zone's own choice, the
    product's, the web (or else mail) server's, the group's. To be used beside ``Zone`` and ``Service``."""

    def of_server(role: Capability) -> ColumnElement[int]:
        # Roles are a JSON list of words.
        hosts = cast(Account.roles, String).contains(f'"{role.value}"')
        return (
            select(Server.zone_template_id)
            .join(Account, Account.server_id == Server.id)
            .where(Account.service_id == Service.id, hosts)
            .limit(1)
            .correlate(Service)
            .scalar_subquery()
        )

    product = (
        select(Product.zone_template_id).where(Product.id == Service.product_id).correlate(Service).scalar_subquery()
    )
    group = (
        select(ServerGroup.zone_template_id)
        .join(Product, Product.group_id == ServerGroup.id)
        .where(Product.id == Service.product_id)
        .correlate(Service)
        .scalar_subquery()
    )
    return func.coalesce(Zone.template_id, product, of_server(Capability.WEB), of_server(Capability.MAIL), group)


def uses_template(template_id: int | None) -> ColumnElement[bool]:
    """Whether a zone uses this template; None is the built-in one. To be used beside ``Zone`` and ``Service``."""
    return uses_one_of([template_id])


def uses_one_of(template_ids: Collection[int | None]) -> ColumnElement[bool]:
    """The same for several templates."""
    default = select(ZoneTemplate.id).where(ZoneTemplate.is_default).limit(1).scalar_subquery()
    used = func.coalesce(chosen_template(), default)
    stored = [template_id for template_id in template_ids if template_id is not None]
    if None not in template_ids:
        return used.in_(stored)
    return or_(used.is_(None), used.in_(stored)) if stored else used.is_(None)


def zones_using(session: Session, template_id: int | None) -> int:
    """How many zones use a template; None is the built-in one."""
    query = select(func.count()).select_from(Zone).join(Service, Service.id == Zone.service_id)
    return session.scalar(query.where(uses_template(template_id))) or 0
