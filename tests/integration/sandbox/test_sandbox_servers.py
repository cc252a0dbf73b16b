"""Sandbox servers as servers: ssh, named, life and death of their daemons, what stays."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.sandbox import processes, sshd
from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.named import pid_file
from controller.sandbox.server import SandboxServer


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SandboxFleet]:
    made = SandboxFleet(tmp_path / "fleet")
    yield made
    made.stop()


def ssh(server: SandboxServer, command: str) -> subprocess.Popen[str]:
    hosts = server.folder / "known_hosts"
    hosts.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={hosts}"]
    return subprocess.Popen(
        [
            *("ssh", "-F", "none", "-i", str(server.folder / "login_key"), "-p", str(server.port)),
            *(part for option in options for part in ("-o", option)),
            *(f"{server.user}@{server.address}", command),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(server: SandboxServer, command: str) -> tuple[int, str, str]:
    done = ssh(server, command)
    out, err = done.communicate(timeout=60)
    return done.returncode, out, err


def dig(server: SandboxServer, *question: str) -> str:
    return subprocess.run(
        ["dig", "+short", "+time=2", "+tries=1", "@127.0.0.1", "-p", str(server.dns_port), *question],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip


def gone(*pids: int | None) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not any(pid and processes.is_alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_ssh_finds_a_panel(fleet: SandboxFleet) -> None:
    server = fleet.add("web01", {"web"})
    server.start()
    code, out, err = run(
        server, "echo $HESTIA; v-list-sys-users plain; v-nosuch; v-add-dns-domain admin a.test 192.0.2.1"
    )
    assert (code, out.splitlines()) == (
        11,
        [str(server.root / "usr/local/hestia"), "admin", "Error: DNS_SYSTEM is not enabled"],
    )
    assert "command not found" in err


def test_six_servers_start_at_once(fleet: SandboxFleet) -> None:
    for kind in ("web", "mail", "dns"):
        for number in (1, 2):
            fleet.add(f"{kind}0{number}", {kind})
    fleet.start()
    assert all(server.running for server in fleet)


def test_everything_stays_over_a_restart(fleet: SandboxFleet) -> None:
    server = fleet.add("ns01", {"dns"}, ip="192.0.2.31")
    server.start()
    for command in (
        ("v-add-user", "acme", "x", "a@acme.test"),
        ("v-add-dns-domain", "acme", "acme.test", "192.0.2.11"),
        ("v-add-dns-record", "acme", "acme.test", "app", "A", "192.0.2.12"),
    ):
        assert server.panel(*command).returncode == 0
    state, key, port = server.state(), server.host_key, server.port
    fleet.stop()
    assert not server.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.address, port), 1)
    again = SandboxFleet.open(fleet.folder)["ns01"]
    again.start()
    try:
        assert (again.state(), again.host_key, again.port) == (state, key, port)
        assert dig(again, "app.acme.test", "A") == "192.0.2.12\n"
        assert run(again, "v-list-users plain | wc -l")[1].strip() == "2"
    finally:
        again.stop()


def test_named_comes_back_after_a_crash(fleet: SandboxFleet) -> None:
    server = fleet.add("ns01", {"dns"})
    server.start()
    assert server.panel("v-add-dns-domain", "admin", "acme.test", "192.0.2.11").returncode == 0
    pid = processes.read_pid(pid_file(server.root))
    assert pid
    processes.end(pid)
    assert '"stopped"' in server.panel("v-list-sys-services", "json").stdout
    assert server.panel("v-restart-dns").returncode == 0
    assert dig(server, "www.acme.test", "A").endswith("192.0.2.11\n")


def test_a_doubled_zone_line_fails_every_restart(fleet: SandboxFleet) -> None:
    server = fleet.add("ns01", {"dns"})
    server.start()
    assert server.panel("v-add-dns-domain", "admin", "acme.test", "192.0.2.11").returncode == 0
    conf = server.root / "etc/bind/named.conf"
    conf.write_text(conf.read_text() + conf.read_text().splitlines()[-1] + "\n")
    assert server.state()["zones"] == {"acme.test": 2}
    assert server.panel("v-restart-dns").returncode == 20
    assert server.panel("v-rebuild-dns-domain", "admin", "acme.test").returncode == 0
    assert server.state()["zones"] == {"acme.test": 1}


def test_the_hundredth_change_of_a_day_makes_a_bad_serial(fleet: SandboxFleet) -> None:
    server = fleet.add("ns01", {"dns"})
    server.start()
    assert server.panel("v-add-dns-domain", "admin", "acme.test", "192.0.2.11").returncode == 0
    zone = server.root / "home/admin/conf/dns/acme.test.db"
    today = time.strftime("%Y%m%d")
    zone.write_text(zone.read_text().replace(f"{today}01", f"{today}99"))
    assert server.panel("v-add-dns-record", "admin", "acme.test", "app", "A", "192.0.2.12").returncode == 0
    assert server.state()["users"]["admin"]["dns"]["acme.test"]["SERIAL"] == f"{today}100"


def test_a_cut_connection_does_not_stop_the_command(fleet: SandboxFleet) -> None:
    server = fleet.add("web01", {"web"})
    server.start()
    server.faults.hang("v-add-user", seconds=1.5)
    session = ssh(server, "v-add-user acme x a@acme.test")
    server.cut(after_seconds=0.7)
    assert session.wait(timeout=60) == 255
    assert "acme" not in server.state()["users"]
    assert run(server, "true")[0] == 0
    deadline = time.monotonic() + 60
    while "acme" not in server.state()["users"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "acme" in server.state()["users"]


@pytest.mark.parametrize("detached", [False, True])
def test_daemons_end_with_the_process_that_started_them(fleet: SandboxFleet, detached: bool) -> None:
    server = fleet.add("ns01", {"dns"})
    code = (
        "import os, pathlib; from controller.sandbox.fleet import SandboxFleet;"
        f"SandboxFleet(pathlib.Path({str(fleet.folder)!r}))['ns01'].start(detached={detached}); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
    if detached:
        assert server.running and run(server, "true")[0] == 0
        pids = [processes.read_pid(path) for path in (sshd.pid_file(server.folder), pid_file(server.root))]
        server.stop()
        assert gone(*pids)
    else:
        deadline = time.monotonic() + 60
        while server.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not server.running


def test_nat(fleet: SandboxFleet) -> None:
    server = fleet.add("web01", {"web"}, ip="10.0.0.5", nat="203.0.113.5")
    assert server.panel("v-add-web-domain", "admin", "acme.test").returncode == 0
    state = server.state()
    assert state["users"]["admin"]["web"]["acme.test"]["IP"] == "203.0.113.5"
    assert state["ips"]["10.0.0.5"]["U_WEB_DOMAINS"] == "1"


def test_names_and_capabilities(fleet: SandboxFleet) -> None:
    fleet.add("web01", {"web"})
    with pytest.raises(ValueError, match="already"):
        fleet.add("web01", {"web"})
    with pytest.raises(ValueError, match="capabilities"):
        fleet.add("db01", {"database"})
    with pytest.raises(FileNotFoundError):
        SandboxFleet.open(fleet.folder / "elsewhere")


def test_by_hand(tmp_path: Path) -> None:
    def sandbox(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "controller.sandbox", *arguments],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
        ).stdout  # fmt: skip

    up = sandbox("up", str(tmp_path), "--web", "1", "--dns", "1", "--detached")
    try:
        assert "web01" in up and "ns01" in up and up.count("running") == 2
        assert sandbox("list", str(tmp_path)).count("running") == 2
    finally:
        assert sandbox("stop", str(tmp_path)).count("stopped") == 2
