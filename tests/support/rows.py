"""A fleet whose tasks are carried out by rows alone: what comes of each is told by the test."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import ServiceStatus, TaskStatus
from controller.engine import catch_up, dispatch, lifecycle
from controller.engine.fleet import Fleet
from controller.operations import orders
from controller.store.models import Server, Service, Task

GOOD = Outcome(ok=True, changed=True, facts={"ip": "192.0.2.1", "hostname": "n1.test"})
BAD = Outcome(ok=False, error_class=ErrorClass.BAD_ARGUMENT, error="no such thing")
AWAY = Outcome(ok=False, error_class=ErrorClass.UNREACHABLE, error="no route to host")


def order(fleet: Fleet, domain: str) -> Service:
    return orders.order(fleet, "test", product="p", domain=domain, customer_email="a@customer.com", customer_name="Ada")


def work(fleet: Fleet, away: str = "", failing: Collection[str] = ()) -> None:
    """Run all that can be run; one server does not answer, some actions fail for good."""
    while True:
        with fleet.database.read() as session:
            due = [task_id for task_id, _ in dispatch.due(session)]
            query = select(Task.id, Server.name, Task.action).join(Server, Server.id == Task.server_id)
            known = {task_id: (name, action) for task_id, name, action in session.execute(query)}
        due = [task_id for task_id in due if known[task_id][1] != "server.status"]
        if not due:
            return
        for task_id in due:
            with fleet.database.write() as session:
                held = lifecycle.claim(session, task_id, "worker", fleet.settings)
            if held is not None:
                with fleet.database.write() as session:
                    name, action = known[task_id]
                    outcome = AWAY if name == away else BAD if {action, f"{action} on {name}"} & {*failing} else GOOD
                    lifecycle.finish(session, held, outcome, 0)


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


def give_up(fleet: Fleet) -> None:
    """Tasks have waited for their server as long as their policy allows."""
    with fleet.database.read() as session:
        waiting = session.scalars(
            select(Task.id).where(Task.status == TaskStatus.QUEUED, Task.action != "server.status")
        ).all()
    for task_id in waiting:
        with fleet.database.write() as session:
            lifecycle.give_up_waiting(session, task_id)
