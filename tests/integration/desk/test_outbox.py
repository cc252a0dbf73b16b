"""What is sent, over a real SMTP server and to real HTTP receivers."""

from __future__ import annotations

import email
import logging
import threading
import time
from collections.abc import Callable
from email.policy import default

import pytest
from sqlalchemy import select, update
from standardwebhooks.webhooks import Webhook as Verifier

from controller.domain.failures import ErrorClass
from controller.domain.options import MailOptions
from controller.engine import desk, outbox, post
from controller.engine.announcements import webhook_delivery
from controller.engine.fleet import Fleet
from controller.engine.outbox import Outbox
from controller.store.base import utcnow
from controller.store.desk_models import Delivery, Webhook
from controller.store.models import Task
from controller.store.options import load, save
from tests.integration.desk.conftest import Mailbox, Receiver, TaskMaker

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvbmx5ISE="
ALL = ["ticket.opened", "ticket.noted", "ticket.recovered", "ticket.closed"]


def webhook(fleet: Fleet, receiver: Receiver, *, events: list[str] = ALL, active: bool = True) -> int:
    with fleet.database.write() as session:
        row = Webhook(
            name=receiver.url, url=receiver.url, secret=fleet.vault.seal(SECRET), events=events, active=active
        )
        session.add(row)
        session.flush()
        return row.id


def fail(fleet: Fleet, task_id: int) -> None:
    with fleet.database.write() as session:
        desk.task_failed(session, session.get_one(Task, task_id))


def deliveries(fleet: Fleet) -> list[Delivery]:
    with fleet.database.read() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def queue(fleet: Fleet, webhook_id: int, count: int = 1) -> None:
    with fleet.database.write() as session:
        session.add_all(webhook_delivery(webhook_id, "webhook.test", {"number": number}) for number in range(count))


def test_a_ticket_reaches_a_receiver_with_a_signature_that_fits(
    fleet: Fleet, ended: TaskMaker, receivers: Callable[[], Receiver]
) -> None:
    receiver, deaf, idle = receivers(), receivers(), receivers()
    webhook(fleet, receiver)
    webhook(fleet, deaf, events=["ticket.closed"])
    webhook(fleet, idle, active=False)
    fail(fleet, ended(ErrorClass.REFUSED))
    assert Outbox(fleet).send_due() == 1
    ((headers, body),) = receiver.calls
    told = Verifier(SECRET).verify(body, headers)
    assert headers["webhook-id"] == deliveries(fleet)[0].key
    assert told["type"] == "ticket.opened"
    assert told["data"]["ticket"]["server"] == {"id": 1, "name": "web01"}
    assert told["data"]["note"]["kind"] == "failure"
    assert told["data"]["url"] == "https://fleet.test/admin/tickets/1"
    assert (deaf.calls, idle.calls) == ([], [])
    assert [row.status for row in deliveries(fleet)] == ["sent"]
    assert Outbox(fleet).send_due() == 0


def test_a_receiver_that_fails_twice_gets_the_same_message_a_third_time(
    fleet: Fleet, receivers: Callable[[], Receiver], make_due: Callable[[], None]
) -> None:
    receiver = receivers()
    receiver.answers = [500, 503]
    queue(fleet, webhook(fleet, receiver))
    box = Outbox(fleet)
    assert box.send_due() == 0
    (row,) = deliveries(fleet)
    assert (row.status, row.attempt, row.error) == ("pending", 1, "answered 500")
    assert row.not_before > utcnow()
    assert box.send_due() == 0, "back-off was not waited for"
    make_due()
    box.send_due()
    make_due()
    assert box.send_due() == 1
    (row,) = deliveries(fleet)
    assert (row.status, row.attempt, row.error) == ("sent", 3, None)
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    assert len({body for _, body in receiver.calls}) == 1
    for headers, body in receiver.calls:
        Verifier(SECRET).verify(body, headers)


def test_after_the_last_attempt_it_is_given_up_with_the_error(
    fleet: Fleet, receivers: Callable[[], Receiver], make_due: Callable[[], None]
) -> None:
    receiver = receivers()
    receiver.answers = [500] * 20
    queue(fleet, webhook(fleet, receiver))
    box = Outbox(fleet)
    for _ in range(outbox.POLICY.attempts + 2):
        make_due()
        box.send_due()
    (row,) = deliveries(fleet)
    assert (row.status, row.attempt, row.error) == ("failed", 8, "answered 500")
    assert len(receiver.calls) == 8


@pytest.mark.parametrize(
    ("answer", "words"), [(302, "answered 302; redirects are not followed"), (410, "answered 410")]
)
def test_only_2xx_counts_as_taken(fleet: Fleet, receivers: Callable[[], Receiver], answer: int, words: str) -> None:
    receiver = receivers()
    receiver.answers = [answer]
    queue(fleet, webhook(fleet, receiver))
    Outbox(fleet).send_due()
    assert deliveries(fleet)[0].error == words
    assert len(receiver.calls) == 1


def test_nobody_listening_is_said_in_words_without_the_address(
    fleet: Fleet, receivers: Callable[[], Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    webhook_id = webhook(fleet, receivers())
    with fleet.database.write() as session:
        session.get_one(Webhook, webhook_id).url = "http://127.0.0.1:1/services/T0KEN"
    queue(fleet, webhook_id)
    with caplog.at_level(logging.INFO, logger="controller"):
        Outbox(fleet).send_due()
    error = deliveries(fleet)[0].error or ""
    assert error.startswith("no connection")
    assert "T0KEN" not in error + caplog.text
    assert SECRET not in caplog.text


def test_a_slow_receiver_holds_up_nobody_else(fleet: Fleet, receivers: Callable[[], Receiver]) -> None:
    slow, quick = receivers(), receivers()
    slow.hang = threading.Event()
    slow_id, quick_id = webhook(fleet, slow), webhook(fleet, quick)
    queue(fleet, slow_id, 5)
    queue(fleet, quick_id, 3)
    box = Outbox(fleet)
    assert box.send_due() == 3
    queue(fleet, quick_id, 3)
    assert box.send_due() == 3
    assert len(slow.calls) == 1, "the slow one was asked again while it was still busy"
    slow.hang.set()
    deadline = time.monotonic() + 60
    while any(row.status != "sent" for row in deliveries(fleet)):
        assert time.monotonic() < deadline
        box.send_due()


def test_several_workers_send_each_message_once(fleet: Fleet, receivers: Callable[[], Receiver]) -> None:
    receiver = receivers()
    queue(fleet, webhook(fleet, receiver), 20)
    workers = [threading.Thread(target=Outbox(fleet).send_due) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    deadline = time.monotonic() + 60
    while any(row.status != "sent" for row in deliveries(fleet)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sorted(headers["webhook-id"] for headers, _ in receiver.calls) == sorted(r.key for r in deliveries(fleet))


def test_a_message_of_a_dead_worker_goes_out_when_its_lease_ends(
    fleet: Fleet, receivers: Callable[[], Receiver]
) -> None:
    receiver = receivers()
    queue(fleet, webhook(fleet, receiver))
    with fleet.database.write() as session:
        session.execute(update(Delivery).values(lease_until=utcnow() + outbox.LEASE))
    assert Outbox(fleet).send_due() == 0
    with fleet.database.write() as session:
        session.execute(update(Delivery).values(lease_until=utcnow()))
    assert Outbox(fleet).send_due() == 1


def test_a_ticket_reaches_people_by_mail(fleet: Fleet, ended: TaskMaker, mailbox: Mailbox) -> None:
    task_id = ended(ErrorClass.REFUSED, error="Größe überschritten")
    fail(fleet, task_id)
    fail(fleet, task_id)
    assert Outbox(fleet).send_due() == 2
    (sender, recipients, content), (_, _, later) = mailbox.mails
    message, second = email.message_from_bytes(content, policy=default), email.message_from_bytes(later, policy=default)
    text = message.get_content()
    assert (sender, recipients) == ("fleet@host.test", ["ops@host.test", "boss@host.test"])
    assert message["Subject"] == "[#1] Configuring web hosting failed: a.com on web01"
    assert message["Message-ID"] == f"<{deliveries(fleet)[0].key}@fleet.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["References"] == second["References"] == "<ticket-1@fleet.test>"
    assert message.get_content_type() == "text/plain"
    assert "Größe überschritten" in text
    assert "Ticket: https://fleet.test/admin/tickets/1" in text
    assert f"Task: https://fleet.test/admin/tasks/{task_id}" in text


def test_one_recipient_that_is_not_taken_does_not_stop_the_others(
    fleet: Fleet, ended: TaskMaker, mailbox: Mailbox
) -> None:
    mailbox.refuse = {"boss@host.test"}
    fail(fleet, ended(ErrorClass.REFUSED))
    Outbox(fleet).send_due()
    (row,) = deliveries(fleet)
    assert [recipients for _, recipients, _ in mailbox.mails] == [["ops@host.test"]]
    assert row.status == "sent"
    assert row.error == "not taken: boss@host.test: 550 no such mailbox"


def test_a_mail_nobody_takes_is_tried_again(
    fleet: Fleet, ended: TaskMaker, mailbox: Mailbox, make_due: Callable[[], None]
) -> None:
    mailbox.refuse = {"boss@host.test", "ops@host.test"}
    fail(fleet, ended(ErrorClass.REFUSED))
    box = Outbox(fleet)
    box.send_due()
    assert "takes none of the recipients" in (deliveries(fleet)[0].error or "")
    mailbox.refuse = set()
    make_due()
    assert box.send_due() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"security": "starttls"}, "cannot do what is asked for"),
        ({"security": "tls"}, "no connection to the mail server"),
        ({"port": 1}, "no connection to the mail server"),
        ({"host": ""}, "no SMTP server is set"),
        ({"username": "ops", "password": "hunter2-secret"}, "cannot do what is asked for"),
    ],
)
def test_a_mail_that_cannot_leave_says_why_and_never_with_the_password(
    fleet: Fleet,
    ended: TaskMaker,
    mailbox: Mailbox,
    change: dict[str, str],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail(fleet, ended(ErrorClass.REFUSED))
    with fleet.database.write() as session:
        if "password" in change:
            change = {**change, "password": fleet.vault.seal(change["password"])}
        save(session, load(session, MailOptions).model_copy(update=change), "test")
    Outbox(fleet).send_due()
    (row,) = deliveries(fleet)
    assert row.status == "pending"
    assert words in (row.error or "")
    assert "hunter2" not in (row.error or "") + caplog.text
    assert mailbox.mails == []


def test_a_subject_cannot_carry_another_header(mailbox: Mailbox) -> None:
    mail = post.Mail("msg_1", ["ops@host.test"], "a\r\nBcc: evil@host.test", "text")
    options = MailOptions(host="127.0.0.1", port=mailbox.port, security="none")
    assert post.send_mail(mail, options, "") == []
    message = email.message_from_bytes(mailbox.mails[0][2], policy=default)
    assert message["Bcc"] is None
    assert message["Subject"] == "a Bcc: evil@host.test"


def test_a_webhook_that_was_switched_off_is_not_called(fleet: Fleet, receivers: Callable[[], Receiver]) -> None:
    receiver = receivers()
    queue(fleet, webhook(fleet, receiver, active=False))
    Outbox(fleet).send_due()
    assert receiver.calls == []
    assert deliveries(fleet)[0].error == "the webhook is switched off"
