"""Prometheus metrics: HTTP durations of this process, and the fleet's state read when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.domain.words import ServiceStatus, TaskStatus
from controller.operations import tokens
from controller.store.base import utcnow
from controller.store.database import Database
from controller.store.models import Server, Service, Task
from controller.web.access import Access, page, refuse
from controller.web.request_tools import count_by
from controller.web.session import Person


class FleetCollector(Collector):
    """Counts from the database, one short read per scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        with self._database.read() as session:
            tasks = count_by(session, select(Task.status, func.count()).group_by(Task.status))
            services = count_by(session, select(Service.status, func.count()).group_by(Service.status))
            oldest = session.scalar(select(func.min(Task.queued_at)).where(Task.status == TaskStatus.QUEUED))
            servers = session.scalar(select(func.count()).select_from(Server)) or 0
            troubled = session.scalar(select(func.count()).select_from(Server).where(Server.problem.is_not(None))) or 0
        by_state = GaugeMetricFamily("hestia_fleet_tasks", "Tasks by state", labels=["state"])
        for state in TaskStatus:
            by_state.add_metric([state.value], tasks.get(state, 0))
        yield by_state
        by_status = GaugeMetricFamily("hestia_fleet_services", "Services by status", labels=["status"])
        for status in ServiceStatus:
            by_status.add_metric([status.value], services.get(status, 0))
        yield by_status
        wait = max(0.0, (utcnow() - oldest).total_seconds()) if oldest else 0.0
        yield GaugeMetricFamily(
            "hestia_fleet_queue_wait_seconds", "How long the oldest queued task has been waiting", value=wait
        )
        yield GaugeMetricFamily("hestia_fleet_servers", "Servers", value=servers)
        yield GaugeMetricFamily("hestia_fleet_servers_with_problem", "Servers whose last check failed", value=troubled)


class Metrics:
    """One registry per application, so that tests and several applications do not share one."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(FleetCollector(database))
        self.http = Histogram(
            "hestia_fleet_http_request_seconds",
            "Time until the answer starts",
            ["method", "route", "status"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )


class TimingMiddleware:
    """Measures the time to the first byte, by route (not by address: those are without number)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unmatched")
                root = scope.get("root_path", "")
                self.metrics.http.labels(scope["method"], root + route, str(message["status"])).observe(
                    time.perf_counter() - start
                )
            await send(message)

        await self.app(scope, receive, timed)


def metrics_page(request: Request) -> Response:
    """For staff who are signed in and for Prometheus with an API token of any scope."""
    person: Person | None = request.state.person
    if not (person and person.is_staff):
        scheme, _, plain = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or tokens.verify(request.app.state.fleet, plain.strip()) is None:
            if scheme:
                return Response("a valid bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
            return refuse(request, person)
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


routes: list[BaseRoute] = [page("/metrics", metrics_page, Access.OWN_RULES)]
