"""Import of a zone file: first what it would change, then, confirmed, the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.automation.zone_wishes import own_record, template_of, zone_values
from controller.domain.zone_files import ZoneImport
from controller.domain.zones import render as fill
from controller.operations import zones as operations
from controller.operations.errors import Invalid, OperationError
from controller.store.zone_models import Zone, ZoneRecord
from controller.web.access import Access, page
from controller.web.admin.zones import find
from controller.web.forms import sentence
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash
from controller.web.templating import render

THERE = ("there already", "quiet")
NEW = ("new", "good")
REPLACES_OWN = ("replaces own", "warn")
REPLACES_TEMPLATE = ("instead of the template’s", "warn")


@dataclass(frozen=True)
class Line:
    """A record of the file, and what taking it over means."""

    record: dict[str, Any]
    state: tuple[str, str]


@dataclass(frozen=True)
class Preview:
    """What an import would do to a zone."""

    found: ZoneImport
    lines: Sequence[Line]
    removed: Sequence[ZoneRecord]
    """Own records that are not in the file and would go."""

    @property
    def possible(self) -> bool:
        return bool(self.lines) and not self.found.problems


def preview_of(session: Session, zone: Zone, text: str, *, replace: bool) -> Preview:
    """The records of a zone file beside what the zone has."""
    found = operations.preview_import(session, zone, text)
    _, template = template_of(session, zone.service, zone)
    of_template = {(one["name"], one["type"]) for one in fill(template, zone_values(zone.service))}
    own = {(row.name, row.type) for row in zone.own_records}
    have = [own_record(row) for row in zone.own_records]
    lines = [Line(record, _state(record, have, own, of_template)) for record in found.records]
    sets = {(record["name"], record["type"]) for record in found.records}
    removed = [
        row
        for row in zone.own_records
        if (replace or (row.name, row.type) in sets) and own_record(row) not in found.records
    ]
    return Preview(found, lines, removed)


def _state(
    record: dict[str, Any],
    have: Sequence[dict[str, Any]],
    own: set[tuple[str, str]],
    of_template: set[tuple[str, str]],
) -> tuple[str, str]:
    if record in have:
        return THERE
    key = (record["name"], record["type"])
    return REPLACES_OWN if key in own else REPLACES_TEMPLATE if key in of_template else NEW


def _text(form: FormData) -> tuple[str, str]:
    """The zone file, uploaded or pasted, and what is wrong with it."""
    upload = form.get("file")
    if isinstance(upload, UploadFile) and upload.filename:
        try:
            return upload.file.read().decode("utf-8-sig"), ""
        except UnicodeDecodeError:
            return "", "This file is not text (UTF-8)."
    text = str(form.get("text", "") or "")
    return text, "" if text.strip() else "Choose a file or paste its text."


def _page(request: Request, zone: Zone, status: int = 200, **context: Any) -> Response:
    given = {"text": "", "replace": False, "preview": None, "problem": "", **context}
    return render(request, "admin/zones/import.html", status, zone=zone, **given)


def show(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, find(session, request))


def take(request: Request) -> Response:
    """First the preview, then, with ``confirmed``, the import itself."""
    form = request.state.form
    text, problem = _text(form)
    replace = form.get("replace") == "1"
    given = {"text": text, "replace": replace}
    if form.get("confirmed") and not problem:
        try:
            operations.import_records(fleet_of(request), actor_of(request), path_id(request), text, replace=replace)
            flash(request, "The records are imported. The nameservers are being told.")
            return RedirectResponse(f"/admin/zones/{path_id(request)}", 303)
        except Invalid as refusal:
            problem = " ".join(sentence(f"{one.field}: {one.reason}") for one in refusal.problems)
        except OperationError as refusal:
            problem = sentence(refusal.message)
    with database_of(request).read() as session:
        zone = find(session, request)
        if problem:
            return _page(request, zone, 422, problem=problem, **given)
        found = preview_of(session, zone, text, replace=replace)
        return _page(request, zone, 200 if found.possible else 422, preview=found, **given)


routes: list[BaseRoute] = [
    page("/admin/zones/{id:int}/import", show, Access.STAFF),
    page("/admin/zones/{id:int}/import", take, Access.OPERATOR, methods=["POST"]),
]
