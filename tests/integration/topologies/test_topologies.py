"""One server for everything, web and mail apart, three tiers: each built, sold on, and looked into."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from controller.domain.words import ServiceStatus
from controller.engine.fleet import Fleet
from controller.operations import groups, orders, products, services
from controller.sandbox.demo import GROUP, Demo
from controller.store.models import Resource, Server, Service
from tests.support import truth
from tests.support.demo import installation, settle, until, wait_for
from tests.support.nameservers import nameserver, values, verdict, wrong

MACHINES = (
    ("all01", ("web", "mail", "dns"), "192.0.2.10", "all01.fleet.test"),
    ("web01", ("web", "dns"), "192.0.2.11", "web01.fleet.test"),
    ("mx01", ("mail", "dns"), "192.0.2.12", "mx01.fleet.test"),
    ("web02", ("web",), "192.0.2.21", "web02.fleet.test"),
    ("mx02", ("mail",), "192.0.2.22", "mx02.fleet.test"),
    ("ns1", ("dns",), "192.0.2.31", "ns1.fleet.test"),
    ("ns2", ("dns",), "192.0.2.32", "ns2.fleet.test"),
)
POWERDNS = (("ns3", "ns3.fleet.test"),)
TOPOLOGIES = {
    "all in one": (["all01"], ["all01"]),
    "web and mail": (["web01", "mx01"], ["web01", "mx01"]),
    "three tiers": (["web02", "mx02"], ["ns1", "ns2", "ns3"]),
}
"""Members and nameservers by group."""
PLACES = {
    "all in one": {"web": {"all01"}, "mail": {"all01"}, "dns": {"all01"}},
    "web and mail": {"web": {"web01"}, "mail": {"mx01"}, "dns": {"web01", "mx01"}},
    "three tiers": {"web": {"web02"}, "mail": {"mx02"}, "dns": {"ns1", "ns2", "ns3"}},
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("topologies") / "home"
    with installation(home, machines=MACHINES, nameservers=POWERDNS, pages=False) as running:
        fleet = running.fleet
        for name, (members, nameservers) in TOPOLOGIES.items():
            group = groups.create(fleet, "test", name=name)
            for member in members:
                groups.add_server(fleet, "test", group.id, member)
            groups.attach_dns(fleet, "test", group.id, nameservers)
            products.create(fleet, "test", name=name, mode="split", roles=["web", "mail", "dns"], group=group.id)
        groups.attach_dns(fleet, "test", GROUP, [])
        yield running


def sell(fleet: Fleet, topology: str, domain: str) -> Service:
    return orders.order(
        fleet, "test", product=topology, domain=domain, customer_email="ada@demo.test", customer_name="Ada"
    )


def domain_of(topology: str) -> str:
    return f"{topology.replace(' ', '-')}.com"


def test_a_split_service_is_deployed_on_each_topology_and_is_all_there_is(demo: Demo) -> None:
    ordered = {topology: sell(demo.fleet, topology, domain_of(topology)) for topology in TOPOLOGIES}
    for topology, service in ordered.items():
        wait_for(demo, service.id, ServiceStatus.ACTIVE)
        for role, action in (("web", "web.domain"), ("mail", "mail.domain"), ("dns", "dns.zone")):
            assert places(demo, service.id, action) == PLACES[topology][role], (topology, role)
    settle(demo)
    # Line by line: what should be on every server is there, and nothing else, and it answers for its zones.
    assert truth.everything(demo.fleet, demo.servers) == []


def places(demo: Demo, service_id: int, action: str) -> set[str]:
    """Servers on which this is a part of the service."""
    with demo.fleet.database.read() as session:
        query = select(Server.name).join(Resource, Resource.server_id == Server.id)
        return set(session.scalars(query.where(Resource.service_id == service_id, Resource.action == action)))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_all_its_nameservers_answer_and_say_the_same(demo: Demo, topology: str) -> None:
    names, domain = sorted(PLACES[topology]["dns"]), domain_of(topology)
    web, mail = (demo.servers[min(PLACES[topology][role])] for role in ("web", "mail"))
    assert wrong(demo, names, domain) == []
    for name in names:
        server = nameserver(demo, name)
        assert values(server, f"www.{domain}", "A") == [web.ip]
        assert values(server, f"mail.{domain}", "A") == [mail.ip]
        assert values(server, domain, "MX") == [f"10 mail.{domain}."]
        assert values(server, domain, "NS") == [f"{each}.fleet.test." for each in names]
        assert values(server, f"mail._domainkey.{domain}", "TXT")[0].startswith("v=DKIM1; k=rsa; p=MII")
    until(lambda: verdict(demo, domain)[0], 30, f"the product says {verdict(demo, domain)}")


@pytest.mark.long
def test_nameservers_inside_the_zone_they_serve_have_their_addresses(demo: Demo) -> None:
    """The provider's own domain: its zone would not load without them, whatever kind of server they are."""
    live = sell(demo.fleet, "three tiers", "fleet.test")
    wait_for(demo, live.id, ServiceStatus.ACTIVE)
    settle(demo)
    names = ["ns1", "ns2", "ns3"]
    assert wrong(demo, names, "fleet.test") == []
    addresses = {"ns1": "192.0.2.31", "ns2": "192.0.2.32", "ns3": demo.servers.nameservers["ns3"].address}
    for name in names:
        for host, address in addresses.items():
            assert values(nameserver(demo, name), f"{host}.fleet.test", "A") == [address], (name, host)
    services.terminate(demo.fleet, "test", live.id)
    wait_for(demo, live.id, ServiceStatus.TERMINATED)


def test_what_is_terminated_is_gone_from_every_server(demo: Demo) -> None:
    for topology in TOPOLOGIES:
        services.terminate(demo.fleet, "test", domain_of(topology))
    with demo.fleet.database.read() as session:
        domains = [domain_of(topology) for topology in TOPOLOGIES]
        ids = session.scalars(select(Service.id).where(Service.domain.in_(domains))).all()
    for number in ids:
        wait_for(demo, number, ServiceStatus.TERMINATED)
    settle(demo)
    assert truth.everything(demo.fleet, demo.servers) == []
    for topology in TOPOLOGIES:
        for name in PLACES[topology]["dns"]:
            assert values(nameserver(demo, name), domain_of(topology), "SOA") == [], name
