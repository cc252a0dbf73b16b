"""A group's variables: what fills the placeholders of zone templates, what is still empty, zones that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.automation.zone_wishes import template_lines
from controller.domain.zones import (
    DEFAULT_TEMPLATE,
    OF_GROUP,
    TemplateRecord,
    nameserver_number,
    of_zone,
    placeholders_of,
)
from controller.operations import group_zones
from controller.operations import groups as operations
from controller.operations.errors import Invalid, OperationError
from controller.store.models import ServerGroup
from controller.store.zone_queries import templates_of_group
from controller.web import placeholders
from controller.web.access import Access, page
from controller.web.admin.group_frame import find, group_tab, rollouts
from controller.web.forms import sentence
from controller.web.rehearsal import Rehearsed, rehearsal
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash, refusal_flashed

CHANGED = "changed"
"""Parameter of the address that names a variable."""
BLANK_ROWS = 2
"""So that a variable can be added without scripts too."""
SHOWN_NAMESERVERS = 2
"""Placeholders of nameservers that are named although there is none; the built-in template has eight."""


@dataclass(frozen=True)
class Row:
    """One variable as it is typed."""

    name: str = ""
    value: str = ""
    name_error: str = ""
    value_error: str = ""


@dataclass(frozen=True)
class Needed:
    """A placeholder that a template in use has."""

    name: str
    words: str
    templates: Sequence[str]
    state: tuple[str, str]


def _rows(variables: Mapping[str, object]) -> list[Row]:
    return [*(Row(name, str(value)) for name, value in sorted(variables.items())), *[Row()] * BLANK_ROWS]


def needed(session: Session, group: ServerGroup) -> list[Needed]:
    """The placeholders of all templates that make zones of this group."""
    used: dict[str, list[str]] = {}
    for title, lines in _templates(session, group):
        for name in placeholders_of(lines):
            used.setdefault(name, []).append(title)
    hosts = [server.hostname for server in group.dns_servers if server.hostname]
    found = [
        Needed(name, placeholders.words(name), titles, _state(name, group.variables, hosts))
        for name, titles in used.items()
    ]
    # What is empty first: that is what somebody has to do something about.
    return sorted((one for one in found if _worth_saying(one)), key=lambda one: one.state[1] != "warn")


def _templates(session: Session, group: ServerGroup) -> list[tuple[str, Sequence[TemplateRecord]]]:
    stored, built_in = templates_of_group(session, group)
    found: list[tuple[str, Sequence[TemplateRecord]]] = [(one.name, template_lines(one.records)) for one in stored]
    return [*found, ("Built-in", DEFAULT_TEMPLATE)] if built_in else found


def _state(name: str, variables: Mapping[str, object], hosts: Sequence[str]) -> tuple[str, str]:
    """Where a placeholder gets its value."""
    if of_zone(name):
        return "Filled for each zone", "quiet"
    if variables.get(name):
        return str(variables[name]), "good"
    number = nameserver_number(name)
    named = any(nameserver_number(key) and value for key, value in variables.items())
    if number is not None and not named and number <= len(hosts):
        return hosts[number - 1], "good"
    if number is not None and number > SHOWN_NAMESERVERS:
        return "Not used", "quiet"
    if name in OF_GROUP:
        return "Empty", "quiet"
    return "Empty", "warn"


def _worth_saying(one: Needed) -> bool:
    return one.state[0] != "Not used"


def _page(
    request: Request, session: Session, group: ServerGroup, rows: Sequence[Row], problem: str = "", status: int = 200
) -> Response:
    found = needed(session, group)
    changed = _changed(request)
    return group_tab(
        request,
        session,
        group,
        "variables",
        status,
        rows=rows,
        blank=Row(),
        problem=problem,
        needed=found,
        several=len({title for one in found for title in one.templates}) > 1,
        zones=group_zones.reach(session, group),
        changed=changed,
        late=group_zones.reach(session, group, changed) if changed else 0,
        again=f"?{urlencode({CHANGED: changed}, doseq=True)}",
        rollouts=[run for run in rollouts(session, group) if run.report["what"] == "group"],
    )


def _changed(request: Request) -> list[str]:
    """Variables that were changed a moment ago, as the address says."""
    names = request.query_params.getlist(CHANGED)[: operations.VARIABLES_MAX]
    return sorted({name for name in names if group_zones.VARIABLE.fullmatch(name)})


def show(request: Request) -> Response:
    with database_of(request).read() as session:
        group = find(session, request)
        return _page(request, session, group, _rows(group.variables))


def save(request: Request) -> Response:
    form = request.state.form
    pairs = zip(map(str, form.getlist("name")), map(str, form.getlist("value")), strict=False)
    rows = [Row(name.strip(), value.strip()) for name, value in pairs]
    rows = _checked([row for row in rows if row.name or row.value])
    problem = ""
    fine = not any(row.name_error for row in rows)
    # Of two rows with a name the first one counts: the other one is marked already.
    values = {row.name: row.value for row in reversed(rows) if row.name}
    try:
        fleet = fleet_of(request) if fine else rehearsal(fleet_of(request))
        saved = operations.set_variables(fleet, actor_of(request), path_id(request), values)
        flash(request, "Saved.")
        return _to_tab(request, saved.changed if saved.zones else ())
    except Rehearsed:
        pass
    except Invalid as refusal:
        rows, problem = _refused(rows, refusal)
    except OperationError as refusal:
        problem = sentence(refusal.message)
    with database_of(request).read() as session:
        return _page(request, session, find(session, request), [*rows, Row()], problem, 422)


def _to_tab(request: Request, changed: Sequence[str] = ()) -> Response:
    """Back to the tab, which offers to redeploy the zones that these variables are in."""
    more = f"?{urlencode({CHANGED: changed}, doseq=True)}" if changed else ""
    return RedirectResponse(f"/admin/groups/{path_id(request)}/variables{more}", 303)


def redeploy(request: Request) -> Response:
    """Bring the zones up to the variables that the address names, or all of the group."""
    changed = _changed(request)
    with refusal_flashed(request):
        run = group_zones.redeploy(fleet_of(request), actor_of(request), path_id(request), changed or None)
        flash(request, f"{run.total} zone{' is' if run.total == 1 else 's are'} being written again.")
    return _to_tab(request)


def _checked(rows: Sequence[Row]) -> list[Row]:
    """What only the list as a whole shows: names that are missing or come twice."""
    seen: set[str] = set()
    checked = []
    for row in rows:
        if not row.name:
            row = replace(row, name_error="Give it a name.")
        elif row.name in seen:
            row = replace(row, name_error="There is one of this name already.")
        seen.add(row.name)
        checked.append(row)
    return checked


def _refused(rows: Sequence[Row], refusal: Invalid) -> tuple[list[Row], str]:
    """The operation's reasons at the row they are about; the rest for the top."""
    left = {one.field: sentence(one.reason) for one in refusal.problems}
    marked = []
    for row in rows:
        reason = left.pop(f"variables.{row.name}", "")
        about_name = reason.startswith("A variable's name")
        marked.append(
            replace(row, name_error=row.name_error or reason) if about_name else replace(row, value_error=reason)
        )
    return marked, " ".join(left.values())


routes: list[BaseRoute] = [
    page("/admin/groups/{id:int}/variables", show, Access.STAFF),
    page("/admin/groups/{id:int}/variables", save, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/variables/redeploy", redeploy, Access.OPERATOR, methods=["POST"]),
]
