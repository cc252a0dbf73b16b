"""``python -m controller.sandbox up|list|stop FOLDER``: a sandbox fleet by hand."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer

#: Last part of the published addresses, and of the names, per kind of server.
_FIRST_ADDRESS = {"web": 11, "mail": 21, "dns": 31}
_SHORT = {"web": "web", "mail": "mx", "dns": "ns"}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _line(server: SandboxServer) -> str:
    dns = f"  dns 127.0.0.1:{server.dns_port}" if server.dns_port else ""
    login = f"ssh -i {server.folder}/login_key -p {server.port} {server.user}@{server.address}"
    state = "running" if server.running else "stopped"
    return f"{server.name:<8} {state}  {','.join(sorted(server.capabilities)):<12} {login}{dns}"


def _nameserver_line(server: SandboxPowerDns) -> str:
    state = "running" if server.running else "stopped"
    return f"{server.name:<8} {state}  powerdns     api {server.api_url}  dns {server.address}:{server.dns_port}"


def _show(fleet: SandboxFleet) -> None:
    for server in fleet:
        _say(_line(server))
    for nameserver in fleet.nameservers.values():
        _say(_nameserver_line(nameserver))


def _up(folder: Path, counts: dict[str, int], powerdns: int, detached: bool) -> None:
    fleet = SandboxFleet(folder)
    for kind, count in counts.items():
        for number in range(1, count + 1):
            name = f"{_SHORT[kind]}{number:02d}"
            if name not in fleet.servers:
                fleet.add(name, {kind}, ip=f"192.0.2.{_FIRST_ADDRESS[kind] + number - 1}")
    for number in range(1, powerdns + 1):
        if (name := f"pdns{number:02d}") not in fleet.nameservers:
            fleet.add_powerdns(name)
    fleet.start(detached)
    _show(fleet)
    if detached:
        return
    _say("Ctrl-C stops them.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        _say("")
    finally:
        fleet.stop()


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 when the folder has no fleet."""
    parser = argparse.ArgumentParser(prog="python -m controller.sandbox", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="make what is missing and start all")
    for kind in _FIRST_ADDRESS:
        up.add_argument(f"--{kind}", type=int, default=0, metavar="N", help=f"number of {kind} servers")
    up.add_argument("--powerdns", type=int, default=0, metavar="N", help="number of PowerDNS nameservers")
    up.add_argument("--detached", action="store_true", help="leave them running and return")
    for action, help_text in (("list", "show all servers"), ("stop", "stop all servers")):
        actions.add_parser(action, help=help_text)
    for each in actions.choices.values():
        each.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    if given.action == "up":
        counts = {kind: getattr(given, kind) for kind in _FIRST_ADDRESS}
        _up(given.folder, counts, given.powerdns, given.detached)
        return 0
    try:
        fleet = SandboxFleet.open(given.folder)
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if given.action == "stop":
        fleet.stop()
    _show(fleet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
