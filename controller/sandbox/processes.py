"""Small looks into /proc, and ending processes by their id."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def read_pid(path: Path) -> int | None:
    """The process id in a file, None if there is no such file or number."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def command_line(pid: int) -> str:
    """The process's command line with blanks; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill(pid: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal; a process that is gone is fine."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def end(pid: int, seconds: float = 3.0) -> None:
    """Ask a process to end, and kill it when it does not within ``seconds``."""
    kill(pid)
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            kill(pid, signal.SIGKILL)
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        time.sleep(0.01)
