"""The real named beside a stand-in: checking its configuration and having it read it again."""

from __future__ import annotations

import os
import signal

from .core import Panel

_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def tool(name: str) -> str:
    """Full path of a program of bind9's; "" if it is not installed."""
    for folder in (*_FOLDERS, *os.environ.get("PATH", "").split(":")):
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK):
            return path
    return ""


def run(path: str, *args: str) -> int:
    """Run a program without any output; its exit code (127 if it is not there)."""
    if not path:
        return 127
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawn(path, [path, *args], os.environ, file_actions=actions)
    os.close(null)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def config_is_good(panel: Panel) -> bool:
    return run(tool("named-checkconf"), panel.etc("bind/named.conf")) == 0


def running_pid(panel: Panel) -> int:
    """Process id of this server's named, 0 if it does not run."""
    try:
        pid = int(panel.disk.read(f"{panel.prefix}/run/named/named.pid"))
        os.kill(pid, 0)
    except (ValueError, ProcessLookupError):
        return 0
    return pid


def reload(panel: Panel) -> bool:
    """``systemctl reload-or-restart bind9``: reload a running named. One that was stopped stays so, and fails."""
    if not running_pid(panel):
        return False
    code = run(tool("rndc"), "-c", panel.etc("bind/rndc.conf"), "reload")
    return code == 0


def stop(panel: Panel) -> None:
    pid = running_pid(panel)
    if pid:
        os.kill(pid, signal.SIGTERM)
