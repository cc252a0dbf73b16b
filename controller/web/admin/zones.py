"""DNS zones: the list, one zone with what its nameservers answer, and what is done to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.automation.zone_wishes import WantedZone, wanted_zone, zone_values
from controller.domain.zones import TemplateRecord, nameserver_number, placeholders_of
from controller.operations import zones as operations
from controller.operations.errors import NotFound
from controller.operations.records import must
from controller.store.base import utcnow
from controller.store.queries import is_id
from controller.store.zone_models import Zone, ZoneRecord
from controller.store.zone_queries import (
    PlaceState,
    ZoneFilter,
    nameservers,
    places,
    running_zone_run,
    templates,
    zone_figures,
    zone_ids,
    zone_page,
)
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render
from controller.web.zone_words import FILTERS, PLACE_STATES, record_count, zone_state

PARAMETERS = ("search", "state", "server", "sort", "page")
SOON = dt.timedelta(seconds=20)
"""A question that is due by then is worth waiting for on an open page."""


def find(session: Session, request: Request) -> Zone:
    """The zone in the path, or NotFound."""
    zone_id = path_id(request)
    return must(session.get(Zone, zone_id), "zone", zone_id)


def wanted_filter(given: Callable[[str], str]) -> ZoneFilter:
    """The filter that a query or a form names; words that mean nothing narrow nothing."""
    return ZoneFilter(
        search=given("search"),
        state=given("state") if given("state") in FILTERS else "",
        server_id=int(given("server")) if is_id(given("server")) else None,
    )


def zone_list(request: Request) -> Response:
    sort = query(request, "sort") or "domain"
    with database_of(request).read() as session:
        found = zone_page(
            session, wanted_filter(lambda name: query(request, name)), sort=sort, page=page_number(request)
        )
        there = places(session, found.items)
        return render(
            request,
            "admin/zones/list.html",
            found=found,
            places=there,
            states={zone.id: zone_state(zone, there[zone.id]) for zone in found.items},
            counts={zone.id: record_count(there[zone.id]) for zone in found.items},
            place_states=PLACE_STATES,
            chosen={name: query(request, name) for name in PARAMETERS[:3]},
            sort=sort,
            filters=list(FILTERS.items()),
            servers=nameservers(session),
            figures=zone_figures(session),
            rollout=running_zone_run(session),
        )


def bulk(request: Request) -> Response:
    """Redeploy the ticked zones, or everything that the filter finds."""
    form = request.state.form

    def given(name: str) -> str:
        return str(form.get(name, "")).strip()[:200]

    keys = [int(text) for text in map(str, form.getlist("zone")) if is_id(text)]
    if given("everything") == "1":
        with database_of(request).read() as session:
            keys = zone_ids(session, wanted_filter(given))
    if not keys:
        flash(request, "No zone was chosen.", "warning")
    with refusal_flashed(request):
        if keys:
            run = operations.redeploy_many(fleet_of(request), actor_of(request), keys)
            flash(request, f"{run.total} zone{' is' if run.total == 1 else 's are'} being written again.")
    parameters = {name: given(name) for name in PARAMETERS if given(name)}
    return RedirectResponse(f"/admin/zones?{urlencode(parameters)}" if parameters else "/admin/zones", 303)


@dataclass(frozen=True)
class RecordLine:
    """A record of a zone, and where it comes from."""

    name: str
    type: str
    value: str
    priority: int | None
    ttl: int | None
    own: ZoneRecord | None
    source: str


def record_lines(zone: Zone, wanted: WantedZone) -> list[RecordLine]:
    """The records that a zone shall have, own ones with their rows."""
    own = {(row.name, row.type, row.value, row.priority): row for row in zone.own_records}
    glue = {
        record["value"].removesuffix(f".{zone.domain}.")
        for record in wanted.records
        if record["type"] == "NS" and record["value"].endswith(f".{zone.domain}.")
    }
    lines = []
    for record in wanted.records:
        key = (record["name"], record["type"], record["value"], record.get("priority"))
        row = own.pop(key, None)
        if row is not None:
            source = "own, imported" if row.origin == "import" else "own"
        else:
            source = "nameserver" if record["type"] == "A" and record["name"] in glue else "template"
        lines.append(RecordLine(*key, ttl=record.get("ttl"), own=row, source=source))
    return lines


@dataclass(frozen=True)
class LeftOut:
    """Lines of the template that are not published because the same placeholders are empty, or, with none, because
    filled they are no records that fit together."""

    empty: tuple[str, ...]
    lines: list[TemplateRecord]


def left_out(zone: Zone, wanted: WantedZone) -> list[LeftOut]:
    """Lines that are not published; those of nameservers that are not there are no loss."""
    values = zone_values(zone.service)
    found: dict[tuple[str, ...], list[TemplateRecord]] = {}
    for line in wanted.left_out:
        empty = tuple(name for name in placeholders_of([line]) if not values.get(name))
        if not empty or any(nameserver_number(name) is None for name in empty):
            found.setdefault(empty, []).append(line)
    return [LeftOut(empty, lines) for empty, lines in found.items()]


class TemplateForm(FleetForm):
    template = ChoiceField("Zone template")


def _template_form(session: Session, zone: Zone) -> TemplateForm:
    form = TemplateForm(None, data={"template": zone.template_id or ""})
    form.template.choices = choices(
        [("", "No own choice"), *((template.id, template.name) for template in templates(session))]
    )
    return form


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        zone = find(session, request)
        wanted = wanted_zone(session, zone.service)
        there = places(session, [zone])[zone.id]
        asking = zone.check_due_at is not None and zone.check_due_at <= utcnow() + SOON
        return render(
            request,
            "admin/zones/detail.html",
            zone=zone,
            service=zone.service,
            wanted=wanted,
            lines=record_lines(zone, wanted),
            left_out=left_out(zone, wanted),
            places=there,
            place_states=PLACE_STATES,
            state=zone_state(zone, there),
            form=_template_form(session, zone),
            asking=asking,
            moving=asking or any(place.state is PlaceState.WAITING for place in there),
        )


def _then(
    operation: Callable[[Request, int], object], done: str, tone: str = "success"
) -> Callable[[Request], Response]:
    """A button's endpoint; shows the zone afterwards."""

    def endpoint(request: Request) -> Response:
        zone_id = path_id(request)
        with refusal_flashed(request):
            operation(request, zone_id)
            flash(request, done, tone)
        return RedirectResponse(f"/admin/zones/{zone_id}", 303)

    return endpoint


def _check(request: Request, zone_id: int) -> object:
    return operations.check_now(fleet_of(request), actor_of(request), zone_id)


def _redeploy(request: Request, zone_id: int) -> object:
    return operations.redeploy(fleet_of(request), actor_of(request), zone_id)


def _choose(request: Request, zone_id: int) -> object:
    chosen = str(request.state.form.get("template", ""))
    if chosen and not is_id(chosen):
        raise NotFound("zone template", chosen[:40])
    return operations.choose_template(fleet_of(request), actor_of(request), zone_id, int(chosen) if chosen else None)


def export(request: Request) -> Response:
    """The zone as a master file (RFC 1035)."""
    with database_of(request).read() as session, refusal_flashed(request):
        zone = find(session, request)
        return Response(
            operations.export(session, zone),
            media_type="text/dns; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{zone.domain}.zone"'},
        )
    return RedirectResponse(f"/admin/zones/{path_id(request)}", 303)


routes: list[BaseRoute] = [
    page("/admin/zones", zone_list, Access.STAFF),
    page("/admin/zones/bulk", bulk, Access.OPERATOR, methods=["POST"]),
    page("/admin/zones/{id:int}", detail, Access.STAFF),
    page(
        "/admin/zones/{id:int}/check",
        _then(_check, "The nameservers are being asked.", "info"),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/zones/{id:int}/redeploy",
        _then(_redeploy, "The zone is being written to its nameservers."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/zones/{id:int}/template",
        _then(_choose, "The template is chosen. The nameservers get the zone as it is now."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page("/admin/zones/{id:int}/export", export, Access.STAFF),
]
