"""A server that never comes back keeps no service from its end, and can be deleted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from controller.domain.words import FINAL_TASK_STATES, ServiceStatus
from controller.engine.fleet import Fleet
from controller.operations import groups, server_changes, server_loss, services
from controller.operations.errors import Refused
from controller.store.models import Account, OperationLog, Resource, Server, Task
from tests.integration.operations.test_server_changes import roll
from tests.support.rows import give_up, order, status, work
from tests.support.storages import MOSTLY_SQLITE

pytestmark = MOSTLY_SQLITE


def left_on(fleet: Fleet, name: str) -> int:
    with fleet.database.read() as session:
        server = session.scalars(select(Server).where(Server.name == name)).one()
        here = [session.scalars(select(kind).where(kind.server_id == server.id)).all() for kind in (Resource, Account)]
        return sum(map(len, here))


def refused(fleet: Fleet, name: str) -> str:
    with pytest.raises(Refused) as problem:
        server_loss.give_up(fleet, "ada", name)
    return problem.value.message


@pytest.mark.parametrize("given_up", [True, False], ids=["given up", "waiting"])
def test_what_was_to_leave_a_lost_nameserver_is_over(fleet: Fleet, given_up: bool) -> None:
    living, going = order(fleet, "living.com"), order(fleet, "going.com")
    work(fleet)
    assert "take it out of use" in refused(fleet, "n2")
    server_changes.set_status(fleet, "ada", "n2", "disabled")
    assert "attached as nameserver to g" in refused(fleet, "n2")
    server_changes.set_status(fleet, "ada", "n2", "active")
    with fleet.database.write() as session:
        server = session.scalars(select(Server).where(Server.name == "n2")).one()
        server.blocked_since, server.blocked_cause = server.created_at, "unreachable"
    groups.attach_dns(fleet, "ada", "g", ["n1"])
    services.terminate(fleet, "ada", going.id)
    roll(fleet)
    if given_up:
        give_up(fleet)
    server_changes.set_status(fleet, "ada", "n2", "disabled")
    assert left_on(fleet, "n2") > 0
    assert status(fleet, going) is (ServiceStatus.ERROR if given_up else ServiceStatus.TERMINATING)
    with pytest.raises(Refused, match="say that it is lost"):
        server_changes.delete_server(fleet, "ada", "n2")
    server_loss.give_up(fleet, "ada", "n2")
    assert left_on(fleet, "n2") == 0
    assert (status(fleet, going), status(fleet, living)) == (ServiceStatus.TERMINATED, ServiceStatus.ACTIVE)
    with fleet.database.read() as session:
        assert set(session.scalars(select(Task.status))) <= FINAL_TASK_STATES
        line = session.scalars(select(OperationLog).where(OperationLog.action == "server.lost")).one()
        assert (line.actor, line.target) == ("ada", "n2")
    server_changes.delete_server(fleet, "ada", "n2")


def test_what_shall_still_be_there_is_named_and_stays(fleet: Fleet) -> None:
    for number in range(2):
        order(fleet, f"d{number}.com")
    work(fleet)
    server_changes.set_status(fleet, "ada", "w1", "disabled")
    before = left_on(fleet, "w1")
    assert refused(fleet, "w1") == "d0.com, d1.com shall still be on w1; end or move what lives there first"
    assert left_on(fleet, "w1") == before
