"""What a call is: one method on one address, its input, its answer and its handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from controller.engine.fleet import Fleet
from controller.store.base import Base
from controller.store.models import OperationLog
from controller.store.queries import Page

MAX_BODY = 256 * 1024


@dataclass(frozen=True)
class Asked:
    """A call that was let in and whose input has the right shape."""

    fleet: Fleet
    actor: str
    path: dict[str, str]
    query: Any = None
    body: Any = None

    @property
    def key(self) -> str:
        """The id or name in the address."""
        return self.path["id"]


@dataclass(frozen=True)
class Once:
    """A call that is done once per ``Idempotency-Key``: the row that it adds (the last of this model; of the operation
    log the last about this ``action``), and the answer made of it (and of all else that was added) inside the same
    transaction.

    Without a row the answer is what the call returns, and stored when all is done: for what writes in several
    transactions, or leaves nothing of its own behind.
    """

    model: type[Base] | None = None
    answer: Callable[[Session, Any, Sequence[Any]], BaseModel] | None = None
    action: str = ""
    located: bool = True
    """Whether the answer says where the thing is (``links.self``)."""

    def done_by(self, added: Sequence[Any]) -> Any:
        """The row among those that a transaction has added, None if it is not there."""
        mine = [one for one in added if self.model is not None and isinstance(one, self.model)]
        if self.action:
            mine = [one for one in mine if isinstance(one, OperationLog) and one.action == self.action]
        return mine[-1] if mine else None


def logged(action: str, answer: Callable[[Session, OperationLog], BaseModel], *, located: bool = True) -> Once:
    """A call that changes something and adds nothing but its line of the operation log."""
    return Once(OperationLog, lambda session, line, _added: answer(session, line), action, located)


AFTERWARDS = Once(located=False)
"""A call whose answer is stored when all is done."""


@dataclass(frozen=True)
class Listed:
    """One page of a list, ready to be sent."""

    page: Page[Any]
    items: list[BaseModel]


@dataclass(frozen=True)
class Follow:
    """The answer is a stream."""

    kind: str
    id: int
    after: int = 0


@dataclass(frozen=True)
class TextFile:
    """The answer is text, sent in pieces as they are read."""

    pieces: Iterator[str]
    media_type: str


Outcome = BaseModel | Listed | Follow | TextFile | dict[str, Any] | None


@dataclass(frozen=True)
class Call:
    """One line of the table of calls, and of the OpenAPI document.

    ``answer`` is the model of one answer, or of one item of a list. ``problems`` are the kinds besides those that
    every call has.
    """

    method: str
    path: str
    summary: str
    run: Callable[[Asked], Outcome]
    answer: type[BaseModel] | None = None
    status: int = 200
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    once: Once | None = None
    """None for what only looks, or has a secret in its answer."""
    listed: bool = False
    streams: str = ""
    text: tuple[str, ...] = ()
    """Media types of an answer that is text."""
    public: bool = False
    largest: int = MAX_BODY
    """Bytes of a body."""
    problems: tuple[str, ...] = field(default=())

    @property
    def changes(self) -> bool:
        """Whether a token that may only read is refused."""
        return self.method != "GET"

    @property
    def tag(self) -> str:
        """The noun."""
        return self.path.strip("/").split("/")[0]
