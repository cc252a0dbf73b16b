"""What is shown of the environment has no password in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.operations.environment import effective, without_password
from controller.settings import Settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////srv/fleet.db", "sqlite:////srv/fleet.db"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:hunter2@host/0", "redis://:***@host/0"),
        ("postgresql+psycopg://fleet:hun:t@er2@db:5432/fleet", "postgresql+psycopg://fleet:***@db:5432/fleet"),
        ("postgresql://db/fleet?password=hunter2", "postgresql://db/fleet?***"),
    ],
)
def test_addresses(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_every_setting_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HESTIA_FLEET_WORKERS", "7")
    monkeypatch.setenv("HESTIA_FLEET_DATABASE_URL", "postgresql://fleet:hunter2@db/fleet")
    rows = {row.variable: row for row in effective(Settings(home=tmp_path))}
    assert rows["HESTIA_FLEET_WORKERS"].value == 7
    assert rows["HESTIA_FLEET_WORKERS"].given
    assert not rows["HESTIA_FLEET_LEASE_SECONDS"].given
    assert "hunter2" not in str(rows)
    assert all(row.description for row in rows.values())
