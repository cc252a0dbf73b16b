"""Staff at work without the controller: plain ``ansible-playbook`` with the repository's roles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from controller.sandbox.server import SandboxServer

ROOT = Path(__file__).parents[2]


def _step(action: str, **variables: Any) -> dict[str, Any]:
    area, entry = action.split(".")
    return {
        "name": f"{action} {variables['state']}",
        "ansible.builtin.include_role": {"name": f"hestia_{area}", "tasks_from": entry},
        "vars": {f"hestia_{area}_{key}": value for key, value in variables.items()},
    }


def coming(name: str, domain: str) -> list[dict[str, Any]]:
    """Tasks that make an account with a site and a zone."""
    records = [
        {"name": "@", "type": "NS", "value": "ns1.fleet.test"},
        {"name": "@", "type": "A", "value": "192.0.2.99"},
    ]
    there = {"state": "present", "user": name}
    return [
        _step("web.account", **there, password=f"Secret.{name}.1x", email=f"{name}@fleet.test", full_name="By Hand"),
        _step("web.domain", **there, domain=domain),
        _step("dns.zone", **there, domain=domain, records=records, soa="ns1.fleet.test", ip="192.0.2.99"),
    ]


def going(name: str, domain: str) -> list[dict[str, Any]]:
    """Tasks that take it all away again."""
    gone = {"state": "absent", "user": name}
    return [
        _step("dns.zone", **gone, domain=domain),
        _step("web.domain", **gone, domain=domain),
        _step("web.account", **gone),
    ]


def without_lock(folder: Path) -> Path:
    """A copy of the Ansible content in which modules take no lock, as if it had never been thought of."""
    for name in ("library", "module_utils", "roles"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "ansible.cfg", folder)
    lock, panel = folder / "module_utils/hestia_lock.py", folder / "module_utils/hestia_panel.py"
    lock.write_text(
        lock.read_text()
        + """

class ServerLock:
    left: dict = {}

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def note(self, **_):
        pass
"""
    )
    # Whoever holds the lock tidies up after a predecessor; here that would be a neighbour.
    panel.write_text(panel.read_text().replace("in self._own_temporary_files():", "in []:"))
    return folder


class ByHand:
    """A person with a checkout (``content``) and a login on one server."""

    def __init__(self, server: SandboxServer, folder: Path, content: Path = ROOT) -> None:
        self._folder, self._content = folder, content
        folder.mkdir(parents=True)
        (folder / "known_hosts").write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
        host = {
            "ansible_host": server.address,
            "ansible_port": server.port,
            "ansible_user": server.user,
            "ansible_ssh_private_key_file": str(server.folder / "login_key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder}/known_hosts",
        }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {server.name: host}}}))

    def run(self, tasks: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
        """One play to its end."""
        play = self._folder / "play.yml"
        play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        return subprocess.run(
            ["ansible-playbook", "-i", str(self._folder / "hosts.json"), str(play)],
            cwd=self._content,
            env={**os.environ, "ANSIBLE_CONFIG": str(self._content / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
