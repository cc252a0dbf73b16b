"""Stands in for ``ansible-playbook`` in a run's PATH and makes sure that nothing of it is left behind.

Usage: ``supervisor.py PIDFILE REAL_COMMAND ARG...`` (called by the one-line shim that a run's folder holds).
ansible-core's workers call setsid, so killing a process group misses them: this process is therefore the
subreaper of everything below it, dies with the worker that started it (PR_SET_PDEATHSIG), and on the way out
kills whatever /proc shows below it. After a normal end only shared SSH masters may live on.
Standard library only: it starts with every run.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 0.5


def children_of() -> dict[int, list[int]]:
    """Parent pid -> child pids, for all processes."""
    tree: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rsplit(b")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            tree.setdefault(parent, []).append(int(entry))
    return tree


def descendants(pid: int) -> list[int]:
    """Every process below one, deepest last."""
    tree, found, queue = children_of(), [], [pid]
    while queue:
        below = tree.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def is_shared_master(pid: int) -> bool:
    """Whether it is an SSH connection master that later runs may use (OpenSSH titles it ``... [mux]``)."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read().rstrip(b"\0 ").endswith(b"[mux]")
    except OSError:
        return False


def kill_all(spare_masters: bool) -> None:
    """Kill everything below this process; new ones may appear meanwhile, so look again until none is left."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        alive = [pid for pid in descendants(os.getpid()) if not (spare_masters and is_shared_master(pid))]
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.01)


def main() -> int:
    """Run the real command to its end, or end it with everything below it."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        return 143  # the worker died before we could ask to be told
    os.nice(5)  # pages and orders answer first
    pid_file, command = sys.argv[1], sys.argv[2:]
    with open(pid_file, "w") as file:  # noqa: PTH123
        file.write(str(os.getpid()))

    def stop(signum: int, _frame: object) -> None:
        kill_all(spare_masters=False)
        os._exit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, stop)
    child = subprocess.Popen(command)
    code = child.wait()
    kill_all(spare_masters=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
