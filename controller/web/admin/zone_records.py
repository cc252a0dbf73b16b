"""Records of a zone's own: add, change, take away."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField, TextAreaField

from controller.domain.zones import TYPES
from controller.operations import zones as operations
from controller.operations.errors import OperationError
from controller.operations.records import must
from controller.store.zone_models import Zone, ZoneRecord
from controller.web.access import Access, page
from controller.web.admin.zones import find
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render


class RecordForm(FleetForm):
    """As it is typed; the operation checks it."""

    name = StringField("Name")
    type = ChoiceField("Type", choices=choices((kind, kind) for kind in TYPES))
    value = TextAreaField("Value")
    priority = StringField("Priority")
    ttl = StringField("TTL")

    def typed(self) -> dict[str, Any]:
        """By the operation's names; the form's own attribute ``type`` is a field."""
        return {name: field.data or "" for name, field in self._fields.items()}


def _record(zone: Zone, request: Request) -> ZoneRecord:
    number = path_id(request, "record")
    return must(next((row for row in zone.own_records if row.id == number), None), "record", number)


def _page(
    request: Request, zone: Zone, form: RecordForm, record: ZoneRecord | None = None, status: int = 200
) -> Response:
    ttl = zone.service.product.group.zone_ttl
    return render(request, "admin/zones/record.html", status, zone=zone, form=form, record=record, ttl=ttl)


def new(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, find(session, request), RecordForm(None, data={"type": "A"}))


def show(request: Request) -> Response:
    with database_of(request).read() as session:
        zone = find(session, request)
        record = _record(zone, request)
        return _page(request, zone, RecordForm(None, obj=record), record)


def add(request: Request) -> Response:
    form = RecordForm.of(request)
    try:
        operations.add_record(fleet_of(request), actor_of(request), path_id(request), **form.typed())
    except OperationError as problem:
        return _refused(request, form, problem)
    return _done(request, "The record is added. The nameservers are being told.")


def edit(request: Request) -> Response:
    form = RecordForm.of(request)
    number = path_id(request, "record")
    try:
        operations.edit_record(fleet_of(request), actor_of(request), path_id(request), number, **form.typed())
    except OperationError as problem:
        return _refused(request, form, problem, number)
    return _done(request, "The record is changed. The nameservers are being told.")


def _refused(request: Request, form: RecordForm, problem: OperationError, number: int | None = None) -> Response:
    form.refuse(problem)
    with database_of(request).read() as session:
        zone = find(session, request)
        return _page(request, zone, form, _record(zone, request) if number is not None else None, 422)


def _done(request: Request, words: str) -> Response:
    flash(request, words)
    return RedirectResponse(f"/admin/zones/{path_id(request)}", 303)


def delete(request: Request) -> Response:
    with refusal_flashed(request):
        operations.delete_record(fleet_of(request), actor_of(request), path_id(request), path_id(request, "record"))
        flash(request, "The record is deleted. The nameservers are being told.")
    return RedirectResponse(f"/admin/zones/{path_id(request)}", 303)


routes: list[BaseRoute] = [
    page("/admin/zones/{id:int}/records/new", new, Access.OPERATOR),
    page("/admin/zones/{id:int}/records/new", add, Access.OPERATOR, methods=["POST"]),
    page("/admin/zones/{id:int}/records/{record:int}", show, Access.STAFF),
    page("/admin/zones/{id:int}/records/{record:int}", edit, Access.OPERATOR, methods=["POST"]),
    page("/admin/zones/{id:int}/records/{record:int}/delete", delete, Access.OPERATOR, methods=["POST"]),
]
