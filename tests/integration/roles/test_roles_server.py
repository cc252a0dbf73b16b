"""What is done with a server as a whole: its state, usage, counting, restarts, rebuilds, and one look at everything."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.sandbox.inspection import without_volatile
from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import Driver, Step, run_module

MB = 1024 * 1024
CHECK = {"_ansible_check_mode": True}


class Verify(Step):
    """The module that verifies many resources; it is no entry point of a role."""

    def task(self, number: int) -> dict[str, Any]:
        return {"name": f"step {number}", "hestia_verify": self.variables, "ignore_errors": True}


def panel(server: SandboxServer, *words: str) -> None:
    assert server.panel(*words).returncode == 0, words


def make_hosting(server: SandboxServer, user: str) -> str:
    """An account with a site, mail and a zone of the same name, made by the panel."""
    domain = f"{user}.test"
    panel(server, "v-add-user", user, f"Secret.{user}", f"ops@{domain}")
    panel(server, "v-add-web-domain", user, domain)
    panel(server, "v-add-mail-domain", user, domain)
    panel(server, "v-add-dns-domain", user, domain, "192.0.2.11")
    return domain


def fill_site(server: SandboxServer, user: str, megabytes: int) -> None:
    (server.root / f"home/{user}/web/{user}.test/public_html/big").write_bytes(b"x" * megabytes * MB)


def bytes_log(server: SandboxServer, domain: str) -> Path:
    return server.root / f"var/log/apache2/domains/{domain}.bytes"


def used(result: dict[str, Any], user: str) -> dict[str, Any]:
    (found,) = [each for each in result["facts"]["users"] if each["name"] == user]
    return dict(found)


def test_every_entry_point_over_ssh(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = make_hosting(server, name)
    panel(server, "v-change-sys-config-value", "SERVER_SMTP_PASSWD", "canary-1234")
    site = {"action": "web.domain", "name": domain, "options": {"user": name, "domain": domain}}
    play = driver.good(
        Step("server.status"),
        Step("server.usage"),
        Step("server.recount", users=[name]),
        Step("server.restart", service="nginx"),
        Step("server.rebuild", what="web", users=[name]),
        Verify("", resources=[site]),
    )
    panel(server, "v-change-sys-config-value", "SERVER_SMTP_PASSWD", "")
    assert play.changed == [False, False, True, True, True, False]
    assert [used(result, name)["web_domains"] for result in play.results[1:3]] == [1, 1]

    facts = play.results[0]["facts"]
    views = facts["views"]
    assert facts["missing"] == []
    assert 0 <= facts["cpu"] <= 100 and facts["uptime"] > 0
    assert views["config"]["WEB_SYSTEM"] == "apache2"
    assert views["config"]["SERVER_SMTP_PASSWD"] == "********" and "canary-1234" not in play.text
    assert {"default", "system"} <= {package["name"] for package in views["packages"]}
    (address,) = views["addresses"]
    assert (address["ip"], address["status"], address["owner"]) == ("192.0.2.11", "shared", "admin")
    assert name in address["users"] and address["web_domains"] >= 1
    assert {service["name"]: service["state"] for service in views["services"]} == facts["services"]
    assert {"name": "nginx", "what": "reverse proxy", "state": "running"}.items() <= views["services"][2].items()


def test_usage_of_all_accounts_and_counting_anew(server: SandboxServer, name: str) -> None:
    domain = make_hosting(server, name)
    panel(server, "v-add-mail-account", name, domain, "ann", "Sekret.2026x")
    fill_site(server, name, 3)
    bytes_log(server, domain).write_text(f"{5 * MB}\n{MB // 2}\n")
    half = server.hestia / f"data/users/{name}half"
    half.mkdir()
    (half / "user.conf").write_text("NAME='half'\n")
    # A counter that a killed command has taken out of the account's file.
    conf = server.hestia / f"data/users/{name}/user.conf"
    conf.write_text("".join(line for line in conf.read_text().splitlines(True) if not line.startswith("U_DISK_DIRS=")))

    first = run_module(server, "hestia_usage")
    before = used(first, name)
    assert (before["disk_web"], before["bandwidth"], before["quota"]) == (0, 0, None)
    kinds = ("web_domains", "web_aliases", "mail_domains", "mail_accounts", "dns_domains")
    assert [before[kind] for kind in kinds] == [1, 1, 1, 1, 1]
    assert before["dns_records"] == before["domains"]["dns"][domain] > 10
    assert [each for each in first["facts"]["broken"] if each["name"].startswith(name)] == [
        {"name": f"{name}half", "reason": "it is half made: its user.conf is missing or not finished"}
    ]
    look = run_module(server, "hestia_recount", users=[name], **CHECK)
    assert (look["changed"], look["actions"], used(look, name)) == (True, [], before)
    counted = run_module(server, "hestia_recount", users=[name])
    after = used(counted, name)
    assert counted["changed"] and after["domains"]["web"][domain]["disk"] == 4 and after["disk"] >= 4
    assert counted["repaired"] == [f"counters of {name}"] and "U_DISK_DIRS='1'" in conf.read_text()
    assert not run_module(server, "hestia_recount", users=[name])["changed"]

    # Half a MB waited in the log: counting often loses nothing.
    with bytes_log(server, domain).open("a") as log:
        log.write(f"{MB // 2}\n")
    everybody = run_module(server, "hestia_recount")
    (half / "user.conf").unlink()
    half.rmdir()
    if time.strftime("%d") != "01":
        assert (after["bandwidth"], used(everybody, name)["bandwidth"]) == (5, 6)
    assert run_module(server, "hestia_recount", users=[f"{name}x"])["error_class"] == "not_found"


def test_counting_that_is_killed_for_one_goes_on_for_the_others(
    server: SandboxServer, fresh: Callable[[], str]
) -> None:
    names = [fresh(), fresh()]
    for user in names:
        make_hosting(server, user)
        fill_site(server, user, 2)
    server.faults.die("v-update-web-domains-disk", "start")
    killed = run_module(server, "hestia_recount", users=names)
    assert (killed["failed"], killed["error_class"]) == (True, "inconsistent")
    assert killed["msg"] == f"1 of 2 failed: {names[0]}: v-update-web-domains-disk was killed by signal 9"
    assert [used(run_module(server, "hestia_usage"), user)["disk_web"] for user in names] == [0, 3]
    again = run_module(server, "hestia_recount", users=names)
    assert [used(again, user)["disk_web"] for user in names] == [3, 3]


def test_a_service_is_restarted_and_must_run(server: SandboxServer) -> None:
    panel(server, "v-stop-service", "vsftpd")
    look = run_module(server, "hestia_service", name="vsftpd", **CHECK)
    assert (look["changed"], look["actions"], look["facts"]["services"]["vsftpd"]) == (True, [], "stopped")
    done = run_module(server, "hestia_service", name="vsftpd")
    assert (done["changed"], done["actions"]) == (True, ["v-restart-service"])
    assert done["facts"]["services"]["vsftpd"] == "running"
    for name, words in {"nosuch": "the panel shows no service nosuch", "a; reboot": "is not a name"}.items():
        refused = run_module(server, "hestia_service", name=name)
        assert refused["error_class"] == "bad_argument" and words in refused["msg"]
    server.faults.fail("v-restart-service", 20, message="Error: ERROR: Restart of nginx failed.")
    assert run_module(server, "hestia_service", name="nginx")["error_class"] == "restart_failed"
    named = server.root / "etc/bind/named.conf"
    good = named.read_text()
    named.write_text(good + "nonsense;\n")
    left = run_module(server, "hestia_service", name="bind9")
    named.write_text(good)
    assert (left["error_class"], left["actions"]) == ("refused", [])
    assert "bind9 would not start again" in left["msg"] and "unknown option 'nonsense'" in left["msg"]
    assert run_module(server, "hestia_service", name="bind9")["actions"] == ["v-restart-service"]


def test_rebuilding(server: SandboxServer, fresh: Callable[[], str]) -> None:
    name, idle, second = fresh(), fresh(), fresh()
    domain, other = make_hosting(server, name), f"{second}.test"
    make_hosting(server, idle)
    panel(server, "v-suspend-user", idle)
    panel(server, "v-add-dns-domain", name, other, "192.0.2.11")
    panel(server, "v-suspend-dns-domain", name, other)
    for user in (name, idle):
        panel(server, "v-update-user-disk", user)
    whole = without_volatile(server.state())
    for path in (f"home/{name}/conf/dns/{domain}.db", f"etc/nginx/conf.d/domains/{domain}.conf"):
        (server.root / path).unlink()
    (server.root / f"etc/exim4/domains/{domain}").unlink()
    broken = without_volatile(server.state())

    users = [name, idle]
    looks = [run_module(server, "hestia_rebuild", what=what, users=users, **CHECK) for what in ("web", "dns", "users")]
    assert [look["changed"] for look in looks] == [True] * 3
    assert looks[1]["diff"]["after"] == {"rebuilt": [f"{name} {domain}"]}
    assert without_volatile(server.state()) == broken

    done = {
        what: run_module(server, "hestia_rebuild", what=what, users=users) for what in ("web", "mail", "dns", "users")
    }
    suspended = {"name": idle, "reason": "the account is suspended"}
    zone = {"name": f"{name} {other}", "reason": "it is suspended"}
    assert {what: result["facts"] for what, result in done.items()} == {
        "web": {"rebuilt": 1, "skipped": [suspended]},
        "mail": {"rebuilt": 1, "skipped": [suspended]},
        "dns": {"rebuilt": 1, "skipped": [zone, suspended]},
        "users": {"rebuilt": 1, "skipped": [suspended]},
    }
    reloads = ["v-restart-web-backend", "v-restart-web", "v-restart-proxy"]
    assert done["web"]["actions"] == ["v-rebuild-web-domain", *reloads]
    # Counters too: the panel's rebuild of one zone sets them from that zone alone.
    assert without_volatile(server.state()) == whole
    assert (server.root / f"etc/exim4/domains/{domain}").is_symlink()


def test_rebuilding_says_what_came_to_nothing(server: SandboxServer, fresh: Callable[[], str]) -> None:
    names = [fresh(), fresh()]
    for user in names:
        make_hosting(server, user)
    server.faults.fail("v-rebuild-web-domain", 12, message="Error: no such template")
    server.faults.die("v-rebuild-dns-domain", "record")
    failed = run_module(server, "hestia_rebuild", what="web", users=names)
    assert failed["error_class"] == "refused"
    assert failed["msg"].startswith(f"1 of 2 failed: {names[0]} {names[0]}.test: v-rebuild-web-domain ended with 12")
    assert run_module(server, "hestia_rebuild", what="dns", users=names)["error_class"] == "inconsistent"
    assert f"{names[0]}.test" not in server.state()["zones"]
    again = run_module(server, "hestia_rebuild", what="dns", users=names)
    assert again["facts"] == {"rebuilt": 2, "skipped": []}
    assert [server.state()["zones"][f"{user}.test"] for user in names] == [1, 1]
    assert run_module(server, "hestia_rebuild", what="web", users=[f"{names[0]}x"])["error_class"] == "not_found"


def test_one_look_at_everything(server: SandboxServer, name: str) -> None:
    domain, secret = make_hosting(server, name), f"canary-{name}-secret"
    records = [{"name": "@", "type": "NS", "value": "ns1.fleet.test"}, {"name": "@", "type": "A", "value": "192.0.2.1"}]
    zone = {"user": name, "domain": domain, "records": records}
    assert run_module(server, "hestia_dns_zone", **zone)["changed"]
    right = {
        "web.account": {"user": name, "package": "default", "password": secret, "email": f"ops@{domain}"},
        "web.domain": {"user": name, "domain": domain, "aliases": [f"www.{domain}"]},
        "mail.domain": {"user": name, "domain": domain},
        "dns.zone": {**zone, "ip": ""},
    }
    resources = [{"action": action, "name": action, "options": options} for action, options in right.items()]
    before = server.state()
    calm = run_module(server, "hestia_verify", resources=resources)
    assert (calm["changed"], calm["checked"], calm["differences"], calm["failures"]) == (False, 4, [], [])

    other = {
        "new": ("web.domain", {"user": name, "domain": f"new.{domain}"}),
        "keys": ("mail.domain", {"user": name, "domain": domain, "dkim": False}),
        "limits": ("dns.package", {"package": name, "limits": {"DNS_DOMAINS": 3}, "user": name}),
        "gone": ("web.account", {"user": f"{name}x", "password": secret, "email": secret}),
        "bad": ("web.domain", {"domain": domain, "state": "half"}),
        "odd": ("web.nonsense", {"password": secret}),
        "nobody": ("dns.zone", {**zone, "user": f"{name}x"}),
    }
    resources += [{"action": action, "name": word, "options": options} for word, (action, options) in other.items()]
    found = run_module(server, "hestia_verify", resources=resources, _ansible_diff=True)
    assert "failed" not in found and (found["changed"], found["checked"]) == (True, 11)
    assert [each["name"] for each in found["differences"]] == ["new", "keys", "limits"]
    diff = found["differences"][1]["diff"]
    assert (diff["before"]["dkim"], diff["after"]["dkim"]) == (True, False)
    assert [shown["before_header"] for shown in found["diff"]] == [
        "web.domain new",
        "mail.domain keys",
        "dns.package limits",
    ]
    classes = {each["name"]: each["error_class"] for each in found["failures"]}
    assert classes == {"gone": "bad_argument", "bad": "bad_argument", "odd": "bad_argument", "nobody": "not_found"}
    assert secret not in str(found)
    assert server.state() == before
