"""Tickets open, grow and recover with the results of tasks."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.automation.runner import Outcome
from controller.domain.failures import BLOCKS_SERVER, ErrorClass
from controller.domain.options import TicketOptions
from controller.domain.words import TicketStatus
from controller.engine import desk, lifecycle
from controller.engine.fleet import Fleet
from controller.operations import tasks
from controller.store.base import utcnow
from controller.store.desk_models import Delivery, Ticket, TicketNote
from controller.store.models import Task
from controller.store.options import save
from tests.integration.desk.conftest import Mailbox, TaskMaker


def fail(fleet: Fleet, task_id: int) -> None:
    with fleet.database.write() as session:
        desk.task_failed(session, session.get_one(Task, task_id))


def succeed(fleet: Fleet, task_id: int) -> None:
    with fleet.database.write() as session:
        desk.task_succeeded(session, session.get_one(Task, task_id))


def tickets(fleet: Fleet) -> list[Ticket]:
    with fleet.database.read() as session:
        return list(session.scalars(select(Ticket).order_by(Ticket.id)))


def notes(fleet: Fleet, ticket_id: int = 1) -> list[str]:
    with fleet.database.read() as session:
        query = select(TicketNote.kind).where(TicketNote.ticket_id == ticket_id).order_by(TicketNote.id)
        return list(session.scalars(query))


def events(fleet: Fleet, channel: str) -> list[str]:
    with fleet.database.read() as session:
        return list(session.scalars(select(Delivery.event).where(Delivery.channel == channel).order_by(Delivery.id)))


def test_a_failure_opens_a_ticket_that_says_what_where_why_and_what_to_do(fleet: Fleet, ended: TaskMaker) -> None:
    task_id = ended(ErrorClass.REFUSED)
    fail(fleet, task_id)
    (ticket,) = tickets(fleet)
    assert ticket.subject == "Configuring web hosting failed: a.com on web01"
    assert (ticket.status, ticket.failures, ticket.task_id) == (TicketStatus.OPEN, 1, task_id)
    with fleet.database.read() as session:
        note = session.scalars(select(TicketNote)).one()
    assert (note.kind, note.actor, note.task_id) == ("failure", "", task_id)
    for words in ("a.com", "web01", "3 attempts", "the panel said no", "Refused by the panel", "What to do"):
        assert words in note.body


def test_the_same_failure_again_adds_a_note_and_another_target_opens_another_ticket(
    fleet: Fleet, ended: TaskMaker
) -> None:
    fail(fleet, ended(ErrorClass.REFUSED))
    again = ended(ErrorClass.TIMEOUT)
    fail(fleet, again)
    fail(fleet, ended(ErrorClass.REFUSED, target="b.com"))
    fail(fleet, ended(ErrorClass.REFUSED, server=2))
    first, *others = tickets(fleet)
    assert (first.failures, first.task_id, first.error_class) == (2, again, "timeout")
    assert notes(fleet) == ["failure", "failure"]
    assert [ticket.failures for ticket in others] == [1, 1]


@pytest.mark.parametrize("kind", sorted(BLOCKS_SERVER))
def test_all_tasks_of_a_server_that_is_away_share_one_ticket(fleet: Fleet, ended: TaskMaker, kind: ErrorClass) -> None:
    for target in ("a.com", "b.com", "c.com"):
        fail(fleet, ended(kind, target=target))
    fail(fleet, ended(kind, server=2))
    first, second = tickets(fleet)
    assert (first.failures, second.failures) == (3, 1)
    assert first.subject.startswith("web01 ")
    assert first.service_id is None


def test_a_look_opens_a_ticket_only_if_the_server_itself_is_the_trouble(fleet: Fleet, ended: TaskMaker) -> None:
    fail(fleet, ended(ErrorClass.REFUSED, check=True))
    assert tickets(fleet) == []
    fail(fleet, ended(ErrorClass.UNREACHABLE, check=True))
    fail(fleet, ended(ErrorClass.TIMEOUT, action="server.status", target="web01", check=True))
    assert [ticket.subject for ticket in tickets(fleet)] == [
        "web01 does not answer",
        "The check of web01 does not work",
    ]


def test_nothing_is_opened_while_tickets_are_switched_off(fleet: Fleet, ended: TaskMaker) -> None:
    with fleet.database.write() as session:
        save(session, TicketOptions(enabled=False), "test")
    fail(fleet, ended(ErrorClass.REFUSED))
    assert tickets(fleet) == []


def test_a_success_is_noted_once_per_recovery(fleet: Fleet, ended: TaskMaker) -> None:
    fail(fleet, ended(ErrorClass.REFUSED))
    succeed(fleet, ended())
    succeed(fleet, ended())
    assert notes(fleet) == ["failure", "success"]
    assert tickets(fleet)[0].recovered_at is not None
    fail(fleet, ended(ErrorClass.REFUSED))
    assert tickets(fleet)[0].recovered_at is None
    succeed(fleet, ended())
    assert notes(fleet) == ["failure", "success", "failure", "success"]
    assert tickets(fleet)[0].status is TicketStatus.OPEN


def test_other_successes_and_looks_do_not_count_as_recovery(fleet: Fleet, ended: TaskMaker) -> None:
    fail(fleet, ended(ErrorClass.REFUSED))
    succeed(fleet, ended(target="b.com"))
    succeed(fleet, ended(server=2))
    succeed(fleet, ended(action="web.account"))
    succeed(fleet, ended(check=True))
    assert notes(fleet) == ["failure"]


def test_anything_that_works_on_a_server_shows_that_it_is_back(fleet: Fleet, ended: TaskMaker) -> None:
    fail(fleet, ended(ErrorClass.UNREACHABLE))
    succeed(fleet, ended(server=2))
    assert notes(fleet) == ["failure"]
    succeed(fleet, ended(action="mail.account", target="other", check=True))
    assert notes(fleet) == ["failure", "success"]


def test_after_closing_the_next_failure_opens_a_new_ticket(fleet: Fleet, ended: TaskMaker) -> None:
    fail(fleet, ended(ErrorClass.REFUSED))
    with fleet.database.write() as session:
        ticket = session.get_one(Ticket, 1)
        ticket.status, ticket.closed_at = TicketStatus.CLOSED, utcnow()
    fail(fleet, ended(ErrorClass.REFUSED))
    assert [ticket.status for ticket in tickets(fleet)] == [TicketStatus.CLOSED, TicketStatus.OPEN]


def test_a_dead_servers_probes_fill_neither_ticket_nor_mailbox(
    fleet: Fleet, ended: TaskMaker, mailbox: Mailbox
) -> None:
    task_id = ended(ErrorClass.UNREACHABLE, action="server.status", target="web01")
    for _ in range(40):
        fail(fleet, task_id)
    assert tickets(fleet)[0].failures == 40
    assert len(notes(fleet)) == len(events(fleet, "email")) == 8


def test_two_workers_that_fail_at_once_make_one_ticket(fleet: Fleet, ended: TaskMaker) -> None:
    ids = [ended(ErrorClass.UNREACHABLE, target=f"{number}.com") for number in range(8)]
    start = threading.Barrier(len(ids))

    def run(task_id: int) -> None:
        start.wait()
        fail(fleet, task_id)

    threads = [threading.Thread(target=run, args=(task_id,)) for task_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (ticket,) = tickets(fleet)
    assert ticket.failures == len(ids)
    assert notes(fleet) == ["failure"] * len(ids)


def test_losing_the_race_for_a_ticket_keeps_the_callers_transaction(
    fleet: Fleet, ended: TaskMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unique index says no in the middle of the transaction that writes a task's result."""
    fail(fleet, ended(ErrorClass.REFUSED))
    task_id = ended(ErrorClass.REFUSED)
    looks = []
    scalars = Session.scalars

    def blind_at_first(self: Session, statement: object, *args: object, **kwargs: object) -> object:
        """The first look for an open ticket comes too early to see the other worker's."""
        if "FROM tickets" in str(statement) and not looks:
            looks.append(statement)
            statement = statement.where(Ticket.id < 0)  # type: ignore[attr-defined]
        return scalars(self, statement, *args, **kwargs)  # type: ignore[call-overload]

    with fleet.database.write() as session:
        task = session.get_one(Task, task_id)
        task.error = "written before"
        monkeypatch.setattr(Session, "scalars", blind_at_first)
        desk.task_failed(session, task)
        monkeypatch.undo()
        task.changed = True
    with fleet.database.read() as session:
        task = session.get_one(Task, task_id)
    assert looks
    assert (task.error, task.changed) == ("written before", True)
    assert [ticket.failures for ticket in tickets(fleet)] == [2]


def test_the_engine_opens_a_ticket_and_notes_the_retry_that_works(fleet: Fleet, ended: TaskMaker) -> None:
    def attempt(task_id: int, outcome: Outcome) -> None:
        with fleet.database.write() as session:
            held = lifecycle.claim(session, task_id, "worker", fleet.settings)
            assert held is not None
            lifecycle.finish(session, held, outcome, 0)

    task_id = ended(ErrorClass.REFUSED, action="server.status", target="web01")
    tasks.retry(fleet, "me", task_id)
    attempt(task_id, Outcome(ok=False, error_class=ErrorClass.REFUSED, error="the panel said no"))
    assert notes(fleet) == ["failure"]
    tasks.retry(fleet, "me", task_id)
    attempt(task_id, Outcome(ok=True))
    assert notes(fleet) == ["failure", "success"]


def test_what_is_sent_is_written_with_the_ticket_or_not_at_all(
    fleet: Fleet, ended: TaskMaker, mailbox: Mailbox
) -> None:
    task_id = ended(ErrorClass.REFUSED)
    with pytest.raises(RuntimeError), fleet.database.write() as session:
        desk.task_failed(session, session.get_one(Task, task_id))
        raise RuntimeError("the transaction fails")
    assert tickets(fleet) == []
    assert events(fleet, "email") == []
    fail(fleet, task_id)
    succeed(fleet, ended())
    assert events(fleet, "email") == ["ticket.opened", "ticket.recovered"]
