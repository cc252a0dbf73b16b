"""Fields of a server that change together, and roles that it takes up again."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from controller.engine import zone_rollout
from controller.engine.fleet import Fleet
from controller.operations import groups, server_changes
from controller.operations.errors import Invalid
from controller.store.models import Resource, Server
from tests.support.rows import order, work


def roll(fleet: Fleet) -> None:
    """Rollouts go as far as they can."""
    for _ in range(3):
        zone_rollout.advance(fleet)
        work(fleet)


def zones_on(fleet: Fleet, name: str) -> list[str]:
    with fleet.database.read() as session:
        query = select(Resource.name).join(Server, Server.id == Resource.server_id)
        return list(session.scalars(query.where(Server.name == name, Resource.action == "dns.zone")))


def test_a_nameserver_gets_the_zones_it_has_missed_when_its_role_is_open_again(fleet: Fleet) -> None:
    groups.attach_dns(fleet, "test", "g", ["n1"])
    order(fleet, "customer.com")
    work(fleet)
    server_changes.edit(fleet, "test", "n2", closed_roles=["dns"])
    groups.attach_dns(fleet, "test", "g", ["n1", "n2"])
    server_changes.set_status(fleet, "test", "n2", "maintenance")
    server_changes.set_status(fleet, "test", "n2", "active")
    roll(fleet)
    assert zones_on(fleet, "n2") == []
    server_changes.edit(fleet, "test", "n2", closed_roles=[])
    roll(fleet)
    assert zones_on(fleet, "n2") == ["customer.com"]


def test_a_group_is_judged_by_what_the_server_is_to_host(fleet: Fleet) -> None:
    server_changes.edit(fleet, "test", "n1", group="g", capabilities=["web", "dns"])
    for changes in ({"group": "g", "capabilities": ["dns"]}, {"capabilities": ["dns"], "group": "g"}):
        with pytest.raises(Invalid) as refused:
            server_changes.edit(fleet, "test", "n1", **changes)
        assert [problem.field for problem in refused.value.problems] == ["group"]
    server_changes.edit(fleet, "test", "n1", capabilities=["dns"])
    with fleet.database.read() as session:
        server = session.scalars(select(Server).where(Server.name == "n1")).one()
        assert (server.can_web, server.group_id) == (False, None)
