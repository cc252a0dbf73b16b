"""The first page of staff: how the fleet is doing."""

from __future__ import annotations

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from controller.store.models import Server
from controller.store.server_queries import home_figures, server_loads
from controller.store.task_queries import tickets_of
from controller.web.access import Access, page
from controller.web.request_tools import database_of
from controller.web.templating import render


def home(request: Request) -> Response:
    with database_of(request).read() as session:
        figures = home_figures(session)
        return render(
            request,
            "admin/home.html",
            figures=figures,
            tickets=tickets_of(session, [task.id for task in figures["recent_errors"]]),
            servers=session.scalars(select(Server).order_by(Server.name).limit(50)).all(),
            loads=server_loads(session),
        )


routes: list[BaseRoute] = [page("/admin", home, Access.STAFF)]
