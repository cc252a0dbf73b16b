"""Roles on sandbox servers: real ssh, real ansible, results read from ansible-runner's events."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.server import SandboxServer

ROOT = Path(__file__).parents[3]


@dataclass
class Step:
    """One entry point with its variables (without the role's prefix), and how it is run."""

    action: str
    variables: dict[str, Any]
    check: bool = False

    def __init__(self, action: str, check: bool = False, **variables: Any) -> None:
        self.action, self.check, self.variables = action, check, variables

    def task(self, number: int) -> dict[str, Any]:
        area, entry = self.action.split(".")
        return {
            "name": f"step {number}",
            "ansible.builtin.include_role": {
                "name": f"hestia_{area}",
                "tasks_from": entry,
                "apply": {"ignore_errors": True, "check_mode": self.check, "diff": True},
            },
            "vars": {f"hestia_{area}_{key}": value for key, value in self.variables.items()},
        }


@dataclass
class Play:
    """What came of a play: the module's result of each step, in order."""

    results: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    text: str = ""

    @property
    def changed(self) -> list[bool]:
        return [bool(result.get("changed")) for result in self.results]

    @property
    def failures(self) -> list[str]:
        return [result["msg"] for result in self.results if result.get("failed")]


class Driver:
    """Runs steps on one sandbox server."""

    def __init__(self, server: SandboxServer, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def run(self, *steps: Step, warnings: bool = False) -> Play:
        """One play with these steps; fails the test on any warning."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        play = [{"hosts": "all", "gather_facts": False, "tasks": [step.task(n) for n, step in enumerate(steps)]}]
        (place / "play.yml").write_text(json.dumps(play))
        (place / "known_hosts").write_text(f"[{self.server.address}]:{self.server.port} {self.server.host_key}\n")
        host = {
            "ansible_host": self.server.address,
            "ansible_port": self.server.port,
            "ansible_user": self.server.user,
            "ansible_ssh_private_key_file": str(self.server.folder / "login_key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={place}/known_hosts",
        }
        (place / "hosts.json").write_text(json.dumps({"all": {"hosts": {self.server.name: host}}}))
        done = Play()
        ended = ansible_runner.run(
            private_data_dir=str(place),
            playbook=str(place / "play.yml"),
            inventory=str(place / "hosts.json"),
            envvars={
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                # ansible-runner adds its own folder to this one, and ansible.cfg's does not count any more.
                "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "callback_plugins"),
            },
            settings={"pexpect_timeout": 0.2, "suppress_ansible_output": True},
            event_handler=lambda event: self._take(event, done),
            quiet=True,
        )
        assert ended.status == "successful", done.text
        assert len(done.results) == len(steps), done.text
        if not warnings:
            assert not done.warnings
        shutil.rmtree(place)
        return done

    @staticmethod
    def _take(event: dict[str, Any], done: Play) -> bool:
        data = event.get("event_data", {})
        text = event.get("stdout", "")
        done.text += text + "\n"
        done.warnings += [line for line in text.splitlines() if "WARNING" in line]
        result = data.get("res") or {}
        done.warnings += result.get("warnings", []) + [str(item) for item in result.get("deprecations", [])]
        ended = event["event"] in ("runner_on_ok", "runner_on_failed")
        if ended and str(data.get("task_action", "")).startswith("hestia_"):
            failed = event["event"] == "runner_on_failed"
            done.results.append({**result, "failed": failed})
        return False

    def good(self, *steps: Step) -> Play:
        """Run steps that must not fail."""
        play = self.run(*steps)
        assert not play.failures, play.failures
        return play

    def twice(self, *steps: Step) -> Play:
        """Run steps that must not fail, then again: the second time nothing may change. Returns the first round."""
        play = self.good(*steps, *steps)
        again = play.results[len(steps) :]
        assert not any(result["changed"] for result in again), again
        assert all(result["actions"] == [] for result in again)
        return Play(play.results[: len(steps)], play.warnings, play.text)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxFleet]:
    """One server with everything."""
    fleet = SandboxFleet(tmp_path_factory.mktemp("roles"))
    fleet.add("server", {"web", "mail", "dns"}, ip="192.0.2.11", hostname="server.fleet.test")
    fleet.start()
    yield fleet
    fleet.stop()


@pytest.fixture
def server(fleet: SandboxFleet) -> Iterator[SandboxServer]:
    server = fleet["server"]
    server.faults.clear()
    yield server
    server.faults.clear()


@pytest.fixture
def driver(server: SandboxServer, tmp_path: Path) -> Driver:
    return Driver(server, tmp_path)


_NUMBERS = itertools.count(1)


@pytest.fixture
def fresh() -> Callable[[], str]:
    """Names that no other test uses, all of the same length; also the first label of a domain."""
    return lambda: f"n{next(_NUMBERS):03}"


@pytest.fixture
def name(fresh: Callable[[], str]) -> str:
    return fresh()


def account(area: str, user: str, **more: Any) -> Step:
    return Step(
        f"{area}.account",
        user=user,
        **{"password": f"Secret.{user}", "email": f"{user}@fleet.test", "full_name": "Acme Ltd", **more},
    )


def zone_records(domain: str) -> list[dict[str, Any]]:
    """A zone with one of everything."""
    return [
        {"name": "@", "type": "NS", "value": "ns1.fleet.test"},
        {"name": "@", "type": "NS", "value": "ns2.fleet.test"},
        {"name": "@", "type": "A", "value": "192.0.2.11"},
        {"name": "www", "type": "CNAME", "value": domain},
        {"name": "@", "type": "MX", "value": f"mail.{domain}", "priority": 10},
        {"name": "mail", "type": "A", "value": "192.0.2.21", "ttl": 300},
        {"name": "*", "type": "A", "value": "192.0.2.12"},
        {"name": "v6", "type": "AAAA", "value": "2001:db8::1"},
        {"name": "_sip._tcp", "type": "SRV", "value": f"5 5060 mail.{domain}", "priority": 10},
        {"name": "@", "type": "CAA", "value": '0 issue "letsencrypt.org"'},
        {"name": "@", "type": "TXT", "value": "v=spf1 mx -all it's"},
        {"name": "mail._domainkey", "type": "TXT", "value": "v=DKIM1; k=rsa; p=" + "A" * 392},
        {"name": "sub", "type": "NS", "value": f"ns.sub.{domain}"},
        {"name": "ns.sub", "type": "A", "value": "192.0.2.13"},
    ]


MODULE = """
import json, runpy, sys
import ansible.module_utils
from ansible.module_utils import basic
ansible.module_utils.__path__.append(sys.argv[1] + "/module_utils")
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[3])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_path(f"{sys.argv[1]}/library/{sys.argv[2]}.py", run_name="__main__")
"""


def start_module(server: SandboxServer, module: str, **params: object) -> subprocess.Popen[str]:
    """The module as a process that can be killed, without ansible and ssh around it."""
    line = [sys.executable, "-c", MODULE, str(ROOT), module, json.dumps(params)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=server.environment)


def run_module(server: SandboxServer, module: str, **params: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(start_module(server, module, **params).communicate(timeout=60)[0])
    return result
