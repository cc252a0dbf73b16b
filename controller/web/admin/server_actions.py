"""What can be done to a server: look, restart, rebuild, push its group's settings, change its status, delete it."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import func, select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField

from controller.domain.words import Capability, ServerStatus
from controller.engine.fleet import Fleet
from controller.operations import server_actions, server_changes, server_loss, servers
from controller.operations.errors import Invalid, Refused
from controller.store.models import Pipeline, Task
from controller.store.server_queries import server_loads
from controller.web.access import Access, page
from controller.web.admin.server_tabs import TABS, find, server_tab
from controller.web.forms import ChoiceField, FleetForm, choices, optional
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.server_figures import STATUS_WAYS
from controller.web.session import flash, refusal_flashed

REBUILDS = {
    "users": "Accounts with all they have",
    "web": "Websites",
    "mail": "Mail domains",
    "dns": "DNS zones",
}
Work = Task | Pipeline


class RebuildForm(FleetForm):
    what = ChoiceField("What", choices=choices(REBUILDS.items()))
    users = StringField("Only these accounts", [optional()])

    @property
    def names(self) -> list[str]:
        """The accounts, in the order typed."""
        return list(dict.fromkeys(name for name in re.split(r"[,\s]+", self.users.data or "") if name))


def _form(request: Request) -> FormData:
    form: FormData = request.state.form
    return form


def _to_tab(request: Request, tab: str, task: int | None = None) -> RedirectResponse:
    address = f"/admin/servers/{path_id(request)}"
    if tab != "overview":
        address += f"/{tab}"
    return RedirectResponse(f"{address}?task={task}" if task else address, 303)


def _first_task(request: Request, work: Work) -> int | None:
    """The task whose progress the next page shows."""
    if isinstance(work, Task):
        return work.id
    with database_of(request).read() as session:
        first = select(func.min(Task.id)).where(Task.pipeline_id == work.id)
        return session.scalar(first)


def _queued(request: Request, tab: str, start: Callable[[Fleet, str, int], Work], words: str) -> Response:
    """Ask for work on the server and show how it goes on one of its tabs."""
    task = None
    with refusal_flashed(request):
        task = _first_task(request, start(fleet_of(request), actor_of(request), path_id(request)))
        flash(request, words, "info")
    return _to_tab(request, tab, task)


def check(request: Request) -> Response:
    return _queued(request, "overview", servers.check, "The server is being checked.")


def refresh(request: Request) -> Response:
    """Status and usage; back to where the button was."""
    back = str(_form(request).get("back", ""))
    if back == "list":
        with refusal_flashed(request):
            server_actions.refresh(fleet_of(request), actor_of(request), path_id(request))
            flash(request, "Its figures are being collected.", "info")
        return RedirectResponse("/admin/servers", 303)
    known = {key for tabs in TABS.values() for key, _ in tabs}
    tab = back if back in known else "overview"
    return _queued(request, tab, server_actions.refresh, "Figures and usage are being collected.")


def recount(request: Request) -> Response:
    return _queued(request, "maintenance", server_actions.recount, "The panel counts disk space and traffic anew.")


def restart(request: Request) -> Response:
    service = str(_form(request).get("service", ""))

    def start(fleet: Fleet, actor: str, key: int) -> Work:
        return server_actions.restart_service(fleet, actor, key, service)

    return _queued(request, "services", start, f"{service[:60]} is being restarted.")


def preview(request: Request) -> Response:
    def start(fleet: Fleet, actor: str, key: int) -> Work:
        return server_actions.apply_config(fleet, actor, key, check=True)

    return _queued(request, "group-config", start, "Looking what would change; nothing is changed.")


def apply(request: Request) -> Response:
    return _queued(request, "group-config", server_actions.apply_config, "The group’s settings are being applied.")


def maintenance(request: Request) -> Response:
    return _maintenance(request, RebuildForm.of(request))


def _maintenance(request: Request, form: RebuildForm, status: int = 200) -> Response:
    with database_of(request).read() as session:
        server = find(session, request)
        load = server_loads(session, [server.id]).get(server.id, 0)
        return server_tab(request, session, server, "maintenance", status, rebuild_form=form, load=load)


def rebuild(request: Request) -> Response:
    form = RebuildForm.of(request)
    if not form.validate():
        return _maintenance(request, form, 422)

    try:
        started = server_actions.rebuild(
            fleet_of(request), actor_of(request), path_id(request), form.what.data, form.names
        )
    except (Invalid, Refused) as problem:
        form.refuse(problem)
        return _maintenance(request, form, 422)
    flash(request, "The rebuild is on its way.", "info")
    return _to_tab(request, "maintenance", _first_task(request, started))


def status(request: Request) -> Response:
    """The status of the whole server and the roles it takes no new services of, with one button."""
    form = _form(request)
    wanted, closed = str(form.get("status", "")), sorted({str(role) for role in form.getlist("closed")})
    if wanted not in set(ServerStatus) or set(closed) - set(Capability):
        flash(request, "Nothing was changed: choose one of the list.", "danger")
        return _to_tab(request, "maintenance")
    with refusal_flashed(request):
        server = server_changes.edit(fleet_of(request), actor_of(request), path_id(request), closed_roles=closed)
        server_changes.set_status(fleet_of(request), actor_of(request), server.id, wanted)
        flash(request, f"{server.name}: {STATUS_WAYS[ServerStatus(wanted)][0]}.")
    return _to_tab(request, "maintenance")


def delete(request: Request) -> Response:
    """Refused in words while anything lives there."""
    with database_of(request).read() as session:
        name = find(session, request).name
    with refusal_flashed(request):
        server_changes.delete_server(fleet_of(request), actor_of(request), path_id(request))
        flash(request, f"{name} is deleted.")
        return RedirectResponse("/admin/servers", 303)
    return _to_tab(request, "maintenance")


def lost(request: Request) -> Response:
    """Given up for good, by somebody who has typed its name."""
    typed = str(_form(request).get("name", "")).strip()
    with database_of(request).read() as session:
        name = find(session, request).name
    if typed != name:
        flash(request, f"Nothing was changed: type {name} to confirm that it is lost.", "danger")
        return _to_tab(request, "maintenance")
    with refusal_flashed(request):
        server_loss.give_up(fleet_of(request), actor_of(request), path_id(request))
        flash(request, f"{name} is given up. It can be deleted now.")
    return _to_tab(request, "maintenance")


def _post(name: str, endpoint: Callable[[Request], Response]) -> BaseRoute:
    return page(f"/admin/servers/{{id:int}}/{name}", endpoint, Access.OPERATOR, methods=["POST"])


routes: list[BaseRoute] = [
    page("/admin/servers/{id:int}/maintenance", maintenance, Access.STAFF),
    _post("check", check),
    _post("refresh", refresh),
    _post("recount", recount),
    _post("restart", restart),
    _post("rebuild", rebuild),
    _post("group-config/preview", preview),
    _post("group-config/apply", apply),
    _post("status", status),
    _post("lost", lost),
    _post("delete", delete),
]
