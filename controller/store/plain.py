"""Rows without SQLAlchemy, for what must answer in a moment: importing it takes most of a second.

Ansible reads the inventory in every command, and looks logins up in every worker.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

Rows = Sequence[Sequence[Any]]


class PlainError(RuntimeError):
    """The database is not there or refuses; the message says what it said."""


class Query(NamedTuple):
    """What to ask; ``?`` stands for a parameter."""

    text: str
    parameters: Sequence[Any] = ()


def plain_rows(url: str, *queries: Query, busy_seconds: float = 30.0) -> list[Rows]:
    """The rows of each query, all of one state of the database. url: as for SQLAlchemy. Raises PlainError."""
    scheme, _, rest = url.partition("://")
    match scheme.partition("+")[0]:
        case "sqlite":
            return _sqlite(Path(rest.removeprefix("/").partition("?")[0]), queries, busy_seconds)
        case "postgresql":
            return _postgresql(f"postgresql://{rest}", queries)
    raise PlainError("HESTIA_FLEET_DATABASE_URL is not the address of an SQLite or PostgreSQL database")


def _sqlite(path: Path, queries: Sequence[Query], busy_seconds: float) -> list[Rows]:
    # Looking for a database must not make one.
    if not path.is_file():
        raise PlainError(
            f"there is no database {path}: set HESTIA_FLEET_HOME (the data folder) or HESTIA_FLEET_DATABASE_URL, "
            "or run 'hestia-fleet init' first"
        )
    try:
        with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            return [connection.execute(*query).fetchall() for query in queries]
    except sqlite3.Error as problem:
        raise _refused(problem) from None


def _postgresql(url: str, queries: Sequence[Query]) -> list[Rows]:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=None if "connect_timeout=" in url else 10) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return [
                connection.execute(text.replace("?", "%s").encode(), parameters).fetchall()
                for text, parameters in queries
            ]
    except psycopg.Error as problem:
        raise _refused(problem) from None


def _refused(problem: Exception) -> PlainError:
    words = " ".join(str(problem).split())
    advice = "; run 'hestia-fleet init' first" if "no such" in words or "does not exist" in words else ""
    return PlainError(f"the database does not answer: {words}{advice}")
