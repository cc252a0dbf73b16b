"""Roles run on the sandbox's nameservers by real Ansible, one entry point a play."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner

from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer

ROOT = Path(__file__).parents[3]


@dataclass
class Step:
    """An entry point with its variables (without the role's prefix), and how it is run."""

    entry: str
    variables: dict[str, Any]
    check: bool = False


def zone(domain: str, *, check: bool = False, **variables: Any) -> Step:
    return Step("zone", {"domain": domain, **variables}, check)


@dataclass
class Player:
    """Runs entry points of roles; everything that Ansible printed is kept in ``text``."""

    folder: Path
    text: str = ""

    def hestia(self, server: SandboxServer, *steps: Step) -> list[dict[str, Any]]:
        """The module's result of each step, with role hestia_dns."""
        known = self.folder / f"known-{server.name}"
        known.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
        host = {
            "ansible_host": server.address,
            "ansible_port": server.port,
            "ansible_user": server.user,
            "ansible_ssh_private_key_file": str(server.folder / "login_key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}",
            "hestia_dns_user": "acme",
        }
        return self._run(host, "hestia_dns", steps)

    def powerdns(self, server: SandboxPowerDns, *steps: Step) -> list[dict[str, Any]]:
        """The module's result of each step, with role powerdns."""
        return self._run(local(server), "powerdns", steps)

    def _run(self, host: dict[str, Any], role: str, steps: tuple[Step, ...]) -> list[dict[str, Any]]:
        place = write_play(self.folder, host, role, *steps)
        results: list[dict[str, Any]] = []

        def take(event: dict[str, Any]) -> bool:
            data = event.get("event_data", {})
            self.text += event.get("stdout", "") + json.dumps(data.get("res") or {}) + "\n"
            module = str(data.get("task_action", ""))
            if event["event"] in ("runner_on_ok", "runner_on_failed") and module.startswith(("hestia_", "powerdns_")):
                results.append({**data["res"], "failed": event["event"] == "runner_on_failed"})
            return False

        ansible_runner.run(
            private_data_dir=str(place),
            playbook=str(place / "play.yml"),
            inventory=str(place / "hosts.json"),
            envvars={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            settings={"pexpect_timeout": 0.2, "suppress_ansible_output": True},
            event_handler=take,
            quiet=True,
        )
        assert len(results) == len(steps), self.text
        return results


def write_play(folder: Path, host: dict[str, Any], role: str, *steps: Step) -> Path:
    """A folder with a playbook and an inventory; a step that fails does not stop the next ones."""
    place = Path(tempfile.mkdtemp(dir=folder))
    tasks = [
        {
            "ansible.builtin.include_role": {
                "name": role,
                "tasks_from": step.entry,
                "apply": {"check_mode": step.check, "diff": True, "ignore_errors": True},
            },
            "vars": {f"{role}_{key}": value for key, value in step.variables.items()},
        }
        for step in steps
    ]
    (place / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    (place / "hosts.json").write_text(json.dumps({"all": {"hosts": {"nameserver": host}}}))
    return place


def start_play(place: Path) -> subprocess.Popen[bytes]:
    """``ansible-playbook`` on its own, in a process group that can be killed."""
    return subprocess.Popen(
        ["ansible-playbook", "-i", str(place / "hosts.json"), str(place / "play.yml")],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def local(server: SandboxPowerDns) -> dict[str, Any]:
    """A host that is the controller itself."""
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "powerdns_api_url": server.api_url,
        "powerdns_api_key": server.api_key,
    }


def api(server: SandboxPowerDns, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """A call to PowerDNS past the module: status and answer."""
    request = urllib.request.Request(
        f"{server.api_url}/api/v1/servers/localhost{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"X-API-Key": server.api_key},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            said = answer.read()
            return answer.status, json.loads(said) if said else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def rich_records(domain: str) -> list[dict[str, Any]]:
    """All types, two nameservers inside the zone with their addresses, a delegation, and names of all kinds."""
    return [
        {"name": "@", "type": "NS", "value": f"ns1.{domain}."},
        {"name": "@", "type": "NS", "value": "ns2"},
        {"name": "ns1", "type": "A", "value": "192.0.2.31"},
        {"name": "ns2", "type": "A", "value": "192.0.2.32"},
        {"name": "ns2", "type": "AAAA", "value": "2001:db8::32"},
        {"name": "@", "type": "A", "value": "192.0.2.11"},
        {"name": "@", "type": "A", "value": "192.0.2.12"},
        {"name": "@", "type": "AAAA", "value": "2001:0DB8:0:0:0:0:0:11"},
        {"name": "www", "type": "CNAME", "value": "@"},
        {"name": "Away", "type": "CNAME", "value": "Host.Example.NET"},
        {"name": "@", "type": "MX", "value": "mail", "priority": 10},
        {"name": "@", "type": "MX", "value": "backup.example.net.", "priority": 20},
        {"name": "nomail", "type": "MX", "value": ".", "priority": 0},
        {"name": "mail", "type": "A", "value": "192.0.2.21", "ttl": 300},
        {"name": "*", "type": "A", "value": "192.0.2.13"},
        {"name": "*.dev", "type": "TXT", "value": "any of them"},
        {"name": "xn--bcher-kva", "type": "A", "value": "192.0.2.14"},
        {"name": "@", "type": "TXT", "value": "v=spf1 a mx ip4:192.0.2.21 -all"},
        {"name": "@", "type": "TXT", "value": "it's; a text, with (signs) & more: 100% $HOME `x` @ #"},
        {"name": "umlaut", "type": "TXT", "value": "Grüße, 世界"},
        {"name": "mail._domainkey", "type": "TXT", "value": "v=DKIM1; k=rsa; p=" + "Ab0+/" * 150},
        {"name": "_dmarc", "type": "TXT", "value": '"v=DMARC1; p=quarantine; " "rua=mailto:postmaster@example.net"'},
        {"name": "_sip._tcp", "type": "SRV", "value": "5 5060 mail", "priority": 10},
        {"name": "_sip._tcp", "type": "SRV", "value": "10 0 5061 sip.example.net."},
        {"name": "@", "type": "CAA", "value": '0 issue "letsencrypt.org"'},
        {"name": "@", "type": "CAA", "value": "0 iodef mailto:security@example.net"},
        {"name": "_443._tcp", "type": "TLSA", "value": "3 1 1 " + "AB" * 32},
        {"name": "1.0", "type": "PTR", "value": "host.example.net."},
        {"name": "sub", "type": "NS", "value": f"ns.sub.{domain}"},
        {"name": "sub", "type": "DS", "value": "12345 13 2 " + "0F" * 32},
        {"name": "ns.sub", "type": "A", "value": "192.0.2.41"},
    ]
