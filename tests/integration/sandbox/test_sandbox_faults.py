"""A sandbox server misbehaves as it is told, and leaves what a real one leaves."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.sandbox.faults import POINTS
from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.inspection import without_volatile
from controller.sandbox.server import SandboxServer

PANEL = Path(__file__).parents[3] / "controller/sandbox/panel"
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    fleet = SandboxFleet(tmp_path_factory.mktemp("fleet"))
    server = fleet.add("all01")
    server.start()
    yield server
    fleet.stop()


@pytest.fixture
def server(running: SandboxServer) -> Iterator[SandboxServer]:
    """The server with user ``acme`` and nothing else; the faults of a test end with it."""
    ok(running, "v-add-user", "acme", "Sekret", "a@acme.test")
    yield running
    running.faults.clear()
    for user in ("acme", "two"):
        for _ in range(2):
            running.panel("v-delete-user", user)
    state = running.state()
    assert set(state["users"]) == {"admin"}, "a test left something that v-delete-user cannot remove"


def ok(server: SandboxServer, *command: str) -> str:
    done = server.panel(*command)
    assert done.returncode == 0, f"{command}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout


def user(server: SandboxServer, name: str = "acme") -> dict[str, Any]:
    found: dict[str, Any] = server.state()["users"][name]
    return found


def test_every_point_exists() -> None:
    reached = {
        name for path in PANEL.glob("*.py") for name in re.findall(r'panel\.point\("([a-z-]+)"', path.read_text())
    }
    named = {point for points in POINTS.values() for point in points}
    assert named <= reached | {"web", "dns", "mail"}  # v-delete-user names them in a loop
    assert reached <= named


def test_unknown_point_is_refused(server: SandboxServer) -> None:
    with pytest.raises(ValueError, match="has no point"):
        server.faults.die("v-add-web-domain", at="nowhere")


def test_fail_so_many_times(server: SandboxServer) -> None:
    server.faults.fail("v-list-users", 15, times=2, message="Error: no connection")
    for _ in range(2):
        done = server.panel("v-list-users", "plain")
        assert (done.returncode, done.stdout) == (15, "Error: no connection\n")
    assert server.faults.pending == []
    ok(server, "v-list-users", "plain")


def test_web_domain_dies_after_its_directory(server: SandboxServer) -> None:
    server.faults.die("v-add-web-domain", at="directory")
    assert server.panel("v-add-web-domain", "acme", "acme.test").returncode == KILLED
    left = user(server)
    assert left["web_folders"] == ["acme.test"]
    assert left["web"] == {} and left["conf"]["U_WEB_DOMAINS"] == "0"
    again = server.panel("v-add-web-domain", "acme", "acme.test")
    assert (again.returncode, again.stdout) == (4, "Error: Web domain folder for acme.test should not exist\n")
    assert server.panel("v-delete-web-domain", "acme", "acme.test").returncode == 3


def test_web_domain_dies_after_its_counters(server: SandboxServer) -> None:
    server.faults.die("v-add-web-domain", at="counters")
    assert server.panel("v-add-web-domain", "acme", "acme.test").returncode == KILLED
    left = user(server)
    assert left["web"] == {} and left["web_folders"] == ["acme.test"]
    assert left["conf"]["U_WEB_DOMAINS"] == "1" and left["conf"]["U_WEB_ALIASES"] == "1"
    assert server.state()["ips"]["192.0.2.11"]["U_WEB_DOMAINS"] == "1"
    ok(server, "v-update-user-counters", "acme")
    assert user(server)["conf"]["U_WEB_DOMAINS"] == "0"


def test_web_domain_made_but_exit_20(server: SandboxServer) -> None:
    ok(server, "v-add-web-domain", "acme", "acme.test")
    wanted = without_volatile(server.state())
    ok(server, "v-delete-web-domain", "acme", "acme.test")
    server.faults.fail("v-add-web-domain", 20)
    assert server.panel("v-add-web-domain", "acme", "acme.test").returncode == 20
    assert without_volatile(server.state()) == wanted


def test_failing_restart_gives_20(server: SandboxServer) -> None:
    server.faults.fail("v-restart-proxy", 20, message="Error: nginx restart failed")
    done = server.panel("v-add-web-domain", "acme", "acme.test")
    assert done.returncode == 20 and "nginx restart failed" in done.stdout
    assert "acme.test" in user(server)["web"]


@pytest.mark.parametrize(
    ("point", "listed", "folder"), [("backend", True, True), ("record", False, True), ("directory", False, False)]
)
def test_web_domain_dies_while_deleted(server: SandboxServer, point: str, listed: bool, folder: bool) -> None:
    ok(server, "v-add-web-domain", "acme", "acme.test")
    server.faults.die("v-delete-web-domain", at=point)
    assert server.panel("v-delete-web-domain", "acme", "acme.test").returncode == KILLED
    left = user(server)
    assert (bool(left["web"]), bool(left["web_folders"])) == (listed, folder)
    assert left["conf"]["U_WEB_DOMAINS"] == "1"
    assert server.panel("v-delete-web-domain", "acme", "acme.test").returncode == (0 if listed else 3)


def test_user_dies_after_the_system_account(server: SandboxServer) -> None:
    server.faults.die("v-add-user", at="system-user")
    assert server.panel("v-add-user", "two", "x", "b@two.test").returncode == KILLED
    state = server.state()
    assert "two" in state["passwd"] and "two" in state["homes"] and "two" not in state["users"]
    assert server.panel("v-add-user", "two", "x", "b@two.test").returncode == 4
    assert server.panel("v-delete-user", "two").returncode == 3
    for file in ("passwd", "shadow", "group"):
        path = server.root / "etc" / file
        path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("two:")))
    subprocess.run(["rm", "-rf", str(server.root / "home/two")], check=True)


def test_user_dies_after_the_data_folder(server: SandboxServer) -> None:
    server.faults.die("v-add-user", at="data")
    assert server.panel("v-add-user", "two", "x", "b@two.test").returncode == KILLED
    assert user(server, "two")["conf"] is None
    assert "two" not in ok(server, "v-list-users", "plain")
    assert server.panel("v-add-user", "two", "x", "b@two.test").returncode == 4
    ok(server, "v-delete-user", "two")


def test_user_dies_half_deleted(server: SandboxServer) -> None:
    ok(server, "v-add-web-domain", "acme", "acme.test")
    server.faults.die("v-delete-user", at="domains")
    assert server.panel("v-delete-user", "acme").returncode == KILLED
    state = server.state()
    assert "acme" in state["passwd"] and "acme" in state["homes"] and user(server)["web"] == {}
    assert server.panel("v-add-user", "acme", "x", "a@acme.test").returncode == 4
    ok(server, "v-delete-user", "acme")
    assert server.panel("v-delete-user", "acme").returncode == 3
    ok(server, "v-add-user", "acme", "x", "a@acme.test")


def test_user_deletion_stops_when_a_restart_fails(server: SandboxServer) -> None:
    ok(server, "v-add-web-domain", "acme", "acme.test")
    server.faults.fail("v-restart-proxy", 20)
    done = server.panel("v-delete-user", "acme")
    assert (done.returncode, done.stdout) == (20, "Error: web domain deletion failed\n")
    state = server.state()
    assert "acme" in state["passwd"] and "acme" in state["homes"] and user(server)["web"] == {}
    ok(server, "v-delete-user", "acme")
    ok(server, "v-add-user", "acme", "x", "a@acme.test")


def test_user_deletion_does_not_look_at_its_domains(server: SandboxServer) -> None:
    ok(server, "v-add-dns-domain", "acme", "acme.test", "192.0.2.11")
    server.faults.fail("v-delete-dns-domain", 3)
    ok(server, "v-delete-user", "acme")
    assert server.state()["zones"] == {"acme.test": 1}  # without a zone file now
    conf = server.root / "etc/bind/named.conf"
    conf.write_text("".join(line for line in conf.read_text().splitlines(True) if "acme" not in line))
    ok(server, "v-restart-dns")
    ok(server, "v-add-user", "acme", "x", "a@acme.test")


def test_user_deletion_dies_in_a_domain(server: SandboxServer) -> None:
    ok(server, "v-add-web-domain", "acme", "acme.test")
    server.faults.die("v-delete-web-domain", at="record")
    assert server.panel("v-delete-user", "acme").returncode == KILLED
    assert user(server)["web"] == {} and user(server)["web_folders"] == ["acme.test"]


@pytest.mark.parametrize(
    ("point", "key", "folder", "count"),
    [("record", False, False, "0"), ("key", True, False, "0"), ("config", True, True, "0")],
)
def test_mail_domain_dies(server: SandboxServer, point: str, key: bool, folder: bool, count: str) -> None:
    server.faults.die("v-add-mail-domain", at=point)
    assert server.panel("v-add-mail-domain", "acme", "acme.test").returncode == KILLED
    left = user(server)
    assert "acme.test" in left["mail"] and left["conf"]["U_MAIL_DOMAINS"] == count
    assert (bool(left["dkim"]), bool(left["mail_conf"])) == (key, folder)
    assert server.panel("v-add-mail-domain", "acme", "acme.test").returncode == 4
    ok(server, "v-delete-mail-domain", "acme", "acme.test")
    ok(server, "v-add-mail-domain", "acme", "acme.test")


def test_zone_dies_between_record_and_line(server: SandboxServer) -> None:
    server.faults.die("v-add-dns-domain", at="zone-line")
    assert server.panel("v-add-dns-domain", "acme", "acme.test", "192.0.2.11").returncode == KILLED
    assert "acme.test" in user(server)["dns"] and server.state()["zones"] == {}
    assert server.panel("v-add-dns-domain", "acme", "acme.test", "192.0.2.11").returncode == 4
    ok(server, "v-rebuild-dns-domain", "acme", "acme.test")
    assert server.state()["zones"] == {"acme.test": 1}
    server.faults.die("v-rebuild-dns-domain", at="zone-file")
    assert server.panel("v-rebuild-dns-domain", "acme", "acme.test").returncode == KILLED
    assert server.state()["zones"] == {}


def test_zone_dies_before_its_record(server: SandboxServer) -> None:
    server.faults.die("v-add-dns-domain", at="records")
    assert server.panel("v-add-dns-domain", "acme", "acme.test", "192.0.2.11").returncode == KILLED
    assert user(server)["dns"] == {} and "acme.test" in user(server)["dns_records"]
    assert server.panel("v-add-dns-domain", "acme", "acme.test", "192.0.2.11").returncode == 4


def test_hang(server: SandboxServer) -> None:
    server.faults.hang("v-list-users", seconds=0.7)
    start = time.monotonic()
    ok(server, "v-list-users", "plain")
    assert time.monotonic() - start >= 0.7


def test_pace(server: SandboxServer) -> None:
    server.faults.pace = 0.5
    start = time.monotonic()
    ok(server, "v-add-web-domain", "acme", "acme.test")
    assert time.monotonic() - start >= 0.4
    start = time.monotonic()
    ok(server, "v-add-dns-domain", "acme", "acme.test", "192.0.2.11")
    assert time.monotonic() - start >= 1.7


def test_full_disk(server: SandboxServer) -> None:
    server.faults.full(True)
    assert server.panel("v-add-user", "two", "x", "b@two.test").returncode == 2
    done = server.panel("v-add-web-domain", "acme", "acme.test")
    # The panel does not notice: exit 0, and nothing is listed.
    assert done.returncode == 0 and "No space left on device" in done.stderr
    server.faults.full(False)
    assert user(server)["web"] == {} and user(server)["web_folders"] == ["acme.test"]


def test_commands_at_once_do_damage(server: SandboxServer) -> None:
    """Two changes at a time lose something, with exit 0 everywhere."""
    server.faults.pace = 0.5
    names = [f"par{number}" for number in range(5)]
    for _ in range(3):
        commands = [
            subprocess.Popen(
                [str(server.hestia / "bin/v-add-user"), name, "x", f"{name}@acme.test"], env=server.environment
            )
            for name in names
        ]
        codes = [command.wait() for command in commands]
        state = server.state()
        damage = (
            codes != [0] * 5
            or set(names) - set(state["jail"])
            or state["users"]["admin"]["conf"]["U_USERS"] != str(len(state["users"]))
        )
        server.faults.pace = 0
        for name in names:
            server.panel("v-delete-user", name)
        ok(server, "v-update-user-counters")
        server.faults.pace = 0.5
        if damage:
            return
    pytest.fail("nothing was lost in three rounds")
