"""The warm server as its worker sees it: started, watched, stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_runner.config.runner import RunnerConfig

import controller
from controller.automation.runner import PLAYBOOK, run_environment
from controller.content import content


class WarmServer:
    """The process that forks for every run of one worker, kept alive while the worker lives."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._folder = run_dir / f"warm-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens; a run that finds nobody there starts Ansible by itself."""
        return self._folder / "s"

    def ensure(self) -> None:
        """Start it, or start it again. Call from a thread that lives as long as the worker: it dies with it."""
        if self._process is not None and self._process.poll() is None:
            return
        folder = self._folder
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("tmp", "project"):
            (folder / name).mkdir(parents=True)
        self._run_dir.chmod(0o700)
        (folder / "ansible.cfg").touch()
        shutil.copy(content("playbooks", PLAYBOOK), folder / "project" / PLAYBOOK)
        config = RunnerConfig(
            private_data_dir=str(folder),
            playbook=PLAYBOOK,
            envvars=run_environment(self._run_dir, folder),
            suppress_env_files=True,
        )
        config.prepare()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "controller.automation.warm", str(self.socket)],
            env={key: str(value) for key, value in config.env.items()},
            cwd=str(Path(controller.__file__).parents[1]),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End it; runs it has forked go on to their end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
