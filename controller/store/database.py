"""The connection to the database: one engine, read and write transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

BUSY_SECONDS = 30.0
# Any number that nothing else in the database uses for an advisory lock.
WRITERS = 0x48464C54


def make_engine(url: str, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """Engine for SQLite or PostgreSQL on which writers come one after another, waiting ``busy_seconds`` for each other.

    What is asked for looks first and writes then: with one writer at a time nobody writes after a look that is
    no longer true, on either database.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, busy_seconds)
    return _postgresql(parsed, busy_seconds)


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=10, max_overflow=40, connect_args={"timeout": busy_seconds})
    pragmas = (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={round(busy_seconds * 1000)}",
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: BEGIN IMMEDIATE below decides.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that turns writer fails at once under WAL when somebody wrote in between;
        # a writer therefore takes the write lock first and waits for it.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN DEFERRED")

    return engine


def _postgresql(url: URL, busy_seconds: float) -> Engine:
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
    engine = create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, connect_args=arguments)
    wait = round(busy_seconds * 1000)
    # A process that was paused or lost its network in the middle is thrown out while the others still wait for it.
    opening = (
        f"SELECT set_config('lock_timeout', '{wait}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{max(wait // 2, 1)}', true)"
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if _writes(connection):
            connection.exec_driver_sql(opening)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")

    return engine


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("write"))


class Database:
    """Sessions for reading and for writing; a write session commits at its end or not at all."""

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = url
        self.engine = make_engine(url, busy_seconds)
        # One state for all that one look asks for, as SQLite gives by itself.
        level = {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._read = sessionmaker(self.engine.execution_options(**level), expire_on_commit=False)
        self._write = sessionmaker(self.engine.execution_options(write=True), expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking; whatever it changes is thrown away."""
        with self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed when the block ends without an exception."""
        with self._write.begin() as session:
            yield session

    def dispose(self) -> None:
        """Close all pooled connections (before a fork, at the end of a process)."""
        self.engine.dispose()
