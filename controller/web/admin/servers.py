"""Servers: the list, one server, adding one in two steps (look at its host key, confirm it)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import HiddenField, PasswordField, SelectMultipleField, StringField, TextAreaField, widgets
from wtforms.validators import InputRequired, Length, NumberRange

from controller.automation.hostkeys import HostKey
from controller.domain.failures import CLASS_WORDS, ErrorClass
from controller.domain.words import Capability, Driver
from controller.operations import servers as operations
from controller.operations.errors import Conflict, Invalid
from controller.operations.records import must
from controller.operations.server_fields import scan_host_key
from controller.store.models import Server, ServerGroup
from controller.store.server_queries import ServerFilter, server_loads, server_page
from controller.store.task_queries import TaskFilter, next_check, task_page, waiting_for_server
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, NumberField, choices, optional
from controller.web.present import CAPABILITY_WORDS
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

CAPABILITIES = [(capability.value, CAPABILITY_WORDS[capability.value]) for capability in Capability]


class ServerForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the server a name."), Length(max=63)])
    address = StringField("Address", [InputRequired("Enter a host name or an IP address."), Length(max=255)])
    port = NumberField("SSH port", [NumberRange(1, 65535, "Enter a port from 1 to 65535.")], default=22)
    capabilities = SelectMultipleField(
        "Hosts",
        choices=choices(CAPABILITIES),
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
    )
    group = ChoiceField("Server group", [optional()])
    capacity = NumberField("Most services", [optional(), NumberRange(0, 1_000_000)], default=0)
    ssh_user = StringField("SSH user", [InputRequired("Enter the user to sign in as.")], default="root")
    door = ChoiceField("Sign in with", choices=choices([("key", "A private key"), ("password", "A password")]))
    ssh_private_key = TextAreaField("Private key", [optional()])
    ssh_password = PasswordField("Password", [optional()])
    fingerprint = HiddenField()

    field_map = {
        "ssh.user": "ssh_user",
        "ssh.password": "ssh_password",
        "ssh.private_key": "ssh_private_key",
        "ssh": "door",
        "host_key_fingerprint": "address",
    }

    @property
    def password(self) -> str | None:
        return self.ssh_password.data or None if self.door.data == "password" else None

    @property
    def private_key(self) -> str | None:
        return self.ssh_private_key.data or None if self.door.data == "key" else None


def _form(request: Request, session: Session) -> ServerForm:
    form = ServerForm.of(request)
    groups = session.scalars(select(ServerGroup).order_by(ServerGroup.name)).all()
    form.group.choices = choices([("", "None yet"), *((group.id, group.name) for group in groups)])
    return form


def _page(request: Request, form: ServerForm, status: int = 200, key: HostKey | None = None) -> Response:
    return render(request, "admin/servers/new.html", status, form=form, key=key)


def server_list(request: Request) -> Response:
    search, capability, sort = query(request, "search"), query(request, "capability"), query(request, "sort") or "name"
    with database_of(request).read() as session:
        found = server_page(session, ServerFilter(search, capability), sort=sort, page=page_number(request))
        return render(
            request,
            "admin/servers/list.html",
            found=found,
            loads=server_loads(session),
            search=search,
            capability=capability,
            sort=sort,
        )


def new(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, _form(request, session))


def create(request: Request) -> Response:
    """First post: find the host key and ask. Second post, with the fingerprint confirmed: save."""
    with database_of(request).read() as session:
        form = _form(request, session)
    if not form.validate():
        return _page(request, form, 422)
    if request.state.form.get("step") == "change":
        return _page(request, form)
    try:
        if not form.fingerprint.data:
            key = scan_host_key(form.address.data.strip(), form.port.data or 22)
            form.fingerprint.data = key.fingerprint
            return _page(request, form, key=key)
        server = operations.add(fleet_of(request), actor_of(request), **_values(form))
    except (Invalid, Conflict) as problem:
        form.fingerprint.data = ""
        form.refuse(problem)
        return _page(request, form, 422)
    flash(request, f"{server.name} is added and being checked.")
    return RedirectResponse(f"/admin/servers/{server.id}", 303)


def _values(form: ServerForm) -> dict[str, Any]:
    return {
        "name": form.name.data,
        "address": form.address.data.strip(),
        "port": form.port.data,
        "driver": Driver.HESTIACP.value,
        "capabilities": form.capabilities.data or [],
        "group": form.group.data or None,
        "ssh_user": form.ssh_user.data.strip(),
        "ssh_password": form.password,
        "ssh_private_key": form.private_key,
        "host_key_fingerprint": form.fingerprint.data,
        "capacity": form.capacity.data or 0,
    }


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        server_id = path_id(request)
        server = must(session.get(Server, server_id), "server", server_id)
        return render(
            request,
            "admin/servers/detail.html",
            server=server,
            load=server_loads(session).get(server.id, 0),
            fingerprint=HostKey(server.host_key).fingerprint,
            class_words=CLASS_WORDS[ErrorClass(server.blocked_cause or ErrorClass.UNREACHABLE)],
            waiting=waiting_for_server(session, server.id),
            next_check=next_check(session, server.id),
            found=task_page(session, TaskFilter(server_id=server.id), per_page=15),
        )


def check(request: Request) -> Response:
    server_id = path_id(request)
    with refusal_flashed(request):
        operations.check(fleet_of(request), actor_of(request), server_id)
        flash(request, "The server is being checked. Reload in a moment to see the result.", "info")
    return RedirectResponse(f"/admin/servers/{server_id}", 303)


routes: list[BaseRoute] = [
    page("/admin/servers", server_list, Access.STAFF),
    page("/admin/servers/new", new, Access.OPERATOR),
    page("/admin/servers/new", create, Access.OPERATOR, methods=["POST"]),
    page("/admin/servers/{id:int}", detail, Access.STAFF),
    page("/admin/servers/{id:int}/check", check, Access.OPERATOR, methods=["POST"]),
]
