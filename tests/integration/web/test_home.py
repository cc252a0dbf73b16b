"""The first page of staff: room by role, trouble, the queue, what happened last."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import event, select

from controller.domain.words import Driver, TaskStatus
from controller.store.base import utcnow
from controller.store.models import Resource, Server, Task
from controller.store.server_queries import occupancy, queue_depth, server_loads
from tests.integration.web.fleet_world import add_powerdns
from tests.integration.web.world import HOST_KEY, World


def test_room_by_role_the_fullest_first(world: World) -> None:
    with world.fleet.database.write() as session:
        fullest = session.scalars(select(Server).where(Server.name == "ns2")).one()
        fullest.capacity = 2
        session.scalars(select(Server).where(Server.name == "web02")).one().capacity = 0
    with world.fleet.database.read() as session:
        by_role = {tier.role.value: tier for tier in occupancy(session)}
    assert [room.server.name for room in by_role["dns"].rooms] == ["ns2", "ns1"]
    assert (by_role["dns"].used, by_role["dns"].capacity) == (4, 12)
    assert by_role["web"].unlimited == 1
    assert by_role["web"].rooms[-1].share is None, "without a limit comes last"
    text = world.browser("support").get("/admin").text
    assert "4 of 12 places taken" in text
    assert "1 without a limit" in text
    assert "Create a service" not in text, "support only looks"


def test_a_fleet_of_many_is_drawn_as_a_map_and_asked_in_few_queries(world: World) -> None:
    def queries() -> int:
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(world.fleet.database.engine, "before_cursor_execute", counted)
        try:
            assert browser.get("/admin").status_code == 200
            assert browser.get("/admin/servers").status_code == 200
        finally:
            event.remove(world.fleet.database.engine, "before_cursor_execute", counted)
        return count

    browser = world.browser("support")
    few = queries()
    with world.fleet.database.write() as session:
        for number in range(60):
            session.add(
                Server(
                    name=f"big{number:02d}",
                    driver=Driver.HESTIACP,
                    address="192.0.2.200",
                    host_key=HOST_KEY,
                    can_web=True,
                    capacity=10,
                    problem="No answer" if number == 3 else None,
                )
            )
    assert queries() <= few, "not a query more for 60 more servers"
    text = browser.get("/admin").text
    assert text.count('class="map-') == 62
    assert "map-trouble" in text
    assert "Servers in trouble" in text
    assert "1 in trouble" in text


def test_the_queue_tells_how_long_the_oldest_waits(world: World) -> None:
    with world.fleet.database.write() as session:
        oldest = session.scalars(select(Task).where(Task.status == TaskStatus.QUEUED).order_by(Task.id)).first()
        assert oldest is not None
        oldest.created_at = utcnow() - dt.timedelta(minutes=42)
    with world.fleet.database.read() as session:
        depth = queue_depth(session)
    assert depth.counts[TaskStatus.QUEUED] > 0
    assert depth.counts[TaskStatus.RUNNING] == 0
    text = world.browser("support").get("/admin").text
    assert "42 minutes ago" in text
    assert "v-add-web-domain: invalid" in text, "the last failure"
    assert "Ticket #" in text


def test_an_empty_fleet_says_what_to_do(world: World) -> None:
    with world.fleet.database.write() as session:
        for statement in ("tasks", "resources", "accounts", "group_dns_servers", "servers"):
            session.connection().exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            if statement == "servers":
                session.connection().exec_driver_sql("UPDATE activity SET server_id = NULL")
            session.connection().exec_driver_sql(f"DELETE FROM {statement}")
    browser = world.browser("operator")
    assert "Add a server" in browser.get("/admin").text
    assert "No servers yet" in browser.get("/admin/servers").text
    assert "No Web servers yet" in browser.get("/admin/servers?capability=web").text


def test_services_of_a_powerdns_server_are_those_with_a_zone(world: World) -> None:
    pdns = add_powerdns(world.fleet, world.group_id)
    with world.fleet.database.read() as session:
        assert server_loads(session, [pdns]) == {}
    with world.fleet.database.write() as session:
        session.add(Resource(server_id=pdns, service_id=world.anna_service, action="dns.zone", name="anna.example"))
    with world.fleet.database.read() as session:
        assert server_loads(session)[pdns] == 1
        assert server_loads(session, [pdns]) == {pdns: 1}
