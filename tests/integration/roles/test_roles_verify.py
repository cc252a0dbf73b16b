"""One look at many resources finds what a look at each of them finds."""

from __future__ import annotations

import fcntl
import re
import threading
import time
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest

from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import ROOT, run_module, zone_records

if str(ROOT / "module_utils") not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
from ansible.module_utils import (
    hestia_certificate,
    hestia_dns,
    hestia_mail,
    hestia_packages,
    hestia_still,
    hestia_users,
    hestia_verify,
    hestia_web,
)
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.hestia_converge import converge
from ansible.module_utils.hestia_panel import Panel, PanelError

PLAIN = {
    "web.package": hestia_packages.Package,
    "web.account": hestia_users.User,
    "web.domain": hestia_web.WebDomain,
    "web.certificate": hestia_certificate.WebCertificate,
    "mail.domain": hestia_mail.MailDomain,
    "dns.zone": hestia_dns.DnsZone,
}
MODULES = dict(
    zip(
        PLAIN,
        ("package", "user", "web_domain", "web_certificate", "mail_domain", "dns_zone"),
        strict=True,
    )
)


@pytest.fixture
def wishes(server: SandboxServer, name: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Everything of a service, as it is on the server."""
    monkeypatch.setenv("HESTIA", str(server.hestia))
    user, domain = {"user": name}, {"user": name, "domain": f"{name}.test"}
    options: dict[str, dict[str, Any]] = {
        "web.package": {"package": name, "limits": {"WEB_DOMAINS": 3}},
        "web.account": {**user, "package": name, "email": f"ops@{name}.test", "password": "Secret.aB3x"},
        "web.domain": {**domain, "aliases": [f"www.{name}.test"]},
        "web.certificate": domain,
        "mail.domain": {**domain, "dkim": True},
        "dns.zone": {**domain, "records": zone_records(f"{name}.test"), "soa": "ns1.fleet.test", "ttl": 3600},
    }
    for action, given in options.items():
        parameters = hestia_verify.KINDS[action].parameters(given)
        done = run_module(server, f"hestia_{MODULES[action]}", **parameters)
        assert done["changed"], done
    return [{"action": action, "name": action, "options": given} for action, given in options.items()]


def alone(wish: dict[str, Any]) -> tuple[str, str]:
    """What the resource's own module says, in check mode."""
    kind = hestia_verify.KINDS[wish["action"]]
    valid = ArgumentSpecValidator(kind.spec).validate(kind.parameters(wish["options"]))
    try:
        found = converge(PLAIN[wish["action"]](Panel(check_mode=True), valid.validated_parameters))
    except PanelError as error:
        return "failed", error.message
    return ("differs", str(found["diff"])) if found["changed"] else ("same", "")


def together(wishes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What one look at all of them says."""
    result = hestia_verify.verify(hestia_still.StillPanel(), wishes)
    found = {one["name"]: ("differs", str(one["diff"])) for one in result["differences"]}
    found |= {one["name"]: ("failed", one["msg"]) for one in result["failures"]}
    return [found.get(wish["name"], ("same", "")) for wish in wishes]


def change(path: Path, pattern: str, instead: str) -> None:
    text = path.read_text()
    changed = re.sub(pattern, lambda _: instead, text, count=1, flags=re.MULTILINE | re.DOTALL)
    assert changed != text, (path, pattern)
    path.write_text(changed)


def test_each_damage_is_seen_as_by_its_own_module(
    server: SandboxServer, name: str, wishes: list[dict[str, Any]]
) -> None:
    root, data = server.root, server.hestia / "data"
    mine, domain = data / "users" / name, f"{name}.test"
    other = f"{name}x"
    assert server.panel("v-add-user", other, "Secret.aB3x", f"ops@{other}.test").returncode == 0
    damages: dict[str, list[tuple[Path, str, str]]] = {
        "nothing": [(mine / "history.log", r"\Z", "#")],
        "limit": [(data / f"packages/{name}.pkg", r"WEB_DOMAINS='3'", "WEB_DOMAINS='9'")],
        "alias": [(mine / "web.conf", rf"ALIAS='www\.{domain}'", "ALIAS=''")],
        "passwd": [(root / "etc/passwd", rf"^{name}:[^\n]*\n", "")],
        "jail": [(root / "etc/ssh/sshd_config", rf"{name},?", "")],
        "counted": [(data / "users/admin/user.conf", r"U_USERS='\d+'", "U_USERS='0'")],
        "owner": [
            (mine / "web.conf", r"\A.*\Z", ""),
            (data / f"users/{other}/web.conf", r"\A", f"DOMAIN='x.test' ALIAS='{domain}'\n"),
        ],
        "foreign zone": [(data / f"users/{other}/dns.conf", r"\A", f"DOMAIN='{domain}'\n")],
        "foreign mail": [
            (mine / "mail.conf", r"\A.*\Z", ""),
            (data / f"users/{other}/mail.conf", r"\A", f"DOMAIN='{domain}'\n"),
        ],
        "public key": [(mine / f"mail/{domain}.pub", r"\A.*\Z", "x")],
        "private key": [(mine / f"mail/{domain}.pem", r"(\n[^\n]+){4}", "")],
        "certificate": [(mine / f"ssl/{domain}.crt", r"(\n[^\n]+){4}", "")],
        "key": [(mine / f"ssl/{domain}.key", r"\A.*\Z", (mine / f"mail/{domain}.pem").read_text())],
        "row": [(mine / f"dns/{domain}.conf", r"VALUE='192\.0\.2\.12'", "VALUE='192.0.2.99'")],
        "zone file": [(root / f"home/{name}/conf/dns/{domain}.db", r"192\.0\.2\.12", "192.0.2.99")],
        "named": [(root / "etc/bind/named.conf", rf'^zone "{domain}"[^\n]*\n', "")],
        "suspended": [(mine / "user.conf", r"SUSPENDED='no'", "SUSPENDED='yes'")],
    }
    seen = {}
    for what, changes in damages.items():
        sound = {path: path.read_bytes() for path, _, _ in changes}
        for path, pattern, instead in changes:
            change(path, pattern, instead)
        try:
            seen[what] = together(wishes)
            assert seen[what] == [alone(wish) for wish in wishes], what
        finally:
            for path, content in sound.items():
                path.write_bytes(content)
    assert [what for what, found in seen.items() if set(found) == {("same", "")}] == ["nothing"]


def test_what_is_half_written_by_a_change_under_way_is_no_difference(
    server: SandboxServer, name: str, wishes: list[dict[str, Any]]
) -> None:
    path = server.hestia / f"data/users/{name}/web.conf"
    sound = path.read_text()
    path.write_text(sound.replace(f"ALIAS='www.{name}.test'", "ALIAS=''"))
    with (server.root / "run/lock/hestia-fleet.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def end() -> None:
            path.write_text(sound)
            fcntl.flock(lock, fcntl.LOCK_UN)

        threading.Timer(1.0, end).start()
        begun = time.monotonic()
        found = together(wishes)
    assert time.monotonic() - begun > 0.9
    assert set(found) == {("same", "")}
