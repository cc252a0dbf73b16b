"""Nameservers are asked beside everything else that goes on: what changes meanwhile is not overlooked."""

from __future__ import annotations

import socket
import threading

from sqlalchemy import select

from controller.domain.words import Capability, Driver, Mode
from controller.engine import zone_watch
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Product, Server, ServerGroup
from controller.store.zone_models import Zone
from tests.support.demo import until
from tests.support.sold import sold


def test_a_zone_that_is_confirmed_while_it_is_asked_for_is_asked_for_again(fleet: Fleet) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with fleet.database.write() as session:
            server = Server(
                name="ns1",
                driver=Driver.HESTIACP,
                address="127.0.0.1",
                dns_port=silent.getsockname()[1],
                host_key="ssh-ed25519 AAAA",
                hostname="ns1.fleet.test",
                can_web=True,
                can_dns=True,
            )
            group = ServerGroup(name="g", servers=[server], dns_servers=[server])
            session.add(group)
            session.flush()
            product = Product(name="p", mode=Mode.SPLIT, roles=["web", "dns"], group_id=group.id, limits={})
            session.add(product)
            session.flush()
            places = {Capability.WEB: ["ns1"], Capability.DNS: ["ns1"]}
            sold(session, fleet, product, "asked-for.com", places)
            session.scalars(select(Zone)).one().check_due_at = utcnow()

        def zone() -> Zone:
            with fleet.database.read() as session:
                return session.scalars(select(Zone)).one()

        looking = threading.Thread(target=zone_watch.look, args=(fleet,))
        looking.start()
        until(lambda: zone().check_lease_until is not None, 10)
        with fleet.database.write() as session:
            # As a nameserver's confirmation does.
            session.scalars(select(Zone)).one().check_due_at = utcnow()
        looking.join(60)
        assert zone().check_lease_until is None
        due = zone().check_due_at
        assert due is not None
        assert due <= utcnow(), "it would be asked for in a while only"
        assert zone().agrees is None, "a verdict about what was before"

        assert zone_watch.look(fleet) == 1
        assert zone().agrees is False
        due = zone().check_due_at
        assert due is not None
        assert due > utcnow()
