"""What a killed panel command leaves behind, at every point where it can die, and how a role makes it whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from controller.sandbox.faults import POINTS
from controller.sandbox.inspection import without_volatile
from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import Driver, Step, account, zone_records

Make = Callable[[str], list[Step]]
Line = Callable[[str], list[str]]


def shown(server: SandboxServer, name: str) -> str:
    """All that the server has of an account, with its name replaced, to compare it with another one's."""
    state = without_volatile(server.state())
    own: dict[str, Any] = {
        "user": state["users"].get(name),
        "home": name in state["homes"],
        "jail": name in state["jail"],
        "system": name in state["passwd"],
        "zones": {zone: lines for zone, lines in state["zones"].items() if name in zone},
        "pools": [pool for pool in state["pools"] if name in pool],
        "vhosts": [vhost for vhost in state["vhosts"] if name in vhost],
    }
    for records in own["user"]["dns_records"].values() if own["user"] else []:
        for record in records:
            del record["ID"]
        records.sort(key=lambda record: sorted(record.items()))
    text = json.dumps(own, sort_keys=True, indent=1).replace(name, "NAME")
    return re.sub(r'"U_DISK(_\w+)?": "\d+",?', "", text)


def account_of(area: str) -> Make:
    return lambda name: [account(area, name)]


def web(name: str, **more: Any) -> Step:
    return Step("web.domain", user=name, domain=f"{name}.test", aliases=[f"www.{name}.test"], **more)


def mail(name: str, **more: Any) -> Step:
    return Step("mail.domain", user=name, domain=f"{name}.test", **more)


def zone(name: str, **more: Any) -> Step:
    return Step("dns.zone", user=name, domain=f"{name}.test", records=zone_records(f"{name}.test"), **more)


def everything(name: str) -> list[Step]:
    return [account("web", name), web(name), mail(name), zone(name)]


ABSENT, SUSPENDED = {"state": "absent"}, {"state": "suspended"}

# The command that dies, what is there before it, its arguments, and the steps that must make all whole.
CASES: dict[str, tuple[Make, Line, Make]] = {
    "v-add-user": (
        lambda name: [],
        lambda name: [name, f"Secret.{name}", f"{name}@fleet.test", "default", "Acme Ltd"],
        lambda name: [account("web", name)],
    ),
    "v-delete-user": (everything, lambda name: [name], lambda name: [Step("web.account", user=name, **ABSENT)]),
    "v-suspend-user": (everything, lambda name: [name], lambda name: [Step("web.account", user=name, **SUSPENDED)]),
    "v-add-web-domain": (
        account_of("web"),
        lambda name: [name, f"{name}.test", "192.0.2.11", "", f"www.{name}.test"],
        lambda name: [web(name)],
    ),
    "v-delete-web-domain": (
        lambda name: [account("web", name), web(name)],
        lambda name: [name, f"{name}.test"],
        lambda name: [web(name, **ABSENT)],
    ),
    "v-suspend-web-domain": (
        lambda name: [account("web", name), web(name)],
        lambda name: [name, f"{name}.test"],
        lambda name: [web(name)],
    ),
    "v-add-web-domain-ssl": (
        lambda name: [account("web", name), web(name)],
        lambda name: [name, f"{name}.test", "/nonexistent"],
        lambda name: [Step("web.certificate", user=name, domain=f"{name}.test")],
    ),
    "v-add-mail-domain": (
        account_of("mail"), lambda name: [name, f"{name}.test"], lambda name: [mail(name)],
    ),
    "v-delete-mail-domain": (
        lambda name: [account("mail", name), mail(name)],
        lambda name: [name, f"{name}.test"],
        lambda name: [mail(name, **ABSENT)],
    ),
    "v-suspend-mail-domain": (
        lambda name: [account("mail", name), mail(name)],
        lambda name: [name, f"{name}.test"],
        lambda name: [mail(name)],
    ),
    "v-add-dns-domain": (
        account_of("dns"), lambda name: [name, f"{name}.test", "192.0.2.11"], lambda name: [zone(name)],
    ),
    "v-rebuild-dns-domain": (
        lambda name: [account("dns", name), zone(name)],
        lambda name: [name, f"{name}.test", "", "no"],
        lambda name: [zone(name)],
    ),
    "v-delete-dns-domain": (
        lambda name: [account("dns", name), zone(name)],
        lambda name: [name, f"{name}.test"],
        lambda name: [zone(name, **ABSENT)],
    ),
}  # fmt: skip


def commands(*short: str, left_out: str = "") -> list[ParameterSet]:
    """The commands of CASES; all but the short ones run in `make test-long`."""
    wanted = [name for name in CASES if name != left_out]
    return [pytest.param(name, marks=() if name in short else pytest.mark.long) for name in wanted]


@pytest.mark.parametrize("command", commands("v-add-user", "v-add-web-domain", left_out="v-add-web-domain-ssl"))
def test_by_hand_killed(driver: Driver, server: SandboxServer, fresh: Callable[[], str], command: str) -> None:
    """Staff's own command died at each point; the roles come later and find only what is left."""
    before, line, heal = CASES[command]
    names = {point: fresh() for point in ("", *POINTS[command], "end")}
    driver.good(*(step for name in names.values() for step in before(name)))
    for point, name in names.items():
        if point:
            server.faults.die(command, point)
            assert server.panel(command, *line(name)).returncode != 0, point
    play = driver.twice(*(step for name in names.values() for step in heal(name)))
    assert command == "v-suspend-user" or any(result["repaired"] for result in play.results)
    whole = shown(server, names[""])
    for point, name in names.items():
        assert shown(server, name) == whole, f"died at {point}"
    check_counters(server)


@pytest.mark.parametrize("command", commands("v-add-mail-domain", "v-rebuild-dns-domain"))
def test_killed_under_the_role(driver: Driver, server: SandboxServer, fresh: Callable[[], str], command: str) -> None:
    """The command that the role itself runs is killed: the same run makes it whole."""
    before, _, heal = CASES[command]
    for point in list(POINTS[command])[:: max(1, len(POINTS[command]) // 2)]:
        clean, name = fresh(), fresh()
        steps = [*before(clean), *heal(clean), *before(name)]
        driver.good(*steps)
        server.faults.die(command, point)
        play = driver.twice(*heal(name))
        used = command in play.results[0]["actions"]
        server.faults.clear()
        if used:
            assert shown(server, name) == shown(server, clean), f"died at {point}"
    check_counters(server)


def check_counters(server: SandboxServer) -> None:
    """The administrator's and the address's counters fit what is there."""
    state = server.state()
    assert state["users"]["admin"]["conf"]["U_USERS"] == str(len(state["users"]))
    domains = [domain for user in state["users"].values() for domain in user["web"]]
    assert state["ips"]["192.0.2.11"]["U_WEB_DOMAINS"] == str(len(domains))


def test_exit_20_means_all_made(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(account("web", name))
    server.faults.fail("v-add-web-domain", 20)
    server.faults.fail("v-add-mail-domain", 20)
    play = driver.twice(web(name), mail(name))
    assert play.results[0]["actions"][:3] == ["v-add-web-domain", "v-restart-web", "v-restart-proxy"]
    assert "reload of web and proxy" in play.results[0]["repaired"]


def test_a_reload_that_keeps_failing_is_told(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(account("web", name))
    server.faults.fail("v-add-web-domain", 20)
    server.faults.fail("v-restart-web", 20, times=2)
    play = driver.run(web(name))
    assert play.results[0]["error_class"] == "restart_failed"
    assert play.results[0]["command"] == "v-restart-web"
    # The reload is still owed: the next run does it.
    server.faults.clear()
    assert "v-restart-web" in driver.twice(web(name)).results[0]["actions"]


def test_content_of_a_customer_is_kept(driver: Driver, server: SandboxServer, name: str) -> None:
    folder = server.root / "home" / name / "web" / f"{name}.test"
    driver.good(account("web", name))
    server.faults.die("v-add-web-domain", "vhost")
    server.panel("v-add-web-domain", name, f"{name}.test", "192.0.2.11")
    (folder / "public_html" / "index.php").write_text("<?php precious();")
    (folder / "private" / "deep").mkdir(parents=True)
    (folder / "private" / "deep" / "data").write_text("precious")
    result = driver.twice(web(name)).results[0]
    assert any("moved" in words for words in result["repaired"])
    assert (folder / "public_html" / "index.php").read_text() == "<?php precious();"
    assert (folder / "private" / "deep" / "data").read_text() == "precious"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_mailboxes_without_a_domain_are_kept(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(account("mail", name), mail(name))
    server.panel("v-add-mail-account", name, f"{name}.test", "info", "Mail.2026x")
    server.faults.die("v-delete-mail-domain", "record")
    server.panel("v-delete-mail-domain", name, f"{name}.test")
    assert server.state()["users"][name]["mail"] == {}
    driver.twice(mail(name))
    user = server.state()["users"][name]
    assert list(user["mail_accounts"][f"{name}.test"]) == ["info"]
    assert user["conf"]["U_MAIL_ACCOUNTS"] == "1"


def test_a_home_with_content_is_moved_aside(driver: Driver, server: SandboxServer, name: str) -> None:
    home = server.root / "home" / name
    home.mkdir()
    (home / "letter.txt").write_text("precious")
    result = driver.twice(account("web", name)).results[0]
    (moved,) = [path for path in home.parent.iterdir() if path.name.startswith(f"{name}.hestia-fleet-")]
    assert (moved / "letter.txt").read_text() == "precious"
    assert any(str(moved) in words for words in result["repaired"])


def test_doubled_and_missing_zone_lines(driver: Driver, server: SandboxServer, name: str) -> None:
    named = server.root / "etc/bind/named.conf"
    driver.good(account("dns", name), zone(name))
    (line,) = [text for text in named.read_text().splitlines(True) if f'"{name}.test"' in text]
    named.write_text(named.read_text() + line)
    assert driver.twice(zone(name)).results[0]["repaired"] == ["2 lines for the zone in named.conf"]
    named.write_text(named.read_text().replace(line, ""))
    assert driver.twice(zone(name)).results[0]["repaired"] == ["0 lines for the zone in named.conf"]


def test_files_lost_from_the_disk(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    driver.good(account("web", name), web(name), mail(name), zone(name))
    whole = shown(server, name)
    lost: list[Path] = [
        server.root / "etc/nginx/conf.d/domains" / f"{domain}.conf",
        server.root / "home" / name / "conf/mail" / domain / "passwd",
        server.root / "home" / name / "conf/dns" / f"{domain}.db",
        server.hestia / "data/users" / name / "mail" / f"{domain}.pub",
    ]
    for path in lost:
        path.unlink()
    driver.twice(web(name), mail(name), zone(name))
    assert all(path.exists() for path in lost)
    assert shown(server, name) == whole


def test_an_unusable_dkim_key_is_replaced(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(account("mail", name), mail(name))
    (server.hestia / "data/users" / name / "mail" / f"{name}.test.pem").write_text("")
    result = driver.twice(mail(name)).results[0]
    assert "unusable DKIM key" in result["repaired"]
    assert len(result["facts"]["dkim_public_key"]) > 300


def test_ninety_five_writes_a_day(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(account("dns", name), zone(name))
    conf = server.hestia / "data/users" / name / "dns.conf"
    serial = server.state()["users"][name]["dns"][f"{name}.test"]["SERIAL"]
    conf.write_text(conf.read_text().replace(serial, serial[:8] + "95"))
    server.panel("v-rebuild-dns-domain", name, f"{name}.test", "", "no")
    driver.twice(zone(name))
    play = driver.run(Step("dns.zone", user=name, domain=f"{name}.test", records=zone_records(f"{name}.test")[:4]))
    assert play.results[0]["error_class"] == "no_room"
    assert "95 times" in play.failures[0]
