"""An installation on a real, migrated SQLite database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.engine.fleet import Fleet
from controller.settings import Settings
from controller.store.schema import upgrade
from controller.store.vault import create_key


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and empty database, made once and copied."""
    settings = Settings(home=tmp_path_factory.mktemp("template"))
    create_key(settings.key_file)
    upgrade(settings.effective_database_url)
    return settings.home


@pytest.fixture
def fleet(empty_home: Path, tmp_path: Path) -> Iterator[Fleet]:
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    opened = Fleet.open(Settings(home=home))
    yield opened
    opened.close()
