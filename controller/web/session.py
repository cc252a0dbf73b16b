"""The signed session cookie: who is signed in, and messages for the next page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request

from controller.domain.words import STAFF_ROLES, Role
from controller.operations.errors import OperationError
from controller.store.models import User

RENEW_AFTER = 600
"""Seconds after which an active session's cookie is written again, so that only idle sessions run out."""


@dataclass(frozen=True)
class Person:
    """Who is signed in, as far as pages need it."""

    id: int
    email: str
    name: str
    role: Role
    customer_id: int | None

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES

    @property
    def may_change(self) -> bool:
        """Operators and owners; support only looks."""
        return self.role in (Role.OWNER, Role.OPERATOR)

    @property
    def is_owner(self) -> bool:
        return self.role is Role.OWNER

    @property
    def home(self) -> str:
        """Where this person starts."""
        return "/admin" if self.is_staff else "/panel"

    @classmethod
    def of(cls, user: User) -> Person:
        return cls(user.id, user.email, user.name, user.role, user.customer_id)


def sign_in(request: Request, user: User) -> Person:
    """Start a fresh session: nothing of the anonymous one is kept."""
    request.session.clear()
    request.session.update(user=user.id, epoch=user.session_epoch, at=int(time.time()))
    return Person.of(user)


def sign_out(request: Request) -> None:
    """End the session."""
    request.session.clear()


def current_person(request: HTTPConnection) -> Person | None:
    """Who the session belongs to; None when there is none, it was ended, or the person was disabled."""
    user_id = request.session.get("user")
    if not isinstance(user_id, int):
        return None
    with request.app.state.fleet.database.read() as session:
        user = session.get(User, user_id)
    if user is None or user.disabled or user.session_epoch != request.session.get("epoch"):
        request.session.clear()
        return None
    now = int(time.time())
    if now - int(request.session.get("at", 0)) > RENEW_AFTER:
        request.session["at"] = now
    return Person.of(user)


def person_of(request: Request) -> Person:
    """The person a guarded page was opened by."""
    person = request.state.person
    assert isinstance(person, Person)
    return person


def flash(request: Request, text: str, tone: str = "success") -> None:
    """A message for the next page; ``tone`` is success, info, warning or danger."""
    # Built anew: the session only notices assignment, not changes inside a list.
    request.session["flash"] = [*request.session.get("flash", []), [tone, text]][-5:]


@contextmanager
def refusal_flashed(
    request: Request, kind: type[OperationError] = OperationError, words: Callable[[Any], str] = str
) -> Iterator[None]:
    """An operation that does not do it says why on the next page."""
    try:
        yield
    except kind as problem:
        flash(request, words(problem), "danger")


def take_flashes(request: Request) -> list[tuple[str, str]]:
    """The waiting messages, once."""
    waiting: Any = request.session.get("flash")
    if not waiting:
        return []
    del request.session["flash"]
    return [(str(tone), str(text)) for tone, text in waiting]
