"""The short storm; ``make test-faults`` has the long one, on each storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault.storm import run_storm, table
from tests.support.storages import Servers, Storage

SEED = 20


def test_a_storm_loses_doubles_and_leaves_nothing(storage_servers: Servers, tmp_path: Path) -> None:
    with storage_servers.storage(migrated=True) as storage:
        _storm(storage, tmp_path)


@pytest.mark.long
def test_a_storm_on_either_storage_loses_doubles_and_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    _storm(storage, tmp_path)


def _storm(storage: Storage, tmp_path: Path) -> None:
    report = run_storm(storage, orders=4, seed=SEED, home=tmp_path / "home", every=1.0, calm=1.5, lasts=25, limit=600)
    print(table(report))
    print(report.line())
    assert report.violations == []
    assert report.faults["workers killed"] + report.faults["workers paused"] + report.faults["workers stopped"] > 0
    assert report.faults["panel faults met"] > 0
    assert sum(report.faults.values()) > 10
