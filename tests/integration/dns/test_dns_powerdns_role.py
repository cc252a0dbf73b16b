"""Role powerdns on a real pdns_server: its zones' life, what is refused, and faults."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import dns.message
import dns.query

from controller.sandbox import processes
from controller.sandbox.pdns import SandboxPowerDns
from tests.integration.dns.dns_plays import Player, Step, api, local, rich_records, start_play, write_play, zone


def records(domain: str) -> list[dict[str, Any]]:
    return [
        {"name": "@", "type": "NS", "value": "ns1.fleet.test"},
        {"name": "@", "type": "A", "value": "192.0.2.11"},
        {"name": "www", "type": "CNAME", "value": domain},
    ]


def asked(server: SandboxPowerDns, name: str, kind: str) -> str:
    """The answer's records, one a line."""
    said = dns.query.udp(dns.message.make_query(name, kind), server.address, 3, server.dns_port)
    return "\n".join(sorted(data.to_text() for rrset in said.answer for data in rrset))


def test_a_zone_from_check_mode_to_its_end(player: Player, pdns: SandboxPowerDns, domain: str) -> None:
    wish: dict[str, Any] = {"records": records(domain), "ttl": 3600}
    look, made, again = player.powerdns(
        pdns, zone(domain, check=True, **wish), zone(domain, **wish), zone(domain, **wish)
    )
    assert (look["changed"], look["actions"], look["diff"]["before"]) == (True, [], {})
    assert (made["changed"], made["actions"], made["diff"]) == (True, ["create zone"], look["diff"])
    assert (again["changed"], again["actions"], again["facts"]) == (False, [], made["facts"])
    soa = asked(pdns, domain, "SOA")
    assert soa == f"ns1.fleet.test. root.{domain}. {made['facts']['serial']} 7200 3600 1209600 180"

    # Others wrote to it: a record that is none of ours, a switched-off one, another SOA.
    strange: list[dict[str, Any]] = [
        {"name": f"x.{domain}.", "type": "HINFO", "ttl": 60, "records": [{"content": '"a" "b"', "disabled": False}]},
        {"name": f"{domain}.", "type": "A", "ttl": 3600, "records": [{"content": "192.0.2.11", "disabled": True}]},
        {
            "name": f"{domain}.", "type": "SOA", "ttl": 60,
            "records": [{"content": "a. b. 4294967290 1 2 3 4", "disabled": False}],
        },
    ]  # fmt: skip
    changes = [{**each, "changetype": "REPLACE"} for each in strange]
    assert api(pdns, "PATCH", f"/zones/{domain}.", {"rrsets": changes}) == (204, None)
    look, healed, again, *gone = player.powerdns(
        pdns, zone(domain, check=True, **wish), zone(domain, **wish), zone(domain, **wish),
        zone(domain, state="absent", check=True), zone(domain, state="absent"), zone(domain, state="absent"),
    )  # fmt: skip
    assert (look["changed"], look["diff"]["after"]) == (True, made["diff"]["after"])
    assert (healed["actions"], healed["diff"]) == (["change zone"], look["diff"])
    assert (int(healed["facts"]["serial"]) > 4294967290, again["changed"]) == (True, False)
    assert [each["actions"] for each in gone] == [[], ["delete zone"], []]
    assert [each["changed"] for each in gone] == [True, True, False]
    assert gone[1]["diff"]["after"] == gone[2]["diff"]["before"] == {}
    assert asked(pdns, domain, "A") == ""
    assert pdns.api_key not in player.text


def test_what_it_refuses(player: Player, pdns: SandboxPowerDns, domain: str) -> None:
    right = records(domain)
    theirs = {"name": f"their.{domain}.", "kind": "Native", "account": "somebody", "nameservers": ["ns1.example.net."]}
    assert api(pdns, "POST", "/zones", theirs)[0] == 201
    beside, bad, foreign, left, taken, one = player.powerdns(
        pdns,
        zone(domain, records=[*right, {"name": "www", "type": "A", "value": "192.0.2.12"}]),
        zone(domain, records=[*right, {"name": "a", "type": "A", "value": "1.2.3"}]),
        zone(f"their.{domain}", records=right),
        zone(f"their.{domain}", state="absent"),
        zone(f"their.{domain}", records=right, account="somebody"),
        Step("status", {}),
    )
    assert (beside["failed"], beside["error_class"]) == (True, "bad_argument")
    assert "Conflicts" in beside["msg"] and f"www.{domain}." in beside["msg"]
    assert (bad["error_class"], "records[3]" in bad["msg"]) == ("bad_argument", True)
    assert api(pdns, "GET", f"/zones/{domain}.")[0] == 404
    assert foreign["error_class"] == "refused" and "set-account" in foreign["msg"]
    assert (left["failed"], left["changed"], taken["changed"]) == (False, False, True)

    facts = one["facts"]
    assert (facts["hostname"], facts["services"]) == ("ns2.fleet.test", {"pdns": "running"})
    assert facts["panel_version"].startswith("4.")
    assert facts["zones"] >= 1 and facts["uptime"] >= 0 and facts["latency_us"] >= 0
    before = facts["queries"]
    asked(pdns, domain, "A")
    (facts,) = (result["facts"] for result in player.powerdns(pdns, Step("status", {})))
    assert facts["queries"] > before


def test_failures_told_apart(player: Player, pdns: SandboxPowerDns, domain: str) -> None:
    def wishes(**more: Any) -> list[Step]:
        return [zone(domain, records=records(domain), **more), Step("status", more)]

    tried = player.powerdns(pdns, *wishes(api_key="another-key"), *wishes(server_id="nowhere"))
    assert [each["error_class"] for each in tried] == ["authentication"] * 2 + ["not_found"] * 2
    pdns.stop()
    down = player.powerdns(pdns, *wishes(), *wishes(api_url="http://nowhere.invalid:8081"))
    assert [each["error_class"] for each in down] == ["unreachable"] * 4
    assert "Connection refused" in down[0]["msg"]
    assert "another-key" not in player.text


def test_a_killed_module_does_no_harm(player: Player, pdns: SandboxPowerDns, domain: str) -> None:
    wish = zone(domain, records=rich_records(domain))
    place = write_play(player.folder, local(pdns), "powerdns", wish)
    pid = int((pdns.folder / "pdns.pid").read_text())
    # PowerDNS stands still, so the module is killed with its call in PowerDNS's hands.
    os.kill(pid, signal.SIGSTOP)
    play = start_play(place)
    try:
        deadline = time.monotonic() + 60
        while not connected(pdns.api_port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for each in below(play.pid):
            os.kill(each, signal.SIGKILL)
        play.wait()
        os.kill(pid, signal.SIGCONT)
    made, again = player.powerdns(pdns, wish, wish)
    assert (made["failed"], again["changed"]) == (False, False)


def connected(port: int) -> bool:
    """Whether somebody has a connection to this port (state 01 of the kernel's table)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def below(pid: int) -> list[int]:
    """A process and all that it has started."""
    return [pid, *(each for child in processes.children(pid) for each in below(child))]
