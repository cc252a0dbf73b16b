"""The real named beside a stand-in: checking its configuration and having it read it again."""

from __future__ import annotations

import os

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


def _rndc(panel: Panel, *args: str) -> int:
    return run(tool("rndc"), "-c", panel.etc("bind/rndc.conf"), *args)


def publish(panel: Panel, domain: str) -> None:
    """Have named read its configuration and one zone again; that this may fail, the panel does not look at."""
    if running_pid(panel):
        _rndc(panel, "reconfig")
        _rndc(panel, "reload", domain)


def reload(panel: Panel) -> bool:
    """``systemctl reload-or-restart bind9``: reload named, or start it when it died on a server that is up."""
    if running_pid(panel):
        return _rndc(panel, "reload") == 0
    if not os.path.exists(f"{panel.prefix}/run/up"):
        return False
    log = f"{panel.prefix}/run/named.log"
    copy = f"{panel.prefix}/usr/sbin/named"
    program = copy if os.path.exists(copy) else tool("named")
    return run(program, "-n", "1", "-L", log, "-c", panel.etc("bind/named.conf")) == 0


# -- the zone lines in named.conf --------------------------------------------------------------------------


def zone_line(panel: Panel, user: str, domain: str) -> str:
    return f'zone "{domain}" {{type master; file "{panel.home(user, "conf/dns", domain)}.db";}};'


def drop_line(panel: Panel, user: str, domain: str) -> None:
    """Take the zone's lines out of named.conf: read, then write, without a lock."""
    path = panel.etc("bind/named.conf")
    mark = f'/{user}/conf/dns/{domain}.db"'
    lines = panel.disk.read(path).split("\n")
    panel.disk.pause()
    panel.disk.replace(path, "\n".join(line for line in lines if mark not in line))


def add_line(panel: Panel, user: str, domain: str) -> None:
    panel.disk.append(panel.etc("bind/named.conf"), zone_line(panel, user, domain) + "\n")
