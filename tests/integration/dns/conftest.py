"""A nameserver with a panel and a PowerDNS one, both real, and Ansible to change them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer
from tests.integration.dns.dns_plays import Player


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxFleet]:
    fleet = SandboxFleet(tmp_path_factory.mktemp("nameservers"))
    fleet.add("ns1", {"dns"}, ip="192.0.2.31", hostname="ns1.fleet.test")
    fleet.add_powerdns("ns2", hostname="ns2.fleet.test")
    fleet.start()
    yield fleet
    fleet.remove()


@pytest.fixture(scope="package")
def hestia(fleet: SandboxFleet) -> SandboxServer:
    """Its account is ``acme``."""
    server = fleet["ns1"]
    assert server.panel("v-add-user", "acme", "Secret.1", "acme@fleet.test").returncode == 0
    return server


@pytest.fixture
def pdns(fleet: SandboxFleet) -> Iterator[SandboxPowerDns]:
    server = fleet.nameservers["ns2"]
    yield server
    server.start()


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


_NUMBERS = itertools.count(1)


@pytest.fixture
def domain() -> str:
    """A name that no other test uses."""
    return f"zone{next(_NUMBERS)}.test"
