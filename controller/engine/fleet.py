"""The application container: settings, database, vault and the queue's bell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.engine.queue import Queue
from controller.settings import Settings
from controller.store.database import Database
from controller.store.vault import Vault


@dataclass
class Fleet:
    """What every operation works on. One per process."""

    settings: Settings
    database: Database
    vault: Vault
    queue: Queue = field(repr=False)

    @classmethod
    def open(cls, settings: Settings) -> Fleet:
        """Open an initialised installation; raises VaultError when ``init`` was never run."""
        return cls(
            settings=settings,
            vault=Vault.open(settings.key_file),
            database=Database(settings.effective_database_url, settings.database_busy_seconds),
            queue=Queue(settings),
        )

    def wake(self, tasks: Iterable[tuple[int, int]]) -> None:
        """Ring for ready tasks, given as (id, priority); call after the commit that made them ready."""
        for task_id, priority in tasks:
            self.queue.enqueue(task_id, priority)

    def close(self) -> None:
        """Give back connections."""
        self.database.dispose()
