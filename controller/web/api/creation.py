"""Watching what a call writes: its answer is stored inside the transaction that does it, made of what it has added."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from controller.store.database import Database


class WatchedDatabase(Database):
    """Another's connections; calls ``before_commit(session, added)`` at the end of every transaction that writes,
    with all that it has added."""

    def __init__(self, base: Database, before_commit: Callable[[Session, Sequence[Any]], None]) -> None:
        self.url, self.engine = base.url, base.engine
        self._read, self._write, self._write_beside = base._read, base._write, base._write_beside
        self._before_commit = before_commit

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
            self._before_commit(session, added)
