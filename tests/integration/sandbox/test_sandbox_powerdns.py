"""The sandbox's PowerDNS: life and death, what stays, and that it leaves the servers with a panel alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.sandbox import processes
from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.pdns import SandboxPowerDns


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SandboxFleet]:
    made = SandboxFleet(tmp_path / "fleet")
    yield made
    made.stop()


def call(server: SandboxPowerDns, method: str, path: str, body: object = None) -> int:
    request = urllib.request.Request(
        f"{server.api_url}/api/v1/servers/localhost{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"X-API-Key": server.api_key},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.status)


def ask(server: SandboxPowerDns, *question: str) -> str:
    return subprocess.run(
        ["dig", "+short", "+time=2", "+tries=1", f"@{server.address}", "-p", str(server.dns_port), *question],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip


ZONE = {
    "name": "acme.test.",
    "kind": "Native",
    "rrsets": [
        {"name": "acme.test.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.7", "disabled": False}]}
    ],
}


def test_zones_stay_over_a_restart_and_changes_are_seen_at_once(fleet: SandboxFleet) -> None:
    server = fleet.add_powerdns("ns3", hostname="ns3.example.net")
    fleet.start()
    assert ask(server, "acme.test", "A") == ""
    assert call(server, "POST", "/zones", ZONE) == 201
    assert ask(server, "acme.test", "A") == "192.0.2.7\n"
    fleet.stop()
    assert not server.running
    again = SandboxFleet.open(fleet.folder).nameservers["ns3"]
    assert (again.hostname, again.api_key, again.api_url) == ("ns3.example.net", server.api_key, server.api_url)
    again.start()
    try:
        assert ask(again, "acme.test", "A") == "192.0.2.7\n"
        assert call(again, "DELETE", "/zones/acme.test.") == 204
        assert ask(again, "acme.test", "A") == ""
    finally:
        again.stop()


def test_it_is_none_of_the_servers_with_a_panel(fleet: SandboxFleet) -> None:
    server = fleet.add_powerdns("ns3")
    assert (list(fleet), len(fleet), list(fleet.nameservers)) == ([], 0, ["ns3"])
    for add in (fleet.add, fleet.add_powerdns):
        with pytest.raises(ValueError, match="already"):
            add("ns3")
    server.start()
    pid = processes.read_pid(server.folder / "pdns.pid")
    fleet.remove()
    assert pid and not processes.is_alive(pid)
    assert not server.folder.exists() and fleet.nameservers == {}


def test_a_port_that_is_taken_is_named(fleet: SandboxFleet) -> None:
    first, second = fleet.add_powerdns("ns3"), fleet.add_powerdns("ns4")
    settings = second.folder / "powerdns.json"
    settings.write_text(settings.read_text().replace(str(second.dns_port), str(first.dns_port)))
    first.start()
    broken = SandboxPowerDns(second.folder)
    with pytest.raises(RuntimeError, match="Unable to bind"):
        broken.start()
    broken.stop()


@pytest.mark.parametrize("detached", [False, True])
def test_it_ends_with_the_process_that_started_it(fleet: SandboxFleet, detached: bool) -> None:
    server = fleet.add_powerdns("ns3")
    code = (
        "import os, pathlib; from controller.sandbox.fleet import SandboxFleet;"
        f"SandboxFleet(pathlib.Path({str(fleet.folder)!r})).start(detached={detached}); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3], env=os.environ)
    if detached:
        assert server.running
        server.stop()
    deadline = time.monotonic() + 60
    while server.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.running
