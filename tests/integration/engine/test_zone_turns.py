"""Nameservers that change their minds in the middle of a zone's coming or going: it goes on in the right order, and
only what was confirmed since counts."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from controller.domain.words import ServerStatus, ServiceStatus, TaskStatus
from controller.engine import lifecycle, zone_rollout
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.operations import groups, services, task_bulk, tasks, zones
from controller.store.models import Resource, Server, Task
from tests.support.rows import GOOD, come_back, give_up, order, status, work
from tests.support.storages import MOSTLY_SQLITE

pytestmark = MOSTLY_SQLITE


def begin(fleet: Fleet, action: str, server: str) -> Claim:
    """A worker takes the newest task of this action on a server."""
    with fleet.database.write() as session:
        mine = select(Task.id).join(Server, Server.id == Task.server_id).where(Task.action == action)
        task_id = session.scalars(mine.where(Server.name == server).order_by(Task.id.desc()).limit(1)).one()
        held = lifecycle.claim(session, task_id, "worker", fleet.settings)
    assert held is not None
    return held


def end(fleet: Fleet, held: Claim) -> None:
    with fleet.database.write() as session:
        assert lifecycle.finish(session, held, GOOD, 0) is not None


def roll(fleet: Fleet) -> None:
    """One round of the rollouts, those that wait too."""
    with fleet.database.write() as session:
        for run in zone_rollout.running(session):
            run.report = {key: value for key, value in run.report.items() if key != "again_at"}
    zone_rollout.advance(fleet)


def zone_on(fleet: Fleet, server: str) -> str:
    """What is wished of the zone on a server: "" when it is not there any more."""
    with fleet.database.read() as session:
        query = select(Resource.desired).join(Server, Server.id == Resource.server_id)
        found = session.scalars(query.where(Resource.action == "dns.zone", Server.name == server)).first()
        return found.value if found is not None else ""


def ran_on(fleet: Fleet, server: str, after: int = 0) -> list[str]:
    """Actions that ran on a server, in their order."""
    with fleet.database.read() as session:
        query = select(Task.action).join(Server, Server.id == Task.server_id)
        mine = query.where(Server.name == server, Task.started_at.is_not(None), Task.id > after)
        return list(session.scalars(mine.order_by(Task.started_at)))


def newest_task(fleet: Fleet) -> int:
    with fleet.database.read() as session:
        return session.scalars(select(Task.id).order_by(Task.id.desc()).limit(1)).one()


def set_status(fleet: Fleet, server: str, wanted: ServerStatus) -> None:
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == server).values(status=wanted))


def test_a_copy_that_a_step_may_have_published_stays_until_another_nameserver_has_the_zone(fleet: Fleet) -> None:
    order(fleet, "customer.com")
    for server in ("n1", "n2"):
        set_status(fleet, server, ServerStatus.MAINTENANCE)
    work(fleet)
    set_status(fleet, "n2", ServerStatus.ACTIVE)
    for action in ("dns.package", "dns.account"):
        end(fleet, begin(fleet, action, "n2"))
    held = begin(fleet, "dns.zone", "n2")
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    assert zone_on(fleet, "n2") == "active"
    end(fleet, held)
    set_status(fleet, "n1", ServerStatus.ACTIVE)
    for _ in range(2):
        work(fleet)
        roll(fleet)
    work(fleet)
    assert (zone_on(fleet, "n1"), zone_on(fleet, "n2")) == ("active", "")


def test_a_nameserver_that_comes_back_while_its_zone_is_removed_has_it_only_once_it_says_so_again(
    fleet: Fleet,
) -> None:
    order(fleet, "customer.com")
    work(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    removal = begin(fleet, "dns.zone", "n2")
    groups.attach_dns(fleet, "staff", "g", ["n1", "n2"])
    roll(fleet)
    end(fleet, removal)
    groups.attach_dns(fleet, "staff", "g", ["n2"])
    roll(fleet)
    assert (zone_on(fleet, "n1"), zone_on(fleet, "n2")) == ("active", "active")
    work(fleet)
    roll(fleet)
    work(fleet)
    assert (zone_on(fleet, "n1"), zone_on(fleet, "n2")) == ("", "active")


def test_what_leaves_a_nameserver_in_the_middle_of_a_deployment_goes_in_the_order_of_a_removal(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet)
    before = newest_task(fleet)
    services.redeploy(fleet, "staff", service.id)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    work(fleet)
    assert ran_on(fleet, "n2", before) == ["dns.zone", "dns.account", "dns.package"]
    assert (zone_on(fleet, "n2"), status(fleet, service)) == ("", ServiceStatus.ACTIVE)


def test_what_comes_back_in_the_middle_of_a_deployment_comes_in_the_order_of_a_set_up(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    before = newest_task(fleet)
    services.redeploy(fleet, "staff", service.id)
    groups.attach_dns(fleet, "staff", "g", ["n1", "n2"])
    roll(fleet)
    work(fleet)
    assert ran_on(fleet, "n2", before) == ["dns.package", "dns.account", "dns.zone"]
    assert (zone_on(fleet, "n2"), status(fleet, service)) == ("active", ServiceStatus.ACTIVE)


@pytest.mark.parametrize("busy", [False, True], ids=["at rest", "while it is redeployed"])
def test_a_suspended_site_stays_suspended_although_its_account_has_to_carry_a_zone(fleet: Fleet, busy: bool) -> None:
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == "w1").values(can_dns=True))
    service = order(fleet, "customer.com")
    work(fleet)
    services.suspend(fleet, "staff", service.id)
    work(fleet)
    if busy:
        services.redeploy(fleet, "staff", service.id)
    before = newest_task(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1", "n2", "w1"])
    roll(fleet)
    work(fleet)
    # The panel brings an account's sites back with it.
    assert ran_on(fleet, "w1", before) == ["web.package", "web.account", "web.domain", "dns.zone"]
    with fleet.database.read() as session:
        site = session.scalars(select(Resource).where(Resource.action == "web.domain")).one()
        assert (site.desired.value, site.applied_generation == site.generation) == ("suspended", True)


def test_a_nameserver_that_is_back_does_not_do_what_it_missed_before_its_zone_was_to_go(fleet: Fleet) -> None:
    order(fleet, "customer.com")
    work(fleet, away="n2")
    give_up(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    work(fleet, away="n2")
    give_up(fleet)
    come_back(fleet, "n2")
    # The package was tried once before, and is removed last.
    assert ran_on(fleet, "n2") == ["dns.package", "dns.zone", "dns.account", "dns.package"]
    assert zone_on(fleet, "n2") == ""


def test_what_was_left_of_a_zone_on_a_nameserver_that_was_away_goes_although_its_tasks_are_forgotten(
    fleet: Fleet,
) -> None:
    order(fleet, "customer.com")
    work(fleet)
    groups.attach_dns(fleet, "staff", "g", ["n1"])
    roll(fleet)
    end(fleet, begin(fleet, "dns.zone", "n2"))
    work(fleet, away="n2")
    give_up(fleet)
    with fleet.database.read() as session:
        held = session.scalars(select(Task.id).where(Task.status == TaskStatus.HELD)).one()
    tasks.cancel(fleet, "staff", held)
    with fleet.database.read() as session:
        over = select(Task.id).where(Task.status.in_((TaskStatus.FAILED, TaskStatus.CANCELLED)))
        forgotten = session.scalars(over).all()
    task_bulk.run(fleet, "staff", "delete", ids=forgotten)
    before = newest_task(fleet)
    come_back(fleet, "n2")
    assert ran_on(fleet, "n2", before) == ["dns.account", "dns.package"]
    with fleet.database.read() as session:
        left = select(Resource.action).join(Server, Server.id == Resource.server_id).where(Server.name == "n2")
        assert session.scalars(left).all() == []


def test_a_service_that_a_zone_change_has_put_right_is_live_again(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet, failing=["dns.zone"])
    assert status(fleet, service) is ServiceStatus.ERROR
    zones.add_record(fleet, "staff", "customer.com", name="shop", type="A", value="192.0.2.7")
    work(fleet)
    assert status(fleet, service) is ServiceStatus.ACTIVE
    with fleet.database.read() as session:
        states = set(session.scalars(select(Task.status)))
    assert states == {TaskStatus.SUCCEEDED, TaskStatus.FAILED}, "what waited for the zone was done too"
