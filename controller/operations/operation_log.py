"""What can be asked of the operation log, from what people type."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from controller.operations.errors import NotFound
from controller.operations.fields import Fields
from controller.store.models import OperationLog
from controller.store.operation_log_queries import RESULTS, LogFilter
from controller.store.queries import find_server, find_service, is_id

AREAS: Mapping[str, str] = {
    "service": "Services",
    "server": "Servers",
    "group": "Server groups",
    "product": "Products",
    "customer": "Customers",
    "user": "Logins",
    "token": "API tokens",
    "settings": "Settings",
    "job": "Periodic jobs",
    "task": "Tasks",
    "drift": "Drift checks",
    "ticket": "Tickets",
    "webhook": "Webhooks",
    "web": "Steps: web",
    "mail": "Steps: mail",
    "dns": "Steps: DNS",
}
"""What actions begin with, in words."""

AREA = re.compile(r"[a-z][a-z0-9_-]{0,39}")
COLUMNS = ("id", "time", "who", "action", "target", "result", "message", "service_id", "server_id", "task_id")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def log_filter(
    session: Session,
    *,
    search: str = "",
    result: str = "",
    area: str = "",
    actor: str = "",
    server: str = "",
    service: str = "",
    task: str = "",
    since: str = "",
    until: str = "",
) -> LogFilter:
    """The filter that these words ask for; days are whole days (UTC), the last one included.

    Raises Invalid with every bad field, and NotFound for a server or service that nobody knows the name of.
    """
    fields = Fields()
    if result:
        fields.choice("result", result, RESULTS)
    if area and not AREA.fullmatch(area):
        fields.problem("area", "is the first word of an action, for instance service")
    if task and not is_id(task):
        fields.problem("task", "must be a task’s number")
    first, _ = _moments(fields, "since", since)
    _, end = _moments(fields, "until", until)
    if first and end and first >= end:
        fields.problem("until", "must not be before the first day")
    fields.finish()
    return LogFilter(
        search=search.strip(),
        result=result,
        area=area,
        actor=actor.strip(),
        server_id=_id("server", server, find_server(session, server)) if server else None,
        service_id=_id("service", service, find_service(session, service.lower())) if service else None,
        task_id=int(task) if task else None,
        since=first,
        until=end,
    )


def _moments(fields: Fields, field: str, text: str) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Begin and end of a day, or twice the moment."""
    if not text:
        return None, None
    try:
        moment = dt.datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        if len(text) > len("2026-01-31"):
            return aware.astimezone(dt.UTC), aware.astimezone(dt.UTC)
        return aware, aware + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        fields.problem(field, "must be a day (2026-01-31) or a time (2026-01-31T14:00:00Z)")
        return None, None


def _id(kind: str, key: str, thing: Any) -> int:
    """The number of a thing; the log may know one that is gone."""
    if thing is not None:
        return int(thing.id)
    if is_id(key):
        return int(key)
    raise NotFound(kind, key)


def csv_row(line: OperationLog) -> list[str]:
    """A line as cells of ``COLUMNS``; none of them is a formula to a spreadsheet."""
    cells = (
        line.id,
        line.at.isoformat(timespec="seconds"),
        line.actor,
        line.action,
        line.target,
        line.result,
        line.message,
        line.service_id,
        line.server_id,
        line.task_id,
    )
    texts = ["" if cell is None else str(cell) for cell in cells]
    return [f"'{text}" if text.startswith(FORMULA) else text for text in texts]
