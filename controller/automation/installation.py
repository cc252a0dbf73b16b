"""The installation that plain Ansible works for: its plugins find settings, rows and key here.

Ansible's own process chooses it once, when it reads the inventory. Its workers are forks and share one folder in memory
that goes with the run. Whatever every command of Ansible needs is read without SQLAlchemy.
"""

from __future__ import annotations

import atexit
import os
import shutil
from pathlib import Path

from pydantic import ValidationError

from controller.settings import Settings
from controller.store.plain import PlainError, Query, Rows, plain_rows
from controller.store.vault import Vault, VaultError

FOLDER = "by-hand-"


class NoInstallation(RuntimeError):
    """Nothing to work for, or it does not answer; the message says what is missing."""


_given: dict[str, str] = {}
_owner = 0


def choose(**given: str | None) -> Settings:
    """Take the installation that the environment names, with these settings in place of the environment's.

    Raises NoInstallation when a setting makes no sense, or another one was chosen before.
    """
    global _given, _owner
    named = {name: value for name, value in given.items() if value}
    if _owner and named != _given:
        raise NoInstallation("one run works for one installation; these inventory files name different ones")
    if not _owner:
        chosen = _settings(named)
        _given, _owner = named, os.getpid()
        _sweep(chosen.run_dir)
        atexit.register(leave)
    return settings()


def settings() -> Settings:
    """Settings of the chosen installation, or of the environment's. Raises NoInstallation."""
    return _settings(_given)


def _settings(given: dict[str, str]) -> Settings:
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise NoInstallation(f"HESTIA_FLEET_{'_'.join(map(str, first['loc'])).upper()}: {first['msg']}") from None


def rows(*queries: Query) -> list[Rows]:
    """The rows of each query, all of one state of the database. Raises NoInstallation."""
    here = settings()
    try:
        return plain_rows(here.effective_database_url, *queries, busy_seconds=here.database_busy_seconds)
    except PlainError as problem:
        raise NoInstallation(str(problem)) from None


def vault() -> Vault:
    """Opens stored secrets. Raises NoInstallation without the key."""
    try:
        return Vault.open(settings().key_file)
    except (VaultError, OSError) as problem:
        raise NoInstallation(f"stored logins cannot be opened: {problem}; see HESTIA_FLEET_SECRET_KEY_FILE") from None


def private_file(name: str, text: str) -> Path:
    """A file that only this person reads, in the run's folder; one with this name is left as it is."""
    folder = settings().run_dir / f"{FOLDER}{_owner or os.getpid()}"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    if not path.exists():
        # Written beside it and moved: another worker may want the same file now.
        part = folder / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        part.rename(path)
    return path


def leave() -> None:
    """Remove the run's folder; only the process that chose does."""
    if _owner == os.getpid():
        shutil.rmtree(settings().run_dir / f"{FOLDER}{_owner}", ignore_errors=True)


def _sweep(run_dir: Path) -> None:
    """Remove what runs that were killed have left."""
    for folder in run_dir.glob(f"{FOLDER}*"):
        if not Path("/proc", folder.name.removeprefix(FOLDER)).exists():
            shutil.rmtree(folder, ignore_errors=True)
