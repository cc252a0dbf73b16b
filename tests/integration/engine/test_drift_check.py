"""The drift check: a few services at a time, everything counted once, nothing left behind that is as it should be."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.options import DriftOptions
from controller.domain.words import Reason, ServiceStatus, TaskStatus
from controller.engine import dispatch, drift, lifecycle
from controller.engine.fleet import Fleet
from controller.operations import drift as operations
from controller.operations import orders, services
from controller.operations.errors import NotFound, Refused
from controller.store.base import utcnow
from controller.store.models import OperationLog, Pipeline, Server, Service, Task
from controller.store.options import save
from controller.store.work_models import LongRun

GOOD = Outcome(ok=True, facts={"ip": "192.0.2.1"})
DIFFERS = Outcome(ok=True, changed=True, diff={"before": {"package": "old"}, "after": {"package": "new"}})
BROKEN = Outcome(ok=False, error_class=ErrorClass.REFUSED, error="the panel said no")


@pytest.fixture
def live(fleet: Fleet) -> list[Service]:
    """Three services that are active."""
    ordered = [
        orders.order(fleet, "test", product="p", domain=f"{name}.com", customer_email="a@b.com", customer_name="Ada")
        for name in ("one", "two", "three")
    ]
    run_all(fleet)
    return ordered


def run_all(fleet: Fleet, special: dict[tuple[int, str], Outcome] | None = None) -> None:
    """Run what is due, with an outcome of its own for some (service id, action), until nothing is."""
    while True:
        fleet.wake(drift.advance(fleet.database))
        with fleet.database.read() as session:
            due = dispatch.due(session)
        if not due:
            return
        for task_id, _ in due:
            with fleet.database.write() as session:
                held = lifecycle.claim(session, task_id, "worker", fleet.settings)
            if held is None:
                continue
            with fleet.database.write() as session:
                task = session.get_one(Task, task_id)
                key = (task.service_id or 0, task.action)
                lifecycle.finish(session, held, (special or {}).get(key, GOOD), 0)


def run_of(fleet: Fleet) -> LongRun:
    with fleet.database.read() as session:
        return session.scalars(select(LongRun)).one()


def test_everything_is_looked_at_and_what_is_right_leaves_no_rows(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    run_all(fleet)
    run = run_of(fleet)
    assert (run.total, run.done, run.found, run.failed) == (3, 3, 0, 0)
    assert run.finished_at is not None
    with fleet.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Pipeline).where(Pipeline.reason == Reason.VERIFY)) == 0
        for service in session.scalars(select(Service)):
            assert (service.differences, service.status) == (0, ServiceStatus.ACTIVE)
            assert service.verified_at is not None
        line = session.scalars(select(OperationLog).where(OperationLog.action == "drift.check")).one()
        assert "3 services looked at" in line.message


def test_what_differs_or_cannot_be_looked_at_is_named(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    run_all(fleet, {(live[0].id, "web.account"): DIFFERS, (live[1].id, "mail.domain"): BROKEN})
    run = run_of(fleet)
    assert (run.done, run.found, run.failed) == (3, 1, 1)
    told = {entry["domain"]: entry["differences"] for entry in run.report["differing"]}
    assert told["one.com"][0]["lines"] == ["package: old, should be new"]
    assert "the panel said no" in told["two.com"][0]["lines"][0]
    assert "three.com" not in told
    with fleet.database.read() as session:
        assert session.get_one(Service, live[0].id).differences == 1
        assert {one.status for one in session.scalars(select(Service))} == {ServiceStatus.ACTIVE}


def test_only_so_many_services_are_under_way_at_once_and_last_in_line(fleet: Fleet, live: list[Service]) -> None:
    with fleet.database.write() as session:
        save(session, DriftOptions(at_once=1), "test")
    operations.start(fleet, "staff")
    with fleet.database.read() as session:
        tasks = session.scalars(select(Task).where(Task.check_mode)).all()
    assert {task.service_id for task in tasks} == {live[0].id}
    assert {task.priority for task in tasks} == {90}


def test_a_server_that_is_away_does_not_hold_the_check_up(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == "m1").values(blocked_since=utcnow()))
    run_all(fleet)
    run = run_of(fleet)
    assert run.finished_at is not None
    assert (run.done, run.failed) == (3, 3)
    lines = [one["lines"] for entry in run.report["differing"] for one in entry["differences"]]
    assert ["is not in reach"] in lines


def test_a_service_that_changes_meanwhile_is_counted_as_not_looked_at(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    services.suspend(fleet, "staff", live[0].id)
    run_all(fleet)
    run = run_of(fleet)
    assert (run.done, run.failed, run.found) == (3, 1, 0)
    with fleet.database.read() as session:
        assert session.get_one(Service, live[0].id).status is ServiceStatus.SUSPENDED


def test_a_check_can_be_stopped_and_only_one_runs(fleet: Fleet, live: list[Service]) -> None:
    run = operations.start(fleet, "staff")
    with pytest.raises(Refused):
        operations.start(fleet, "staff")
    operations.cancel(fleet, "staff", run.id)
    stopped = run_of(fleet)
    assert stopped.cancelled
    assert stopped.finished_at is not None
    with fleet.database.read() as session:
        states = set(session.scalars(select(Task.status).where(Task.check_mode)))
    assert states == {TaskStatus.CANCELLED}
    with pytest.raises(Refused):
        operations.cancel(fleet, "staff", run.id)
    with pytest.raises(NotFound):
        operations.cancel(fleet, "staff", 999)
    assert operations.start(fleet, "staff").id != run.id
