"""Nameservers of both kinds give the same answers to everything, whatever changes."""

from __future__ import annotations

from typing import Any

from controller.automation.dns_answers import Answer, agree, ask
from controller.domain.zone_files import format_zone_file, parse_zone_file
from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer
from tests.integration.dns.dns_plays import Player, rich_records, zone

Both = tuple[SandboxServer, SandboxPowerDns]


def publish(player: Player, both: Both, domain: str, records: list[dict[str, Any]], ttl: int) -> list[dict[str, Any]]:
    hestia, pdns = both
    results = [
        *player.hestia(hestia, zone(domain, records=records, ttl=ttl)),
        *player.powerdns(pdns, zone(domain, records=records, ttl=ttl)),
    ]
    assert not any(result["failed"] for result in results), results
    return results


def answers(both: Both, domain: str, records: list[dict[str, Any]], ttl: int) -> dict[str, Answer]:
    return {
        server.name: ask((server.address, int(server.dns_port or 0)), domain, records, ttl, again=0) for server in both
    }


def test_one_of_everything(hestia: SandboxServer, pdns: SandboxPowerDns, player: Player, domain: str) -> None:
    both, records = (hestia, pdns), rich_records(domain)
    first = publish(player, both, domain, records, 3600)
    assert first[0]["diff"] == first[1]["diff"]
    said = answers(both, domain, records, 3600)
    for answer in said.values():
        assert (answer.problems, answer.found) == ([], len(records))
    agreed = agree(said)
    assert (agreed.agrees, agreed.differences) == (True, [])
    assert [str(answer.serial) for answer in said.values()] == [result["facts"]["serial"] for result in first]

    # Everything that can change: a value, a set's size, a TTL, a type, the zone's TTL; and what is gone is gone.
    changed = [r for r in records if r["name"] not in ("www", "Away", "*.dev")]
    changed += [
        {"name": "www", "type": "A", "value": "192.0.2.15", "ttl": 60},
        {"name": "mail2", "type": "CNAME", "value": "mail"},
    ]
    second = publish(player, both, domain, changed, 7200)
    assert second[0]["diff"] == second[1]["diff"]
    said = answers(both, domain, changed, 7200)
    assert [answer.problems for answer in said.values()] == [[], []]
    assert agree(said).agrees
    before = answers(both, domain, records, 3600)
    assert agree(before).agrees
    assert all("away CNAME: " in " ".join(answer.problems) for answer in before.values())
    for server, old, new in zip(both, first, second, strict=True):
        assert int(new["facts"]["serial"]) > int(old["facts"]["serial"]), server

    # The list as it is exported and imported again is the same wish.
    file = format_zone_file(domain, changed, 7200)
    imported = parse_zone_file(file, domain, 7200)
    assert imported.problems == []
    own = [r for r in changed if (r["name"], r["type"]) == ("@", "NS")]
    again = publish(player, both, domain, own + imported.records, 7200)
    assert [result["changed"] for result in again] == [False, False]
