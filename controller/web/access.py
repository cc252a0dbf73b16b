"""Who may open which page. Closed unless declared: a route without a declaration answers nobody.

Every page is a route made by :func:`page`, which names who may open it. :func:`close_undeclared` goes over the
finished table and shuts whatever does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from inspect import iscoroutinefunction
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette_wtf import csrf_protect

from controller.domain.words import STAFF_ROLES, Role
from controller.web.session import Person, current_person

UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MOST_FIELDS = 3000
"""Of one form; the largest is a zone template with five fields a line."""
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

T = TypeVar("T")
Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


class Access(Enum):
    """Who may open a page."""

    OPEN = auto()
    """Everybody, signed in or not."""
    SIGNED_IN = auto()
    STAFF = auto()
    """Staff of any role; looking only."""
    OPERATOR = auto()
    """Staff who may change things: operators and owners."""
    OWNER = auto()
    CUSTOMER = auto()
    """Customers; each page of theirs also looks whose thing it is."""
    OWN_RULES = auto()
    """The route checks by itself (bearer tokens)."""

    def admits(self, person: Person | None) -> bool:
        """Whether this person may come in."""
        if self in (Access.OPEN, Access.OWN_RULES):
            return True
        if person is None:
            return False
        match self:
            case Access.SIGNED_IN:
                return True
            case Access.STAFF:
                return person.role in STAFF_ROLES
            case Access.OPERATOR:
                return person.role in (Role.OWNER, Role.OPERATOR)
            case Access.OWNER:
                return person.role is Role.OWNER
            case Access.CUSTOMER:
                return person.role is Role.CUSTOMER and person.customer_id is not None
        return False


@dataclass(frozen=True)
class Declaration:
    """What :func:`page` leaves on an endpoint for the closing pass and for tests."""

    access: Access


def declared(endpoint: Any) -> Access | None:
    """The access an endpoint or application was declared with."""
    declaration = getattr(endpoint, "fleet_declaration", None)
    return declaration.access if isinstance(declaration, Declaration) else None


def declare(endpoint: T, access: Access) -> T:
    """Mark an endpoint or application."""
    endpoint.fleet_declaration = Declaration(access)  # type: ignore[attr-defined]
    return endpoint


def page(path: str, endpoint: Endpoint, access: Access, *, methods: Iterable[str] = ("GET",)) -> Route:
    """A route that admits ``access`` only, checks CSRF on unsafe methods and keeps blocking work off the loop.

    A plain function runs in a thread and finds the submitted form in ``request.state.form``.
    """

    @csrf_protect  # type: ignore[untyped-decorator]
    async def protected(request: Request) -> Response:
        if iscoroutinefunction(endpoint):
            response: Response = await endpoint(request)
            return response
        return await run_in_threadpool(endpoint, request)  # type: ignore[arg-type]

    async def guarded(request: Request) -> Response:
        person = await run_in_threadpool(current_person, request)
        request.state.person = person
        if not access.admits(person):
            return refuse(request, person)
        if request.method in UNSAFE_METHODS:
            if not request.headers.get("content-type", "").startswith(FORM_TYPES):
                raise HTTPException(415, "this address takes forms only")
            request.state.form = await request.form(max_fields=MOST_FIELDS)
        answer: Response = await protected(request)
        return answer

    return Route(path, declare(guarded, access), methods=list(methods))


def refuse(request: Request, person: Person | None) -> Response:
    """To the sign-in page, or 403 for who is signed in already."""
    if person is not None:
        raise HTTPException(403)
    if request.method not in ("GET", "HEAD"):
        return RedirectResponse("/login", 303)
    if "text/event-stream" in request.headers.get("accept", ""):
        raise HTTPException(401)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)


async def closed(request: Request) -> Response:
    """What an undeclared route answers."""
    raise HTTPException(404)


def close_undeclared(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """The same table with every undeclared route shut."""
    result: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, Route):
            result.append(route if declared(route.endpoint) else Route(route.path, closed, methods=["GET"]))
        elif isinstance(route, Mount) and declared(route.app) is None and route.routes:
            result.append(Mount(route.path, routes=close_undeclared(route.routes)))
        elif isinstance(route, Mount) and declared(route.app) is not None:
            result.append(route)
        else:
            result.append(Route(getattr(route, "path", "/") + "{rest:path}", closed))
    return result
