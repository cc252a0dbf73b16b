"""Which zones a template is used by."""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, cast, func, select
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
    default = select(ZoneTemplate.id).where(ZoneTemplate.is_default).limit(1).scalar_subquery()
    used = func.coalesce(chosen_template(), default)
    return used.is_(None) if template_id is None else used == template_id


def zones_using(session: Session, template_id: int | None) -> int:
    """How many zones use a template; None is the built-in one."""
    query = select(func.count()).select_from(Zone).join(Service, Service.id == Zone.service_id)
    return session.scalar(query.where(uses_template(template_id))) or 0
