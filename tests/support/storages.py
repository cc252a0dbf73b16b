"""The storages that the product runs on, for tests: SQLite in the data folder, and PostgreSQL with Redis.

Both servers are Debian's, started here on loopback ports of their own over a folder in /tmp; they end with the
process that started them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
import pytest
import redis

from controller.automation.supervisor import die_with_parent
from controller.sandbox.fleet import free_port
from controller.sandbox.processes import end
from controller.store.schema import upgrade

NAMES = ("sqlite", "postgres")
TEMPLATE = "fleet_template"
MOSTLY_SQLITE = pytest.mark.parametrize(
    "storage", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True
)
"""For tests of rules more than of storages: PostgreSQL's turn is in `make test-long`."""
START_SECONDS = 90.0


@dataclass(frozen=True)
class Storage:
    """Where one installation keeps its rows and its messages; ``environment`` is what its processes are told."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The same as arguments of ``Settings``."""
        return {key.removeprefix("HESTIA_FLEET_").lower(): value for key, value in self.environment.items()}


class Postgres:
    """A PostgreSQL server without any care for its data."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make a cluster and serve it; RuntimeError with the server's log if it does not come up."""
        programs = _postgres_programs()
        # The server refuses to run as root.
        user = "postgres" if os.getuid() == 0 else None
        if user:
            shutil.chown(self.folder, user, user)
        data, log = self.folder / "data", self.folder / "postgres.log"
        who = {"user": user, "group": user, "extra_groups": []} if user else {}
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "fleet", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
            **who,
        )
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stderr}")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "shared_buffers": "64MB",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "log_min_messages": "fatal",
        }
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", data, *(f"--{key}={value}" for key, value in options.items())],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGQUIT),
                **who,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
                return
            except psycopg.OperationalError as problem:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL did not start: {problem}\n{log.read_text()}") from problem
                time.sleep(0.02)

    def stop(self) -> None:
        """End it and all its connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)

    def url(self, database: str) -> str:
        """What a fleet is told."""
        return f"postgresql+psycopg://fleet@127.0.0.1:{self.port}/{database}"

    def sql(self, command: str) -> list[tuple[object, ...]]:
        """One statement on the maintenance database; its rows."""
        address = f"host=127.0.0.1 port={self.port} user=fleet dbname=postgres connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            answer = connection.execute(command.encode())
            return answer.fetchall() if answer.description else []

    def new_database(self, *, migrated: bool = True) -> str:
        """A fresh database; with all tables when ``migrated`` (a copy of a template made once)."""
        if migrated and not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
            self.sql(f"CREATE DATABASE {TEMPLATE}")
            upgrade(self.url(TEMPLATE))
        name = f"fleet_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {TEMPLATE}" if migrated else ""))
        return name

    def drop_database(self, name: str) -> None:
        """Forget a database, with whoever is connected to it."""
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")


class Redis:
    """A Redis server that keeps nothing."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve; RuntimeError with the server's log if it does not come up."""
        log = self.folder / "redis.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGKILL),
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client().ping()
                return
            except redis.ConnectionError as problem:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"Redis did not start: {problem}\n{log.read_text()}") from problem
                time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end(self._process.pid)
            self._process.wait(20)

    @property
    def url(self) -> str:
        """What a fleet is told."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A connection of one's own."""
        return redis.Redis(port=self.port)


@dataclass
class Servers:
    """The two servers of a session."""

    postgres: Postgres
    redis: Redis

    @contextlib.contextmanager
    def storage(self, *, migrated: bool = False) -> Iterator[Storage]:
        """A database of one's own and an empty queue; one at a time, as there is one queue."""
        self.redis.client().flushall()
        database = self.postgres.new_database(migrated=migrated)
        yield Storage(
            "postgres",
            {
                "HESTIA_FLEET_DATABASE_URL": self.postgres.url(database),
                "HESTIA_FLEET_QUEUE_URL": self.redis.url,
            },
        )
        self.postgres.drop_database(database)


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """PostgreSQL and Redis for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="hestia-fleet-storages-"))
    folder.chmod(0o755)
    pair = Servers(
        Postgres(_subfolder(folder, "postgres"), free_port()), Redis(_subfolder(folder, "redis"), free_port())
    )
    try:
        pair.postgres.start()
        pair.redis.start()
        yield pair
    finally:
        pair.redis.stop()
        pair.postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Variables for this process and what it starts, put back at the end."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


def _subfolder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(mode=0o700)
    return made


def _postgres_programs() -> Path:
    """Folder of initdb and postgres; Debian keeps them out of PATH, one folder per version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    if elsewhere is None:
        raise RuntimeError("these tests need PostgreSQL: install Debian's package postgresql")
    return Path(elsewhere).resolve().parent
