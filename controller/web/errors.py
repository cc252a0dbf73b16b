"""What a page answers when it cannot do what was asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from controller.operations.errors import Conflict, Invalid, NotFound, OperationError, Refused
from controller.store.database import is_unavailable
from controller.web.templating import render

log = logging.getLogger(__name__)

WORDS = {
    400: ("This request is not right", "Go back, reload the page and try again."),
    403: ("This page is not for you", "Your login does not allow it."),
    404: ("There is nothing here", "The page may have moved, or the address has a typing mistake."),
    405: ("This address does not take that", "Go back, reload the page and try again."),
    413: ("That was too much", "What was sent is larger than this page takes."),
    415: ("This request is not right", "This address takes forms only."),
    429: ("Too many requests", "Wait a minute, then try again."),
    500: ("Something went wrong on our side", "It has been written to the log. Try again in a moment."),
    503: ("Not available at the moment", "Try again in a moment."),
}
OPERATION_STATUS: Mapping[type[OperationError], int] = {NotFound: 404, Refused: 409, Conflict: 409, Invalid: 422}


def wants_page(request: Request) -> bool:
    """Whether a person in a browser asked."""
    accept = request.headers.get("accept", "*/*")
    return not request.url.path.startswith("/api/") and ("text/html" in accept or "*/*" in accept)


def error_page(request: Request, status: int, title: str, text: str) -> Response:
    """A whole page in words."""
    return render(request, "error.html", status, code=status, title=title, text=text)


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    headers = dict(error.headers or {})
    if not wants_page(request):
        return JSONResponse(
            {"type": "about:blank", "title": error.detail, "status": status},
            status,
            headers,
            media_type="application/problem+json",
        )
    title, text = WORDS.get(status, ("That did not work", str(error.detail)))
    if status == 403 and "CSRF" in str(error.detail):
        title, text = "This form has run out", "Go back, reload the page and send it again."
    response = await run_in_threadpool(error_page, request, status, title, text)
    response.headers.update(headers)
    return response


async def operation_error(request: Request, error: Exception) -> Response:
    """An operation refused where no form shows it."""
    assert isinstance(error, OperationError)
    status = OPERATION_STATUS.get(type(error), 400)
    title = WORDS[404][0] if status == 404 else "That did not work"
    return await run_in_threadpool(error_page, request, status, title, error.message)


async def database_error(request: Request, error: Exception) -> Response:
    """The database is busy or away: nothing was written, and asking again may help."""
    assert isinstance(error, DBAPIError)
    if not is_unavailable(error):
        raise error
    log.warning("the database does not answer: %s", error.orig)
    return await http_error(request, HTTPException(503, headers={"Retry-After": "5"}))


async def server_error(request: Request, error: Exception) -> Response:
    """Runs outside all other middleware, so it must not need a session."""
    if not wants_page(request) or "session" not in request.scope:
        return JSONResponse(
            {"type": "about:blank", "title": "Internal Server Error", "status": 500},
            500,
            media_type="application/problem+json",
        )
    return await run_in_threadpool(error_page, request, 500, *WORDS[500])


handlers: Mapping[Any, Callable[[Request, Exception], Any]] = {
    HTTPException: http_error,
    OperationError: operation_error,
    DBAPIError: database_error,
    Exception: server_error,
}
