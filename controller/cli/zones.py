"""``zone``."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.console import AsJson, new_group, opened, out, out_fields, out_json, out_list, out_table, when

zone_app = new_group("DNS zones of services.")


@zone_app.command("list")
def list_zones(as_json: AsJson = False) -> None:
    """List zones."""
    from sqlalchemy import select
    from sqlalchemy.orm import selectinload

    from controller.store.models import Resource, Service
    from controller.web.api.represent import ZONE, zone_summary

    with opened() as fleet, fleet.database.read() as session:
        query = select(Service).options(selectinload(Service.resources)).order_by(Service.domain)
        services = session.scalars(query.where(Service.resources.any(Resource.action == ZONE)))
        zones = [zone_summary(service) for service in services]
    out_list(
        as_json,
        zones,
        ("DOMAIN", "SERVICE", "STATUS", "NAMESERVERS", "UP TO DATE"),
        [
            (
                zone.domain_unicode,
                zone.service_id,
                zone.status.value,
                zone.nameservers,
                "yes" if zone.up_to_date else "no",
            )
            for zone in zones
        ],
    )


@zone_app.command("show")
def show_zone(
    key: Annotated[str, typer.Argument(metavar="DOMAIN", help="Domain, or the service's id.")],
    as_json: AsJson = False,
) -> None:
    """Show a zone's records as they should be, and what each nameserver has confirmed."""
    from controller.operations.errors import NotFound
    from controller.store.queries import find_service
    from controller.web.api.represent import zone_answer, zone_resources

    with opened() as fleet, fleet.database.read() as session:
        service = find_service(session, key.lower().rstrip("."))
        if service is None or not zone_resources(service):
            raise NotFound("zone", key)
        zone = zone_answer(session, fleet.vault, service)
    if as_json:
        out_json(zone)
        return
    out_fields({"domain": zone.domain_unicode, "primary": zone.soa, "TTL": zone.ttl, "not ready": zone.not_ready})
    out()
    out_table(
        ("NAME", "TYPE", "PRIORITY", "VALUE"),
        [(record.name, record.type, record.priority, record.value) for record in zone.records],
    )
    out()
    out_table(
        ("SERVER", "UP TO DATE", "CONFIRMED", "SERIAL", "RECORDS"),
        [
            (copy.server, "yes" if copy.up_to_date else "no", when(copy.applied_at), copy.serial, copy.records)
            for copy in zone.servers
        ],
    )
