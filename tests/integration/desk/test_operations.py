"""What staff do with tickets and webhooks: done and written down, or refused with words and nothing written."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select

from controller.domain.failures import ErrorClass
from controller.domain.tickets import EVENTS
from controller.domain.words import Role, TicketStatus
from controller.engine import desk
from controller.engine.fleet import Fleet
from controller.engine.outbox import Outbox
from controller.operations import tickets, webhooks
from controller.operations.errors import Conflict, Invalid, NotFound, OperationError, Refused
from controller.store.desk_models import Delivery, Ticket, TicketNote, Webhook
from controller.store.models import OperationLog, Task, User
from tests.integration.desk.conftest import Mailbox, TaskMaker

# What is asked for is looked at before the database is: one storage says it all.
pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)

GOOD = {"name": "chat", "url": "https://chat.test/hook/T0KEN", "events": list(EVENTS)}


@pytest.fixture
def ticket(fleet: Fleet, ended: TaskMaker) -> int:
    """An open ticket; staff 1 (operator), 2 (disabled), and a customer 3."""
    task_id = ended(ErrorClass.REFUSED)
    with fleet.database.write() as session:
        for name, role, disabled in (
            ("op", Role.OPERATOR, False),
            ("gone", Role.OWNER, True),
            ("c", Role.CUSTOMER, False),
        ):
            session.add(User(email=f"{name}@host.test", name=name, role=role, disabled=disabled))
        desk.task_failed(session, session.get_one(Task, task_id))
    return 1


def state(fleet: Fleet) -> Ticket:
    with fleet.database.read() as session:
        return session.get_one(Ticket, 1)


def notes(fleet: Fleet) -> list[tuple[str, str, str]]:
    with fleet.database.read() as session:
        return [(n.kind, n.actor, n.body) for n in session.scalars(select(TicketNote).order_by(TicketNote.id))][1:]


def audited(fleet: Fleet) -> list[str]:
    with fleet.database.read() as session:
        return list(session.scalars(select(OperationLog.action).order_by(OperationLog.id)))


def test_the_life_of_a_ticket_in_a_persons_hands(fleet: Fleet, ticket: int) -> None:
    tickets.assign(fleet, "me", ticket, "OP@host.test")
    tickets.assign(fleet, "me", ticket, 1)
    tickets.add_note(fleet, "me", ticket, "  first line\r\nsecond  ")
    tickets.close(fleet, "me", ticket, "It was the disk.")
    tickets.add_note(fleet, "me", ticket, "a note on a closed one")
    tickets.reopen(fleet, "me", ticket)
    tickets.assign(fleet, "me", ticket, None)
    tickets.close(fleet, "me", ticket)
    assert notes(fleet) == [
        ("assigned", "me", "Assigned to op."),
        ("note", "me", "first line\nsecond"),
        ("closed", "me", "It was the disk."),
        ("note", "me", "a note on a closed one"),
        ("reopened", "me", "Opened again."),
        ("assigned", "me", "Assigned to nobody."),
        ("closed", "me", "Closed."),
    ]
    assert audited(fleet) == [
        "ticket.assign",
        "ticket.note",
        "ticket.close",
        "ticket.note",
        "ticket.reopen",
        "ticket.assign",
        "ticket.close",
    ]
    assert state(fleet).status is TicketStatus.CLOSED
    assert state(fleet).closed_at is not None


@pytest.mark.parametrize(
    ("act", "problem", "words"),
    [
        (lambda f: tickets.add_note(f, "me", 1, "  \n "), Invalid, "text: is needed"),
        (lambda f: tickets.add_note(f, "me", 1, "x" * 5001), Invalid, "text: must be at most 5000"),
        (lambda f: tickets.add_note(f, "me", 1, "bell \x07"), Invalid, "text: must not have control"),
        (lambda f: tickets.add_note(f, "me", 9, "x"), NotFound, "there is no ticket 9"),
        (lambda f: tickets.assign(f, "me", 1, "nobody@host.test"), Invalid, "assignee: is none of the staff"),
        (lambda f: tickets.assign(f, "me", 1, 2), Invalid, "assignee: is none of the staff"),
        (lambda f: tickets.assign(f, "me", 1, 3), Invalid, "assignee: is none of the staff"),
        (lambda f: tickets.assign(f, "me", 1, "²"), Invalid, "assignee: is none of the staff"),
        (lambda f: tickets.close(f, "me", 1, "x" * 5001), Invalid, "text: must be at most 5000"),
        (lambda f: tickets.close(f, "me", 9), NotFound, "there is no ticket 9"),
        (lambda f: tickets.reopen(f, "me", 1), Refused, "ticket 1 is open already"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    fleet: Fleet, ticket: int, act: Any, problem: type[OperationError], words: str
) -> None:
    with pytest.raises(problem, match=words):
        act(fleet)
    assert (notes(fleet), audited(fleet)) == ([], [])


def test_a_closed_ticket_is_neither_closed_nor_assigned(fleet: Fleet, ticket: int) -> None:
    tickets.close(fleet, "me", ticket)
    with pytest.raises(Refused, match="closed already"):
        tickets.close(fleet, "me", ticket)
    with pytest.raises(Refused, match="reopen it first"):
        tickets.assign(fleet, "me", ticket, 1)


def test_a_ticket_is_not_reopened_beside_a_newer_one_for_the_same_cause(
    fleet: Fleet, ticket: int, ended: TaskMaker
) -> None:
    tickets.close(fleet, "me", ticket)
    task_id = ended(ErrorClass.REFUSED)
    with fleet.database.write() as session:
        desk.task_failed(session, session.get_one(Task, task_id))
    with pytest.raises(Refused, match="ticket 2 is open for the same cause"):
        tickets.reopen(fleet, "me", ticket)


def test_people_hear_of_notes_and_closing(fleet: Fleet, ticket: int, mailbox: Mailbox) -> None:
    tickets.add_note(fleet, "me@host.test", ticket, "looking at it")
    tickets.close(fleet, "me@host.test", ticket, "done")
    Outbox(fleet).send_due()
    first, second = (content.decode() for _, _, content in mailbox.mails)
    assert "me@host.test:\r\nlooking at it" in first
    assert "Subject: [#1] Closed: " in second


def test_a_webhooks_secret_is_shown_once_and_stored_sealed(fleet: Fleet) -> None:
    webhook, secret = webhooks.create(fleet, "me", **GOOD)
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    with fleet.database.read() as session:
        stored = session.get_one(Webhook, webhook.id)
        lines = session.scalars(select(OperationLog)).all()
    assert secret not in stored.secret
    assert fleet.vault.unseal(stored.secret) == secret
    assert "T0KEN" not in json.dumps([line.detail for line in lines])


def test_a_webhook_is_edited_tested_and_deleted_with_what_waits_for_it(fleet: Fleet) -> None:
    webhook, _ = webhooks.create(fleet, "me", **GOOD)
    webhooks.edit(fleet, "me", "chat", name="talk", events=["ticket.closed"])
    webhooks.edit(fleet, "me", "talk", name="talk")
    webhooks.send_test(fleet, "me", webhook.id)
    webhooks.edit(fleet, "me", webhook.id, active=False)
    with pytest.raises(Refused, match="talk is switched off"):
        webhooks.send_test(fleet, "me", webhook.id)
    with fleet.database.read() as session:
        assert session.scalars(select(Delivery.event)).all() == ["webhook.test"]
        stored = session.get_one(Webhook, webhook.id)
    assert (stored.name, stored.url, stored.events, stored.active) == ("talk", GOOD["url"], ["ticket.closed"], False)
    webhooks.delete(fleet, "me", "talk")
    with fleet.database.read() as session:
        assert session.scalars(select(Delivery)).all() == []
    with pytest.raises(NotFound):
        webhooks.delete(fleet, "me", "talk")
    assert audited(fleet) == ["webhook.create", "webhook.edit", "webhook.test", "webhook.edit", "webhook.delete"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name: is needed"),
        ({"name": "7"}, "name: cannot be only digits"),
        ({"url": ""}, "url: is needed"),
        ({"url": "chat.test/hook"}, "url: must begin with https"),
        ({"url": "ftp://chat.test/"}, "url: must begin with https"),
        ({"url": "javascript:alert(1)"}, "url: must begin with https"),
        ({"url": "https://"}, "url: must name a host"),
        ({"url": "https://:80/"}, "url: must name a host"),
        ({"url": "https://me:pw@chat.test/"}, "url: must not have a user name or password"),
        ({"url": "https://chat.test:99999/"}, "url: is not an address"),
        ({"url": "https://[::1/"}, "url: is not an address"),
        ({"url": "https://chat.test/a b"}, "url: must not have spaces"),
        ({"url": "https://chat.test/\r\nHost: evil"}, "url: must not have spaces"),
        ({"url": "https://chat.test/#x"}, "url: must not have a # part"),
        ({"url": "https://chat.test/" + "x" * 500}, "url: must be at most 500"),
        ({"events": []}, "events: must be some of"),
        ({"events": ["ticket.opened", "nonsense"]}, "events: must be some of"),
    ],
)
def test_a_bad_webhook_names_the_field(fleet: Fleet, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        webhooks.create(fleet, "me", **{**GOOD, **change})
    existing, _ = webhooks.create(fleet, "me", **GOOD)
    with pytest.raises(Invalid, match=words):
        webhooks.edit(fleet, "me", existing.id, **change)
    assert audited(fleet) == ["webhook.create"]


def test_two_webhooks_cannot_have_one_name(fleet: Fleet) -> None:
    webhooks.create(fleet, "me", **GOOD)
    other, _ = webhooks.create(fleet, "me", **{**GOOD, "name": "other"})
    with pytest.raises(Conflict):
        webhooks.create(fleet, "me", **GOOD)
    with pytest.raises(Conflict):
        webhooks.edit(fleet, "me", other.id, name="chat")
