"""``ticket`` and ``webhook`` on a real installation."""

from __future__ import annotations

import pytest

from controller.engine.fleet import Fleet
from controller.operations import people
from controller.store.desk_models import Ticket, TicketNote
from tests.integration.cli.test_cli import PASSWORD, Command, cli, fleet, template

__all__ = ["cli", "fleet", "template"]


@pytest.fixture
def desk(cli: Command, fleet: Fleet) -> Command:
    """One open ticket, and one of the staff."""
    people.create_user(fleet, "test", email="op@host.test", name="Op", role="operator", password=PASSWORD)
    with fleet.database.write() as session:
        ticket = Ticket(subject="web01 does not answer", cause="x", error_class="unreachable", action="server.status")
        session.add_all([ticket, TicketNote(ticket=ticket, kind="failure", body="first\nsecond")])
    return cli


def test_the_life_of_a_ticket(desk: Command) -> None:
    assert "web01 does not answer" in desk.run("ticket", "list").stdout
    assert desk.json("ticket", "assign", "1", "op@host.test")["assignee"]["name"] == "Op"
    assert len(desk.json("ticket", "list", "--assignee", "op@host.test", "--search", "second")) == 1
    assert desk.json("ticket", "list", "--assignee", "nobody") == []
    assert desk.run("ticket", "note", "1", "looking").stdout == "Ticket 1 has a new note\n"
    assert desk.run("ticket", "assign", "1", "nobody").stdout == "Ticket 1 is assigned to nobody\n"
    assert desk.json("ticket", "close", "1", "it was the disk")["status"] == "closed"
    assert desk.json("ticket", "list") == []
    assert len(desk.json("ticket", "list", "--status", "all")) == 1
    assert desk.run("ticket", "reopen", "1").stdout == "Ticket 1 is open again\n"
    shown = desk.run("ticket", "show", "1").stdout
    for words in ("web01 does not answer", "  second", "looking", "it was the disk", "reopened"):
        assert words in shown
    kinds = [note["kind"] for note in desk.json("ticket", "show", "1")["notes"]]
    assert kinds == ["failure", "assigned", "note", "assigned", "closed", "reopened"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ticket", "list", "--status", "x"), 2, "open, closed, all"),
        (("ticket", "list", "--assignee", "x@host.test"), 1, "there is no login x@host.test"),
        (("ticket", "show", "9"), 1, "there is no ticket 9"),
        (("ticket", "note", "1", " "), 2, "text: is needed"),
        (("ticket", "assign", "1", ""), 2, "an e-mail address or nobody"),
        (("ticket", "assign", "1", "x@host.test"), 2, "assignee: is none of the staff"),
        (("ticket", "reopen", "1"), 1, "ticket 1 is open already"),
        (("webhook", "create", "a", "b"), 2, "url: must begin with https"),
        (("webhook", "create", "a", "https://b.test", "--event", "x"), 2, "events: must be some of"),
        (("webhook", "show", "a"), 1, "there is no webhook a"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    desk: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert words in desk.run(*arguments, code=code).stderr


def test_the_life_of_a_webhook(desk: Command) -> None:
    secret = desk.run("webhook", "create", "chat", "https://chat.test/in").stdout.strip()
    assert secret.startswith("whsec_")
    made = desk.json("webhook", "create", "pager", "https://p.test", "--event", "ticket.opened,ticket.closed")
    assert made["events"] == ["ticket.opened", "ticket.closed"]
    assert made["secret"].startswith("whsec_")
    assert "whsec_" not in desk.run("webhook", "list").stdout + desk.run("webhook", "show", "chat", "--json").stdout
    assert desk.json("webhook", "test", "chat")["status"] == "pending"
    desk.run("ticket", "close", "1")
    shown = desk.run("webhook", "show", "chat").stdout
    assert "webhook.test" in shown
    assert "ticket.closed" in shown
    assert desk.json("webhook", "edit", "chat", "--off", "--name", "talk")["active"] is False
    assert "switched off" in desk.run("webhook", "test", "talk", code=1).stderr
    desk.run("webhook", "delete", "talk")
    assert [hook["name"] for hook in desk.json("webhook", "list")] == ["pager"]
