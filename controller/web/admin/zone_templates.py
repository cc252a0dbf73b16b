"""Zone templates: the list, one template with its lines and what they make, the default one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField

from controller.automation.zone_wishes import BUILT_IN, template_lines, zone_values
from controller.domain.words import Capability
from controller.domain.zones import DEFAULT_TEMPLATE, TYPES, TemplateRecord, nameserver_number, placeholders_of
from controller.domain.zones import render as fill
from controller.operations import zone_templates as operations
from controller.operations.errors import Invalid, OperationError
from controller.operations.records import must
from controller.store.queries import find_service
from controller.store.zone_models import ZoneTemplate
from controller.store.zone_queries import template_use, templates, zones_by_template
from controller.web import placeholders
from controller.web.access import Access, page
from controller.web.forms import FleetForm, sentence
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

HOME = "/admin/zone-templates"
BLANK_ROWS = 3
"""So that records can be added without scripts too."""
COLUMNS = ("name", "type", "priority", "ttl", "value")


class TemplateForm(FleetForm):
    name = StringField("Name")
    description = StringField("Description")


@dataclass(frozen=True)
class Row:
    """One record as it is typed, and what is wrong with it by column."""

    name: str = ""
    type: str = "A"
    priority: str = ""
    ttl: str = ""
    value: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def blank(self) -> bool:
        return not (self.name or self.value or self.priority or self.ttl)

    def line(self) -> dict[str, Any]:
        """As the operation takes it."""
        texts: dict[str, Any] = {"name": self.name or "@", "type": self.type, "value": self.value}
        numbers = {name: getattr(self, name) for name in ("priority", "ttl") if getattr(self, name)}
        return texts | {
            name: int(text) if text.isascii() and text.isdigit() and len(text) < 11 else text
            for name, text in numbers.items()
        }


@dataclass(frozen=True)
class Preview:
    """What a zone made from the lines would hold."""

    records: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[tuple[TemplateRecord, list[str]]] = ()
    problem: str = ""


def _rows(lines: Sequence[TemplateRecord]) -> list[Row]:
    def text(number: int | None) -> str:
        return "" if number is None else str(number)

    return [Row(line.name, line.type, text(line.priority), text(line.ttl), line.value) for line in lines]


def _typed(form: FormData) -> list[Row]:
    """The rows that hold something."""
    columns = ([str(text).strip() for text in form.getlist(f"record_{name}")] for name in COLUMNS)
    rows = [Row(name, kind, priority, ttl, value) for name, kind, priority, ttl, value in zip(*columns, strict=False)]
    return [row for row in rows if not row.blank]


def _marked(rows: Sequence[Row], problem: Invalid, form: TemplateForm) -> list[Row]:
    """Reasons at the record they are about; the others at the form's fields."""
    errors: dict[int, dict[str, str]] = {}
    rest = []
    for one in problem.problems:
        parts = one.field.split(".")
        if len(parts) == 3 and parts[0] == "records" and parts[1].isdigit():
            errors.setdefault(int(parts[1]), {})[parts[2]] = sentence(one.reason)
        elif one.field == "records":
            form.form_errors.append(sentence(one.reason))
        else:
            rest.append(one)
    if rest:
        form.refuse(Invalid(rest))
    return [
        Row(row.name, row.type, row.priority, row.ttl, row.value, errors.get(number, {}))
        for number, row in enumerate(rows)
    ]


def preview_of(session: Session, lines: Sequence[TemplateRecord], service_key: str) -> Preview:
    """For a sample, or for the service whose domain was typed."""
    values: Mapping[str, str] = placeholders.SAMPLE
    if service_key:
        service = find_service(session, service_key.lower())
        if service is None:
            return Preview(problem=f"There is no service {service_key}.")
        if Capability.DNS.value not in service.roles:
            return Preview(problem=f"{service.domain_unicode} has no DNS here.")
        values = zone_values(service)
    left_out = [
        (line, [name for name in placeholders_of([line]) if not values.get(name)])
        for line in lines
        if not fill([line], values)
    ]
    without = [one for one in left_out if any(nameserver_number(name) is None for name in one[1])]
    return Preview(fill(lines, values), without)


def _page(
    request: Request,
    session: Session,
    *,
    template: ZoneTemplate | None = None,
    built_in: bool = False,
    form: TemplateForm | None = None,
    rows: Sequence[Row],
    status: int = 200,
) -> Response:
    service = query(request, "service")
    lines = template_lines([row.line() for row in rows])
    use = template_use(session, template.id) if template else None
    return render(
        request,
        "admin/zone_templates/detail.html",
        status,
        title=BUILT_IN if built_in else template.name if template else "Create a template",
        template=template,
        built_in=built_in,
        form=form or TemplateForm(None, obj=template),
        rows=[*rows, *[Row()] * (0 if built_in else BLANK_ROWS)],
        blank=Row(),
        types=TYPES,
        placeholders=placeholders.explained(),
        service=service,
        preview=preview_of(session, lines, service),
        uses=use.words if use else "",
        zones=zones_by_template(session).get(template.id if template else None, 0) if template or built_in else 0,
    )


def template_list(request: Request) -> Response:
    with database_of(request).read() as session:
        found = templates(session)
        return render(
            request,
            "admin/zone_templates/list.html",
            templates=found,
            built_in=len(DEFAULT_TEMPLATE),
            default_id=next((one.id for one in found if one.is_default), None),
            uses={one.id: template_use(session, one.id).words for one in found},
            zones=zones_by_template(session),
        )


def new(request: Request) -> Response:
    """Begins as the built-in one: hardly anybody wants a zone without working mail."""
    with database_of(request).read() as session:
        return _page(request, session, rows=_rows(DEFAULT_TEMPLATE))


def show_built_in(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, session, built_in=True, rows=_rows(DEFAULT_TEMPLATE))


def show(request: Request) -> Response:
    with database_of(request).read() as session:
        template = must(session.get(ZoneTemplate, path_id(request)), "zone template", path_id(request))
        return _page(request, session, template=template, rows=_rows(template_lines(template.records)))


def create(request: Request) -> Response:
    return _save(request, None)


def edit(request: Request) -> Response:
    return _save(request, path_id(request))


def _save(request: Request, template_id: int | None) -> Response:
    form, rows = TemplateForm.of(request), _typed(request.state.form)
    name, description = form["name"].data or "", form["description"].data or ""
    lines = [row.line() for row in rows]
    fleet, actor = fleet_of(request), actor_of(request)
    try:
        if template_id is None:
            saved = operations.create(fleet, actor, name=name, description=description, records=lines)
            flash(request, f"The template {saved.name} is there. Choose it for groups, products, servers or zones.")
        else:
            saved = operations.edit(fleet, actor, template_id, name=name, description=description, records=lines)
            flash(request, "Saved. Zones that are there already follow when they are redeployed.")
        return RedirectResponse(f"{HOME}/{saved.id}", 303)
    except Invalid as problem:
        rows = _marked(rows, problem, form)
    except OperationError as problem:
        form.refuse(problem)
    with database_of(request).read() as session:
        known = None
        if template_id is not None:
            known = must(session.get(ZoneTemplate, template_id), "zone template", template_id)
        return _page(request, session, template=known, form=form, rows=rows, status=422)


def preview(request: Request) -> Response:
    """For the editor while somebody types; the part of the page only."""
    rows = _typed(request.state.form)
    lines = list(DEFAULT_TEMPLATE) if query(request, "built-in") else template_lines([row.line() for row in rows])
    with database_of(request).read() as session:
        found = preview_of(session, lines, str(request.state.form.get("service", "")).strip()[:253])
        return render(request, "admin/zone_templates/preview.html", preview=found)


def make_default(request: Request) -> Response:
    return _default(request, path_id(request))


def make_built_in_default(request: Request) -> Response:
    return _default(request, None)


def _default(request: Request, template_id: int | None) -> Response:
    with refusal_flashed(request):
        operations.set_default(fleet_of(request), actor_of(request), template_id)
        flash(request, "It is the default template now.")
    return RedirectResponse(HOME, 303)


def delete(request: Request) -> Response:
    address = f"{HOME}/{path_id(request)}"
    with refusal_flashed(request):
        operations.delete_template(fleet_of(request), actor_of(request), path_id(request))
        flash(request, "The template is deleted.")
        address = HOME
    return RedirectResponse(address, 303)


def redeploy(request: Request) -> Response:
    return _redeploy(request, path_id(request))


def redeploy_built_in(request: Request) -> Response:
    return _redeploy(request, None)


def _redeploy(request: Request, template_id: int | None) -> Response:
    address = f"{HOME}/{template_id or 'built-in'}"
    with refusal_flashed(request):
        run = operations.redeploy(fleet_of(request), actor_of(request), template_id)
        flash(request, f"{run.total} zone{' is' if run.total == 1 else 's are'} being written again.")
        address = "/admin/zones"
    return RedirectResponse(address, 303)


routes: list[BaseRoute] = [
    page(HOME, template_list, Access.STAFF),
    page(f"{HOME}/new", new, Access.OPERATOR),
    page(f"{HOME}/new", create, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/preview", preview, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/built-in", show_built_in, Access.STAFF),
    page(f"{HOME}/built-in/default", make_built_in_default, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/built-in/redeploy", redeploy_built_in, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}", show, Access.STAFF),
    page(f"{HOME}/{{id:int}}", edit, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}/default", make_default, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}/delete", delete, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}/redeploy", redeploy, Access.OPERATOR, methods=["POST"]),
]
