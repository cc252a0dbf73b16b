"""A group's nameservers: which serve its zones, under which names, and how its zones are made."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms.validators import InputRequired

from controller.domain.zones import nameserver_number
from controller.operations import group_zones
from controller.operations import groups as operations
from controller.operations.errors import Invalid, OperationError
from controller.store.group_queries import zone_count
from controller.store.models import Server, ServerGroup
from controller.store.queries import is_id
from controller.store.zone_queries import nameservers, templates
from controller.web.access import Access, page
from controller.web.admin.group_frame import find, group_tab, rollouts
from controller.web.forms import ChoiceField, FleetForm, NumberField, choices
from controller.web.rehearsal import attempt
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash, refusal_flashed


class ZonesForm(FleetForm):
    zone_template = ChoiceField("Zone template")
    zone_ttl = NumberField("TTL", [InputRequired("Enter a number of seconds.")])


def _form(session: Session, group: ServerGroup, form: ZonesForm | None = None) -> ZonesForm:
    form = form or ZonesForm(None, data={"zone_template": group.zone_template_id or "", "zone_ttl": group.zone_ttl})
    form.zone_template.choices = choices(
        [("", "No own choice"), *((template.id, template.name) for template in templates(session))]
    )
    return form


def published_names(group: ServerGroup) -> list[tuple[str, str]]:
    """Names for NS records, each with where it comes from."""
    numbered = {nameserver_number(key): str(value) for key, value in group.variables.items() if value}
    chosen = [(number, name) for number, name in numbered.items() if number is not None]
    if chosen:
        return [(name.rstrip("."), f"variable ns{number}") for number, name in sorted(chosen)]
    return [(server.hostname, f"{server.name}’s own name") for server in group.dns_servers if server.hostname]


def _page(
    request: Request,
    session: Session,
    group: ServerGroup,
    status: int = 200,
    *,
    ticked: Collection[int] | None = None,
    question: Sequence[str] = (),
    problem: str = "",
    form: ZonesForm | None = None,
) -> Response:
    attached = {server.id for server in group.dns_servers}
    shown = attached if ticked is None else ticked
    return group_tab(
        request,
        session,
        group,
        "dns",
        status,
        servers=nameservers(session),
        ticked=shown,
        chosen=sorted(shown),
        question=question,
        problem=problem,
        zones=zone_count(session, group.id),
        names=published_names(group),
        rollouts=rollouts(session, group),
        form=_form(session, group, form),
    )


def show(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, session, find(session, request))


def attach(request: Request) -> Response:
    """The ticked nameservers become the group's; asks first when zones move by it."""
    form = request.state.form
    wanted = {int(text) for text in map(str, form.getlist("server")) if is_id(text)}
    with database_of(request).read() as session:
        group = find(session, request)
        question = _question(session, group, wanted)
        if question and not form.get("confirmed"):
            return _page(request, session, group, ticked=wanted, question=question)
    try:
        operations.attach_dns(fleet_of(request), actor_of(request), group.id, sorted(wanted))
    except OperationError as problem:
        with database_of(request).read() as session:
            return _page(request, session, find(session, request), 422, ticked=wanted, problem=_words(problem))
    flash(request, "The nameservers are saved." + (" The zones follow now." if question else ""))
    return RedirectResponse(f"/admin/groups/{group.id}/dns", 303)


def _words(problem: OperationError) -> str:
    if isinstance(problem, Invalid):
        return "; ".join(one.reason for one in problem.problems)
    return problem.message


def _question(session: Session, group: ServerGroup, wanted: Collection[int]) -> list[str]:
    """What changing the nameservers does to zones, a line for each server; nothing when there are no zones."""
    zones = zone_count(session, group.id)
    if not zones:
        return []
    count = f"{zones} zone{'' if zones == 1 else 's'}"
    known: dict[int, Server] = {server.id: server for server in nameservers(session)}
    attached = {server.id: server for server in group.dns_servers}
    new = [server.name for server_id, server in known.items() if server_id in wanted and server_id not in attached]
    gone = [server.name for server_id, server in attached.items() if server_id not in wanted]
    lines = [f"{count} will be written to {name}." for name in new]
    lines += [f"{count} will be taken off {name}; it no longer answers for them." for name in gone]
    if lines:
        lines.append("The others get the new list of nameservers.")
    return lines


def edit_zones(request: Request) -> Response:
    form = ZonesForm.of(request)
    with database_of(request).read() as session:
        group = find(session, request)
        _form(session, group, form)
    saved = attempt(
        form,
        fleet_of(request),
        lambda fleet: operations.edit(
            fleet,
            actor_of(request),
            group.id,
            name=group.name,
            description=group.description,
            zone_template=form.zone_template.data or None,
            zone_ttl=form.zone_ttl.data or 0,
        ),
    )
    if saved is None:
        with database_of(request).read() as session:
            return _page(request, session, find(session, request), 422, form=form)
    flash(request, "Saved. Zones that are there already follow when they are redeployed.")
    return RedirectResponse(f"/admin/groups/{path_id(request)}/dns", 303)


def redeploy(request: Request) -> Response:
    """Bring all zones of the group up to its template, TTL and variables."""
    with refusal_flashed(request):
        run = group_zones.redeploy(fleet_of(request), actor_of(request), path_id(request))
        flash(request, f"{run.total} zone{' is' if run.total == 1 else 's are'} being written again.")
        return RedirectResponse("/admin/zones", 303)
    return RedirectResponse(f"/admin/groups/{path_id(request)}/dns", 303)


routes: list[BaseRoute] = [
    page("/admin/groups/{id:int}/dns", show, Access.STAFF),
    page("/admin/groups/{id:int}/dns", attach, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/dns/redeploy", redeploy, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/dns/zones", edit_zones, Access.OPERATOR, methods=["POST"]),
]
