# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One changing task per server: a lock file with a note about the command that is running under it.

The panel itself takes no lock, and two of its commands at once lose zones and jails. The note survives a module that
was killed, so that whoever comes next waits for the command it left running and finishes what it left undone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from typing import Any

LOCK_FILE = "hestia-fleet.lock"


class LockBusy(Exception):
    """Somebody else kept the lock, or a command of a killed module kept running, for too long."""


def process_start(pid: int) -> str:
    """When the process started, in clock ticks since boot, or "" when there is no such living process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def session_members(session: int) -> list[int]:
    """Living processes of a session: what a killed command left running."""
    members = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX" and int(fields[3]) == session:
            members.append(int(name))
    return members


def wait_for_session(session: int, seconds: float) -> bool:
    """Wait until nothing of the session lives any more; False when time is up."""
    deadline = time.monotonic() + seconds
    while session_members(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def read_note(folders: list[str]) -> dict[str, Any]:
    """The lock's note without taking the lock; {} when there is none."""
    for folder in folders:
        with contextlib.suppress(OSError), open(os.path.join(folder, LOCK_FILE), "rb") as file:
            return _parsed(file.read(65536))
    return {}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        # Whoever was killed while replacing the note left the end of the former one behind it.
        note, _ = json.JSONDecoder().raw_decode(data.decode("utf-8", "replace") or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


class ServerLock:
    """An exclusive flock. `left` is the note of a predecessor that did not finish, {} otherwise."""

    def __init__(self, folders: list[str], timeout: float) -> None:
        self._folders = folders
        self._timeout = timeout
        self._descriptor = -1
        self.left: dict[str, Any] = {}

    def __enter__(self) -> ServerLock:
        deadline = time.monotonic() + self._timeout
        self._descriptor = self._open()
        try:
            self._acquire(deadline)
            self.left = self._read()
            self._wait_for_left_command(deadline)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def note(self, **content: Any) -> None:
        """Replace the note; no content means that nothing is left undone."""
        data = json.dumps(content).encode() if content else b""
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))

    def _open(self) -> int:
        folder = next((path for path in self._folders if os.path.isdir(path)), self._folders[0])
        os.makedirs(folder, exist_ok=True)
        # Python opens close-on-exec, so no command inherits the lock.
        return os.open(os.path.join(folder, LOCK_FILE), os.O_RDWR | os.O_CREAT, 0o600)

    def _acquire(self, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if time.monotonic() >= deadline:
                raise LockBusy("another change is running on this server")
            time.sleep(0.05)

    def _read(self) -> dict[str, Any]:
        return _parsed(os.pread(self._descriptor, 65536, 0))

    def _wait_for_left_command(self, deadline: float) -> None:
        pid, start = self.left.get("pid"), self.left.get("starttime")
        if not isinstance(pid, int) or not start:
            return
        while process_start(pid) == start:
            if time.monotonic() >= deadline:
                raise LockBusy(f"{self.left.get('command', 'a command')} of an earlier task is still running")
            time.sleep(0.05)
        # Its children go on for a moment when it was killed. The pid is theirs as session as long as one lives.
        wait_for_session(pid, min(10.0, max(0.0, deadline - time.monotonic())))
