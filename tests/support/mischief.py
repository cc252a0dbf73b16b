"""Faults of every kind, done to a running installation: each method is one, and says so in ``counts``.

What lasts (a server that is away, a paused worker, a held lock) is undone when its time has come; ``heal`` undoes all.
Use it from the main thread: processes that it starts end with the thread that started them.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis
from sqlalchemy import select
from sqlalchemy.engine import make_url

from controller.domain.words import TaskStatus
from controller.sandbox.demo import Demo
from controller.sandbox.faults import POINTS
from controller.sandbox.server import SandboxServer
from controller.store.models import Task

#: Commands that deployments use, by what a server is for; the ones that every order needs most often.
COMMANDS = {
    "web": ("v-add-user", "v-add-web-domain", "v-add-web-domain", "v-add-web-domain-ssl", "v-delete-user"),
    "mail": ("v-add-user", "v-add-mail-domain", "v-add-mail-domain", "v-delete-user"),
    "dns": ("v-add-user", "v-rebuild-dns-domain", "v-rebuild-dns-domain", "v-delete-dns-domain"),
}
#: Exit codes of a panel that is in trouble; 10 is a verdict that only staff can overrule.
EXIT_CODES = (4, 10, 12, 14, 15, 19, 20)


class Mischief:
    """Does what the random numbers say; the same numbers do the same again."""

    def __init__(self, demo: Demo, chance: random.Random, *, workers: int, busy_seconds: float, lease: float) -> None:
        self.demo, self.chance = demo, chance
        self.busy_seconds, self.lease = busy_seconds, lease
        self.counts: Counter[str] = Counter()
        self.workers = [demo._worker, *(demo.start_worker() for _ in range(workers - 1))]
        self._web = next(process for process in demo._processes if "serve" in process.args)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._planted = 0

    def plant(self, number: int) -> None:
        """Faults that wait in the panels for the first commands."""
        for _ in range(number):
            self.chance.choice([self.panel_command_fails, self.panel_command_dies, self.panel_command_hangs])()

    @property
    def kinds(self) -> list[Callable[[], None]]:
        """Everything that can be done to this installation, often things more than once."""
        common = [
            *[self.panel_command_fails, self.panel_command_dies, self.panel_command_hangs] * 3,
            *[self.kill_worker] * 2,
            self.pause_worker,
            self.stop_worker,
            self.kill_web,
            self.stop_server,
            self.cut_connections,
            self.drop_wakeups,
            self.double_wakeups,
            self.empty_queue,
            self.database_busy,
        ]
        return [*common, self.end_connections] if self.is_postgres else [*common, self.remove_queue_file]

    @property
    def is_postgres(self) -> bool:
        """Whether PostgreSQL keeps the rows."""
        return self.demo.fleet.database.engine.dialect.name == "postgresql"

    def tend(self) -> None:
        """Do what is due: undo faults whose time is over, start again what has ended (as a service manager does)."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        for number, worker in enumerate(self.workers):
            if worker is None or worker.poll() is not None:
                self.workers[number] = self.demo.start_worker()
        if self._web.poll() is not None:
            self._web = self.demo.start_web()

    def heal(self) -> None:
        """Undo everything that lasts. What was planted in the panel may still be met: it happens once."""
        while self._later:
            heapq.heappop(self._later)[2]()
        for server in self.demo.servers:
            server.start()
        self.tend()

    def settle_accounts(self) -> None:
        """Count what the panel's commands have met, and take the rest back."""
        left = 0
        for server in self.demo.servers:
            left += sum(rule["times"] for rule in server.faults.pending)
            server.faults.clear()
            server.faults.pace = self.demo.pace
        self.counts["panel faults planted"] = self._planted
        self.counts["panel faults met"] = self._planted - left

    # -- processes -----------------------------------------------------------------------------------

    def kill_worker(self) -> None:
        """A worker ends without a word."""
        worker = self._some_worker()
        if worker is not None:
            worker.kill()
            worker.wait()
            self.counts["workers killed"] += 1

    def stop_worker(self) -> None:
        """A worker is told to end and hands its tasks back."""
        worker = self._some_worker()
        if worker is not None:
            worker.terminate()
            self.counts["workers stopped"] += 1

    def pause_worker(self) -> None:
        """A worker stands still past its lease, then goes on as if nothing had been."""
        worker = self._some_worker()
        if worker is not None:
            worker.send_signal(signal.SIGSTOP)
            self._after(self.lease * self.chance.uniform(1.3, 2.2), lambda: worker.send_signal(signal.SIGCONT))
            self.counts["workers paused"] += 1

    def kill_web(self) -> None:
        """The web process ends without a word."""
        if self._web.poll() is None:
            self._web.kill()
            self._web.wait()
            self.counts["web killed"] += 1

    def _some_worker(self) -> subprocess.Popen[bytes] | None:
        worker = self.workers[self.chance.randrange(len(self.workers))]
        return worker if worker is not None and worker.poll() is None else None

    # -- servers -------------------------------------------------------------------------------------

    def stop_server(self) -> None:
        """A server is away for a while."""
        server = self._some_server()
        seconds = self.chance.uniform(1, 6)
        if server.running:
            server.stop()
            self._after(seconds, server.start)
            self.counts["servers away"] += 1

    def cut_connections(self) -> None:
        """All connections of a server break."""
        self._some_server().cut()
        self.counts["connections cut"] += 1

    def panel_command_fails(self) -> None:
        """The panel refuses a command at its beginning, or at its end when a restart fails."""
        server, command, _ = self._some_point()
        server.faults.fail(command, self.chance.choice(EXIT_CODES))
        self._planted += 1

    def panel_command_dies(self) -> None:
        """A command of the panel is killed half way."""
        server, command, point = self._some_point()
        server.faults.die(command, point)
        self._planted += 1

    def panel_command_hangs(self) -> None:
        """A command of the panel stands still half way."""
        server, command, point = self._some_point()
        server.faults.hang(command, self.chance.uniform(0.5, 4), at=point)
        self._planted += 1

    def _some_server(self) -> SandboxServer:
        return self.chance.choice(list(self.demo.servers))

    def _some_point(self) -> tuple[SandboxServer, str, str]:
        server = self._some_server()
        command = self.chance.choice(COMMANDS[self.chance.choice(sorted(server.capabilities))])
        return server, command, self.chance.choice(["start", "end", *POINTS.get(command, {})])

    # -- wake-ups ------------------------------------------------------------------------------------

    def drop_wakeups(self) -> None:
        """The next messages vanish."""
        number = self.chance.randint(1, 6)
        storage = self.demo.fleet.queue.huey.storage
        self.counts["wake-ups dropped"] += sum(
            storage.queue_size() > 0 and storage.dequeue() is not None for _ in range(number)
        )

    def double_wakeups(self) -> None:
        """Messages for tasks of any state, several times each."""
        times = self.chance.randint(2, 5)
        with self.demo.fleet.database.read() as session:
            open_states = (TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.WAITING, TaskStatus.SUCCEEDED)
            query = select(Task.id, Task.priority).where(Task.status.in_(open_states)).order_by(Task.id.desc())
            found = [(task_id, priority) for task_id, priority in session.execute(query.limit(5))]
        for _ in range(times):
            self.demo.fleet.wake(found)
        self.counts["wake-ups doubled"] += times * len(found)

    def empty_queue(self) -> None:
        """The queue's storage loses everything."""
        if self.is_postgres:
            redis.Redis.from_url(self.demo.settings.effective_queue_url).flushall()
        else:
            self.demo.fleet.queue.flush()
        self.counts["queue emptied"] += 1

    def remove_queue_file(self) -> None:
        """Somebody deletes the queue's file while all processes have it open."""
        path = Path(urlsplit(self.demo.settings.effective_queue_url).path)
        for each in (path, *path.parent.glob(f"{path.name}-*")):
            each.unlink(missing_ok=True)
        self.counts["queue file removed"] += 1

    # -- the database --------------------------------------------------------------------------------

    def database_busy(self) -> None:
        """Somebody else holds the database's write lock for longer than anybody waits for it."""
        seconds = self.busy_seconds * self.chance.uniform(1.2, 2)
        with contextlib.suppress(sqlite3.OperationalError, psycopg.errors.LockNotAvailable):
            release = self._lock_postgres() if self.is_postgres else self._lock_sqlite()
            self._after(seconds, release)
            self.counts["database busy"] += 1

    def _lock_sqlite(self) -> Callable[[], None]:
        connection = sqlite3.connect(str(make_url(self.demo.fleet.database.url).database), timeout=2)
        connection.isolation_level = None
        connection.execute("BEGIN IMMEDIATE")
        return connection.close

    def _lock_postgres(self) -> Callable[[], None]:
        connection = self._postgres()
        connection.execute("SET lock_timeout = '2s'")
        connection.execute("LOCK TABLE tasks IN SHARE ROW EXCLUSIVE MODE")
        return connection.close

    def end_connections(self) -> None:
        """The database ends all its connections, as when it restarts."""
        with self._postgres() as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        self.counts["database connections ended"] += len(ended)

    def _postgres(self) -> psycopg.Connection[tuple[object, ...]]:
        url = make_url(self.demo.fleet.database.url).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False))

    def _after(self, seconds: float, undo: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), undo))
