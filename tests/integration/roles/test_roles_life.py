"""The life of every resource: create, again, change, again, suspend, back, delete, again; and each in check mode."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import Driver, Step, account, zone_records

SUSPENDED, ABSENT = {"state": "suspended"}, {"state": "absent"}


def test_package(driver: Driver, server: SandboxServer, name: str) -> None:
    limits = {"WEB_DOMAINS": 3, "DISK_QUOTA": 1000, "BACKUPS_INCREMENTAL": False}
    step = Step("web.package", package=name, limits=limits, nameservers=["ns1.fleet.test", "ns2.fleet.test."])
    look = driver.good(Step("web.package", check=True, **step.variables))
    assert look.changed == [True]
    assert look.results[0]["diff"]["before"] == {}
    assert look.results[0]["diff"]["after"]["WEB_DOMAINS"] == "3"
    assert name not in server.state()["packages"]

    driver.twice(step)
    package = server.state()["packages"][name]
    assert package["WEB_DOMAINS"] == "3"
    assert package["DISK_QUOTA"] == "1000"
    assert package["NS"] == "ns1.fleet.test,ns2.fleet.test"
    assert package["SHELL"] == "nologin"
    assert package["MAIL_DOMAINS"] == server.state()["packages"]["default"]["MAIL_DOMAINS"]

    wider = Step("web.package", package=name, limits={**limits, "WEB_DOMAINS": "unlimited"})
    assert driver.twice(wider).changed == [True]
    assert server.state()["packages"][name]["WEB_DOMAINS"] == "unlimited"

    gone = Step("web.package", package=name, **ABSENT)
    assert driver.twice(gone).results[0]["actions"] == ["v-delete-user-package"]
    assert name not in server.state()["packages"]


def test_a_package_in_use_stays(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(Step("web.package", package=name), account("web", name, package=name))
    play = driver.run(Step("web.package", package=name, **ABSENT), Step("web.package", package="default", **ABSENT))
    assert [result["error_class"] for result in play.results] == ["refused", "refused"]
    assert {name, "default"} <= set(server.state()["packages"])


def test_account(driver: Driver, server: SandboxServer, name: str) -> None:
    driver.good(Step("web.package", package=name, limits={"WEB_DOMAINS": 1}))
    step = account("web", name, package=name, full_name="Conan O'Brien")
    look = driver.good(Step("web.account", check=True, **step.variables))
    assert look.results[0]["diff"]["after"]["limits"]["WEB_DOMAINS"] == "1"
    assert name not in server.state()["users"]

    first = driver.twice(step)
    assert first.results[0]["facts"]["home"].endswith(f"/home/{name}")
    conf = server.state()["users"][name]["conf"]
    assert (conf["PACKAGE"], conf["WEB_DOMAINS"], conf["NAME"]) == (name, "1", "Conan O\u2019Brien")
    assert name in server.state()["jail"]

    driver.good(Step("web.package", package=name, limits={"WEB_DOMAINS": 7}))
    assert driver.twice(step).results[0]["actions"] == ["v-change-user-package"]
    assert server.state()["users"][name]["conf"]["WEB_DOMAINS"] == "7"

    renamed = account("web", name, package=name, full_name="Acme Holding", email="new@fleet.test")
    assert driver.twice(renamed).changed == [True]
    conf = server.state()["users"][name]["conf"]
    assert (conf["NAME"], conf["CONTACT"]) == ("Acme Holding", "new@fleet.test")

    driver.twice(Step("web.account", user=name, **SUSPENDED))
    assert server.state()["users"][name]["conf"]["SUSPENDED"] == "yes"
    driver.twice(Step("web.account", user=name))
    assert server.state()["users"][name]["conf"]["SUSPENDED"] == "no"

    look = driver.good(Step("web.account", check=True, user=name, **ABSENT))
    assert look.changed == [True]
    assert name in server.state()["users"]
    driver.twice(Step("web.account", user=name, **ABSENT))
    state = server.state()
    assert name not in state["users"] and name not in state["passwd"] and name not in state["homes"]


def test_an_account_needs_a_password_only_to_be_made(driver: Driver, name: str) -> None:
    play = driver.run(Step("web.account", user=name, email="a@fleet.test"))
    assert play.results[0]["error_class"] == "bad_argument"
    assert "password" in play.failures[0]
    driver.good(account("web", name), Step("web.account", user=name, email="b@fleet.test"))


@pytest.mark.parametrize("user", ["admin", "root"])
def test_the_servers_own_accounts_are_left_alone(driver: Driver, server: SandboxServer, user: str) -> None:
    play = driver.run(Step("web.account", user=user, **ABSENT), Step("web.account", user=user, **SUSPENDED))
    assert [result["error_class"] for result in play.results] == ["refused", "refused"]
    assert "admin" in server.state()["users"]


def test_web_domain(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    driver.good(account("web", name))
    step = Step("web.domain", user=name, domain=domain, aliases=[f"www.{domain}", f"cdn.{domain}"])
    look = driver.good(Step("web.domain", check=True, **step.variables))
    assert look.results[0]["diff"]["after"]["aliases"] == [f"cdn.{domain}", f"www.{domain}"]
    assert server.state()["users"][name]["web"] == {}

    facts = driver.twice(step).results[0]["facts"]
    assert facts["ip"] == "192.0.2.11"
    assert facts["document_root"].endswith(f"/home/{name}/web/{domain}/public_html/")
    record = server.state()["users"][name]["web"][domain]
    assert sorted(record["ALIAS"].split(",")) == [f"cdn.{domain}", f"www.{domain}"]

    other = Step(
        "web.domain", user=name, domain=domain, aliases=[f"shop.{domain}"], backend_template="PHP-8_2",
        proxy_template="caching",
    )  # fmt: skip
    assert driver.twice(other).changed == [True]
    record = server.state()["users"][name]["web"][domain]
    assert (record["ALIAS"], record["BACKEND"], record["PROXY"]) == (f"shop.{domain}", "PHP-8_2", "caching")

    driver.twice(Step("web.domain", user=name, domain=domain, **SUSPENDED))
    assert server.state()["users"][name]["web"][domain]["SUSPENDED"] == "yes"
    driver.twice(Step("web.domain", user=name, domain=domain))
    assert server.state()["users"][name]["web"][domain]["SUSPENDED"] == "no"
    assert server.state()["users"][name]["web"][domain]["ALIAS"] == f"shop.{domain}"

    driver.twice(Step("web.domain", user=name, domain=domain, **ABSENT))
    state = server.state()
    assert state["users"][name]["web"] == {} and state["users"][name]["web_folders"] == []
    assert f"{domain}.conf" not in state["vhosts"] and domain not in state["pools"]


def test_certificate(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    driver.good(account("web", name), Step("web.domain", user=name, domain=domain, aliases=[f"www.{domain}"]))
    step = Step("web.certificate", user=name, domain=domain)
    assert driver.good(Step("web.certificate", check=True, **step.variables)).changed == [True]
    facts = driver.twice(step).results[0]["facts"]
    assert facts["tls"] == "self-signed"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", facts["not_after"])
    stored = server.hestia / "data/users" / name / "ssl" / f"{domain}.crt"
    line = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(stored)]
    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert f"DNS:{domain}, DNS:www.{domain}" in shown
    assert driver.good(Step("web.domain", user=name, domain=domain)).changed == [False]
    driver.twice(Step("web.certificate", user=name, domain=domain, **ABSENT))
    assert server.state()["users"][name]["web"][domain]["SSL"] == "no"


def test_mail_domain(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    driver.good(account("mail", name))
    step = Step("mail.domain", user=name, domain=domain)
    assert driver.good(Step("mail.domain", check=True, **step.variables)).changed == [True]
    assert server.state()["users"][name]["mail"] == {}

    facts = driver.twice(step).results[0]["facts"]
    assert (facts["ip"], facts["hostname"], facts["dkim_selector"]) == ("192.0.2.11", "server.fleet.test", "mail")
    public = (server.hestia / "data/users" / name / "mail" / f"{domain}.pub").read_text()
    assert facts["dkim_public_key"] == "".join(line for line in public.split("\n") if "---" not in line)

    no_dkim = Step("mail.domain", user=name, domain=domain, dkim=False)
    assert "dkim_public_key" not in driver.twice(no_dkim).results[0]["facts"]
    again = driver.twice(step).results[0]["facts"]["dkim_public_key"]
    assert again and again != facts["dkim_public_key"]

    driver.twice(Step("mail.domain", user=name, domain=domain, **SUSPENDED))
    link = server.root / "etc/exim4/domains" / domain
    assert not link.is_symlink()
    assert driver.twice(step).results[0]["facts"]["dkim_public_key"] == again
    assert link.is_symlink()

    driver.twice(Step("mail.domain", user=name, domain=domain, **ABSENT))
    user = server.state()["users"][name]
    assert user["mail"] == {} and user["dkim"] == [] and user["mail_conf"] == {}
    assert not link.is_symlink()


def dig(server: SandboxServer, name: str, kind: str) -> str:
    line = ["dig", f"@{server.address}", "-p", str(server.dns_port), "+short", "+norecurse", name, kind]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def test_zone(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    records = zone_records(domain)
    driver.good(account("dns", name))
    step = Step("dns.zone", user=name, domain=domain, records=records)
    look = driver.good(Step("dns.zone", check=True, **step.variables))
    assert "www 14400 CNAME " + domain + "." in look.results[0]["diff"]["after"]["records"]
    assert server.state()["users"][name]["dns"] == {}

    facts = driver.twice(step).results[0]["facts"]
    assert facts["records"] == len(records)
    assert dig(server, domain, "SOA").split()[:3] == ["ns1.fleet.test.", f"root.{domain}.", facts["serial"]]
    assert dig(server, f"mail.{domain}", "A") == "192.0.2.21"
    assert dig(server, f"anything.{domain}", "A") == "192.0.2.12"
    assert dig(server, domain, "TXT") == '"v=spf1 mx -all it\'s"'
    assert dig(server, f"mail._domainkey.{domain}", "TXT").replace('" "', "") == f'"v=DKIM1; k=rsa; p={"A" * 392}"'

    shuffled = [{**item, "name": item["name"].upper()} for item in reversed(records)]
    same = driver.good(Step("dns.zone", user=name, domain=domain, records=shuffled, soa="ns1.fleet.test"))
    assert same.changed == [False]
    assert same.results[0]["facts"] == facts

    fewer = [item for item in records if item["name"] not in ("v6", "_sip._tcp")]
    fewer[2] = {"name": "@", "type": "A", "value": "192.0.2.99"}
    second = driver.twice(Step("dns.zone", user=name, domain=domain, records=fewer)).results[0]
    assert int(second["facts"]["serial"]) == int(facts["serial"]) + 1
    assert (dig(server, domain, "A"), dig(server, f"v6.{domain}", "AAAA")) == ("192.0.2.99", "")
    user = server.state()["users"][name]
    assert user["conf"]["U_DNS_RECORDS"] == str(len(fewer))
    assert server.state()["zones"][domain] == 1

    driver.twice(Step("dns.zone", user=name, domain=domain, **ABSENT))
    assert server.state()["users"][name]["dns"] == {} and domain not in server.state()["zones"]
    assert dig(server, domain, "SOA") == ""


def test_suspending_an_account_takes_everything_along(driver: Driver, server: SandboxServer, name: str) -> None:
    domain = f"{name}.test"
    steps = [
        account("web", name),
        Step("web.domain", user=name, domain=domain),
        Step("mail.domain", user=name, domain=domain),
    ]
    driver.twice(*steps)
    zone = Step("dns.zone", user=name, domain=domain, records=zone_records(domain))
    driver.good(zone)
    driver.twice(Step("web.account", user=name, **SUSPENDED))
    user = server.state()["users"][name]
    assert {kind: user[kind][domain]["SUSPENDED"] for kind in ("web", "mail", "dns")} == {
        "web": "yes", "mail": "yes", "dns": "yes",
    }  # fmt: skip
    assert domain not in server.state()["zones"]
    waiting = driver.good(*steps[1:], zone)
    assert waiting.changed == [False, False, False]
    different = Step("dns.zone", user=name, domain=domain, records=zone_records(domain)[:5])
    assert driver.run(different).results[0]["error_class"] == "refused"

    driver.twice(Step("web.account", user=name))
    user = server.state()["users"][name]
    assert {user[kind][domain]["SUSPENDED"] for kind in ("web", "mail", "dns")} == {"no"}
    assert server.state()["zones"][domain] == 1
    driver.good(zone)
    assert not any(driver.good(*steps[1:], zone).changed)

    driver.twice(Step("web.account", user=name, **ABSENT))
    state = server.state()
    assert name not in state["users"] and domain not in state["zones"] and f"{domain}.conf" not in state["vhosts"]
    assert name not in state["homes"]


def test_deleting_an_active_account_leaves_the_count_of_suspended_ones_right(driver: Driver, fresh) -> None:
    stays, goes = fresh(), fresh()
    driver.good(account("web", stays), account("web", goes), account("web", stays, **SUSPENDED))
    driver.twice(account("web", goes, **ABSENT))
    assert driver.server.state()["users"]["admin"]["conf"]["SUSPENDED_USERS"] == "1"
    driver.good(account("web", stays, **ABSENT))
    assert driver.server.state()["users"]["admin"]["conf"]["SUSPENDED_USERS"] == "0"


def test_status(driver: Driver, server: SandboxServer) -> None:
    facts = driver.good(Step("server.status"), Step("server.status", check=True)).results[0]["facts"]
    assert facts["hostname"] == "server.fleet.test"
    assert facts["ips"] == ["192.0.2.11"]
    assert facts["systems"]["web"] == "apache2"
    assert set(facts["services"].values()) <= {"running", "stopped"}
    assert facts["cpus"] > 0 and facts["memory_mb"] > facts["memory_used_mb"] > 0
    assert facts["users"] == len(server.state()["users"])


@pytest.mark.long
def test_a_domain_of_another_account_is_refused(driver: Driver, name: str, fresh) -> None:
    other, domain = fresh(), f"{name}.test"
    records = zone_records(domain)
    driver.good(
        account("web", name),
        account("web", other),
        Step("web.domain", user=name, domain=domain, aliases=[f"www.{domain}"]),
        Step("mail.domain", user=name, domain=domain),
        Step("dns.zone", user=name, domain=domain, records=records),
    )
    play = driver.run(
        Step("web.domain", user=other, domain=domain),
        Step("web.domain", user=other, domain=f"www.{domain}"),
        Step("mail.domain", user=other, domain=domain),
        Step("dns.zone", user=other, domain=domain, records=records),
        Step("dns.zone", user=other, domain=f"sub.{domain}", records=zone_records(f"sub.{domain}")),
    )
    assert [result["error_class"] for result in play.results] == ["refused"] * 5
    for step in ("web.domain", "mail.domain", "dns.zone"):
        driver.twice(Step(step, user=other, domain=domain, **ABSENT))
    driver.good(Step("web.domain", user=name, domain=domain))
    assert dig(driver.server, domain, "A") == "192.0.2.11"


def test_the_packages_limits_hold(driver: Driver, name: str) -> None:
    limits = {"WEB_DOMAINS": 1, "MAIL_DOMAINS": 1, "DNS_DOMAINS": 1, "DNS_RECORDS": 14}
    driver.good(
        Step("web.package", package=name, limits=limits),
        account("web", name, package=name),
        Step("web.domain", user=name, domain=f"{name}.test"),
        Step("mail.domain", user=name, domain=f"{name}.test"),
        Step("dns.zone", user=name, domain=f"{name}.test", records=zone_records(f"{name}.test")),
    )
    more = [*zone_records(f"{name}.test"), {"name": "more", "type": "A", "value": "192.0.2.1"}]
    play = driver.run(
        Step("web.domain", user=name, domain=f"{name}b.test"),
        Step("mail.domain", user=name, domain=f"{name}b.test"),
        Step("dns.zone", user=name, domain=f"{name}b.test", records=zone_records(f"{name}b.test")),
        Step("dns.zone", user=name, domain=f"{name}.test", records=more),
    )
    assert [result["error_class"] for result in play.results] == ["no_room"] * 4


def test_results_are_plain_json(driver: Driver, name: str) -> None:
    result = driver.good(account("web", name)).results[0]
    shown = json.dumps(result)
    assert f"Secret.{name}" not in shown
    assert set(result["facts"]) == {"home"} and result["repaired"] == []
