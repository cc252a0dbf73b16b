"""A worker that stood still longer than its lease: whoever takes the task back removes the folder of its run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from controller.automation.runner import Job, end_run, run
from controller.domain.failures import ErrorClass


def test_a_run_whose_folder_was_removed_was_interrupted_and_has_not_failed(tmp_path: Path) -> None:
    folder = tmp_path / "run/task-1-1"
    job = Job(folder.name, "hestia_server", "status", "s", {"ansible_connection": "local"}, "", {})

    def late(event: dict[str, Any]) -> None:
        if event["event"] == "playbook_on_stats":
            end_run(folder)
            shutil.rmtree(folder, ignore_errors=True)

    outcome = run(job, tmp_path / "run", late, lambda: False)
    assert (outcome.stopped, outcome.error_class) == (True, ErrorClass.INTERRUPTED), outcome.error
