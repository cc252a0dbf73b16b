"""For all tests: a PATH with the virtual environment and /usr/sbin however pytest was started, and the storages."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

from controller.engine.fleet import Fleet
from controller.settings import Settings
from controller.store.schema import upgrade
from controller.store.vault import create_key
from tests.support.storages import NAMES, Servers, Storage, servers

# A run says something about the change, so it tries the same examples every time; `make test-long` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def storage_servers() -> Iterator[Servers]:
    """PostgreSQL and Redis, started when the first test asks for them."""
    with servers() as pair:
        yield pair


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "fleet.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def empty_home(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a key and that file, to be copied."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    create_key(settings.key_file)
    shutil.copy(empty_database, settings.home)
    return settings.home


@pytest.fixture
def fleet(empty_home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """An empty installation on SQLite; folders of tests that need more have their own."""
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    opened = Fleet.open(Settings(home=home))
    yield opened
    opened.close()


@pytest.fixture(params=NAMES)
def storage(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> Iterator[Storage]:
    """Each storage that the product runs on: all tables, no rows, an empty queue, for this test alone."""
    if request.param == "sqlite":
        path = tmp_path / "fleet.db"
        shutil.copy(empty_database, path)
        yield Storage("sqlite", {"HESTIA_FLEET_DATABASE_URL": f"sqlite:///{path}"})
        return
    pair: Servers = request.getfixturevalue("storage_servers")
    with pair.storage(migrated=True) as made:
        yield made
