"""Stands in for ``ansible-playbook``: a run that went well ends with 0, whatever the alarm of its lease does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from controller.automation import supervisor


def run(folder: Path, lease: float, *command: str) -> int:
    """The supervisor with an alarm that rings all the time, so that it rings at every possible moment."""
    (folder / supervisor.LEASE_FILE).write_bytes(supervisor.lease_text(lease))
    text = Path(supervisor.__file__).read_text()
    assert "LOOK_SECONDS = 1.0" in text
    script = folder / "supervisor.py"
    script.write_text(text.replace("LOOK_SECONDS = 1.0", "LOOK_SECONDS = 0.0005"))
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(folder / "pid"), "", *command], check=False
    ).returncode


def test_a_run_that_went_well_is_not_killed_by_the_alarm_at_its_end(tmp_path: Path) -> None:
    assert [run(tmp_path, 100.0, "true") for _ in range(5)] == [0] * 5


def test_a_run_whose_lease_is_over_is_ended(tmp_path: Path) -> None:
    assert run(tmp_path, -1.0, "sleep", "60") == 143
