"""Clean-up removes what is over and old, and nothing that is open, shown or young."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from controller.domain.options import RetentionOptions
from controller.domain.words import Reason, ServiceStatus, TaskStatus, TicketStatus
from controller.engine import cleanup
from controller.engine.cleanup import clean_up, in_words
from controller.engine.fleet import Fleet
from controller.operations import orders
from controller.store.base import Base, utcnow
from controller.store.desk_models import Delivery, Ticket, TicketNote
from controller.store.models import (
    Activity,
    ApiToken,
    IdempotencyKey,
    OperationLog,
    Pipeline,
    Server,
    Service,
    Task,
    TaskEvent,
)
from controller.store.options import save
from controller.store.queries import current_pipeline
from controller.store.work_models import LongRun, WorkerProcess


def ago(days: float) -> dt.datetime:
    return utcnow() - dt.timedelta(days=days)


def count(fleet: Fleet, model: type[Base]) -> int:
    with fleet.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def there(fleet: Fleet, *numbers: int) -> set[int]:
    """Which of these pipelines are still there."""
    with fleet.database.read() as session:
        return set(session.scalars(select(Pipeline.id).where(Pipeline.id.in_(numbers))))


def a_service(fleet: Fleet, domain: str = "a.example", status: ServiceStatus = ServiceStatus.ACTIVE) -> int:
    """A service whose order is not there any more."""
    service = orders.order(
        fleet, "test", product="p", domain=domain, customer_email="ada@example.net", customer_name="Ada"
    )
    with fleet.database.write() as session:
        for pipeline in session.scalars(select(Pipeline).where(Pipeline.service_id == service.id)):
            for task in pipeline.tasks:
                session.delete(task)
            session.flush()
            session.delete(pipeline)
        session.execute(update(Service).where(Service.id == service.id).values(status=status))
    return service.id


def a_pipeline(
    fleet: Fleet,
    reason: Reason,
    days: float,
    *states: TaskStatus,
    service_id: int | None = None,
    events: int = 2,
    **values: Any,
) -> int:
    """A pipeline that ended so many days ago (unless a task is open), with tasks in these states."""
    check = reason in (Reason.VERIFY, Reason.CHECK)
    given: dict[str, Any] = {
        "action": "server.status" if reason is Reason.CHECK else "web.domain",
        "check_mode": reason is Reason.VERIFY,
        "changed": None if check else True,
    } | values
    open_ = any(state not in (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED) for state in states)
    with fleet.database.write() as session:
        pipeline = Pipeline(
            reason=reason,
            service_id=service_id,
            created_at=ago(days),
            finished_at=None if open_ else ago(days),
            run_id=given.pop("run_id", None),
        )
        session.add(pipeline)
        session.flush()
        server_id = session.scalars(select(Server.id)).first()
        for state in states or (TaskStatus.SUCCEEDED,):
            task = Task(
                pipeline_id=pipeline.id,
                service_id=service_id,
                server_id=server_id,
                target="a.example",
                label="Step",
                status=state,
                finished_at=ago(days),
                events_expected=events,
                **given,
            )
            session.add(task)
            session.flush()
            if events:
                session.execute(
                    insert(TaskEvent),
                    [{"task_id": task.id, "seq": seq + 1, "attempt": 1, "kind": "verbose"} for seq in range(events)],
                )
        return pipeline.id


def close(fleet: Fleet) -> int:
    """The newest pipeline of all, which always stays."""
    return a_pipeline(fleet, Reason.CHECK, 0, TaskStatus.SUCCEEDED)


def test_old_pipelines_go_with_all_they_have_and_young_ones_stay(fleet: Fleet) -> None:
    service = a_service(fleet)
    old = a_pipeline(fleet, Reason.ORDER, 31, TaskStatus.SUCCEEDED, TaskStatus.CANCELLED, service_id=service)
    failed = a_pipeline(fleet, Reason.REDEPLOY, 31, TaskStatus.FAILED, service_id=service)
    young = a_pipeline(fleet, Reason.REDEPLOY, 29, TaskStatus.SUCCEEDED, service_id=service)
    last = close(fleet)
    assert clean_up(fleet) == "removed 3 tasks, 6 events"
    assert there(fleet, old, failed, young, last) == {young, last}
    assert (count(fleet, Task), count(fleet, TaskEvent)) == (2, 4)
    assert clean_up(fleet) == "nothing to remove"


@pytest.mark.parametrize("state", [TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.HELD])
def test_what_has_an_open_task_is_never_touched(fleet: Fleet, state: TaskStatus) -> None:
    service = a_service(fleet)
    for reason in Reason:
        a_pipeline(fleet, reason, 4000, TaskStatus.SUCCEEDED, state, service_id=service)
    # Also when it had ended, and a task of it is tried again.
    a_pipeline(fleet, Reason.ORDER, 4000, TaskStatus.SUCCEEDED, state, service_id=service)
    with fleet.database.write() as session:
        session.execute(update(Pipeline).values(finished_at=ago(4000)))
    before = count(fleet, Pipeline), count(fleet, Task), count(fleet, TaskEvent)
    close(fleet)
    assert clean_up(fleet) == "nothing to remove"
    assert (count(fleet, Pipeline), count(fleet, Task), count(fleet, TaskEvent)) == (
        before[0] + 1,
        before[1] + 1,
        before[2] + 2,
    )


def test_the_page_of_a_live_service_keeps_what_it_shows(fleet: Fleet) -> None:
    service, ended = a_service(fleet), a_service(fleet, "b.example", ServiceStatus.TERMINATED)
    order = a_pipeline(fleet, Reason.ORDER, 900, TaskStatus.SUCCEEDED, service_id=service)
    deployed = a_pipeline(fleet, Reason.REDEPLOY, 800, TaskStatus.SUCCEEDED, service_id=service)
    first_look = a_pipeline(fleet, Reason.VERIFY, 700, TaskStatus.SUCCEEDED, service_id=service)
    last_look = a_pipeline(fleet, Reason.VERIFY, 600, TaskStatus.SUCCEEDED, service_id=service)
    running = a_pipeline(fleet, Reason.REPAIR, 500, TaskStatus.RUNNING, service_id=service)
    gone = [a_pipeline(fleet, reason, 500, service_id=ended) for reason in (Reason.TERMINATE, Reason.VERIFY)]
    close(fleet)
    clean_up(fleet)
    assert there(fleet, order, deployed, first_look, last_look, running, *gone) == {deployed, last_look, running}
    with fleet.database.write() as session:
        assert current_pipeline(session, service).id == running  # type: ignore[union-attr]
        session.execute(update(Task).where(Task.pipeline_id == running).values(status=TaskStatus.SUCCEEDED))
        session.get_one(Pipeline, running).finished_at = ago(400)
    clean_up(fleet)
    assert there(fleet, deployed, last_look, running) == {last_look, running}


def test_checks_that_found_nothing_go_sooner(fleet: Fleet) -> None:
    done = TaskStatus.SUCCEEDED
    service = a_service(fleet)
    same = a_pipeline(fleet, Reason.VERIFY, 4, done, done, service_id=service, changed=False)
    differs = a_pipeline(fleet, Reason.VERIFY, 4, done, service_id=service, changed=True)
    failed = a_pipeline(fleet, Reason.VERIFY, 4, done, TaskStatus.FAILED, service_id=service)
    status = a_pipeline(fleet, Reason.CHECK, 4, done)
    unreachable = a_pipeline(fleet, Reason.CHECK, 4, TaskStatus.FAILED)
    recent = a_pipeline(fleet, Reason.CHECK, 2, done)
    order = a_pipeline(fleet, Reason.ORDER, 4, done, service_id=service)
    a_pipeline(fleet, Reason.VERIFY, 1, done, service_id=service)
    close(fleet)
    assert clean_up(fleet) == "removed 3 tasks, 6 events"
    assert there(fleet, same, differs, failed, status, unreachable, recent, order) == {
        differs,
        failed,
        unreachable,
        recent,
        order,
    }


def test_a_run_that_goes_on_keeps_its_pipelines(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        run = LongRun(kind="drift-check", title="Drift check", started_at=ago(50))
        session.add(run)
    look = a_pipeline(fleet, Reason.VERIFY, 40, TaskStatus.SUCCEEDED, run_id=run.id)
    close(fleet)
    clean_up(fleet)
    assert there(fleet, look)
    with fleet.database.write() as session:
        session.get_one(LongRun, run.id).finished_at = ago(40)
        session.add(LongRun(kind="drift-check", title="Drift check", started_at=ago(1), finished_at=ago(1)))
    assert clean_up(fleet) == "removed 1 task, 2 events, 1 long run"


def test_empty_pipelines_go(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        session.add(Pipeline(reason=Reason.REPAIR, created_at=ago(40)))
        session.add(Pipeline(reason=Reason.REPAIR, created_at=ago(1)))
    last = close(fleet)
    clean_up(fleet)
    assert count(fleet, Pipeline) == 2
    assert there(fleet, last)


def test_the_newest_numbers_are_not_given_out_again(fleet: Fleet) -> None:
    for _ in range(3):
        last = a_pipeline(fleet, Reason.CHECK, 4000, TaskStatus.SUCCEEDED)
    with fleet.database.write() as session:
        session.execute(insert(Activity), [{"at": ago(4000), "kind": "k", "message": "m"}] * 3)
        session.execute(insert(OperationLog), [{"at": ago(4000), "actor": "a", "action": "b", "target": "c"}] * 3)
        newest = session.scalar(select(func.max(Activity.id)))
    clean_up(fleet)
    assert there(fleet, last)
    assert (count(fleet, Pipeline), count(fleet, Activity), count(fleet, OperationLog)) == (1, 1, 1)
    with fleet.database.write() as session:
        session.add(Activity(kind="k", message="m"))
        session.flush()
        assert session.scalar(select(func.max(Activity.id))) == (newest or 0) + 1


def test_lines_deliveries_tickets_keys_and_workers_have_their_time(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        save(session, RetentionOptions(activity=10, operation_log=20, deliveries=5, closed_tickets=15), "test")
        token = ApiToken(name="t", scope="admin", token_hash="h")
        session.add(token)
        session.flush()
        for days in (21, 19, 11, 9, 0):
            session.add(Activity(kind="k", message="m", at=ago(days)))
            session.add(OperationLog(actor="a", action="b", target="c", at=ago(days)))
        for number, (state, days) in enumerate((("sent", 6), ("failed", 6), ("pending", 90), ("sent", 4), ("sent", 0))):
            session.add(
                Delivery(
                    key=f"k{number}", channel="email", event="e", status=state, created_at=ago(90), sent_at=ago(days)
                )
            )
        for number, (state, closed) in enumerate(
            ((TicketStatus.CLOSED, 16), (TicketStatus.CLOSED, 14), (TicketStatus.OPEN, 99), (TicketStatus.OPEN, 99))
        ):
            ticket = Ticket(subject="s", cause=f"c{number}", status=state, closed_at=ago(closed), updated_at=ago(99))
            ticket.notes.append(TicketNote(kind="note", body="b"))
            session.add(ticket)
        for number, days in enumerate((1.1, 0.9, 0)):
            session.add(IdempotencyKey(token_id=token.id, key=f"k{number}", request_hash="h", created_at=ago(days)))
            session.add(WorkerProcess(name=f"w{number}", host="h", places=4, seen_at=ago(days)))
    assert clean_up(fleet) == (
        "removed 3 activity lines, 1 operation log line, 2 deliveries, 1 ticket, 1 idempotency key, 1 dead worker"
    )
    left = {Activity: 2, OperationLog: 4, Delivery: 3, Ticket: 3, TicketNote: 3, IdempotencyKey: 2, WorkerProcess: 2}
    assert {model: count(fleet, model) for model in left} == left


def test_much_goes_in_many_small_transactions_and_nobody_waits(fleet: Fleet) -> None:
    service = a_service(fleet)
    long_log = a_pipeline(fleet, Reason.ORDER, 40, TaskStatus.SUCCEEDED, service_id=service, events=4000)
    with fleet.database.write() as session:
        server_id = session.scalars(select(Server.id)).first()
        ended = {"reason": Reason.CHECK, "created_at": ago(9), "finished_at": ago(9)}
        numbers = session.scalars(insert(Pipeline).returning(Pipeline.id), [ended] * 600).all()
        task = {"server_id": server_id, "action": "server.status", "target": "t", "label": "l"}
        session.execute(insert(Task), [{"pipeline_id": n, "status": TaskStatus.SUCCEEDED, **task} for n in numbers])
        tasks = session.scalars(select(Task.id).where(Task.pipeline_id.in_(numbers))).all()
        events = [{"task_id": t, "seq": seq, "attempt": 1, "kind": "verbose"} for t in tasks for seq in range(1, 21)]
        session.execute(insert(TaskEvent), events)
    a_pipeline(fleet, Reason.REDEPLOY, 1, TaskStatus.SUCCEEDED, service_id=service)
    close(fleet)
    written = 0
    over = threading.Event()

    def write() -> None:
        nonlocal written
        while not over.is_set():
            with fleet.database.write() as session:
                session.add(Activity(kind="k", message="m"))
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert clean_up(fleet) == "removed 601 tasks, 16 000 events"
    finally:
        over.set()
        writer.join()
    assert written > 20, "others get their turn again and again"
    assert not there(fleet, long_log)


def test_it_ends_in_time_and_leaves_the_rest_to_the_next(fleet: Fleet) -> None:
    for _ in range(3):
        a_pipeline(fleet, Reason.CHECK, 40, TaskStatus.SUCCEEDED)
    close(fleet)
    assert cleanup.CleanUp(fleet, longest=0.0).run() == "nothing to remove"
    assert clean_up(fleet) == "removed 3 tasks, 6 events"


def test_words() -> None:
    assert in_words({"task": 1, "event": 3400, "delivery": 2, "ticket": 0}) == (
        "removed 1 task, 3 400 events, 2 deliveries"
    )
    assert in_words({}) == "nothing to remove"
