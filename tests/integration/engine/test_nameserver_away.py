"""One nameserver that is away keeps no service from going live, as long as another one serves its zone."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import ServiceStatus, TaskStatus
from controller.engine import catch_up, dispatch, lifecycle
from controller.engine.fleet import Fleet
from controller.engine.settling import settle, unsettled
from controller.operations import orders, services
from controller.store.models import Resource, Server, Service, Task

GOOD = Outcome(ok=True, changed=True, facts={"ip": "192.0.2.1", "hostname": "n1.test"})
AWAY = Outcome(ok=False, error_class=ErrorClass.UNREACHABLE, error="no route to host")


def order(fleet: Fleet, domain: str) -> Service:
    return orders.order(fleet, "test", product="p", domain=domain, customer_email="a@customer.com", customer_name="Ada")


def work(fleet: Fleet, away: str = "") -> None:
    """Run all that can be run; one server does not answer."""
    while True:
        with fleet.database.read() as session:
            due = [task_id for task_id, _ in dispatch.due(session)]
            names = dict(session.execute(select(Task.id, Server.name).join(Server, Server.id == Task.server_id)).all())
            checks = set(session.scalars(select(Task.id).where(Task.action == "server.status")))
        due = [task_id for task_id in due if task_id not in checks]
        if not due:
            return
        for task_id in due:
            with fleet.database.write() as session:
                held = lifecycle.claim(session, task_id, "worker", fleet.settings)
            if held is not None:
                with fleet.database.write() as session:
                    lifecycle.finish(session, held, AWAY if names[task_id] == away else GOOD, 0)


def status(fleet: Fleet, service: Service) -> ServiceStatus:
    with fleet.database.read() as session:
        return session.get_one(Service, service.id).status


def come_back(fleet: Fleet, name: str) -> None:
    with fleet.database.write() as session:
        session.execute(
            update(Server).where(Server.name == name).values(blocked_since=None, blocked_cause=None, catch_up=True)
        )
    while catch_up.advance(fleet.database):
        pass
    work(fleet)


@pytest.mark.parametrize("given_up", [False, True], ids=["waiting", "given up"])
def test_a_service_is_live_although_one_of_two_nameservers_is_away_and_stays_so_while_it_catches_up(
    fleet: Fleet, given_up: bool
) -> None:
    service = order(fleet, "customer.com")
    work(fleet, away="n2")
    assert status(fleet, service) is ServiceStatus.ACTIVE
    if given_up:
        with fleet.database.read() as session:
            waiting = session.scalars(
                select(Task.id).where(Task.status == TaskStatus.QUEUED, Task.action != "server.status")
            ).all()
        for task_id in waiting:
            with fleet.database.write() as session:
                lifecycle.give_up_waiting(session, task_id)
        assert status(fleet, service) is ServiceStatus.ACTIVE
    come_back(fleet, "n2")
    with fleet.database.read() as session:
        behind = select(Resource.id).where(Resource.applied_generation != Resource.generation)
        assert session.scalars(behind).all() == []
    assert status(fleet, service) is ServiceStatus.ACTIVE


def test_without_any_nameserver_it_is_not_live(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == "n1").values(blocked_since=None))
    service = order(fleet, "customer.com")
    with fleet.database.write() as session:
        for name in ("n1", "n2"):
            row = session.scalars(select(Server).where(Server.name == name)).one()
            row.blocked_since, row.blocked_cause = row.created_at, "unreachable"
    work(fleet)
    assert status(fleet, service) is ServiceStatus.DEPLOYING


def test_a_service_whose_last_nameserver_goes_away_afterwards_is_found_and_goes_live(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    with fleet.database.write() as session:
        session.execute(
            update(Task)
            .where(Task.server_id == _id(session, "n2"))
            .values(not_before=service.created_at.replace(year=2199))
        )
    work(fleet)
    assert status(fleet, service) is ServiceStatus.DEPLOYING
    with fleet.database.write() as session:
        row = session.get_one(Server, _id(session, "n2"))
        row.blocked_since, row.blocked_cause = row.created_at, "unreachable"
    with fleet.database.read() as session:
        (pipeline_id,) = unsettled(session)
    with fleet.database.write() as session:
        settle(session, pipeline_id)
    assert status(fleet, service) is ServiceStatus.ACTIVE


def test_a_suspension_while_a_nameserver_is_away_is_not_held_up(fleet: Fleet) -> None:
    service = order(fleet, "customer.com")
    work(fleet, away="n2")
    services.suspend(fleet, "staff", service.id)
    work(fleet)
    assert status(fleet, service) is ServiceStatus.SUSPENDED
    come_back(fleet, "n2")
    assert status(fleet, service) is ServiceStatus.SUSPENDED
    services.unsuspend(fleet, "staff", service.id)
    work(fleet)
    assert status(fleet, service) is ServiceStatus.ACTIVE


def _id(session: Session, name: str) -> int:
    return session.scalars(select(Server.id).where(Server.name == name)).one()
