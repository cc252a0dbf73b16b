"""Calls on what is on a server: its panel's settings, what the panel has, and what is done there at once."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from controller.engine.fleet import Fleet
from controller.operations import server_actions
from controller.store.base import utcnow
from controller.store.models import Pipeline
from controller.store.queries import Page
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Asked, Call, Listed
from controller.web.api.pipeline_answers import RunAnswer
from controller.web.api.pipeline_calls import STARTS, started
from controller.web.api.server_answers import VIEWS
from controller.web.api.server_bodies import ConfigApplyBody, RebuildBody, RestartBody
from controller.web.api.server_calls import find
from controller.web.api.server_views import (
    ITEMS,
    HistoryAnswer,
    ServerConfigAnswer,
    config_answer,
    history_answer,
    view_items,
)

SUMMARIES = {
    "packages": "List the packages of a panel",
    "addresses": "List the addresses of a panel",
    "services": "List the programs that a panel watches",
    "users": "List the accounts of a panel with what they use",
}


class HistoryParameters(lists.Parameters):
    """How far back."""

    hours: int = Field(24, ge=1, le=720)


def _config(asked: Asked) -> ServerConfigAnswer:
    with asked.fleet.database.read() as session:
        return config_answer(session, find(session, asked.key))


def _history(asked: Asked) -> HistoryAnswer:
    given: HistoryParameters = asked.query
    with asked.fleet.database.read() as session:
        return history_answer(session, find(session, asked.key), given.hours, utcnow())


def _view(kind: str) -> Callable[[Asked], Listed]:
    def run(asked: Asked) -> Listed:
        given: lists.PageParameters = asked.query
        with asked.fleet.database.read() as session:
            items = view_items(session, find(session, asked.key), kind)
        begin = (given.page - 1) * given.per_page
        page = Page(items[begin : begin + given.per_page], len(items), given.page, given.per_page)
        return Listed(page, [*page.items])

    return run


def _start(operation: Callable[[Fleet, str, str], Pipeline]) -> Callable[[Asked], RunAnswer]:
    return lambda asked: started(asked, operation(asked.fleet, asked.actor, asked.key))


def _restart(asked: Asked) -> RunAnswer:
    body: RestartBody = asked.body
    return started(asked, server_actions.restart_service(asked.fleet, asked.actor, asked.key, body.service))


def _rebuild(asked: Asked) -> RunAnswer:
    body: RebuildBody = asked.body
    return started(asked, server_actions.rebuild(asked.fleet, asked.actor, asked.key, body.what, body.users))


def _apply(asked: Asked) -> RunAnswer:
    body: ConfigApplyBody = asked.body
    pipeline = server_actions.apply_config(asked.fleet, asked.actor, asked.key, body.scope, check=body.check)
    return started(asked, pipeline)


def _view_call(kind: str) -> Call:
    return Call(
        "GET",
        f"/servers/{{id}}/{kind}",
        SUMMARIES[kind],
        _view(kind),
        answer=ITEMS[kind],
        query=lists.PageParameters,
        listed=True,
    )


CALLS = (
    Call(
        "GET",
        "/servers/{id}/config",
        "Show what a panel's settings should be and are",
        _config,
        answer=ServerConfigAnswer,
    ),
    Call(
        "POST",
        "/servers/{id}/config",
        "Bring a panel's settings in line, or only show what would change",
        _apply,
        answer=RunAnswer,
        status=202,
        body=ConfigApplyBody,
        once=STARTS,
        problems=("refused",),
    ),
    *(_view_call(kind) for kind in VIEWS),
    Call(
        "GET",
        "/servers/{id}/history",
        "Show a server's figures over time",
        _history,
        answer=HistoryAnswer,
        query=HistoryParameters,
    ),
    Call(
        "POST",
        "/servers/{id}/refresh",
        "Look at a server and collect the usage of its accounts, now",
        _start(server_actions.refresh),
        answer=RunAnswer,
        status=202,
        body=Nothing,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/servers/{id}/recount",
        "Let a panel count disk and traffic anew, then collect them",
        _start(server_actions.recount),
        answer=RunAnswer,
        status=202,
        body=Nothing,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/servers/{id}/restart",
        "Restart a program of a server",
        _restart,
        answer=RunAnswer,
        status=202,
        body=RestartBody,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/servers/{id}/rebuild",
        "Let a panel write anew what it keeps for accounts",
        _rebuild,
        answer=RunAnswer,
        status=202,
        body=RebuildBody,
        once=STARTS,
        problems=("refused",),
    ),
)
