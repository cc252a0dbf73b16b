"""Stands in for ``ansible-playbook`` in a run's PATH and makes sure that nothing of it is left behind.

Usage: ``supervisor.py PIDFILE SOCKET REAL_COMMAND ARG...`` (called by the one-line shim that a run's folder
holds). If a warm server (``warm.py``) listens on SOCKET the run is forked from it, which saves importing
Ansible; otherwise REAL_COMMAND is started here. Either way:

ansible-core's workers call setsid, so killing a process group misses them: whoever starts the run is therefore
the subreaper of everything below it, notices the end of the worker that asked for it, and on the way out kills
whatever /proc shows below it. After a normal end only shared SSH masters may live on.
Standard library only and few imports: it starts with every run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NICE = 5  # pages and orders answer first
HEADER = 8
ACCEPTED = b"+"
LEASE_FILE = "lease"
LOOK_SECONDS = 1.0


def lease_text(seconds: float) -> bytes:
    """What the lease file holds: the end of the lease on the clock that runs since boot, always as long."""
    return b"%020.3f" % (time.clock_gettime(time.CLOCK_BOOTTIME) + seconds)


def watch_lease(path: str, give_up: Callable[[], None]) -> None:
    """Call ``give_up`` once the lease has run out: the worker stands still or has lost its database, and somebody
    else may have the task by now."""

    def look(_signum: int, _frame: object) -> None:
        with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:  # noqa: PTH123
            if time.clock_gettime(time.CLOCK_BOOTTIME) > float(file.read()):
                give_up()

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)


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
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        alive = [pid for pid in descendants(os.getpid()) if not (spare_masters and is_shared_master(pid))]
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def become_subreaper() -> None:
    """Orphans below this process become its children."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(signum: int) -> None:
    """Get a signal when the process (thread) that started this one ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum, 0, 0, 0)


def stand_back(nice: int) -> None:
    """Let other processes go first; also where the kernel shares time between sessions, not processes
    (``sched_autogroup``: there a process's own nice value counts within its session only)."""
    os.nice(nice)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:  # noqa: PTH123
        file.write(str(os.nice(0)))


def run_cold(command: list[str], lease: str) -> int:
    """Start the real command here and wait for its end."""
    become_subreaper()
    stand_back(NICE)

    def stop(signum: int, _frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        kill_all(spare_masters=False)
        os._exit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, stop)
    watch_lease(lease, lambda: stop(signal.SIGTERM, None))
    code = subprocess.Popen(command).wait()
    kill_all(spare_masters=True)
    return code if code >= 0 else 128 - code


def run_warm(path: str, arguments: list[str], lease: str) -> int | None:
    """Ask the warm server to fork the run; None when it does not take it.

    The connection is the run's life line: when it ends, the other side kills the run.
    """
    request = {"args": arguments, "env": dict(os.environ), "cwd": os.getcwd()}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(path)
            import json

            body = json.dumps(request).encode()
            socket.send_fds(line, [len(body).to_bytes(HEADER, "big")], [0, 1, 2])
            line.sendall(body)
            if line.recv(1) != ACCEPTED:
                return None
        except OSError:
            return None

        def stop(signum: int, _frame: object) -> None:
            # The other side answers with its end when nothing of the run is left.
            signal.setitimer(signal.ITIMER_REAL, 0)
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_WR)
                line.settimeout(5)
                while line.recv(16):
                    pass
            os._exit(128 + signum)

        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, stop)
        watch_lease(lease, lambda: stop(signal.SIGTERM, None))
        answer = line.recv(16)
        return int(answer) if answer else 250


def main() -> int:
    """Run the playbook to its end, or end it with everything below it."""
    parent = os.getppid()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return 143  # the worker died before we could ask to be told
    pid_file, path, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(pid_file, "w") as file:  # noqa: PTH123
        file.write(str(os.getpid()))
    lease = os.path.join(os.path.dirname(pid_file), LEASE_FILE)  # noqa: PTH118, PTH120
    code = run_warm(path, command[1:], lease)
    if code is None:
        code = run_cold(command, lease)
    # While the interpreter takes itself apart the alarm's handler is gone, and an alarm would kill: a run that went
    # well would have no exit code.
    signal.setitimer(signal.ITIMER_REAL, 0)
    return code


if __name__ == "__main__":
    sys.exit(main())
