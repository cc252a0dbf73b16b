"""How we get into a server: accept a host key that changed, change the login."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import PasswordField, StringField, TextAreaField
from wtforms.validators import InputRequired

from controller.automation.hostkeys import HostKey
from controller.domain.words import Driver
from controller.operations import server_doors
from controller.operations.errors import Invalid
from controller.operations.records import must
from controller.operations.server_fields import scan_host_key
from controller.store.models import Server
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices, optional
from controller.web.rehearsal import attempt
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render


class LoginForm(FleetForm):
    ssh_user = StringField("SSH user", [InputRequired("Enter the user to sign in as.")])
    door = ChoiceField(
        "Sign in with",
        choices=choices(
            [("keep", "What is stored now"), ("key", "Another private key"), ("password", "Another password")]
        ),
    )
    ssh_private_key = TextAreaField("Private key", [optional()])
    ssh_password = PasswordField("Password", [optional()])

    field_map = {"ssh.user": "ssh_user", "ssh.password": "ssh_password", "ssh.private_key": "ssh_private_key"}

    def needed(self) -> bool:
        """Whether what was chosen was also given; says so at the field."""
        for door, field in (("key", self.ssh_private_key), ("password", self.ssh_password)):
            if self.door.data == door and not (field.data or "").strip():
                field.errors = ["This is needed."]
                return False
        return True


def _server(request: Request) -> Server:
    with database_of(request).read() as session:
        server_id = path_id(request)
        return must(session.get(Server, server_id), "server", server_id)


def _page(request: Request, server: Server, form: LoginForm, status: int = 200) -> Response:
    """The page; the server itself is asked by a second look, because one that is away takes seconds to be silent."""
    shown: HostKey | None = None
    silent = ""
    asked = query(request, "look") == "1"
    if asked:
        try:
            shown = scan_host_key(server.address, server.port)
        except Invalid as problem:
            silent = problem.problems[0].reason
    return render(
        request,
        "admin/servers/door.html",
        status,
        server=server,
        form=form,
        pinned=HostKey(server.host_key),
        asked=asked,
        shown=shown,
        silent=silent,
    )


def show(request: Request) -> Response:
    server = _server(request)
    if server.driver is Driver.POWERDNS:
        # It has no SSH; how we get in is the API, which is edited with the rest.
        return RedirectResponse(f"/admin/servers/{server.id}/edit", 303)
    return _page(request, server, LoginForm.of(request, ssh_user=server.ssh_user, door="keep"))


def accept(request: Request) -> Response:
    server = _server(request)
    fingerprint = str(request.state.form.get("fingerprint", ""))
    address = f"/admin/servers/{server.id}/door"
    with refusal_flashed(request, Invalid, lambda problem: str(problem.problems[0].reason)):
        server_doors.accept_host_key(fleet_of(request), actor_of(request), server.id, fingerprint)
        flash(request, "The new host key is pinned; the server is being checked.")
        address = f"/admin/servers/{server.id}"
    return RedirectResponse(address, 303)


def login(request: Request) -> Response:
    server = _server(request)
    form = LoginForm.of(request)
    fine = form.validate()
    fine = form.needed() and fine
    saved = attempt(
        form,
        fleet_of(request),
        lambda fleet: server_doors.change_login(
            fleet,
            actor_of(request),
            server.id,
            ssh_user=(form.ssh_user.data or "").strip(),
            ssh_password=form.ssh_password.data if form.door.data == "password" else None,
            ssh_private_key=form.ssh_private_key.data if form.door.data == "key" else None,
        ),
        fine=fine,
    )
    if saved is None:
        return _page(request, server, form, 422)
    flash(request, "The login is changed; the server is being checked.")
    return RedirectResponse(f"/admin/servers/{server.id}", 303)


routes: list[BaseRoute] = [
    page("/admin/servers/{id:int}/door", show, Access.OPERATOR),
    page("/admin/servers/{id:int}/door/host-key", accept, Access.OPERATOR, methods=["POST"]),
    page("/admin/servers/{id:int}/door/login", login, Access.OPERATOR, methods=["POST"]),
]
