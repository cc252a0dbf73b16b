"""One small installation for all tests by hand: a web, a mail and two DNS servers, a worker, one service."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.domain.words import ServiceStatus
from controller.sandbox.demo import Demo
from controller.store.models import OperationLog, Server
from tests.support.ansible import ROOT, ansible
from tests.support.demo import installation, order, wait_for

MACHINES = (
    ("web01", ("web",), "192.0.2.11", "web01.fleet.test"),
    ("mx01", ("mail",), "192.0.2.21", "mx01.fleet.test"),
    ("ns1", ("dns",), "192.0.2.31", "ns1.fleet.test"),
)
NAMESERVERS = (("pdns1", "pdns1.fleet.test"),)
DOMAIN = "byhand.test"
CONTENT = ("library", "module_utils", "roles", "playbooks", "inventory_plugins", "lookup_plugins", "callback_plugins")


@dataclass
class Staff:
    """A person with the settings of the installation, in a folder with the Ansible content."""

    demo: Demo
    folder: Path = ROOT

    def play(self, name: str, *arguments: str, code: int = 0, **environment: str) -> str:
        """What one of the playbooks prints; it must end with this exit code."""
        done = self.run(name, *arguments, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ("ansible-playbook", "-i", "fleet.hestia_fleet.yml", f"playbooks/{name}.yml", *arguments)
        return ansible(*command, home=self.demo.home, folder=self.folder, environment=environment)

    def lines(self) -> list[tuple[str, str, str, str]]:
        """What runs by hand have left in the operation log since the last look: action, server, result, message."""
        with self.demo.fleet.database.write() as session:
            mine = OperationLog.actor.startswith("ansible:")
            found = session.scalars(select(OperationLog).where(mine).order_by(OperationLog.target)).all()
            told = [(line.action, line.target, line.result, line.message) for line in found]
            for line in found:
                assert line.server_id is not None
                session.delete(line)
        return told

    def server(self, name: str) -> Server:
        with self.demo.fleet.database.read() as session:
            return session.scalars(select(Server).where(Server.name == name)).one()

    def conf(self, name: str) -> dict[str, str]:
        """A server's own settings."""
        text = (self.demo.servers[name].hestia / "conf/hestia.conf").read_text()
        pairs = (line.partition("=") for line in text.splitlines() if line)
        return {key: value.strip("'") for key, _, value in pairs}


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staff]:
    home = tmp_path_factory.mktemp("hand") / "home"
    with installation(home, machines=MACHINES, nameservers=NAMESERVERS, pages=False) as demo:
        wait_for(demo, order(demo, DOMAIN).id, ServiceStatus.ACTIVE)
        yield Staff(demo)
        # No key of any run is left, in memory either.
        assert list(demo.settings.run_dir.glob("by-hand-*")) == []


@pytest.fixture
def elsewhere(staff: Staff, tmp_path: Path) -> Staff:
    """The same person where a wheel has put the content."""
    folder = tmp_path / "site-packages/controller/_content"
    for name in CONTENT:
        shutil.copytree(ROOT / name, folder / name)
    for name in ("ansible.cfg", "fleet.hestia_fleet.yml"):
        shutil.copy(ROOT / name, folder)
    return Staff(staff.demo, folder)
