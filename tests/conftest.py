"""For all tests: a PATH with the virtual environment and /usr/sbin however pytest was started, and the storages."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

from controller.store.schema import upgrade
from tests.support.storages import NAMES, Servers, Storage, servers


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
