"""Answers about what is on a server: its panel's settings, lists of what the panel has, history of its figures.

Lists are as the panel told them; what a later version adds comes through.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from controller.domain.words import Driver
from controller.operations.group_config import ConfigLine, drift
from controller.store.models import Server
from controller.store.server_queries import RANGES, History, account_owners, server_history, server_view
from controller.web.api.answers import Ref


class Told(BaseModel):
    """Base: what a server told, with whatever else it said."""

    model_config = ConfigDict(extra="allow")


class PackageAnswer(Told):
    """A package of the panel, with its limits by the panel's own keys."""

    name: str


class AddressAnswer(Told):
    """An address that the panel uses."""

    ip: str
    owner: str = ""
    status: str = ""
    nat: str = ""
    interface: str = ""
    users: list[str] = Field(default_factory=list)
    web_domains: int = 0


class ProgramAnswer(Told):
    """A program that the panel watches."""

    name: str
    what: str = ""
    state: str = Field("", description="running or stopped")
    cpu: float | None = Field(None, description="percent")
    memory_mb: float | None = None
    minutes: float | None = Field(None, description="since it was started")


class PanelUserAnswer(Told):
    """An account of the panel with what it uses; MB as the panel counts them."""

    name: str
    package: str = ""
    role: str = ""
    suspended: bool = False
    disk: int = 0
    bandwidth: int = 0
    quota: int | None = Field(None, description="MB; null without a limit")
    service: Ref | None = Field(None, description="whose it is; null: of none of ours")


ITEMS: Mapping[str, type[Told]] = {
    "packages": PackageAnswer,
    "addresses": AddressAnswer,
    "services": ProgramAnswer,
    "users": PanelUserAnswer,
}


class ConfigLineAnswer(BaseModel):
    """A setting that is managed for a server."""

    key: str
    tier: str
    wanted: str
    has: str | None = Field(description="null: not looked at yet")
    matches: bool | None = Field(description="null: nobody knows")
    how: str
    refused: str = Field(description="why it could not be set when it was applied last; empty: it was not refused")


class ServerConfigAnswer(BaseModel):
    """What a panel's settings should be and are."""

    managed: list[ConfigLineAnswer]
    differ: int
    panel: dict[str, str] = Field(description="all that the panel has, secrets masked")
    at: dt.datetime | None = Field(description="when it was looked at; null: never")


class PointAnswer(BaseModel):
    """A server's figures around one time."""

    at: dt.datetime
    load: float | None
    cpu: float | None = Field(description="percent")
    memory: float | None = Field(description="percent")
    disk: float | None = Field(description="percent")
    accounts: float | None


class HistoryAnswer(BaseModel):
    """A server's figures over time, the oldest first; long times in averages of a few minutes to two hours."""

    hours: int
    points: list[PointAnswer]


def view_items(session: Session, server: Server, kind: str) -> list[Told]:
    """One list of what the panel has; empty before the first collection."""
    view = server_view(session, server.id, kind)
    rows: Sequence[Any] = view.data if view is not None and isinstance(view.data, list) else []
    items = [item for row in rows if (item := _item(kind, row)) is not None]
    owners = account_owners(session, server.id) if kind == "users" else {}
    for item in items:
        if isinstance(item, PanelUserAnswer):
            owner = owners.get(item.name)
            item.service = None
            if owner is not None and owner.service_id is not None:
                item.service = Ref(id=owner.service_id, name=owner.domain)
    return items


def _item(kind: str, row: Any) -> Told | None:
    """One row; None for what no panel says."""
    try:
        return ITEMS[kind].model_validate(row)
    except ValidationError:
        return None


def config_answer(session: Session, server: Server) -> ServerConfigAnswer:
    """A panel's settings beside what is wanted of them."""
    view = server_view(session, server.id, "config")
    lines = drift(session, server, view) if server.driver is Driver.HESTIACP else []
    return ServerConfigAnswer(
        managed=[config_line_answer(line) for line in lines],
        differ=sum(line.matches is False for line in lines),
        panel={key: str(value) for key, value in view.data.items()} if view is not None else {},
        at=view.at if view is not None else None,
    )


def config_line_answer(line: ConfigLine) -> ConfigLineAnswer:
    """One setting."""
    return ConfigLineAnswer(
        key=line.key,
        tier=line.tier,
        wanted=line.wanted,
        has=line.has,
        matches=line.matches,
        how=line.how,
        refused="" if line.matches else line.refused,
    )


def history_answer(session: Session, server: Server, hours: int, now: dt.datetime) -> HistoryAnswer:
    """The last hours of a server."""
    span = next((name for name, (seconds, _) in RANGES.items() if seconds >= hours * 3600), "30d")
    since = now - dt.timedelta(hours=hours)
    return HistoryAnswer(hours=hours, points=_points(server_history(session, server.id, span, now), since))


def _points(history: History, since: dt.datetime) -> list[PointAnswer]:
    points = []
    for place, moment in enumerate(history.times):
        at = dt.datetime.fromtimestamp(moment, dt.UTC)
        told = {name: values[place] for name, values in history.series.items()}
        # A point without figures marks a pause in the pages' charts.
        if at >= since and any(value is not None for value in told.values()):
            points.append(PointAnswer(at=at, **told))
    return points
