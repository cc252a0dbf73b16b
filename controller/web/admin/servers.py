"""Servers: the list with its filters, and adding one in steps (connect, look at what was found, save)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import HiddenField, PasswordField, SelectMultipleField, StringField, TextAreaField, widgets
from wtforms.validators import Length, NumberRange

from controller.automation.hostkeys import HostKey
from controller.domain.words import Capability, Driver
from controller.operations import servers as operations
from controller.operations.errors import Conflict, Invalid, OperationError
from controller.operations.server_fields import scan_host_key
from controller.operations.server_look import ServerLook, check_way_in, look, look_powerdns
from controller.store.models import Server, ServerGroup
from controller.store.queries import is_id
from controller.store.server_queries import ServerFilter, server_counts, server_loads, server_page
from controller.web import server_figures
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, NumberField, choices, optional
from controller.web.present import CAPABILITY_WORDS
from controller.web.rehearsal import Rehearsed, rehearsal
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, query
from controller.web.server_figures import DRIVER_WORDS
from controller.web.session import flash
from controller.web.templating import render

CAPABILITIES = [(capability.value, CAPABILITY_WORDS[capability.value]) for capability in Capability]
FILTERS = ("search", "capability", "state", "group")
CONNECTION = ("driver", "address", "port", "ssh_user", "door", "ssh_private_key", "ssh_password")
API = ("api_url", "api_key", "api_server_id")
PORT = NumberRange(1, 65535, "Enter a port from 1 to 65535.")
CAPACITY = NumberRange(0, 1_000_000, "Enter a number from 0 to 1\u202f000\u202f000.")
TIME_LIMIT = NumberRange(0, 86_400, "Enter a number from 0 to 86\u202f400.")


class ServerForm(FleetForm):
    driver = ChoiceField("Driver", choices=choices(DRIVER_WORDS.items()), default=Driver.HESTIACP.value)
    address = StringField("Address", [optional(), Length(max=255)])
    port = NumberField("SSH port", [optional(), PORT], default=22)
    ssh_user = StringField("SSH user", [optional()], default="root")
    door = ChoiceField(
        "Sign in with", [optional()], choices=choices([("key", "A private key"), ("password", "A password")])
    )
    ssh_private_key = TextAreaField("Private key", [optional()])
    ssh_password = PasswordField("Password", [optional()])
    api_url = StringField("Address of the API", [optional()])
    api_key = PasswordField("API key", [optional()])
    api_server_id = StringField("Server id", [optional()], default="localhost")
    fingerprint = HiddenField()
    name = StringField("Name", [optional(), Length(max=63)])
    capabilities = SelectMultipleField(
        "Hosts",
        choices=choices(CAPABILITIES),
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
    )
    group = ChoiceField("Server group", [optional()])
    capacity = NumberField("Capacity", [optional(), CAPACITY], default=0)
    hostname = StringField("Host name", [optional(), Length(max=255)])
    dns_address = StringField("DNS is asked at", [optional(), Length(max=255)])
    dns_port = NumberField("DNS port", [optional(), PORT], default=53)
    command_timeout = NumberField("Time limit", [optional(), TIME_LIMIT], default=0)

    field_map = {
        "ssh.user": "ssh_user",
        "ssh.password": "ssh_password",
        "ssh.private_key": "ssh_private_key",
        "ssh": "door",
        "api.url": "api_url",
        "api.key": "api_key",
        "api.server_id": "api_server_id",
        "dns.address": "dns_address",
        "dns.port": "dns_port",
        "host_key_fingerprint": "address",
    }

    @property
    def has_api(self) -> bool:
        return bool(self.driver.data == Driver.POWERDNS.value)

    @property
    def password(self) -> str | None:
        return self.ssh_password.data or None if self.door.data == "password" else None

    @property
    def private_key(self) -> str | None:
        return self.ssh_private_key.data or None if self.door.data == "key" else None

    def validate(self, extra_validators: Any = None) -> bool:
        """Also that what the way in needs was typed."""
        fine = bool(super().validate(extra_validators))
        needed = () if self.has_api else ((self.address, "address"), self._secret)
        for field, words in needed:
            if not (field.data or "").strip() and not field.errors:
                field.errors = [f"Enter the {words}."]
                fine = False
        return fine

    def refuse(self, problem: OperationError) -> None:
        """As ever; that there is no secret is said once, at the field that is empty."""
        if isinstance(problem, Invalid) and not self.has_api and self._secret[0].errors:
            problem = Invalid([one for one in problem.problems if one.field != "ssh"])
        super().refuse(problem)

    @property
    def _secret(self) -> tuple[Any, str]:
        if self.door.data == "password":
            return self.ssh_password, "password"
        return self.ssh_private_key, "private key"

    @property
    def trouble_in_connecting(self) -> bool:
        """Whether something is wrong that belongs to the first step."""
        return any(self[name].errors for name in (*CONNECTION, *API))


def _form(request: Request, session: Session) -> ServerForm:
    form = ServerForm.of(request)
    groups = session.scalars(select(ServerGroup).order_by(ServerGroup.name)).all()
    form.group.choices = choices([("", "None yet"), *((group.id, group.name) for group in groups)])
    if request.method != "POST":
        form.capabilities.data = []
    return form


def _known_as(session: Session, form: ServerForm, found: ServerLook) -> list[str]:
    """Servers of the list that this one seems to be: they have its way in, or show its host key."""
    if form.has_api:
        same = and_(
            Server.api_url == (form.api_url.data or "").strip().rstrip("/"),
            Server.api_server_id == (form.api_server_id.data or "").strip(),
        )
    else:
        same = and_(Server.address == (form.address.data or "").strip(), Server.port == (form.port.data or 22))
        if found.key is not None:
            same = or_(same, Server.host_key == found.key.line)
    return list(session.scalars(select(Server.name).where(same).order_by(Server.name)))


def _page(
    request: Request,
    form: ServerForm,
    status: int = 200,
    found: ServerLook | None = None,
    known_as: Sequence[str] = (),
) -> Response:
    """The first step, or the second with what was found."""
    rides_along = API if form.has_api else (*CONNECTION, "fingerprint")
    return render(
        request,
        "admin/servers/confirm.html" if found else "admin/servers/new.html",
        status,
        form=form,
        found=found,
        known_as=known_as,
        hidden=[*rides_along, *(["driver"] if form.has_api else [])],
        figures=server_figures,
    )


def server_list(request: Request) -> Response:
    asked = {name: query(request, name) for name in FILTERS}
    sort = query(request, "sort") or "name"
    wanted = ServerFilter(
        search=asked["search"],
        capability=asked["capability"],
        state=asked["state"],
        group_id=int(asked["group"]) if is_id(asked["group"]) else None,
    )
    with database_of(request).read() as session:
        found = server_page(session, wanted, sort=sort, page=page_number(request))
        return render(
            request,
            "admin/servers/list.html",
            found=found,
            loads=server_loads(session, [server.id for server in found.items]),
            counts=server_counts(session),
            groups=session.scalars(select(ServerGroup).order_by(ServerGroup.name)).all(),
            figures=server_figures,
            asked=asked,
            sort=sort,
        )


def new(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, _form(request, session))


def create(request: Request) -> Response:
    """First post: connect and look. Second post, with what was found confirmed: save."""
    with database_of(request).read() as session:
        form = _form(request, session)
    step = str(request.state.form.get("step", ""))
    if step == "change":
        form.fingerprint.data = ""
        return _page(request, form)
    saves = step == "save" or bool(form.fingerprint.data)
    fine = form.validate()
    if saves and not form.capabilities.data and not form.has_api:
        form.capabilities.errors = ["Tick at least one."]
        fine = False
    try:
        if not saves and fine:
            found = _look(request, form)
            _suggest(form, found)
            with database_of(request).read() as session:
                return _page(request, form, found=found, known_as=_known_as(session, form, found))
        if not saves:
            _check_way_in(form)
            return _again(request, form, saves=saves)
        fleet, scan = (fleet_of(request), scan_host_key) if fine else (rehearsal(fleet_of(request)), not_asked)
        server = operations.add(fleet, actor_of(request), **_values(form), scan=scan)
    except Rehearsed:
        return _again(request, form, saves=saves)
    except (Invalid, Conflict) as problem:
        form.refuse(problem)
        return _again(request, form, saves=saves)
    flash(request, f"{server.name} is added and being checked.")
    return RedirectResponse(f"/admin/servers/{server.id}", 303)


def _again(request: Request, form: ServerForm, *, saves: bool) -> Response:
    """The step that something is wrong with."""
    if not saves or form.trouble_in_connecting:
        form.fingerprint.data = ""
        return _page(request, form, 422)
    return _page(request, form, 422, found=ServerLook(None, ok=True))


def not_asked(_address: str, _port: int) -> HostKey:
    """A server is not asked for its host key while something else is wrong."""
    raise Rehearsed


def _check_way_in(form: ServerForm) -> None:
    """What else is wrong with the way in, without anybody being asked. Raises Invalid."""
    if form.has_api:
        return
    check_way_in(
        address=(form.address.data or "").strip(),
        port=form.port.data or 22,
        ssh_user=(form.ssh_user.data or "").strip(),
        ssh_password=form.password,
        ssh_private_key=form.private_key,
    )


def _look(request: Request, form: ServerForm) -> ServerLook:
    fleet = fleet_of(request)
    if form.has_api:
        return look_powerdns(
            fleet,
            api_url=(form.api_url.data or "").strip(),
            api_key=form.api_key.data or "",
            api_server_id=(form.api_server_id.data or "").strip(),
        )
    found = look(
        fleet,
        address=(form.address.data or "").strip(),
        port=form.port.data or 22,
        ssh_user=(form.ssh_user.data or "").strip(),
        ssh_password=form.password,
        ssh_private_key=form.private_key,
    )
    form.fingerprint.data = found.key.fingerprint if found.key else ""
    return found


SYSTEMS = {Capability.WEB: "web", Capability.MAIL: "mail", Capability.DNS: "dns"}


def _suggest(form: ServerForm, found: ServerLook) -> None:
    """Fill in what the server itself tells, where nothing was typed."""
    hostname = str(found.facts.get("hostname") or "")
    form.name.data = form.name.data or hostname.partition(".")[0]
    for field in (form.capacity, form.command_timeout, form.dns_port):
        field.data = field.default if field.data is None else field.data
    systems = found.facts.get("systems")
    if form.has_api:
        form.capabilities.data = [Capability.DNS.value]
        form.hostname.data = form.hostname.data or hostname
        form.address.data = form.address.data or urlsplit(form.api_url.data or "").hostname
    elif not form.capabilities.data and isinstance(systems, dict):
        form.capabilities.data = [role.value for role, key in SYSTEMS.items() if systems.get(key)]


def _values(form: ServerForm) -> dict[str, Any]:
    common = {
        "name": form.name.data,
        "address": (form.address.data or "").strip(),
        "driver": form.driver.data,
        "capabilities": form.capabilities.data or [],
        "group": form.group.data or None,
        "capacity": form.capacity.data or 0,
        "hostname": (form.hostname.data or "").strip(),
        "dns_address": (form.dns_address.data or "").strip(),
        "dns_port": form.dns_port.data or 53,
        "command_timeout": form.command_timeout.data or 0,
    }
    if form.has_api:
        return common | {
            "api_url": (form.api_url.data or "").strip(),
            "api_key": form.api_key.data,
            "api_server_id": (form.api_server_id.data or "").strip(),
        }
    return common | {
        "port": form.port.data or 22,
        "ssh_user": (form.ssh_user.data or "").strip(),
        "ssh_password": form.password,
        "ssh_private_key": form.private_key,
        "host_key_fingerprint": form.fingerprint.data,
    }


routes: list[BaseRoute] = [
    page("/admin/servers", server_list, Access.STAFF),
    page("/admin/servers/new", new, Access.OPERATOR),
    page("/admin/servers/new", create, Access.OPERATOR, methods=["POST"]),
]
