"""What nameservers are asked, what their answers are called, and how long it takes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.automation.dns_answers import Answer, agree, ask
from controller.sandbox.fleet import free_port
from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer
from tests.integration.dns.dns_plays import api

NS = {"name": "@", "type": "NS", "value": "ns1.fleet.test."}


def publish(server: SandboxPowerDns, domain: str, *sets: tuple[str, str, int, list[str]]) -> None:
    """A zone with these sets of records, past the module."""
    everything = [("", "SOA", 3600, [f"ns1.fleet.test. root.{domain}. 7 7200 3600 1209600 180"]), *sets]
    body = {
        "name": f"{domain}.",
        "kind": "Native",
        "soa_edit_api": "",
        "rrsets": [
            {
                "name": f"{name}.{domain}.".lstrip("."),
                "type": kind,
                "ttl": ttl,
                "records": [{"content": content, "disabled": False} for content in contents],
            }
            for name, kind, ttl, contents in everything
        ],
    }
    api(server, "DELETE", f"/zones/{domain}.")
    assert api(server, "POST", "/zones", body)[0] == 201


def look(server: SandboxPowerDns, domain: str, *records: dict[str, Any], **more: Any) -> Answer:
    return ask((server.address, server.dns_port), domain, [NS, *records], 3600, **{"again": 0, **more})


OWN = ("", "NS", 3600, ["ns1.fleet.test."])


def test_every_difference_has_its_words(pdns: SandboxPowerDns, domain: str) -> None:
    long = "x" * 4000
    publish(
        pdns, domain, OWN,
        ("two", "A", 3600, ["192.0.2.1", "192.0.2.2"]),
        ("slow", "A", 60, ["192.0.2.1"]),
        ("alias", "CNAME", 3600, ["two." + domain + "."]),
        ("other", "TXT", 3600, ['"text"']),
        ("long", "TXT", 3600, [" ".join(f'"{long[at : at + 255]}"' for at in range(0, 4000, 255))]),
        ("Upper", "MX", 3600, ["10 Mail.Example.NET."]),
    )  # fmt: skip
    said = look(
        pdns, domain,
        {"name": "two", "type": "A", "value": "192.0.2.1"},
        {"name": "two", "type": "A", "value": "192.0.2.3"},
        {"name": "slow", "type": "A", "value": "192.0.2.1"},
        {"name": "alias", "type": "A", "value": "192.0.2.1"},
        {"name": "other", "type": "A", "value": "192.0.2.1"},
        {"name": "gone", "type": "A", "value": "192.0.2.1"},
        {"name": "long", "type": "TXT", "value": long},
        {"name": "upper", "type": "MX", "value": "mail.example.net", "priority": 10},
        {"name": "no", "type": "NAPTR", "value": "x"},
    )  # fmt: skip
    assert (said.reached, said.serial, said.found) == (True, 7, 4)
    assert said.problems[0].startswith("no NAPTR: cannot be served:")
    assert said.problems[1:] == [
        "two A: has 192.0.2.2 and lacks 192.0.2.3",
        "slow A: TTL is 60, wished is 3600",
        f"alias A: is a CNAME of two.{domain}.",
        "other A: there are no such records",
        "gone A: there is no such name",
    ]


def test_wildcards_and_delegations(pdns: SandboxPowerDns, hestia: SandboxServer, domain: str) -> None:
    publish(
        pdns, domain, OWN, ("*", "A", 3600, ["192.0.2.1"]), ("sub", "NS", 3600, [f"ns.sub.{domain}."]),
        ("ns.sub", "A", 3600, ["192.0.2.2"]),
    )  # fmt: skip
    wish = [
        {"name": "*", "type": "A", "value": "192.0.2.1"},
        {"name": "sub", "type": "NS", "value": f"ns.sub.{domain}"},
        {"name": "ns.sub", "type": "A", "value": "192.0.2.2"},
        {"name": "deep.sub", "type": "TXT", "value": "seen by nobody"},
    ]
    said = look(pdns, domain, *wish)
    assert (said.problems, said.found) == ([], 5)
    # A wildcard answers for a name that is not there: with the same value that is right, with another it is not.
    assert look(pdns, domain, {"name": "www", "type": "A", "value": "192.0.2.1"}).problems == []
    assert look(pdns, domain, {"name": "www", "type": "A", "value": "192.0.2.9"}).problems == [
        "www A: has 192.0.2.1 and lacks 192.0.2.9"
    ]
    # A name of a zone above is not the zone, and who does not know it says so.
    assert look(pdns, f"www.{domain}").problems == ["does not serve the zone, but one above it"]
    assert look(pdns, "nobody.test").problems == ["does not serve the zone (REFUSED)"]
    elsewhere = ask((hestia.address, int(hestia.dns_port or 0)), domain, [NS], 3600, again=0)
    assert (elsewhere.reached, elsewhere.problems) == (True, ["does not serve the zone (REFUSED)"])
    agreed = agree({"pdns": said, "hestia": elsewhere})
    assert (agreed.agrees, agreed.groups) == (False, [["pdns"], ["hestia"]])
    assert any("sub NS" in words and "hestia: nothing" in words for words in agreed.differences)


def test_what_differs_is_asked_for_again(pdns: SandboxPowerDns, domain: str) -> None:
    publish(pdns, domain, OWN)
    begin = time.monotonic()
    late = look(pdns, domain, {"name": "www", "type": "A", "value": "192.0.2.1"}, again=0.3)
    assert late.problems == ["www A: there is no such name"]
    assert time.monotonic() - begin >= 0.3


def test_every_name_of_a_zone_is_asked_for(pdns: SandboxPowerDns, domain: str) -> None:
    names = [f"host{number}" for number in range(25)]
    publish(pdns, domain, OWN, *((name, "A", 3600, ["192.0.2.1"]) for name in names))
    said = look(pdns, domain, *({"name": name, "type": "A", "value": "192.0.2.1"} for name in names))
    assert (said.problems, said.found) == ([], 26)


@pytest.fixture
def mute() -> Iterator[int]:
    """A port where somebody listens and says nothing."""
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


def test_who_does_not_answer_is_given_up(mute: int, domain: str) -> None:
    silent = ask(("127.0.0.1", mute), domain, [NS], 3600, timeout=0.3)
    assert (silent.reached, silent.problems) == (False, ["does not answer within 0.3 s"])
    nobody = ask(("127.0.0.1", free_port()), domain, [NS], 3600)
    assert (nobody.reached, nobody.problems) == (False, ["does not answer: Connection refused"])
    nameless = ask(("nowhere.invalid", 53), domain, [NS], 3600)
    assert (nameless.reached, nameless.problems) == (False, ["the name nowhere.invalid has no address"])
    agreed = agree({"one": silent, "two": nobody})
    assert (agreed.agrees, agreed.groups, len(agreed.differences)) == (False, [], 2)
