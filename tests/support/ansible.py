"""Ansible's own commands as staff start them: in the folder with ansible.cfg, with nothing but the settings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ansible(
    *command: str | Path, home: Path, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command to its end. home: the installation's data folder."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("HESTIA_FLEET_", "ANSIBLE_"))
    }
    told = {"HESTIA_FLEET_HOME": str(home), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(home / "ansible")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**inherited, **told, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
