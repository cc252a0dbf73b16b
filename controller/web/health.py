"""For load balancers and supervisors: is the process up, can it work."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from controller.web.access import Access, page


def healthz(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


def readyz(request: Request) -> Response:
    """The database answers; 503 when not."""
    try:
        with request.app.state.fleet.database.read() as session:
            session.execute(text("SELECT 1 FROM services LIMIT 1"))
    except SQLAlchemyError:
        return JSONResponse({"status": "unavailable", "database": "does not answer"}, 503)
    return JSONResponse({"status": "ok"})


routes: list[BaseRoute] = [
    page("/healthz", healthz, Access.OPEN),
    page("/readyz", readyz, Access.OPEN),
]
