"""A process that was forked for a playbook and cannot become it ends; it is no second worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# On its own: if the promise did not hold, two processes would go on behind the call. What fails is the first thing that
# the fork does, as when the folder that it is to start in has gone.
ALONE = """
import os, sys
from pathlib import Path
from controller.automation.runner import Job, run

def gone(path):
    raise FileNotFoundError(path)

os.chdir = gone
job = Job("task-1-1", "hestia_server", "status", "s", {"ansible_connection": "local"}, "", {})
outcome = run(job, Path(sys.argv[1]), lambda event: None, lambda: False)
os.write(1, f"{outcome.stopped} {outcome.error_class} {sorted(os.listdir(sys.argv[1]))}\\n".encode())
"""


def test_it_ends_and_the_step_is_tried_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALONE, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "True interrupted ['cp']\n", done.stderr
