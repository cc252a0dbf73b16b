"""The connection to the database: one engine, read and write transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

# Whoever opens the database knows all its tables: some refer to each other across files.
from controller.store import desk_models, fleet_models, models, work_models, zone_models  # noqa: F401

BUSY_SECONDS = 30.0
# Any number that nothing else in the database uses for an advisory lock.
WRITERS = 0x48464C54
ALONE, BESIDE = "alone", "beside"


def make_engine(url: str, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """Engine for SQLite (WAL, foreign keys on) or PostgreSQL; writers wait ``busy_seconds`` for each other."""
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
        mode = "IMMEDIATE" if connection.get_execution_options().get("write") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _postgresql(url: URL, busy_seconds: float) -> Engine:
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
    engine = create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, connect_args=arguments)
    wait = round(busy_seconds * 1000)
    # A process that was paused or lost its network in the middle is thrown out while the others still wait for it.
    limits = (
        f"SELECT set_config('lock_timeout', '{wait}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{max(wait // 2, 1)}', true)"
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("write")
        if mode:
            connection.exec_driver_sql(limits)
        if mode == ALONE:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")

    return engine


def is_unavailable(error: DBAPIError) -> bool:
    """Whether the database could not answer now, as opposed to what was asked being wrong."""
    return error.connection_invalidated or isinstance(error, OperationalError | InternalError)


class Database:
    """Sessions for reading and for writing; a write session commits at its end or not at all."""

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = url
        self.engine = make_engine(url, busy_seconds)
        # One state for all that one look asks for, as SQLite gives by itself.
        level = {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._read = sessionmaker(self.engine.execution_options(**level), expire_on_commit=False)
        self._write = sessionmaker(self.engine.execution_options(write=ALONE), expire_on_commit=False)
        self._write_beside = sessionmaker(self.engine.execution_options(write=BESIDE), expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking; whatever it changes is thrown away."""
        with self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed when the block ends without an exception.

        These come one after another on every database: what was looked at first is still true when it is written.
        """
        with self._write.begin() as session:
            yield session

    @contextmanager
    def write_beside(self) -> Iterator[Session]:
        """The same without the turn-taking where the database can (PostgreSQL), for small and frequent writes
        that lock the rows they build on."""
        with self._write_beside.begin() as session:
            yield session

    def dispose(self) -> None:
        """Close all pooled connections (before a fork, at the end of a process)."""
        self.engine.dispose()
