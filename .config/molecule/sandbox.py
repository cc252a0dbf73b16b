#!/usr/bin/env python3
"""The sandbox server of a Molecule run: `sandbox.py start|start-powerdns|die|stop FOLDER [COMMAND POINT]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from controller.sandbox.fleet import SandboxFleet


def start(folder: Path) -> None:
    """Make and start a server with everything, and print Molecule's instance configuration for it."""
    fleet = SandboxFleet(folder)
    server = fleet["sandbox"] if "sandbox" in fleet.servers else fleet.add("sandbox", {"web", "mail", "dns"})
    server.start(detached=True)
    instance = {
        "instance": "sandbox",
        "address": server.address,
        "port": server.port,
        "user": server.user,
        "identity_file": str(server.folder / "login_key"),
    }
    sys.stdout.write(json.dumps([instance]) + "\n")


def start_powerdns(folder: Path) -> None:
    """Make and start a PowerDNS nameserver. Nobody logs in there; its scenario's connection is local."""
    fleet = SandboxFleet(folder)
    server = fleet.nameservers.get("sandbox") or fleet.add_powerdns("sandbox")
    server.start(detached=True)
    instance = {"instance": "sandbox", "address": server.address, "port": 22, "user": "nobody", "identity_file": ""}
    sys.stdout.write(json.dumps([instance]) + "\n")


def main() -> None:
    verb, folder, *words = sys.argv[1:]
    if verb == "start":
        start(Path(folder))
    elif verb == "start-powerdns":
        start_powerdns(Path(folder))
    elif verb == "die":
        SandboxFleet.open(Path(folder))["sandbox"].faults.die(*words)
    elif verb == "stop" and Path(folder).is_dir():
        SandboxFleet(Path(folder)).remove()


if __name__ == "__main__":
    main()
