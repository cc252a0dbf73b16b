"""huey as the bell: a message is only a task id, the database row is the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huey import Huey, RedisHuey, SqliteHuey
from huey.consumer import Consumer

from controller.settings import Settings

log = logging.getLogger(__name__)

# Pick-up must feel instant: poll an idle SQLite queue every 20 to 50 ms (Redis blocks instead of polling).
POLL_SECONDS = 0.02
POLL_SECONDS_MAX = 0.05


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


def _make_huey(url: str) -> Huey:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path(parts.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lost message is found by the reconciler, so the queue file need not be synced to disk.
        return SqliteHuey("hestia-fleet", filename=str(path), fsync=False, results=False, utc=True)
    if parts.scheme in ("redis", "rediss"):
        return RedisHuey("hestia-fleet", url=url, results=False, utc=True, blocking=True)
    raise ValueError(f"queue URL {url!r} is neither sqlite:///path nor redis://host/db")
