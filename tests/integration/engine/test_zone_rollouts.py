"""Nameservers that come, go and stay away while services live, end and fail: each zone is where it should be."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import func, select, update

from controller.domain.words import ServiceStatus, TaskStatus
from controller.engine import catch_up, zone_rollout
from controller.engine.fleet import Fleet
from controller.operations import group_zones, groups, products, server_changes, services, zone_templates, zones
from controller.operations.errors import Invalid, Refused
from controller.store.base import utcnow
from controller.store.models import Resource, Server, ServerGroup, Service, Task
from controller.store.work_models import LongRun
from tests.support.rows import come_back, give_up, order, status, work
from tests.support.storages import MOSTLY_SQLITE

pytestmark = MOSTLY_SQLITE


def roll(fleet: Fleet, away: str = "") -> None:
    """Rollouts go as far as they can."""
    for _ in range(6):
        with fleet.database.write() as session:
            for run in zone_rollout.running(session):
                run.report = {key: value for key, value in run.report.items() if key != "again_at"}
        zone_rollout.advance(fleet)
        work(fleet, away=away)


def has(fleet: Fleet, server: str) -> dict[str, tuple[str, bool]]:
    """What a server should have of services: wish, and whether it is confirmed, by action."""
    with fleet.database.read() as session:
        query = select(Resource).join(Server, Server.id == Resource.server_id).where(Server.name == server)
        return {
            each.action: (each.desired.value, each.applied_generation == each.generation)
            for each in session.scalars(query.where(Resource.service_id.is_not(None)))
        }


def open_runs(fleet: Fleet) -> int:
    with fleet.database.read() as session:
        return len(zone_rollout.running(session))


def unreachable(fleet: Fleet, name: str) -> None:
    with fleet.database.write() as session:
        row = session.scalars(select(Server).where(Server.name == name)).one()
        row.blocked_since, row.blocked_cause = utcnow() - dt.timedelta(minutes=1), "unreachable"


def test_a_service_that_goes_away_gets_no_zone_again(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet)
    services.terminate(fleet, "staff", service.id)
    work(fleet, away="n2")
    give_up(fleet)
    server_changes.set_status(fleet, "staff", "n2", "maintenance")
    server_changes.set_status(fleet, "staff", "n2", "active")
    roll(fleet, away="n2")
    come_back(fleet, "n2")
    roll(fleet)
    assert (status(fleet, service), has(fleet, "n2")) == (ServiceStatus.TERMINATED, {})


def test_a_nameserver_detached_and_attached_again_keeps_its_zones(fleet: Fleet) -> None:
    order(fleet, "customer.com")
    work(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    groups.attach_dns(fleet, "staff", "g", ["n1", "n2"])
    roll(fleet)
    assert has(fleet, "n2")["dns.zone"] == ("active", True)
    assert open_runs(fleet) == 0


def test_a_suspended_service_whose_server_becomes_a_nameserver_comes_back_whole(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == "w1").values(can_dns=True))
    service = order(fleet, "customer.com")
    work(fleet)
    services.suspend(fleet, "staff", service.id)
    work(fleet)
    assert has(fleet, "w1")["web.account"] == ("suspended", True)
    groups.attach_dns(fleet, "staff", "g", ["n1", "n2", "w1"])
    roll(fleet)
    # The zone must be served, so only the site stays suspended.
    assert has(fleet, "w1")["web.account"] == ("active", True)
    assert has(fleet, "w1")["web.domain"] == ("suspended", True)
    services.unsuspend(fleet, "staff", service.id)
    work(fleet)
    assert set(has(fleet, "w1").values()) == {("active", True)}


def test_zones_stay_where_they_are_until_another_nameserver_has_them(fleet: Fleet) -> None:
    order(fleet, "customer.com")
    work(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    assert has(fleet, "n2") == {}
    server_changes.set_status(fleet, "staff", "n2", "closed")
    with pytest.raises(Refused, match="none of these takes zones now"):
        groups.attach_dns(fleet, "staff", "g", ["n2"])
    server_changes.set_status(fleet, "staff", "n2", "active")

    unreachable(fleet, "n2")
    groups.attach_dns(fleet, "staff", "g", ["n2"])
    roll(fleet, away="n2")
    assert has(fleet, "n1")["dns.zone"] == ("active", True)
    with fleet.database.read() as session:
        (run,) = zone_rollout.running(session)
        assert (run.total, run.done, run.report["kept"]) == (1, 0, 1)
    # Other rollouts do not wait for that.
    zones.redeploy_many(fleet, "staff", ["customer.com"])
    roll(fleet, away="n2")
    assert open_runs(fleet) == 1

    come_back(fleet, "n2")
    roll(fleet)
    assert has(fleet, "n1") == {}
    assert has(fleet, "n2")["dns.zone"] == ("active", True)
    assert open_runs(fleet) == 0


def test_a_copy_that_is_held_back_gets_later_changes_and_is_not_forgotten(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet)
    services.redeploy(fleet, "staff", service.id)
    work(fleet, away="n2")
    give_up(fleet)
    assert status(fleet, service) is ServiceStatus.ACTIVE
    for number in range(3):
        zones.add_record(fleet, "staff", "customer.com", name=f"x{number}", type="A", value="192.0.2.9")
        work(fleet, away="n2")
    assert status(fleet, service) is ServiceStatus.ACTIVE
    come_back(fleet, "n2")
    assert all(done for _, done in has(fleet, "n2").values())
    assert status(fleet, service) is ServiceStatus.ACTIVE


def test_a_zone_leaves_a_nameserver_although_its_order_failed_before_it(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet, failing=["web.domain"])
    assert status(fleet, service) is ServiceStatus.ERROR
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    assert has(fleet, "n2") == {}


def test_a_service_is_not_sold_another_groups_product(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet)
    groups.create(fleet, "staff", name="elsewhere")
    products.create(fleet, "staff", name="other", mode="split", roles=["web", "mail", "dns"], group="elsewhere")
    with pytest.raises(Invalid, match="product: other is sold on the servers of another group"):
        services.change_product(fleet, "staff", service.id, "other")


def test_a_zone_that_a_nameserver_refuses_is_not_tried_for_ever_and_keeps_no_other_server_waiting(fleet: Fleet) -> None:
    for domain in ("a.com", "b.com"):
        order(fleet, domain)
    work(fleet)
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name.in_(["n1", "n2"])).values(catch_up=True))
        copies = update(Resource).where(Resource.action == "dns.zone")
        session.execute(copies.values(generation=Resource.generation + 1))
    for _ in range(5):
        catch_up.advance(fleet.database)
        work(fleet, failing=["dns.zone on n1"])
    assert has(fleet, "n2")["dns.zone"] == ("active", True)
    with fleet.database.write() as session:
        session.execute(update(Server).values(catch_up=True))
    for _ in range(5):
        catch_up.advance(fleet.database)
        work(fleet, failing=["dns.zone on n1"])
    with fleet.database.read() as session:
        refused = select(func.count()).select_from(Task).where(Task.status == TaskStatus.FAILED)
        assert session.scalar(refused) == 2, "one for each zone"
        assert session.scalars(select(Server.name).where(Server.catch_up)).all() == []


def test_a_zone_that_cannot_be_changed_stops_no_other(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for domain in ("a.com", "b.com", "c.com"):
        order(fleet, domain)
    work(fleet)
    with fleet.database.read() as session:
        broken = session.scalars(select(Service.id).where(Service.domain == "b.com")).one()
    change = zone_rollout.zone_changed

    def refusing(session, service, *args, **more):  # type: ignore[no-untyped-def]
        if service.id == broken:
            session.execute(update(Service).where(Service.id == broken).values(error="half done"))
            raise ValueError("what nobody thought of")
        return change(session, service, *args, **more)

    monkeypatch.setattr(zone_rollout, "zone_changed", refusing)
    zones.redeploy_many(fleet, "staff", ["a.com", "b.com", "c.com"])
    roll(fleet)
    with fleet.database.read() as session:
        run = session.scalars(select(LongRun)).one()
        assert (run.finished_at is not None, run.total, run.done, run.failed) == (True, 3, 3, 1)
        assert session.get_one(Service, broken).error is None


def test_zones_that_a_changed_variable_is_in_are_written_again_and_no_others(fleet: Fleet) -> None:
    for domain in ("a.com", "b.com"):
        order(fleet, domain)
    work(fleet)
    lines = [("@", "NS", "{ns1}."), ("@", "A", "192.0.2.1"), ("@", "TXT", "{color} {domain}")]
    records = [{"name": name, "type": kind, "value": value} for name, kind, value in lines]
    zone_templates.create(fleet, "staff", name="t", records=records)
    zones.choose_template(fleet, "staff", "a.com", "t")
    work(fleet)
    saved: dict[str, str] = {}
    for variable, expected in (("color", 1), ("caa_contact", 1), ("ns1", 2), ("domain", 0), ("unused", 0)):
        saved[variable] = {"caa_contact": "ca@example.net", "ns1": "n1.example.net"}.get(variable, "blue")
        change = groups.set_variables(fleet, "staff", "g", saved)
        assert (change.changed, change.zones) == ([variable], expected), variable
    assert groups.set_variables(fleet, "staff", "g", saved | {"more": ""}).changed == [], "an empty one is none"
    other = groups.create(fleet, "staff", name="elsewhere")
    with fleet.database.read() as session:
        assert group_zones.reach(session, session.get_one(ServerGroup, other.id)) == 0

    before = generations(fleet)
    run = group_zones.redeploy(fleet, "staff", "g", ["color"])
    roll(fleet)
    after = generations(fleet)
    assert {domain for domain in after if after[domain] != before[domain]} == {"a.com"}
    with fleet.database.read() as session:
        over = session.get_one(LongRun, run.id)
        assert (over.finished_at is not None, over.total, over.done, over.failed) == (True, 1, 1, 0)
    assert group_zones.redeploy(fleet, "staff", "g").total == 2
    for group, variables, refusal in (
        ("g", ["unused"], Refused),
        ("elsewhere", None, Refused),
        ("g", ["A b"], Invalid),
    ):
        with pytest.raises(refusal):
            group_zones.redeploy(fleet, "staff", group, variables)


def generations(fleet: Fleet) -> dict[str, list[int]]:
    """How often each zone was to be written, by domain."""
    with fleet.database.read() as session:
        copies = session.scalars(select(Resource).where(Resource.action == "dns.zone").order_by(Resource.id))
        found: dict[str, list[int]] = {}
        for copy in copies:
            assert copy.applied_generation == copy.generation
            found.setdefault(copy.name, []).append(copy.generation)
        return found
