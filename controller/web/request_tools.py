"""Small things every page needs from a request."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request

from controller.engine.fleet import Fleet
from controller.store.database import Database
from controller.web.session import person_of


def fleet_of(request: Request) -> Fleet:
    """The installation."""
    fleet = request.app.state.fleet
    assert isinstance(fleet, Fleet)
    return fleet


def database_of(request: Request) -> Database:
    """The installation's database."""
    return fleet_of(request).database


def actor_of(request: Request) -> str:
    """Who is written down for a change: the signed-in person's address."""
    return person_of(request).email


def query(request: Request, name: str) -> str:
    """A query parameter, trimmed and of a sane length; empty when missing."""
    return request.query_params.get(name, "").strip()[:200]


def page_number(request: Request) -> int:
    """``?page=``, at least 1."""
    text = query(request, "page")
    return max(1, int(text)) if text.isdigit() and len(text) < 8 else 1


def path_id(request: Request, name: str = "id") -> int:
    """A number in the path; 404 when it cannot be an id."""
    value = request.path_params[name]
    if not isinstance(value, int) or value > 2**62:
        raise HTTPException(404)
    return value


def count_by(session: Session, query: Select[Any, Any]) -> dict[Any, int]:
    """Counts by key, from a query of key and count."""
    return dict(session.execute(query).all())
