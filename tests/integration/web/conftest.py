"""The real application on a real, migrated SQLite database; a blocking call in the event loop fails the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from tests.integration.web.world import World, make_world

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session", autouse=True)
def front_end() -> None:
    """Pages need the built scripts and styles."""
    subprocess.run([sys.executable, str(ROOT / "ui" / "build.py")], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """Reading a file, a socket or the database on the event loop raises BlockingError."""
    with blockbuster_ctx():
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, front_end: None) -> Path:
    """The files of an installation, made once and copied for each test."""
    home = tmp_path_factory.mktemp("template")
    made = make_world(home)
    # Everything into the main file: a copy must not miss what is still in SQLite's log.
    with made.fleet.database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    made.fleet.close()
    return home


@pytest.fixture
def world(tmp_path: Path, template: Path) -> Iterator[World]:
    made = make_world(tmp_path / "home", template)
    yield made
    made.fleet.close()


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[World]:
    """One installation for tests that only look."""
    made = make_world(tmp_path_factory.mktemp("world"), template)
    yield made
    made.fleet.close()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[object]:
    """A stand-in server of the sandbox: a real sshd on loopback."""
    from controller.sandbox.fleet import SandboxFleet

    server = SandboxFleet(tmp_path / "sandbox").add(
        "web09", capabilities={"web"}, ip="192.0.2.99", hostname="web09.test"
    )
    server.start()
    yield server
    server.stop()
