"""Life of tasks on a real, migrated SQLite database: claims, fences, leases, retries, holds, locks."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import delete, select, update

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import Capability, Desired, ServerStatus, ServiceStatus, TaskStatus
from controller.engine import dispatch, lifecycle
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.operations import orders, server_actions, services, task_bulk
from controller.operations import tasks as task_operations
from controller.operations.errors import Conflict, Invalid, Refused
from controller.store.base import utcnow
from controller.store.models import Account, Activity, Resource, Server, ServerLock, Service, Task

OWNER = "worker"
GOOD = Outcome(ok=True, changed=True, facts={"ip": "192.0.2.1"})


def order(fleet: Fleet, domain: str = "customer.com") -> Service:
    return orders.order(fleet, "test", product="p", domain=domain, customer_email="a@customer.com", customer_name="Ada")


def claim(fleet: Fleet, task_id: int) -> Claim | None:
    with fleet.database.write() as session:
        return lifecycle.claim(session, task_id, OWNER, fleet.settings)


def finish(fleet: Fleet, held: Claim, outcome: Outcome = GOOD) -> list[tuple[int, int]] | None:
    with fleet.database.write() as session:
        return lifecycle.finish(session, held, outcome, 0)


def failed(kind: ErrorClass) -> Outcome:
    return Outcome(ok=False, error_class=kind, error="words")


def task_of(fleet: Fleet, action: str, number: int = 0) -> Task:
    with fleet.database.read() as session:
        return session.scalars(select(Task).where(Task.action == action).order_by(Task.id)).all()[number]


def run_all(fleet: Fleet, outcome: Outcome = GOOD) -> int:
    """Claim and finish everything that becomes ready; how many tasks ran."""
    count = 0
    while True:
        with fleet.database.read() as session:
            due = dispatch.due(session)
        if not due:
            return count
        for task_id, _ in due:
            if held := claim(fleet, task_id):
                finish(fleet, held, outcome)
                count += 1


def status(fleet: Fleet, service_id: int) -> ServiceStatus:
    with fleet.database.read() as session:
        return session.get_one(Service, service_id).status


def test_an_order_is_one_transaction_with_everything_in_it(fleet: Fleet) -> None:
    service = order(fleet)
    with fleet.database.read() as session:
        accounts = {a.username for a in session.scalars(select(Account).where(Account.service_id == service.id))}
        states = [task.status for task in session.scalars(select(Task))]
        passwords = list(session.scalars(select(Account.password)))
    assert accounts == {"customer-com-web", "customer-com-mail", "customer-com-dns"}
    assert len(states) == 13
    assert states.count(TaskStatus.QUEUED) == 4
    assert all(fleet.vault.unseal(sealed) not in sealed for sealed in passwords)


def test_roles_on_one_server_share_one_account(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        server = session.scalars(select(Server).where(Server.name == "w1")).one()
        server.can_mail = True
        session.execute(update(Server).where(Server.name == "m1").values(status=ServerStatus.CLOSED))
    service = order(fleet)
    with fleet.database.read() as session:
        shared = session.scalars(
            select(Account).where(Account.service_id == service.id, Account.server_id == server.id)
        ).one()
        packages = session.scalars(select(Resource.action).where(Resource.account_id == shared.id)).all()
    assert (shared.username, shared.roles) == ("customer-com-web", [Capability.WEB, Capability.MAIL])
    assert sorted(packages) == ["mail.domain", "web.account", "web.certificate", "web.domain", "web.package"]


@pytest.mark.parametrize("domain", ["", "not a domain", "co.uk"])
def test_a_refused_order_writes_nothing(fleet: Fleet, domain: str) -> None:
    with pytest.raises(Invalid):
        order(fleet, domain)
    with fleet.database.read() as session:
        for table in (Service, Account, Resource, Task, Activity):
            assert session.scalar(select(table).limit(1)) is None


def test_a_domain_with_a_live_service_is_refused_in_any_spelling(fleet: Fleet) -> None:
    order(fleet, "münchen.de")
    with pytest.raises(Conflict):
        order(fleet, "XN--MNCHEN-3YA.de")


def test_a_full_group_refuses_and_names_the_role(fleet: Fleet) -> None:
    for number in range(3):
        order(fleet, f"c{number}.com")
    with pytest.raises(Invalid, match="web"):
        order(fleet, "one-too-many.com")


def test_two_workers_never_hold_the_same_task(fleet: Fleet) -> None:
    order(fleet)
    task = task_of(fleet, "web.package")
    assert claim(fleet, task.id) is not None
    assert claim(fleet, task.id) is None


def test_one_changing_task_per_server(fleet: Fleet) -> None:
    order(fleet, "one.com")
    order(fleet, "two.com")
    first, second = task_of(fleet, "web.package", 0), task_of(fleet, "web.package", 1)
    held = claim(fleet, first.id)
    assert held is not None
    assert claim(fleet, second.id) is None
    assert claim(fleet, task_of(fleet, "mail.package").id) is not None, "another server does not wait"
    rings = finish(fleet, held)
    assert rings, "somebody who waits for the server is rung for"
    assert claim(fleet, second.id) is not None


def test_a_task_that_only_looks_needs_no_lock(fleet: Fleet) -> None:
    service = order(fleet)
    run_all(fleet)
    services.verify(fleet, "test", service.id)
    with fleet.database.read() as session:
        checks = session.scalars(select(Task.id).where(Task.check_mode)).all()
    assert len(checks) == 13
    held = [one for task_id in checks if (one := claim(fleet, task_id))]
    with fleet.database.read() as session:
        assert session.scalar(select(ServerLock)) is None
        servers = session.scalars(select(Task.server_id).where(Task.status == TaskStatus.RUNNING)).all()
    assert len(servers) == len(set(servers)) == 4, "one at a time per server, so that a dead one takes one place"
    for one in held:
        finish(fleet, one)
    assert run_all(fleet) == 13 - len(held)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE


def test_a_service_becomes_live_when_its_last_task_is_done(fleet: Fleet) -> None:
    service = order(fleet)
    assert run_all(fleet) == 13
    assert status(fleet, service.id) is ServiceStatus.ACTIVE
    with fleet.database.read() as session:
        assert session.scalar(select(ServerLock)) is None
        for resource in session.scalars(select(Resource)):
            assert resource.applied_generation == resource.generation


def test_a_late_worker_cannot_write_over_a_newer_attempt(fleet: Fleet) -> None:
    order(fleet)
    task = task_of(fleet, "web.package")
    late = claim(fleet, task.id)
    assert late is not None
    with fleet.database.write() as session:
        session.execute(update(Task).where(Task.id == task.id).values(lease_until=utcnow() - dt.timedelta(seconds=1)))
        lifecycle.take_back(session, task.id, late.fence)
    newer = claim(fleet, task.id)
    assert newer is not None
    assert newer.fence > late.fence
    assert finish(fleet, late, failed(ErrorClass.INTERNAL)) is None
    assert task_of(fleet, "web.package").status is TaskStatus.RUNNING
    assert finish(fleet, newer) is not None


def test_a_lost_lease_is_noticed_by_its_holder(fleet: Fleet) -> None:
    order(fleet)
    held = claim(fleet, task_of(fleet, "web.package").id)
    assert held is not None
    with fleet.database.write() as session:
        assert lifecycle.renew(session, [held], fleet.settings) == set()
        session.execute(update(Task).where(Task.id == held.task_id).values(fence=99))
    with fleet.database.write() as session:
        assert lifecycle.renew(session, [held], fleet.settings) == {held.task_id}


def test_a_worker_whose_lock_another_task_has_taken_has_lost_its_own(fleet: Fleet) -> None:
    order(fleet, "one.com")
    order(fleet, "two.com")
    paused = claim(fleet, task_of(fleet, "web.package", 0).id)
    assert paused is not None
    with fleet.database.write() as session:
        past = utcnow() - dt.timedelta(seconds=1)
        session.execute(update(Task).where(Task.id == paused.task_id).values(lease_until=past))
        session.execute(update(ServerLock).values(until=past))
    other = claim(fleet, task_of(fleet, "web.package", 1).id)
    assert other is not None, "the lock has run out"
    with fleet.database.write() as session:
        assert lifecycle.renew(session, [paused, other], fleet.settings) == {paused.task_id}
    with fleet.database.write() as session:
        lifecycle.take_back(session, paused.task_id, paused.fence)
    assert task_of(fleet, "web.package", 0).status is TaskStatus.QUEUED


def test_an_interruption_costs_no_attempt_but_a_poison_does_in_the_end(fleet: Fleet) -> None:
    order(fleet)
    task = task_of(fleet, "web.package")
    for _ in range(20):
        held = claim(fleet, task.id)
        if held is None:
            break
        with fleet.database.write() as session:
            past = utcnow() - dt.timedelta(seconds=1)
            session.execute(update(Task).where(Task.id == task.id).values(lease_until=past))
            lifecycle.take_back(session, task.id, held.fence)
    assert task_of(fleet, "web.package").status is TaskStatus.FAILED, "it does not go on for ever"
    assert task_of(fleet, "web.package").fence > lifecycle.FREE_INTERRUPTIONS


def test_a_failure_is_tried_again_and_then_given_up(fleet: Fleet) -> None:
    service = order(fleet)
    task = task_of(fleet, "web.package")
    for attempt in (1, 2):
        held = claim(fleet, task.id)
        assert held is not None
        assert held.attempt == attempt
        finish(fleet, held, failed(ErrorClass.BUSY))
    assert task_of(fleet, "web.package").status is TaskStatus.FAILED
    assert status(fleet, service.id) is ServiceStatus.ERROR
    assert task_of(fleet, "web.domain").status is TaskStatus.HELD
    assert task_of(fleet, "dns.zone").status is TaskStatus.HELD
    assert task_of(fleet, "mail.account").status is TaskStatus.WAITING, "what does not depend on it goes on"


@pytest.mark.parametrize("kind", [ErrorClass.BAD_ARGUMENT, ErrorClass.HOST_KEY_CHANGED])
def test_what_cannot_get_better_fails_at_once(fleet: Fleet, kind: ErrorClass) -> None:
    order(fleet)
    held = claim(fleet, task_of(fleet, "web.package").id)
    assert held is not None
    finish(fleet, held, failed(kind))
    assert task_of(fleet, "web.package").status is TaskStatus.FAILED


def test_a_retry_by_staff_brings_the_whole_service_to_life(fleet: Fleet) -> None:
    service = order(fleet)
    held = claim(fleet, task_of(fleet, "web.account", 0).id)
    assert held is None, "it waits for its package"
    held = claim(fleet, task_of(fleet, "web.package").id)
    assert held is not None
    finish(fleet, held, failed(ErrorClass.BAD_ARGUMENT))
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ERROR
    task_operations.retry(fleet, "test", task_of(fleet, "web.package").id)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE


def test_a_cancelled_task_holds_what_waits_for_it(fleet: Fleet) -> None:
    service = order(fleet)
    task_operations.cancel(fleet, "test", task_of(fleet, "web.package").id)
    run_all(fleet)
    assert task_of(fleet, "web.package").status is TaskStatus.CANCELLED
    assert task_of(fleet, "web.domain").status is TaskStatus.HELD
    assert status(fleet, service.id) is ServiceStatus.ERROR
    services.redeploy(fleet, "test", service.id)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE


def test_a_finished_task_cannot_be_cancelled_or_retried(fleet: Fleet) -> None:
    order(fleet)
    run_all(fleet)
    task = task_of(fleet, "web.package")
    with pytest.raises(Refused):
        task_operations.cancel(fleet, "test", task.id)
    with pytest.raises(Refused):
        task_operations.retry(fleet, "test", task.id)


def test_a_server_in_maintenance_gets_no_task(fleet: Fleet) -> None:
    order(fleet)
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == "w1").values(status=ServerStatus.MAINTENANCE))
    assert claim(fleet, task_of(fleet, "web.package").id) is None
    with fleet.database.read() as session:
        assert task_of(fleet, "web.package").id not in {task_id for task_id, _ in dispatch.due(session)}


def test_termination_removes_the_rows_only_when_the_servers_have_confirmed(fleet: Fleet) -> None:
    service = order(fleet)
    run_all(fleet)
    services.terminate(fleet, "test", service.id)
    assert status(fleet, service.id) is ServiceStatus.TERMINATING
    held = claim(fleet, task_of(fleet, "web.domain", 1).id)
    assert held is not None
    finish(fleet, held, failed(ErrorClass.BAD_ARGUMENT))
    with fleet.database.read() as session:
        assert session.scalar(select(Resource.id).where(Resource.action == "web.domain")) is not None
    task_operations.retry(fleet, "test", task_of(fleet, "web.domain", 1).id)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.TERMINATED
    with fleet.database.read() as session:
        assert session.scalar(select(Resource.id)) is None
        assert session.scalar(select(Account.id)) is None
    assert order(fleet).domain == "customer.com", "the domain may be ordered again"


def test_terminating_in_the_middle_of_a_deployment_ends_in_terminated(fleet: Fleet) -> None:
    service = order(fleet)
    held = claim(fleet, task_of(fleet, "web.package").id)
    assert held is not None
    services.terminate(fleet, "test", service.id)
    finish(fleet, held)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.TERMINATED


def _terminated_twice(fleet: Fleet) -> tuple[Service, Task, Task]:
    """A service whose termination was asked for twice, and the tasks that remove its zone from one nameserver: the
    older one is to run again beside the newer one."""
    service = order(fleet)
    run_all(fleet)
    services.terminate(fleet, "test", service.id)
    services.terminate(fleet, "test", service.id)
    old, new = task_of(fleet, "dns.zone", 2), task_of(fleet, "dns.zone", 4)
    with fleet.database.write() as session:
        lifecycle.queue_again(session, session.get_one(Task, old.id))
    return service, old, new


def test_what_an_older_task_removed_needs_no_newer_one(fleet: Fleet) -> None:
    service, old, new = _terminated_twice(fleet)
    held = claim(fleet, new.id)
    assert held is not None
    with fleet.database.write() as session:
        lock = session.scalars(select(ServerLock)).one()
        lock.until = session.get_one(Task, new.id).lease_until = utcnow() - dt.timedelta(seconds=1)
    again = claim(fleet, old.id)
    assert again is not None
    finish(fleet, again)
    with fleet.database.write() as session:
        lifecycle.take_back(session, new.id, held.fence)
    assert task_of(fleet, "dns.zone", 4).status is TaskStatus.SUCCEEDED
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.TERMINATED


def test_nothing_waits_for_a_cancelled_removal_of_what_is_gone(fleet: Fleet) -> None:
    service, old, new = _terminated_twice(fleet)
    task_operations.cancel(fleet, "test", new.id)
    assert status(fleet, service.id) is ServiceStatus.ERROR
    held = claim(fleet, old.id)
    assert held is not None
    ready = finish(fleet, held)
    assert task_of(fleet, "dns.account", 4).id in [task_id for task_id, _ in ready or []]
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.TERMINATED
    with pytest.raises(Refused, match="is gone"):
        task_operations.retry(fleet, "test", new.id)


def test_only_the_newest_task_about_a_thing_is_tried_again(fleet: Fleet) -> None:
    service = order(fleet)
    services.suspend(fleet, "test", service.id)
    services.unsuspend(fleet, "test", service.id)
    old, newest = task_of(fleet, "web.account"), task_of(fleet, "web.account", 1)
    assert old.status is TaskStatus.CANCELLED
    with pytest.raises(Refused, match=f"task {newest.id} is newer and about the same"):
        task_operations.retry(fleet, "test", old.id)
    task_operations.cancel(fleet, "test", newest.id)
    task_operations.retry(fleet, "test", newest.id)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE


def test_what_is_done_once_on_a_server_can_be_tried_again(fleet: Fleet) -> None:
    server_actions.restart_service(fleet, "test", "w1", "nginx")
    task = task_of(fleet, "server.restart")
    held = claim(fleet, task.id)
    assert held is not None
    finish(fleet, held, failed(ErrorClass.BAD_ARGUMENT))
    assert task_of(fleet, "server.restart").status is TaskStatus.FAILED
    task_operations.retry(fleet, "test", task.id)
    run_all(fleet)
    assert task_of(fleet, "server.restart").status is TaskStatus.SUCCEEDED


def test_the_latest_wish_wins_over_a_result_that_comes_late(fleet: Fleet) -> None:
    service = order(fleet)
    run_all(fleet)
    services.suspend(fleet, "test", service.id)
    held = claim(fleet, task_of(fleet, "web.domain", 1).id)
    assert held is not None
    services.unsuspend(fleet, "test", service.id)
    finish(fleet, held)
    with fleet.database.read() as session:
        resource = session.scalars(select(Resource).where(Resource.action == "web.domain")).one()
        assert resource.applied_generation < resource.generation
        assert resource.desired is Desired.ACTIVE
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE


@pytest.mark.parametrize("request_", ["change_product", "repair", "unsuspend"])
def test_a_request_that_overtakes_an_order_takes_over_what_it_left_undone(fleet: Fleet, request_: str) -> None:
    service = order(fleet)
    held = claim(fleet, task_of(fleet, "web.package").id)
    assert held is not None
    finish(fleet, held)
    arguments = ["p"] if request_ == "change_product" else []
    getattr(services, request_)(fleet, "test", service.id, *arguments)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE
    with fleet.database.read() as session:
        behind = [r.action for r in session.scalars(select(Resource)) if r.applied_generation != r.generation]
    assert not behind


def test_what_failed_is_tried_again_by_the_next_request_although_it_is_about_something_else(fleet: Fleet) -> None:
    service = order(fleet)
    run_all(fleet)
    services.redeploy(fleet, "test", service.id)
    task_operations.cancel(fleet, "test", task_of(fleet, "dns.zone", 2).id)
    services.change_product(fleet, "test", service.id, "p")
    with fleet.database.read() as session:
        newest = session.scalars(select(Task.pipeline_id).order_by(Task.id.desc())).first()
        assert "dns.zone" in session.scalars(select(Task.action).where(Task.pipeline_id == newest)).all()


def test_a_service_is_not_live_because_the_task_that_failed_was_deleted(fleet: Fleet) -> None:
    service = order(fleet)
    task_operations.cancel(fleet, "test", task_of(fleet, "web.certificate").id)
    task_operations.cancel(fleet, "test", task_of(fleet, "dns.zone").id)
    run_all(fleet)
    task_bulk.run(fleet, "test", "delete", ids=[task_of(fleet, "web.certificate").id])
    with pytest.raises(Refused, match="has done the same since"):
        task_operations.retry(fleet, "test", task_of(fleet, "dns.zone").id)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ERROR
    services.change_product(fleet, "test", service.id, "p")
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE


def test_an_order_that_is_suspended_before_it_began_is_built_when_it_comes_back(fleet: Fleet) -> None:
    service = order(fleet)
    services.suspend(fleet, "test", service.id)
    with fleet.database.read() as session:
        waiting = session.scalars(select(Task.action).where(Task.status != TaskStatus.CANCELLED)).all()
    assert {action.split(".")[0] for action in waiting} == {"dns"}, "nothing is made only to be suspended"
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.SUSPENDED
    services.unsuspend(fleet, "test", service.id)
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE
    with fleet.database.read() as session:
        assert all(r.applied_generation == r.generation for r in session.scalars(select(Resource)))


def test_an_emptied_queue_is_filled_again_from_the_rows(fleet: Fleet) -> None:
    order(fleet)
    fleet.queue.flush()
    assert fleet.queue.pending() == 0
    with fleet.database.read() as session:
        assert len(dispatch.due(session)) == 4


def test_a_lock_whose_holder_is_gone_does_not_block_for_ever(fleet: Fleet) -> None:
    order(fleet)
    task = task_of(fleet, "web.package")
    other = task_of(fleet, "mail.package")
    with fleet.database.write() as session:
        session.execute(delete(ServerLock))
        session.add(
            ServerLock(server_id=task.server_id, task_id=other.id, fence=1, until=utcnow() - dt.timedelta(seconds=1))
        )
    assert claim(fleet, task.id) is not None


def test_what_an_earlier_attempt_changed_is_told_with_the_last(fleet: Fleet) -> None:
    service = order(fleet)
    task = task_of(fleet, "web.package")

    def attempt(outcome: Outcome) -> Task:
        with fleet.database.write() as session:
            session.get_one(Task, task.id).not_before = None
        held = claim(fleet, task.id)
        assert held is not None
        finish(fleet, held, outcome)
        return task_of(fleet, "web.package")

    first = {"before": {"a": "1", "b": "1"}, "after": {"a": "2", "b": "1"}}
    second = {"before": {"a": "2", "b": "1"}, "after": {"a": "3", "b": "4"}}
    refused = Outcome(
        ok=False,
        error_class=ErrorClass.BUSY,
        error="no",
        changed=True,
        actions=["v-one"],
        repaired=["half"],
        diff=first,
    )
    assert attempt(refused).status is TaskStatus.QUEUED
    done = attempt(Outcome(ok=True, changed=False, actions=["v-two"], diff=second))
    assert (done.status, done.changed) == (TaskStatus.SUCCEEDED, True)
    assert (done.result["actions"], done.result["repaired"]) == (["v-one", "v-two"], ["half"])
    assert done.result["diff"] == {"before": {"a": "1", "b": "1"}, "after": {"a": "3", "b": "4"}}
    run_all(fleet)
    assert status(fleet, service.id) is ServiceStatus.ACTIVE
