"""The drift check: server by server, everything counted once, nothing left behind that is as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from controller.automation.runner import Outcome
from controller.automation.variables import task_variables
from controller.domain.failures import ErrorClass
from controller.domain.options import DriftOptions
from controller.domain.words import VERIFY_ACTION, Reason, ServerStatus, ServiceStatus, TaskStatus
from controller.engine import dispatch, drift, drift_looks, lifecycle
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.operations import drift as operations
from controller.operations import drift_repair, orders, services, zones
from controller.operations.errors import NotFound, Refused
from controller.store.base import utcnow
from controller.store.models import OperationLog, Pipeline, Resource, Server, Service, Task
from controller.store.options import save
from controller.store.queries import last_verification
from controller.store.work_models import DriftLook, LongRun
from tests.support.storages import MOSTLY_SQLITE

pytestmark = MOSTLY_SQLITE

GOOD = Outcome(ok=True, facts={"ip": "192.0.2.1"})
DIFFERS = {"diff": {"before": {"package": "old"}, "after": {"package": "new"}}}
BROKEN = {"error_class": "refused", "msg": "the panel said no"}

Special = dict[tuple[str, str], dict[str, Any]]
"""What is found of a thing, by its action and the name of its service."""


@pytest.fixture
def live(fleet: Fleet) -> list[Service]:
    """Three services that are active."""
    ordered = [
        orders.order(fleet, "test", product="p", domain=f"{name}.com", customer_email="a@b.com", customer_name="Ada")
        for name in ("one", "two", "three")
    ]
    run_all(fleet)
    return ordered


def looked(fleet: Fleet, task_id: int, special: Special) -> Outcome:
    """What the module says of the wishes that the task reads now."""
    with fleet.database.read() as session:
        task = session.get_one(Task, task_id)
        values = task_variables(session, fleet.vault, task).values
        wishes = json.loads(values["hestia_server_wishes"])
        resources = {r.id: r for r in session.scalars(select(Resource))}
        found: dict[str, list[dict[str, Any]]] = {"differences": [], "failures": []}
        for wish in wishes:
            service = resources[int(wish["mark"].partition(".")[0])].service
            assert service is not None
            one = special.get((wish["action"], service.domain))
            if one is not None:
                found["differences" if "diff" in one else "failures"].append({"mark": wish["mark"], **one})
    return Outcome(ok=True, facts={"looked_at": [wish["mark"] for wish in wishes], **found})


def start_one(fleet: Fleet, task_id: int) -> Claim | None:
    with fleet.database.write() as session:
        return lifecycle.claim(session, task_id, "worker", fleet.settings)


def finish(fleet: Fleet, held: Claim, outcome: Outcome) -> None:
    with fleet.database.write() as session:
        lifecycle.finish(session, held, outcome, 0)


def run_all(fleet: Fleet, special: Special | None = None, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Run what is due until nothing is; ``meanwhile`` happens between the look at a server and its result."""
    while True:
        fleet.wake(drift.advance(fleet.database))
        with fleet.database.read() as session:
            due = dispatch.due(session)
            actions = {task.id: task.action for task in session.scalars(select(Task))}
        if not due:
            return
        for task_id, _ in due:
            held = start_one(fleet, task_id)
            if held is None:
                continue
            outcome = GOOD
            if actions[task_id] == VERIFY_ACTION:
                outcome = looked(fleet, task_id, special or {})
                meanwhile()
            finish(fleet, held, outcome)


def run_of(fleet: Fleet) -> LongRun:
    with fleet.database.read() as session:
        return session.scalars(select(LongRun).where(LongRun.kind == drift.KIND)).one()


def told(run: LongRun) -> dict[str, list[str]]:
    """All lines of each service that the report names."""
    return {
        entry["domain"]: [line for thing in entry["differences"] for line in thing["lines"]]
        for entry in run.report["differing"]
    }


def test_everything_is_looked_at_and_what_is_right_leaves_no_rows(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    run_all(fleet)
    run = run_of(fleet)
    assert (run.total, run.done, run.found, run.failed) == (3, 3, 0, 0)
    assert run.finished_at is not None
    with fleet.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Pipeline).where(Pipeline.reason == Reason.VERIFY)) == 0
        assert session.scalar(select(func.count()).select_from(Task).where(Task.check_mode)) == 0
        assert session.scalar(select(func.count()).select_from(DriftLook)) == 0
        for service in session.scalars(select(Service)):
            assert (service.differences, service.status) == (0, ServiceStatus.ACTIVE)
            assert service.verified_at is not None
        line = session.scalars(select(OperationLog).where(OperationLog.action == "drift.check")).one()
        assert "3 services looked at" in line.message


def test_what_differs_or_cannot_be_looked_at_is_named_marked_and_repaired(fleet: Fleet, live: list[Service]) -> None:
    run = operations.start(fleet, "staff")
    run_all(fleet, {("web.account", "one.com"): DIFFERS, ("mail.domain", "two.com"): BROKEN})
    run = run_of(fleet)
    assert (run.done, run.found, run.failed) == (3, 1, 1)
    assert told(run) == {
        "one.com": ["package: old, should be new"],
        "two.com": ["could not be looked at: the panel said no"],
    }
    (thing,) = run.report["differing"][0]["differences"]
    assert (thing["action"], thing["server"]) == ("web.account", "w1")
    with fleet.database.read() as session:
        assert [one.differences for one in session.scalars(select(Service).order_by(Service.id))] == [1, None, 0]
        assert {one.status for one in session.scalars(select(Service))} == {ServiceStatus.ACTIVE}
        checked = last_verification(session, live[0].id)
        assert checked is not None
        assert len(checked.tasks) == session.scalar(select(func.count()).where(Resource.service_id == live[0].id))
        assert [task.action for task in checked.tasks if task.changed] == ["web.account"]
    assert drift_repair.repair_all(fleet, "staff", run.id).done == 1
    with fleet.database.read() as session:
        repair = session.scalars(select(Pipeline).where(Pipeline.reason == Reason.REPAIR)).one()
        # What stands on the account comes along, mail and nameservers do not.
        assert {task.action for task in repair.tasks} >= {"web.account", "web.domain"}
        assert not [task for task in repair.tasks if task.action.startswith("mail.")]


def test_a_server_is_looked_at_in_portions_by_one_task_at_a_time(
    fleet: Fleet, live: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_looks, "PORTION", dict.fromkeys(drift_looks.PORTION, 2))
    operations.start(fleet, "staff")
    with fleet.database.read() as session:
        tasks = session.scalars(select(Task).where(Task.check_mode)).all()
    assert [(task.action, len(task.arguments["services"]), task.priority) for task in tasks] == [
        (VERIFY_ACTION, 2, 90),
        (VERIFY_ACTION, 2, 90),
    ]
    assert len({task.server_id for task in tasks}) == 2
    run_all(fleet, {("dns.zone", "three.com"): DIFFERS})
    run = run_of(fleet)
    assert (run.done, run.found, run.failed) == (3, 1, 0)
    # On both nameservers.
    assert told(run) == {"three.com": ["package: old, should be new"] * 2}


def test_the_worker_that_dies_in_the_middle_loses_nothing(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    with fleet.database.read() as session:
        task_id = dispatch.due(session)[0][0]
    dead = start_one(fleet, task_id)
    assert dead is not None
    with fleet.database.write() as session:
        session.execute(update(Task).where(Task.id == task_id).values(lease_until=utcnow().replace(year=2000)))
    with fleet.database.write() as session:
        lifecycle.take_back(session, task_id, dead.fence)
    run_all(fleet, {("web.account", "one.com"): DIFFERS, ("mail.account", "one.com"): DIFFERS})
    # What it still had to say is told to nobody.
    finish(fleet, dead, Outcome(ok=True, facts={}))
    run = run_of(fleet)
    assert (run.done, run.found, run.failed) == (3, 1, 0)
    assert len(told(run)["one.com"]) == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [({"blocked_since": utcnow()}, "is not in reach"), ({"status": ServerStatus.MAINTENANCE}, "is in maintenance")],
    ids=["away", "maintenance"],
)
def test_a_server_that_is_away_does_not_hold_the_check_up(
    fleet: Fleet, live: list[Service], state: dict[str, Any], words: str
) -> None:
    operations.start(fleet, "staff")
    with fleet.database.write() as session:
        # One whose look is waiting, and one whose turn has not come.
        first, last = "n1", "m1"
        session.execute(update(Server).where(Server.name.in_((first, last))).values(**state))
    run_all(fleet, {("web.account", "one.com"): DIFFERS})
    run = run_of(fleet)
    assert run.finished_at is not None
    assert (run.done, run.found, run.failed) == (3, 1, 3)
    assert f"could not be looked at: the server {words}" in told(run)["two.com"]
    entries = {entry["domain"]: entry for entry in run.report["differing"]}
    assert [drift_repair.differs(entries[name]) for name in ("one.com", "two.com")] == [True, False]


def test_what_changes_meanwhile_is_not_reported_as_drift(fleet: Fleet, live: list[Service]) -> None:
    """Suspended between the look and its result; redeployed, changed or about to be changed before the report."""
    once = [
        lambda: services.suspend(fleet, "staff", live[0].id),
        lambda: services.redeploy(fleet, "staff", live[1].id),
        lambda: zones.add_record(fleet, "staff", live[2].id, name="x", type="A", value="192.0.2.9"),
    ]

    everything = {
        (action, f"{name}.com"): DIFFERS
        for name, action in (("one", "web.domain"), ("two", "mail.account"), ("three", "dns.zone"))
    }

    def meanwhile() -> None:
        if once:
            once.pop(0)()
        else:
            everything.clear()

    operations.start(fleet, "staff")
    run_all(fleet, everything, meanwhile)
    run = run_of(fleet)
    assert (run.done, run.found, run.failed) == (3, 0, 3)
    assert {line for lines in told(run).values() for line in lines} == {
        f"could not be looked at: {drift_looks.UNCERTAIN}"
    }
    with fleet.database.read() as session:
        assert session.get_one(Service, live[0].id).status is ServiceStatus.SUSPENDED
        assert not session.scalar(select(Service.id).where(Service.differences > 0))


def test_a_task_that_fails_is_told_for_the_services_of_its_server(fleet: Fleet, live: list[Service]) -> None:
    operations.start(fleet, "staff")
    with fleet.database.read() as session:
        task_id = dispatch.due(session)[0][0]
    held = start_one(fleet, task_id)
    assert held is not None
    finish(fleet, held, Outcome(ok=False, error_class=ErrorClass.BAD_ARGUMENT, error="no JSON"))
    run_all(fleet)
    run = run_of(fleet)
    assert (run.done, run.failed) == (3, 3)
    assert told(run)["one.com"] == ["could not be looked at: no JSON"]


def test_a_check_can_be_stopped_and_only_one_runs(fleet: Fleet, live: list[Service]) -> None:
    with fleet.database.write() as session:
        save(session, DriftOptions(at_once=1), "test")
    run = operations.start(fleet, "staff")
    with pytest.raises(Refused):
        operations.start(fleet, "staff")
    operations.cancel(fleet, "staff", run.id)
    stopped = run_of(fleet)
    assert stopped.cancelled
    assert stopped.finished_at is not None
    with fleet.database.read() as session:
        assert session.scalars(select(Task.status).where(Task.check_mode)).all() == [TaskStatus.CANCELLED]
        assert session.scalar(select(func.count()).select_from(DriftLook)) == 0
    with pytest.raises(Refused):
        operations.cancel(fleet, "staff", run.id)
    with pytest.raises(NotFound):
        operations.cancel(fleet, "staff", 999)
    assert operations.start(fleet, "staff").id != run.id
