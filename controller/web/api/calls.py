"""What a call is: one method on one address, its input, its answer and its handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from controller.engine.fleet import Fleet
from controller.store.base import Base
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
class Creates:
    """A call that creates or starts something: the row it adds (the last of this model), and the answer made of it
    (and of all else that was added) inside the same transaction."""

    model: type[Base]
    answer: Callable[[Session, Any, Sequence[Any]], BaseModel]


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
    creates: Creates | None = None
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
