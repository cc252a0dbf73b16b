"""The demo without a person: order, follow, look on the servers, order again, run again, terminate, look again."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from controller.sandbox.demo import PRODUCT, Demo
from controller.sandbox.server import SandboxServer

DOMAIN = "demo-check.test"
DEADLINE_SECONDS = 80.0


class CheckError(AssertionError):
    """Something that must hold does not."""


def expect(holds: object, words: str) -> None:
    """Raise CheckError with the words unless it holds."""
    if not holds:
        raise CheckError(words)


class Remote:
    """Looks at a server the way an administrator does: over SSH."""

    def __init__(self, server: SandboxServer, folder: Path) -> None:
        self.server = server
        known_hosts = folder / f"known_hosts-{server.name}"
        known_hosts.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
        key = folder / f"key-{server.name}"
        key.touch(mode=0o600)
        key.write_text(server.private_key)
        self._ssh = ["ssh", "-F", "/dev/null", "-i", str(key), "-p", str(server.port), "-l", server.user]
        for option in (
            f"UserKnownHostsFile={known_hosts}",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "ControlMaster=auto",
            f"ControlPath={folder}/%C",
            "ControlPersist=30",
        ):
            self._ssh += ["-o", option]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """One command on the server."""

        return subprocess.run(
            [*self._ssh, self.server.address, shlex.join(command)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *command: str) -> dict[str, Any]:
        """Answer of a ``v-list-...`` command, {} when it refuses."""
        done = self.run(*command, "json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def users(self) -> set[str]:
        """All panel users."""
        return set(self.json("v-list-users"))

    def close(self) -> None:
        """End the shared connection."""
        subprocess.run([*self._ssh, "-O", "exit", self.server.address], capture_output=True, check=False)


def run_check() -> dict[str, Any]:
    """Do all of it in a throw-away folder on free ports; returns seconds per step. Raises CheckError."""
    times: dict[str, Any] = {}

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        times[name] = round(time.perf_counter() - begin, 2)

    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hestia-fleet-") as folder, contextlib.ExitStack() as stack:
        demo = Demo(Path(folder) / "home")
        with step("start_s"):
            stack.enter_context(demo)
            client = stack.enter_context(demo.api("demo-check"))
            remotes = {server.name: Remote(server, Path(folder)) for server in demo.servers}
            for remote in remotes.values():
                stack.callback(remote.close)
        order = {
            "product": PRODUCT,
            "domain": DOMAIN,
            "customer": {"email": "check@demo.test", "name": "Demo Check"},
            "reference": "demo-check-1",
        }
        with step("order_s"):
            answer = client.post("/services", json=order)
        expect(answer.status_code == 202, f"the order was answered {answer.status_code}: {answer.text}")
        service_id = answer.json()["id"]
        with step("live_s"):
            service = follow(client, service_id, "active")
        with step("look_s"):
            look_present(service, remotes)
        with step("order_again_s"):
            again = client.post("/services", json=order)
            expect(again.status_code == 409, f"ordering the domain again was answered {again.status_code}")
        with step("run_again_s"):
            rerun(client, service_id)
        with step("terminate_s"):
            gone = client.post(f"/services/{service_id}/terminate")
            expect(gone.status_code == 202, f"terminate was answered {gone.status_code}: {gone.text}")
            follow(client, service_id, "terminated")
        with step("look_gone_s"):
            look_gone(service, remotes)
    times["total_s"] = round(time.perf_counter() - started, 2)
    return times


def follow(client: httpx2.Client, service_id: int, wanted: str, seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
    """Wait until the service has a status; an error or a time-out raises CheckError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        service = dict(client.get(f"/services/{service_id}").json())
        if service["status"] == wanted:
            return service
        if service["status"] == "error":
            tasks = client.get(f"/services/{service_id}/tasks").json()["items"]
            failed = [f"{t['action']} on {t['server']}: {t['error']}" for t in tasks if t["status"] == "failed"]
            raise CheckError(f"the service is in error: {'; '.join(failed)}")
        time.sleep(0.1)
    raise CheckError(f"the service is still {service['status']} after {seconds:.0f} s, wanted {wanted}")


def rerun(client: httpx2.Client, service_id: int) -> None:
    """Every task of the service again: nothing may change."""
    before = {task["id"] for task in client.get(f"/services/{service_id}/tasks?per_page=200").json()["items"]}
    answer = client.post(f"/services/{service_id}/redeploy")
    expect(answer.status_code == 202, f"redeploy was answered {answer.status_code}: {answer.text}")
    follow(client, service_id, "active")
    tasks = client.get(f"/services/{service_id}/tasks?per_page=200").json()["items"]
    new = [task for task in tasks if task["id"] not in before]
    expect(len(new) == len(before), f"{len(new)} tasks ran again, {len(before)} were there")
    changed = [f"{task['action']} on {task['server']}" for task in new if task["changed"]]
    expect(not changed, f"the second run changed something: {', '.join(changed)}")


def account(service: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """Accounts of a service that back a role."""
    return [entry for entry in service["accounts"] if role in entry["roles"]]


def look_present(service: dict[str, Any], remotes: dict[str, Remote]) -> None:
    """Accounts, domains, DKIM and the zone are on the servers, the same on both nameservers."""
    domain = service["domain"]
    (web,), (mail,) = account(service, "web"), account(service, "mail")
    on_web, on_mail = remotes[web["server"]], remotes[mail["server"]]
    expect(web["username"] in on_web.users(), f"no web account on {web['server']}")
    expect(mail["username"] in on_mail.users(), f"no mail account on {mail['server']}")
    vhost = on_web.json("v-list-web-domain", web["username"], domain).get(domain, {})
    expect(vhost.get("SUSPENDED") == "no" and vhost.get("SSL") == "yes", f"web domain: {vhost}")
    postbox = on_mail.json("v-list-mail-domain", mail["username"], domain).get(domain, {})
    expect(postbox.get("DKIM") == "yes", f"mail domain: {postbox}")
    pem = on_mail.json("v-list-mail-domain-dkim", mail["username"], domain)[domain]["PUB"]
    key = "".join(line for line in pem.splitlines() if "KEY" not in line)
    answers = []
    nameservers = account(service, "dns")
    expect(len(nameservers) == 2, f"{len(nameservers)} nameservers have the zone")
    for entry in nameservers:
        answers.append(served_records(remotes[entry["server"]], domain))
        text = "".join(answers[-1].get(("mail._domainkey", "TXT"), [])).replace('"', "").replace(" ", "")
        expect(f"p={key}" in text, f"{entry['server']} does not serve the DKIM key")
        expect(answers[-1].get(("@", "MX")), f"{entry['server']} serves no MX")
    expect(answers[0] == answers[1], "the nameservers serve different records")


def served_records(remote: Remote, domain: str) -> dict[tuple[str, str], list[str]]:
    """What a nameserver answers for the names a zone usually has."""
    port = remote.server.dns_port
    names = [("@", t) for t in ("NS", "A", "MX", "TXT", "CAA")]
    names += [(name, "A") for name in ("www", "mail", "ftp", "webmail", "autoconfig", "autodiscover")]
    names += [("_dmarc", "TXT"), ("mail._domainkey", "TXT"), ("_imaps._tcp", "SRV"), ("_submission._tcp", "SRV")]
    found = {}
    for name, kind in names:
        host = domain if name == "@" else f"{name}.{domain}"
        done = subprocess.run(
            ["dig", "+short", "+norecurse", f"@{remote.server.address}", "-p", str(port), host, kind],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        found[(name, kind)] = sorted(done.stdout.split("\n"))
    return found


def look_gone(service: dict[str, Any], remotes: dict[str, Remote]) -> None:
    """Nothing of the service is left on any server."""
    domain = service["domain"]
    for entry in service["accounts"]:
        remote, name = remotes[entry["server"]], entry["username"]
        expect(name not in remote.users(), f"{name} is still on {entry['server']}")
        expect(name not in remote.json("v-list-user-packages"), f"package {name} is still on {entry['server']}")
    for remote in remotes.values():
        left = json.dumps(remote.server.state())
        expect(domain not in left, f"{domain} is still somewhere on {remote.server.name}")
        if remote.server.dns_port:
            answers = [line for lines in served_records(remote, domain).values() for line in lines if line]
            expect(not answers, f"{remote.server.name} still answers for {domain}: {answers[:2]}")
