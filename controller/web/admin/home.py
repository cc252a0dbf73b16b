"""The first page of staff: how the fleet is doing."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from controller.store.server_queries import home_figures, occupancy, troubled_servers
from controller.store.task_queries import tickets_of
from controller.web import server_figures
from controller.web.access import Access, page
from controller.web.request_tools import database_of
from controller.web.templating import render

SHOWN = 6
"""Servers of a role that are shown by name; when there are more, all of them are drawn as small squares too."""


def home(request: Request) -> Response:
    with database_of(request).read() as session:
        figures = home_figures(session)
        return render(
            request,
            "admin/home.html",
            figures=figures,
            tickets=tickets_of(session, [task.id for task in figures["recent_errors"]]),
            tiers=occupancy(session),
            trouble=troubled_servers(session),
            shown=SHOWN,
            tools=server_figures,
        )


routes: list[BaseRoute] = [page("/admin", home, Access.STAFF)]
