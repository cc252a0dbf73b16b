"""Templates: the environment, what every template knows, and the one way to answer with a page."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette_wtf import csrf_token

from controller.domain import words
from controller.store.ticket_queries import open_ticket_count
from controller.web import present
from controller.web.assets import Assets
from controller.web.session import Person, take_flashes


def make_environment(ui: Path, assets: Assets) -> Environment:
    """Strict (an unknown name is an error) and escaping everywhere."""
    environment = Environment(
        loader=FileSystemLoader(ui / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )

    def icon(name: str, css: str = "") -> Markup:
        if name not in assets.icons:
            raise LookupError(f"icon {name} is not in ui/src/icons.json")
        sprite = assets.url("icons.svg")
        return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
            css, sprite, name
        )

    environment.globals.update(
        static=assets.url,
        icon=icon,
        ago=ago,
        at=at,
        activity_state=present.activity_state,
        task_state=present.task_state,
        task_duration=present.task_duration,
        server_state=present.server_state,
        action_words=present.action_words,
        blocked_words=present.blocked_words,
        counted=present.counted,
        priority_words=present.priority_words,
        error_title=present.error_title,
        failures=present.failures,
        PRIORITY_WORDS=present.PRIORITY_WORDS,
        limit_rows=present.limit_rows,
        SERVICE_STATES=present.SERVICE_STATES,
        TASK_STATES=present.TASK_STATES,
        TASK_ICONS=present.TASK_ICONS,
        SERVER_STATES=present.SERVER_STATES,
        ROLE_WORDS=present.ROLE_WORDS,
        CAPABILITY_WORDS=present.CAPABILITY_WORDS,
        words=words,
        link=link,
        open_tickets=open_tickets,
    )
    environment.filters.update(
        duration=present.duration,
        megabytes=present.megabytes,
        grouped=present.grouped,
        limit=present.limit_value,
        initials=present.initials,
        readable=present.readable,
        roles=present.roles_in_words,
        iso=lambda moment: moment.isoformat(),
    )
    return environment


def ago(moment: dt.datetime | None, empty: str = "—") -> Markup:
    """``3 minutes ago`` with the exact time as title; the browser keeps it true."""
    if moment is None:
        return escape(empty)
    return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
        moment.isoformat(), present.exact(moment), present.relative(moment)
    )


def at(moment: dt.datetime | None, empty: str = "—") -> Markup:
    """The exact time."""
    if moment is None:
        return escape(empty)
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), present.exact(moment))


def link(request: Request, **changes: Any) -> str:
    """This page's address with some query parameters changed; empty ones are dropped."""
    parameters = dict(request.query_params) | {key: str(value) for key, value in changes.items()}
    query = urlencode({key: value for key, value in parameters.items() if value})
    return request.url.path + (f"?{query}" if query else "")


def open_tickets(request: Request) -> int:
    """How many tickets wait for somebody, for the staff's menu."""
    with request.app.state.fleet.database.read() as session:
        return open_ticket_count(session)


def render(request: Request, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
    """A page; templates know ``request``, ``person``, ``csrf`` and ``flashes`` besides the context."""
    environment: Environment = request.app.state.templates
    person: Person | None = getattr(request.state, "person", None)
    body = environment.get_template(template).render(
        request=request,
        path=request.url.path,
        person=person,
        csrf=csrf_token(request),
        # A part of a page that is fetched by a script shows no messages, so they wait for the next whole one.
        flashes=[] if "hx-request" in request.headers else take_flashes(request),
        **context,
    )
    return HTMLResponse(body, status)
