"""Statistics: what every service uses of what it may; the list, its CSV, one service with its history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.domain.words import OPEN_TASK_STATES, TaskStatus
from controller.operations import usage as operations
from controller.operations.operation_log import FORMULA
from controller.operations.records import must
from controller.store.base import utcnow
from controller.store.fleet_models import UsageSample
from controller.store.models import Pipeline, Server, Task
from controller.store.queries import is_id
from controller.store.usage_queries import (
    GAUGES,
    NEARLY_FULL,
    Line,
    UsageFilter,
    product_names,
    service_line,
    usage_count,
    usage_history,
    usage_lines,
    usage_page,
)
from controller.web.access import Access, page
from controller.web.csv_file import csv_file
from controller.web.present import SERVICE_STATES
from controller.web.request_tools import actor_of, count_by, database_of, fleet_of, page_number, path_id, query
from controller.web.server_figures import Chart, amount, in_words
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

FILTERS = ("search", "server", "product", "full")
SPANS = {"30": "30 days", "90": "90 days", "365": "A year"}
CHARTS = (
    ("web_disk", "Web disk", "MB", "web_disk_quota"),
    ("web_bandwidth", "Traffic this month", "MB", "web_bandwidth"),
    ("mail_disk", "Mail disk", "MB", "mail_disk_quota"),
    ("mail_accounts", "Mailboxes", "", "mail_accounts"),
    ("databases", "Databases", "", "web_databases"),
)


def _asked(request: Request) -> dict[str, str]:
    return {name: query(request, name) for name in FILTERS}


def _filter(asked: dict[str, str]) -> UsageFilter:
    return UsageFilter(
        search=asked["search"],
        server_id=int(asked["server"]) if is_id(asked["server"]) else None,
        product_id=int(asked["product"]) if is_id(asked["product"]) else None,
        nearly_full=asked["full"] == "1",
    )


@dataclass(frozen=True)
class Run:
    """A collection that was asked for."""

    pipeline: Pipeline
    done: int
    failed: int
    total: int

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.done >= self.total


def _run(session: Session, asked: str) -> Run | None:
    pipeline = session.get(Pipeline, int(asked)) if is_id(asked) else None
    if pipeline is None:
        return None
    states = count_by(
        session, select(Task.status, func.count()).where(Task.pipeline_id == pipeline.id).group_by(Task.status)
    )
    total = sum(states.values())
    left = sum(count for state, count in states.items() if state in OPEN_TASK_STATES)
    return Run(pipeline, total - left, states.get(TaskStatus.FAILED, 0), total)


def statistics(request: Request) -> Response:
    asked, sort = _asked(request), query(request, "sort") or "domain"
    wanted = _filter(asked)
    with database_of(request).read() as session:
        found, totals = usage_page(session, wanted, sort=sort, page=page_number(request))
        return render(
            request,
            "admin/statistics/list.html",
            found=found,
            totals=totals,
            gauges=GAUGES,
            asked=asked,
            filtered=any(asked.values()),
            sort=sort,
            servers=session.execute(select(Server.id, Server.name).order_by(Server.name)).all(),
            products=product_names(session),
            nearly=NEARLY_FULL,
            run=_run(session, query(request, "run")),
        )


def nearly_full(request: Request) -> Response:
    """How many services are nearly full; a figure of its own, because it looks at every limit of every service."""
    with database_of(request).read() as session:
        count = usage_count(session, UsageFilter(nearly_full=True))
    return render(request, "admin/statistics/nearly_full.html", count=count, nearly=NEARLY_FULL)


def download(request: Request) -> Response:
    """The services of the filter as CSV, sent while they are read."""
    lines = usage_lines(database_of(request), _filter(_asked(request)), query(request, "sort") or "domain")
    heads = [head for gauge in GAUGES for head in (gauge.name, f"{gauge.name}_limit")]
    columns = ["service", "domain", "status", "product", "customer", *heads, "updated"]
    return csv_file("statistics", columns, map(csv_row, lines))


def csv_row(line: Line) -> list[str]:
    """A service as cells; a limit that is not there is empty, and none of them is a formula to a spreadsheet."""
    service = line.service
    cells: list[Any] = [service.id, service.domain, service.status.value, service.product.name, service.customer.email]
    for gauge in GAUGES:
        cells += [line.used(gauge) if line.usage else None, gauge.limit_of(service)]
    cells.append(line.usage.at.isoformat(timespec="seconds") if line.usage else None)
    texts = ["" if cell is None else str(cell) for cell in cells]
    return [f"'{text}" if text.startswith(FORMULA) else text for text in texts]


def refresh_all(request: Request) -> Response:
    """Every server collects what is on it, one task each."""
    address = "/admin/statistics"
    with refusal_flashed(request):
        address += f"?run={operations.refresh_all(fleet_of(request), actor_of(request)).id}"
    return RedirectResponse(address, 303)


def detail(request: Request) -> Response:
    """One service: every gauge, and its history."""
    span = query(request, "range")
    span = span if span in SPANS else "30"
    with database_of(request).read() as session:
        service_id = path_id(request)
        line = must(service_line(session, service_id), "service", service_id)
        samples = usage_history(session, service_id, int(span))
        return render(
            request,
            "admin/statistics/detail.html",
            line=line,
            service=line.service,
            state=SERVICE_STATES[line.service.status],
            gauges=[gauge for gauge in GAUGES if gauge.needs.value in line.service.roles],
            charts=_charts(line, samples, int(span)),
            samples=list(reversed(samples)),
            columns=CHARTS,
            span=span,
            spans=SPANS,
            run=_run(session, query(request, "run")),
        )


def _charts(line: Line, samples: Sequence[UsageSample], days: int) -> list[Chart]:
    found = []
    limits = {gauge.limit: gauge.limit_of(line.service) for gauge in GAUGES if gauge.needs.value in line.service.roles}
    for key, title, unit, limit in CHARTS:
        values = [int(getattr(sample, key)) for sample in samples]
        if not values or limit not in limits:
            continue
        most = limits[limit]
        words = in_words(values, unit) + (f", limit {amount(most, unit)}" if most is not None else "")
        data = {"x": [_noon(sample.day) for sample in samples], "lines": [{"name": title, "y": values}], "unit": unit}
        today = utcnow().date()
        data |= {"from": _noon(today - dt.timedelta(days=days)), "to": _noon(today)}
        found.append(Chart(title, data | {"days": True, "least": 10 if unit else 2}, words))
    return found


def _noon(day: dt.date) -> int:
    """A day as Unix seconds, so far from midnight that it is the same day for everybody."""
    return int((day.toordinal() - 719_163) * 86_400 + 43_200)


def refresh(request: Request) -> Response:
    """The servers of one service count it anew."""
    address = f"/admin/statistics/{path_id(request)}"
    with refusal_flashed(request):
        started = operations.refresh_service(fleet_of(request), actor_of(request), path_id(request))
        flash(request, "Its servers are counting.", "info")
        address += f"?run={started.id}"
    return RedirectResponse(address, 303)


routes: list[BaseRoute] = [
    page("/admin/statistics", statistics, Access.STAFF),
    page("/admin/statistics/nearly-full", nearly_full, Access.STAFF),
    page("/admin/statistics/download", download, Access.STAFF),
    page("/admin/statistics/refresh", refresh_all, Access.OPERATOR, methods=["POST"]),
    page("/admin/statistics/{id:int}", detail, Access.STAFF),
    page("/admin/statistics/{id:int}/refresh", refresh, Access.OPERATOR, methods=["POST"]),
]
