"""huey as the bell: a message is only a task id, the database row is the truth."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huey import Huey, PriorityRedisHuey
from huey.consumer import Consumer
from huey.storage import SqliteStorage
from redis import ConnectionPool

from controller.settings import Settings

log = logging.getLogger(__name__)

# Pick-up must feel instant: poll an idle SQLite queue every 20 to 50 ms (Redis blocks instead of polling).
POLL_SECONDS = 0.02
POLL_SECONDS_MAX = 0.05
# Redis: blocking reads of the consumer last a second.
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0


class Queue:
    """Rings workers; delivery may fail or double, the engine tolerates both."""

    def __init__(self, settings: Settings) -> None:
        self.huey = _make_huey(settings.effective_queue_url)
        self._run: Callable[[int], None] | None = None
        self._task: Any = self.huey.task(name="run_task", context=False)(self._handle)

    def _handle(self, task_id: int) -> None:
        if self._run is None:
            raise RuntimeError("this process is not a worker")
        self._run(task_id)

    def enqueue(self, task_id: int, priority: int) -> None:
        """Ring for one task (a lower number is more urgent). A bell that fails is only late: the
        reconciler finds the row."""
        try:
            self.huey.enqueue(self._task.s(task_id, priority=100 - priority))
        except Exception:
            log.warning("could not ring for task %s; the reconciler will", task_id, exc_info=True)

    def consumer(self, run: Callable[[int], None], workers: int) -> Consumer:
        """A huey consumer with thread workers that call ``run(task_id)``."""
        self._run = run
        return self.huey.create_consumer(
            workers=workers,
            worker_type="thread",
            periodic=False,
            initial_delay=POLL_SECONDS,
            backoff=1.15,
            max_delay=POLL_SECONDS_MAX,
            scheduler_interval=1,
            check_worker_health=True,
        )

    def pending(self) -> int:
        """Messages waiting."""
        return int(self.huey.pending_count())

    def flush(self) -> None:
        """Forget all messages (a test of lost wake-ups uses it)."""
        self.huey.flush()


class _Storage(SqliteStorage):  # type: ignore[misc]
    """Opens its file anew when somebody has removed or replaced it: rings are lost, but later ones get through."""

    _conn: sqlite3.Connection | None
    _opened: tuple[int, int] | None = None

    @property
    def conn(self) -> sqlite3.Connection:
        """The connection; asked for with the storage's lock held."""
        opened = self._conn
        if opened is not None and self._file() == self._opened:
            return opened
        if opened is not None:
            opened.close()
        self._conn = None
        made: sqlite3.Connection = self._create_connection()
        for statement in self.ddl:
            made.execute(statement)
        self._conn, self._opened = made, self._file()
        return made

    def _file(self) -> tuple[int, int] | None:
        try:
            found = Path(self.filename).stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


class _SqliteHuey(Huey):  # type: ignore[misc]
    storage_class = _Storage


def _make_huey(url: str) -> Huey:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path(parts.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lost message is found by the reconciler, so the queue file need not be synced to disk.
        return _SqliteHuey("hestia-fleet", filename=str(path), fsync=False, results=False, utc=True)
    if parts.scheme in ("redis", "rediss"):
        # An order must not hang with a queue that does not answer.
        pool = ConnectionPool.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
        return PriorityRedisHuey("hestia-fleet", connection_pool=pool, results=False, utc=True, blocking=True)
    raise ValueError(f"queue URL {url!r} is neither sqlite:///path nor redis://host/db")
