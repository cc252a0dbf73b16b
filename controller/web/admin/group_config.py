"""A group's panel settings: a tab per tier, each setting with its field, how it is applied and who has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField

from controller.domain.config_keys import KEYS, VALUE, ConfigKey, Kind, Tier
from controller.domain.words import Capability
from controller.operations import group_config as operations
from controller.operations.errors import OperationError
from controller.store.group_queries import panels, views
from controller.store.models import ServerGroup
from controller.web.access import Access, page
from controller.web.admin.group_frame import find, group_tab
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.group_state import KeyState, differing, key_state
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash

INTRO = {
    Tier.ALL: "Settings of every server with a panel, nameservers included.",
    Tier.WEB: "Settings of servers that host websites; no other server ever gets them.",
    Tier.MAIL: "Settings of servers that host mail; no other server ever gets them.",
    Tier.DNS: "Settings of nameservers with a panel; PowerDNS servers and all others never get them.",
}
HEADINGS = {
    "LANGUAGE": "Language and look",
    "FROM_NAME": "E-mails of the panel",
    "INACTIVE_SESSION_TIMEOUT": "Login and security",
    "API_SYSTEM": "API and port",
    "POLICY_USER_EDIT_DETAILS": "What accounts may do",
    "BACKUP_MODE": "Backups",
    "UPGRADE_SEND_EMAIL": "Updates and system",
}
"""What the settings from this one on are about."""

INPUT_MODES = {Kind.NUMBER: "numeric", Kind.EMAIL: "email"}


class ConfigForm(FleetForm):
    """A field for each setting of one tier; the operation checks them."""

    def texts(self) -> dict[str, str]:
        """What was typed, by key."""
        return {name: field.data or "" for name, field in self._fields.items()}


def _field(entry: ConfigKey) -> Any:
    if entry.kind is Kind.CHOICE:
        return ChoiceField(entry.title, choices=choices([("", "not managed"), *entry.choices.items()]))
    return StringField(entry.title)


FORMS: dict[Tier, type[ConfigForm]] = {
    tier: type(
        f"{tier.value.title()}ConfigForm",
        (ConfigForm,),
        {entry.key: _field(entry) for entry in KEYS.values() if entry.tier is tier and entry.managed},
    )
    for tier in Tier
}


@dataclass(frozen=True)
class Row:
    """One setting on the page."""

    entry: ConfigKey
    wanted: str
    state: KeyState

    @property
    def how(self) -> str:
        return "plain value" if self.entry.how == VALUE else "applied by a command of its own"

    @property
    def heading(self) -> str:
        """What the settings from here on are about; empty where that was said already."""
        return HEADINGS.get(self.entry.key, "")

    @property
    def now(self) -> str:
        """What the servers have, with its unit."""
        return f"{self.state.now} {self.entry.unit}" if self.state.now.isdecimal() else self.state.now

    @property
    def attributes(self) -> dict[str, str]:
        """What its input has beside its class."""
        mode = INPUT_MODES.get(self.entry.kind)
        return {"autocomplete": "off", "spellcheck": "false", **({"inputmode": mode} if mode else {})}


def _page(
    request: Request, session: Session, group: ServerGroup, tier: Tier, form: ConfigForm, status: int = 200
) -> Response:
    servers = panels(session, group.id, None if tier is Tier.ALL else Capability(tier.value))
    known = views(session, [server.id for server in servers], "config")
    config = {key: str(value) for key, value in group.config.items()}
    rows = [
        Row(entry, config.get(entry.key, ""), key_state(entry, config.get(entry.key, ""), servers, known))
        for entry in KEYS.values()
        if entry.tier is tier
    ]
    return group_tab(
        request,
        session,
        group,
        f"config-{tier.value}",
        status,
        template="config",
        tier=tier.value,
        intro=INTRO[tier],
        form=form,
        rows=[row for row in rows if row.entry.managed],
        facts=[row for row in rows if not row.entry.managed],
        concerned=len(servers),
        drifting=sum(bool(differing(server, known.get(server.id), tier.value)) for server in servers),
    )


def _show(tier: Tier) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        with database_of(request).read() as session:
            group = find(session, request)
            return _page(request, session, group, tier, FORMS[tier](None, data=dict(group.config)))

    return endpoint


def _save(tier: Tier) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        form = FORMS[tier](request.state.form)
        try:
            operations.set_config(fleet_of(request), actor_of(request), path_id(request), tier.value, form.texts())
        except OperationError as problem:
            form.refuse(problem)
            with database_of(request).read() as session:
                return _page(request, session, find(session, request), tier, form, 422)
        flash(request, "Saved. No server has been changed yet.")
        return RedirectResponse(f"/admin/groups/{path_id(request)}/config/{tier.value}", 303)

    return endpoint


routes: list[BaseRoute] = [
    *(page(f"/admin/groups/{{id:int}}/config/{tier.value}", _show(tier), Access.STAFF) for tier in Tier),
    *(
        page(f"/admin/groups/{{id:int}}/config/{tier.value}", _save(tier), Access.OPERATOR, methods=["POST"])
        for tier in Tier
    ),
]
