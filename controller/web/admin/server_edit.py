"""Editing a server: all its fields; secrets are written only, blank keeps what is stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import PasswordField, SelectMultipleField, StringField, TextAreaField, widgets
from wtforms.validators import InputRequired, Length

from controller.domain.words import Driver
from controller.engine.fleet import Fleet
from controller.operations import server_changes, server_doors
from controller.operations.errors import Conflict, Invalid, OperationError, Refused
from controller.operations.fields import Fields
from controller.operations.server_fields import UNIX_USER, check_credentials
from controller.store.models import Server, ServerGroup
from controller.store.zone_models import ZoneTemplate
from controller.web.access import Access, page
from controller.web.admin.server_tabs import find
from controller.web.admin.servers import CAPABILITIES, CAPACITY, PORT, TIME_LIMIT, ServerForm
from controller.web.forms import ChoiceField, FleetForm, NumberField, choices, optional
from controller.web.present import CAPABILITY_WORDS
from controller.web.rehearsal import Rehearsed, rehearsal
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import flash
from controller.web.templating import render


def role_boxes(label: str, *validators: Any) -> SelectMultipleField:
    """A box for each role."""
    return SelectMultipleField(
        label,
        validators,
        choices=choices(CAPABILITIES),
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
    )


class EditForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the server a name."), Length(max=63)])
    address = StringField("Address", [InputRequired("Enter a host name or an IP address."), Length(max=255)])
    hostname = StringField("Host name", [optional(), Length(max=255)])
    capabilities = role_boxes("Hosts")
    closed_roles = role_boxes("Takes no new services of")
    capacity = NumberField("Capacity", [optional(), CAPACITY])
    command_timeout = NumberField("Time limit", [optional(), TIME_LIMIT])
    dns_address = StringField("DNS is asked at", [optional(), Length(max=255)])
    dns_port = NumberField("DNS port", [optional(), PORT])
    zone_template = ChoiceField("Zone template", [optional()])

    field_map = ServerForm.field_map

    def changes(self) -> dict[str, Any]:
        """What the operation takes."""
        return {
            "name": self.name.data,
            "address": (self.address.data or "").strip(),
            "hostname": (self.hostname.data or "").strip(),
            "closed_roles": self.closed_roles.data or [],
            "capacity": self.capacity.data or 0,
            "command_timeout": self.command_timeout.data or 0,
            "dns_address": (self.dns_address.data or "").strip(),
            "dns_port": self.dns_port.data or 53,
            "zone_template": self.zone_template.data or None,
        }


class PanelForm(EditForm):
    """Of a HestiaCP server."""

    capabilities = role_boxes("Hosts", InputRequired("Tick at least one."))
    port = NumberField("SSH port", [InputRequired("Enter a port from 1 to 65535."), PORT])
    group = ChoiceField("Server group", [optional()])
    ssh_user = StringField("SSH user", [InputRequired("Enter the user to sign in as.")])
    ssh_password = PasswordField("New password", [optional()])
    ssh_private_key = TextAreaField("New private key", [optional()])

    def changes(self) -> dict[str, Any]:
        known = super().changes() | {"port": self.port.data, "capabilities": self.capabilities.data or []}
        # A server for DNS only is attached to groups on their pages.
        return known | {"group": self.group.data or None} if set(self.capabilities.data or []) - {"dns"} else known

    def check_login(self) -> bool:
        """Whether the login can be one, before anything is written; says at the fields what is wrong."""
        fields = Fields()
        if not UNIX_USER.fullmatch((self.ssh_user.data or "").strip()):
            fields.problem("ssh.user", "must be a Unix user name")
        if self.ssh_password.data or self.ssh_private_key.data:
            check_credentials(fields, self.ssh_password.data, self.ssh_private_key.data)
        if fields.problems:
            self.refuse(Invalid(fields.problems))
        return not fields.problems

    def login_changes(self, server: Server) -> bool:
        """Whether anything of the login is new."""
        user = (self.ssh_user.data or "").strip()
        return bool(user != server.ssh_user or self.ssh_password.data or self.ssh_private_key.data)


class ApiForm(EditForm):
    """Of a PowerDNS server."""

    api_url = StringField("Address of the API", [InputRequired("Enter the address of the API."), Length(max=255)])
    api_key = PasswordField("New API key", [optional()])
    api_server_id = StringField("Server id", [InputRequired("Enter the server’s id.")])

    def changes(self) -> dict[str, Any]:
        return super().changes() | {
            "api_url": (self.api_url.data or "").strip(),
            "api_key": self.api_key.data or None,
            "api_server_id": (self.api_server_id.data or "").strip(),
        }


def _form(request: Request, session: Session, server: Server) -> PanelForm | ApiForm:
    stored = {
        "capabilities": [role.value for role in server.capabilities],
        "closed_roles": [role for role in ("web", "mail", "dns") if getattr(server, f"closed_{role}")],
        "zone_template": str(server.zone_template_id or ""),
        "group": str(server.group_id or ""),
    }
    columns = ("name", "address", "hostname", "capacity", "command_timeout", "dns_address", "dns_port")
    stored |= {name: getattr(server, name) for name in (*columns, "port", "ssh_user", "api_url", "api_server_id")}
    form = (ApiForm if server.driver is Driver.POWERDNS else PanelForm).of(request, **stored)
    templates = session.scalars(select(ZoneTemplate).order_by(ZoneTemplate.name)).all()
    form.zone_template.choices = choices([("", "The group’s or default"), *((one.id, one.name) for one in templates)])
    if isinstance(form, PanelForm):
        groups = session.scalars(select(ServerGroup).order_by(ServerGroup.name)).all()
        form.group.choices = choices([("", "None"), *((group.id, group.name) for group in groups)])
    else:
        form.closed_roles.choices = choices([("dns", CAPABILITY_WORDS["dns"])])
    return form


def _page(request: Request, server: Server, form: PanelForm | ApiForm, status: int = 200) -> Response:
    return render(request, "admin/servers/edit.html", status, server=server, form=form)


def show(request: Request) -> Response:
    with database_of(request).read() as session:
        server = find(session, request)
        return _page(request, server, _form(request, session, server))


def save(request: Request) -> Response:
    with database_of(request).read() as session:
        server = find(session, request)
        form = _form(request, session, server)
    fine = form.validate()
    if isinstance(form, PanelForm):
        fine = form.check_login() and fine
    try:
        _save(request, server, form, fleet_of(request) if fine else rehearsal(fleet_of(request)))
    except Rehearsed:
        return _page(request, server, form, 422)
    except (Invalid, Conflict, Refused) as problem:
        _refuse(form, problem)
        return _page(request, server, form, 422)
    flash(request, f"{form.name.data.strip()} is saved.")
    return RedirectResponse(f"/admin/servers/{server.id}", 303)


def _save(request: Request, server: Server, form: PanelForm | ApiForm, fleet: Fleet) -> None:
    actor = actor_of(request)
    server_changes.edit(fleet, actor, server.id, **form.changes())
    if isinstance(form, PanelForm) and form.login_changes(server):
        server_doors.change_login(
            fleet,
            actor,
            server.id,
            ssh_user=form.ssh_user.data.strip(),
            ssh_password=form.ssh_password.data or None,
            ssh_private_key=form.ssh_private_key.data or None,
        )


def _refuse(form: EditForm, problem: OperationError) -> None:
    """A refusal is about what the server may host: something lives there that needs it."""
    if isinstance(problem, Refused):
        form.refuse(Conflict(problem.message, field="capabilities"))
    else:
        form.refuse(problem)


routes: list[BaseRoute] = [
    page("/admin/servers/{id:int}/edit", show, Access.STAFF),
    page("/admin/servers/{id:int}/edit", save, Access.OPERATOR, methods=["POST"]),
]
