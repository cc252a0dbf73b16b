"""Creating calls: the answer is made inside the transaction that creates the thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from controller.store.base import Base
from controller.store.database import Database


class CreatingDatabase(Database):
    """Another's connections; calls ``created(session, thing)`` before the commit of a transaction that adds one."""

    def __init__(self, base: Database, model: type[Base], created: Callable[[Session, Any], None]) -> None:
        self.url, self.engine = base.url, base.engine
        self._read, self._write = base._read, base._write
        self._model, self._created = model, created

    @contextmanager
    def write(self) -> Iterator[Session]:
        """As ever, and looks what was added."""
        things: list[Any] = []

        def remember(session: Session, _context: Any) -> None:
            things.extend(thing for thing in session.new if isinstance(thing, self._model))

        with super().write() as session:
            event.listen(session, "after_flush", remember)
            yield session
            session.flush()
            if things:
                self._created(session, things[0])
