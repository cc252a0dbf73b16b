"""One nameserver that is away keeps no service from going live, as long as another one serves its zone."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from controller.domain.words import ServiceStatus
from controller.engine.fleet import Fleet
from controller.engine.settling import settle, unsettled
from controller.operations import services
from controller.store.models import Resource, Server, Task
from tests.support.rows import come_back, give_up, order, status, work


@pytest.mark.parametrize("given_up", [False, True], ids=["waiting", "given up"])
def test_a_service_is_live_although_one_of_two_nameservers_is_away_and_stays_so_while_it_catches_up(
    fleet: Fleet, given_up: bool
) -> None:
    service = order(fleet, "customer.com")
    work(fleet, away="n2")
    assert status(fleet, service) is ServiceStatus.ACTIVE
    if given_up:
        give_up(fleet)
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
