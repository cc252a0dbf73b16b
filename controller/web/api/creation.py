"""Creating calls: the answer is made inside the transaction that creates the thing, of what it has just added."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from controller.store.base import Base
from controller.store.database import Database


class CreatingDatabase(Database):
    """Another's connections; calls ``created(session, thing, added)`` before the commit of the transaction that adds
    a thing of the model, with the last one; ``added`` is all that the transaction has added."""

    def __init__(
        self, base: Database, model: type[Base], created: Callable[[Session, Any, Sequence[Any]], None]
    ) -> None:
        self.url, self.engine = base.url, base.engine
        self._read, self._write, self._write_beside = base._read, base._write, base._write_beside
        self._model, self._created = model, created

    @contextmanager
    def write(self) -> Iterator[Session]:
        """As ever, and looks what was added."""
        added: list[Any] = []

        def remember(session: Session, _context: Any) -> None:
            added.extend(session.new)

        with super().write() as session:
            event.listen(session, "after_flush", remember)
            yield session
            session.flush()
            thing = next((one for one in reversed(added) if isinstance(one, self._model)), None)
            if thing is not None:
                self._created(session, thing, added)
