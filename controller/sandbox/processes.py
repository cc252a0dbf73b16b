"""Small looks into /proc, and ending processes by their id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

#: Stands between this process and its daemons: when this process is gone, it stops them.
_GUARD = """
trap '' HUP INT
read line
for file in "$@"; do [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null; done
"""


def guard(pid_files: Iterable[Path]) -> subprocess.Popen[bytes]:
    """Let the daemons named in these files end with this process, or when ``release`` is called."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", *map(str, pid_files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def release(guarding: subprocess.Popen[bytes]) -> None:
    """End a guard; what its files name by then is stopped."""
    assert guarding.stdin is not None
    guarding.stdin.close()
    guarding.wait()


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
        # A first thread that has ended looks like the whole process; the others may still hold its ports.
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


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
