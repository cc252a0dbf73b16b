"""The operation log: what happened, who or what asked for it; filters, pages, download."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from controller.domain.words import STAFF_ROLES
from controller.operations.errors import Invalid, NotFound
from controller.operations.operation_log import AREAS, COLUMNS, csv_row, log_filter
from controller.store.models import Server, Service, User
from controller.store.operation_log_queries import RESULTS, LogFilter, LogPage, known, log_count, log_lines, log_page
from controller.store.queries import is_id
from controller.web.access import Access, page
from controller.web.csv_file import csv_file
from controller.web.forms import sentence
from controller.web.request_tools import database_of, query
from controller.web.templating import render

FILTERS = ("search", "result", "area", "actor", "server", "service", "task", "since", "until")
RESULT_STATES = {
    "done": ("Done", "quiet"),
    "succeeded": ("Succeeded", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "warn"),
    "checked": ("Checked only", "quiet"),
}
PER_PAGE = 50


def _asked(request: Request) -> dict[str, str]:
    return {name: query(request, name) for name in FILTERS}


def _filter(session: Session, asked: dict[str, str]) -> tuple[LogFilter | None, str]:
    """The filter, or why there is none."""
    try:
        return log_filter(session, **asked), ""
    except Invalid as problem:
        return None, " ".join(sentence(f"{one.field} {one.reason}") for one in problem.problems)
    except NotFound as problem:
        return None, sentence(problem.message)


def log(request: Request) -> Response:
    asked = _asked(request)
    before, after = query(request, "before"), query(request, "after")
    with database_of(request).read() as session:
        wanted, problem = _filter(session, asked)
        found, total = LogPage([], newer=False, older=False), None
        if wanted is not None:
            position = {"after": int(after)} if is_id(after) else {"before": int(before)} if is_id(before) else {}
            found = log_page(session, wanted, limit=PER_PAGE, **position)
            total = log_count(session, wanted, found)
        return render(
            request,
            "admin/log/list.html",
            found=found,
            total=total,
            counted=wanted is not None and not (wanted.search or wanted.actor),
            problem=problem,
            known=known(session, found.items),
            asked=asked,
            filtered=any(asked.values()),
            subject=_subject(session, wanted),
            servers=session.scalars(select(Server).order_by(Server.name)).all(),
            people=session.scalars(select(User.email).where(User.role.in_(STAFF_ROLES)).order_by(User.email)).all(),
            areas=AREAS,
            results=RESULTS,
            states=RESULT_STATES,
        )


def _subject(session: Session, wanted: LogFilter | None) -> str:
    """The service that the log is narrowed to, by name."""
    if wanted is None or wanted.service_id is None:
        return ""
    service = session.get(Service, wanted.service_id)
    return service.domain_unicode if service else f"service {wanted.service_id}"


def download(request: Request) -> Response:
    """The lines of the filter as CSV, sent while they are read."""
    database = database_of(request)
    with database.read() as session:
        wanted = log_filter(session, **_asked(request))
    return csv_file("operation-log", COLUMNS, map(csv_row, log_lines(database, wanted)))


routes: list[BaseRoute] = [
    page("/admin/log", log, Access.STAFF),
    page("/admin/log/download", download, Access.STAFF),
]
