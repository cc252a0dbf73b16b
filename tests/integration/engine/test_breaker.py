"""A server that does not answer: one check asks for all of its tasks, and they wait without costing anybody time."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, update

from controller.automation.runner import Outcome
from controller.domain.failures import NEVER_RETRIED, ErrorClass
from controller.domain.options import PolicyOptions, RetryOptions
from controller.domain.words import ServiceStatus, TaskStatus
from controller.engine import breaker, dispatch, lifecycle
from controller.engine.fleet import Fleet
from controller.operations import orders, servers
from controller.store.base import utcnow
from controller.store.models import Server, Service, Task
from controller.store.options import save

GOOD = Outcome(ok=True, changed=True, facts={"ip": "192.0.2.1"})
AWAY = Outcome(ok=False, error_class=ErrorClass.UNREACHABLE, error="no route to host")


@pytest.fixture
def service(fleet: Fleet) -> Service:
    return order(fleet, "customer.com")


def order(fleet: Fleet, domain: str) -> Service:
    return orders.order(fleet, "test", product="p", domain=domain, customer_email="a@customer.com", customer_name="Ada")


def run(fleet: Fleet, task_id: int, outcome: Outcome) -> list[tuple[int, int]] | None:
    with fleet.database.write() as session:
        held = lifecycle.claim(session, task_id, "worker", fleet.settings)
    if held is None:
        return None
    with fleet.database.write() as session:
        return lifecycle.finish(session, held, outcome, 0)


def task(fleet: Fleet, action: str) -> Task:
    with fleet.database.read() as session:
        return session.scalars(select(Task).where(Task.action == action).order_by(Task.id.desc())).first()


def server(fleet: Fleet, name: str) -> Server:
    with fleet.database.read() as session:
        return session.scalars(select(Server).where(Server.name == name)).one()


def hurry(fleet: Fleet, task_id: int) -> None:
    with fleet.database.write() as session:
        session.execute(update(Task).where(Task.id == task_id).values(not_before=None))


def age_block(fleet: Fleet, name: str, seconds: float) -> None:
    """As if the server had been away for so long, and its tasks had waited since."""
    past = utcnow() - dt.timedelta(seconds=seconds)
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == name).values(blocked_since=past))
        session.execute(update(Task).where(Task.status == TaskStatus.QUEUED).values(queued_at=past))


def patient(fleet: Fleet, attempts: int, delay: float) -> None:
    policy = PolicyOptions(attempts=attempts, delay=delay, growth=1, delay_max=delay, jitter=0)
    with fleet.database.write() as session:
        classes = {kind: policy for kind in ErrorClass if kind not in NEVER_RETRIED}
        save(session, RetryOptions(classes=classes), "test")


def test_an_unreachable_server_blocks_its_tasks_and_nobody_elses(fleet: Fleet, service: Service) -> None:
    run(fleet, task(fleet, "web.package").id, AWAY)
    assert server(fleet, "w1").blocked_cause == "unreachable"
    assert task(fleet, "web.package").status is TaskStatus.QUEUED
    assert run(fleet, task(fleet, "web.package").id, GOOD) is None, "it waits for the server"
    assert run(fleet, task(fleet, "mail.package").id, GOOD) is not None
    with fleet.database.read() as session:
        due = [session.get_one(Task, task_id) for task_id, _ in dispatch.due(session)]
        on_it = {one.action for one in due if one.server.name == "w1"}
    assert on_it <= {"server.status"}
    assert len(due) > len(on_it)


def test_one_check_asks_for_all_and_lets_them_go_on(fleet: Fleet, service: Service) -> None:
    first = task(fleet, "web.package")
    order(fleet, "second.com")
    run(fleet, task(fleet, "web.package").id, AWAY)
    checks = task(fleet, "server.status")
    assert checks.not_before is not None
    assert checks.priority < 10
    hurry(fleet, checks.id)
    run(fleet, checks.id, AWAY)
    again = task(fleet, "server.status")
    assert (again.id, again.status) == (checks.id, TaskStatus.QUEUED), "the same check asks again, later"
    hurry(fleet, checks.id)
    ready = run(fleet, checks.id, Outcome(ok=True, facts={"hostname": "w1.test"}))
    assert ready is not None
    assert server(fleet, "w1").blocked_since is None
    assert server(fleet, "w1").problem is None
    rung = {task_id for task_id, _ in ready}
    assert rung & {one.id for one in (task(fleet, "web.package"), first)}
    assert run(fleet, task(fleet, "web.package").id, GOOD) is not None


def test_the_check_is_never_given_up_but_the_tasks_are(fleet: Fleet, service: Service) -> None:
    patient(fleet, attempts=3, delay=10)
    first = task(fleet, "web.package")
    run(fleet, first.id, AWAY)
    with fleet.database.read() as session:
        assert breaker.tired_of_waiting(session) == []
    age_block(fleet, "w1", 21)
    with fleet.database.read() as session:
        assert breaker.tired_of_waiting(session) == [first.id]
    with fleet.database.write() as session:
        lifecycle.give_up_waiting(session, first.id)
    assert task(fleet, "web.package").status is TaskStatus.FAILED
    assert task(fleet, "web.account").status is TaskStatus.HELD
    with fleet.database.read() as session:
        told = session.get_one(Service, service.id)
        assert told.status is ServiceStatus.ERROR
        assert "does not answer" in (told.error or "")
    check = task(fleet, "server.status")
    for _ in range(5):
        hurry(fleet, check.id)
        run(fleet, check.id, AWAY)
    assert task(fleet, "server.status").status is TaskStatus.QUEUED


def test_a_changed_host_key_fails_its_task_at_once_and_lets_the_others_wait(fleet: Fleet, service: Service) -> None:
    patient(fleet, attempts=3, delay=10)
    other = order(fleet, "second.com")
    run(fleet, task(fleet, "web.package").id, Outcome(ok=False, error_class=ErrorClass.HOST_KEY_CHANGED, error="key"))
    with fleet.database.read() as session:
        states = {
            one.service_id: one.status for one in session.scalars(select(Task).where(Task.action == "web.package"))
        }
    assert states == {service.id: TaskStatus.QUEUED, other.id: TaskStatus.FAILED}
    age_block(fleet, "w1", 15)
    with fleet.database.read() as session:
        assert breaker.tired_of_waiting(session) == [], "what never got that far waits as for a server that is away"


def test_whatever_reaches_the_server_closes_the_breaker(fleet: Fleet, service: Service) -> None:
    run(fleet, task(fleet, "web.package").id, AWAY)
    servers.check(fleet, "staff", "w1")
    check = task(fleet, "server.status")
    run(fleet, check.id, Outcome(ok=False, error_class=ErrorClass.BUSY, error="load"))
    assert server(fleet, "w1").blocked_since is None


def test_a_check_asked_for_by_staff_is_the_one_on_its_way_now(fleet: Fleet, service: Service) -> None:
    run(fleet, task(fleet, "web.package").id, AWAY)
    waiting = task(fleet, "server.status")
    assert servers.check(fleet, "staff", "w1").id == waiting.id
    assert task(fleet, "server.status").not_before is None


def test_a_cancelled_check_is_replaced(fleet: Fleet, service: Service) -> None:
    run(fleet, task(fleet, "web.package").id, AWAY)
    with fleet.database.write() as session:
        lifecycle.cancel(session, [session.get_one(Task, task(fleet, "server.status").id)], "cancelled by test")
    with fleet.database.read() as session:
        assert breaker.unwatched(session) == [server(fleet, "w1").id]
