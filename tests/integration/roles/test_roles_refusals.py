"""Bad and hostile values, busy and broken servers: the right kind of failure, in words, with nothing changed."""

from __future__ import annotations

import fcntl
import json
import subprocess
import time
from pathlib import Path

import pytest

from controller.sandbox.inspection import without_volatile
from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import Driver, Step, account, run_module, start_module, zone_records

HOSTILE = [
    "$(touch {trap})",
    "--help",
    "a\nb",
    # One kind of each is enough for the short run.
    pytest.param("`touch {trap}`", marks=pytest.mark.long),
    pytest.param("a'; touch {trap}; '", marks=pytest.mark.long),
    pytest.param("../../x", marks=pytest.mark.long),
    pytest.param('a" b', marks=pytest.mark.long),
    pytest.param("a;touch {trap}", marks=pytest.mark.long),
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values(driver: Driver, server: SandboxServer, name: str, tmp_path: Path, value: str) -> None:
    trap = tmp_path / "trap"
    value = value.replace("{trap}", str(trap))
    driver.good(account("web", name))
    before = without_volatile(server.state())
    domain = {"user": name, "domain": f"{name}.test"}
    records = zone_records(f"{name}.test")
    steps = {
        "name": Step("web.package", package=value),
        "limits": Step("web.package", package=name, limits={"WEB_DOMAINS": value}),
        "nameservers": Step("web.package", package=name, nameservers=[value]),
        "user": Step("web.domain", user=value, domain=f"{name}.test"),
        "domain": Step("web.domain", user=name, domain=value),
        "aliases": Step("web.domain", **domain, aliases=[value]),
        "backend_template": Step("web.domain", **domain, backend_template=value),
        "proxy_template": Step("web.domain", **domain, proxy_template=value),
        "ip": Step("web.domain", **domain, ip=value),
        "email": account("web", name, email=value),
        "package": account("web", name, package=value),
        "soa": Step("dns.zone", **domain, records=records, soa=value),
        "records": Step("dns.zone", **domain, records=[*records, {"name": value, "type": "A", "value": "192.0.2.1"}]),
    }
    play = driver.run(*steps.values())
    for (parameter, _), result in zip(steps.items(), play.results, strict=True):
        assert result["failed"], parameter
        assert result["error_class"] == "bad_argument", (parameter, result)
        assert result["msg"].startswith(parameter), (parameter, result["msg"])
    assert without_volatile(server.state()) == before
    assert not trap.exists()


def test_hostile_text_is_only_text(driver: Driver, server: SandboxServer, name: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    text = f"it's $(touch {trap}) `touch {trap}` ; & | < > * ~ %s %n !"
    records = [*zone_records(f"{name}.test"), {"name": "t", "type": "TXT", "value": text}]
    password = f"p'a\"s;s$(touch {trap})`w`"
    driver.twice(
        account("web", name, password=password, full_name="-n O'Brien; $HOME".replace("$", "")),
        Step("dns.zone", user=name, domain=f"{name}.test", records=records),
    )
    line = ["dig", f"@{server.address}", "-p", str(server.dns_port), "+short", f"t.{name}.test", "TXT"]
    answer = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    assert answer.replace("\\;", ";") == f'"{text}"'
    assert not trap.exists()


def test_bad_records_are_named_and_nothing_is_written(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    good = [record for record in zone_records(domain) if record["name"] != "*"]
    driver.good(account("dns", name), Step("dns.zone", user=name, domain=domain, records=good))
    before = without_volatile(server.state())
    bad = {
        "records[13]": {"name": "x", "type": "A", "value": "192.0.2.300"},
        "CNAME and other data": {"name": "mail", "type": "CNAME", "value": domain},
        "ns9": {"name": "@", "type": "NS", "value": f"ns9.nowhere.{domain}"},
    }
    play = driver.run(
        *(Step("dns.zone", user=name, domain=domain, records=[*good, record]) for record in bad.values()),
        Step("dns.zone", user=name, domain=domain, records=good[2:]),
    )
    assert [result["error_class"] for result in play.results] == ["bad_argument"] * 4
    for words, message in zip(bad, play.failures, strict=False):
        assert words in message
    assert without_volatile(server.state()) == before


def test_what_is_not_there(driver: Driver, name: str) -> None:
    play = driver.run(
        Step("web.domain", user=name, domain=f"{name}.test"),
        Step("mail.domain", user=name, domain=f"{name}.test"),
        Step("dns.zone", user=name, domain=f"{name}.test", records=zone_records(f"{name}.test")),
        account("web", name, package="nosuch"),
        account("web", name),
        Step("web.domain", user=name, domain=f"{name}.test", ip="192.0.2.99"),
        Step("web.certificate", user=name, domain=f"{name}.test"),
    )
    kinds = [result.get("error_class") for result in play.results]
    assert kinds == ["not_found"] * 4 + [None] + ["not_found"] * 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (2, "bad_argument"),
        (8, "no_room"),
        (14, "busy"),
        (12, "refused"),
        # A second code of a kind is for the long run.
        pytest.param(13, "no_room", marks=pytest.mark.long),
        pytest.param(15, "busy", marks=pytest.mark.long),
    ],
)
def test_exit_codes(driver: Driver, server: SandboxServer, name: str, code: int, kind: str) -> None:
    driver.good(account("web", name))
    server.faults.fail("v-add-web-domain", code, message="Error: the panel's words")
    result = driver.run(Step("web.domain", user=name, domain=f"{name}.test")).results[0]
    assert (result["error_class"], result["command"], result["exit_code"]) == (kind, "v-add-web-domain", code)
    assert "the panel's words" in result["msg"]


def lock_file(server: SandboxServer) -> Path:
    return server.root / "run/lock/hestia-fleet.lock"


def test_only_one_change_at_a_time(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(account("web", name))
    with lock_file(server).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        step = Step("web.domain", user=name, domain=f"{name}.test")
        look = driver.good(Step("web.domain", check=True, **step.variables))
        assert look.changed == [True]
        result = run_module(server, "hestia_web_domain", lock_timeout=1, **step.variables)
    assert (result["failed"], result["error_class"]) == (True, "busy")
    assert driver.good(step).changed == [True]


def test_a_command_left_running_is_waited_for(driver: Driver, server: SandboxServer, name: str) -> None:
    """The module is killed, its command goes on: the next module waits for its end and then looks."""
    driver.good(account("web", name))
    server.faults.hang("v-add-web-domain", 3, at="vhost")
    variables = {"user": name, "domain": f"{name}.test", "aliases": [f"www.{name}.test"]}
    module = start_module(server, "hestia_web_domain", **variables)
    deadline = time.monotonic() + 60
    while not json.loads(lock_file(server).read_text() or "{}").get("pid"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    module.kill()
    module.wait()
    note = json.loads(lock_file(server).read_text())
    assert note["command"] == "v-add-web-domain"
    assert f"{name}.test" not in server.state()["users"][name]["web"]
    result = driver.twice(Step("web.domain", **variables)).results[0]
    assert result["actions"].count("v-add-web-domain") == 0
    assert list(server.state()["users"][name]["web"]) == [f"{name}.test"]
    assert lock_file(server).read_text() == ""


def test_no_secret_stays_on_the_disk(driver: Driver, server: SandboxServer, name: str) -> None:
    secret = f"canary-{name}-1234"
    server.faults.die("v-add-user", "data")
    play = driver.run(account("web", name, password=secret))
    assert secret not in play.text
    left = [path for path in Path("/tmp").glob("hestia-fleet-*") if path.is_file() and secret in path.read_text()]
    assert left == []
    for path in server.root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1_000_000:
            assert secret.encode() not in path.read_bytes(), path
