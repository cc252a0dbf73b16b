"""Bring a database to the schema of this version (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from controller.store.database import ALONE, make_engine


def config(url: str) -> Config:
    """Alembic configuration for one database."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    alembic.attributes["url"] = url
    return alembic


def upgrade(url: str) -> None:
    """Apply all migrations that are missing."""
    engine = make_engine(url)
    try:
        with engine.execution_options(write=ALONE).begin() as connection:
            alembic = config(url)
            alembic.attributes["connection"] = connection
            command.upgrade(alembic, "head")
    finally:
        engine.dispose()
