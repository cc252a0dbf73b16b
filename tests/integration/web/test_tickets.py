"""The ticket desk in the browser: found, read, worked on; only by who may."""

from __future__ import annotations

from sqlalchemy import select

from controller.domain.words import TicketStatus
from controller.operations import tickets
from controller.store.desk_models import Ticket, TicketNote
from controller.store.models import Task, User
from tests.integration.web.world import World, add_ticket


def ticket(world: World, ticket_id: int = 1) -> Ticket:
    with world.fleet.database.read() as session:
        found = session.get_one(Ticket, ticket_id)
        assert found.assignee is None or found.assignee.name
        return found


def notes(world: World) -> list[tuple[str, str]]:
    with world.fleet.database.read() as session:
        return [(note.kind, note.body) for note in session.scalars(select(TicketNote).order_by(TicketNote.id))][1:]


def test_the_list_shows_what_waits_and_finds_the_rest(world: World) -> None:
    browser = world.browser("support")
    second = add_ticket(world.fleet, "other.example")
    tickets.close(world.fleet, "me", second, "the needle")
    page = browser.get("/admin/tickets").text
    assert "Configuring web hosting failed: ben.example on web01" in page
    assert "other.example" not in page
    assert '>1<span class="visually-hidden"> open</span>' in page
    assert "other.example" in browser.get("/admin/tickets?status=closed").text
    for words in ("search=needle", "search=%232", "sort=-failures", "sort=nonsense", "server=1", "assignee=nobody"):
        assert "other.example" in browser.get(f"/admin/tickets?status=all&{words}").text, words
    for words in ("search=nowhere", "server=2", "assignee=1", "search=%25", "search=%2399999999999999999999"):
        assert "Nothing found" in browser.get(f"/admin/tickets?status=all&{words}").text, words


def test_an_empty_desk_says_so(world: World) -> None:
    tickets.close(world.fleet, "me", 1)
    assert "No open tickets" in world.browser("support").get("/admin/tickets").text


def test_a_ticket_shows_what_happened_and_leads_on(world: World) -> None:
    with world.fleet.database.write() as session:
        session.get_one(Ticket, 1).service_id = world.ben_service
    page = world.browser("support").get("/admin/tickets/1").text
    assert "v-add-web-domain: invalid &lt;domain&gt;" in page
    assert "Refused by the panel" in page
    with world.fleet.database.read() as session:
        task_id = session.scalars(
            select(Task.id).where(Task.target == "ben.example", Task.label.startswith("Conf"))
        ).all()[-1]
    for link in (
        f"/admin/tasks/{task_id}",
        f"/admin/services/{world.ben_service}",
        f"/admin/servers/{world.server_id}",
    ):
        assert f'href="{link}"' in page
    assert "Add note" not in page, "support only looks"
    assert world.browser("support").get("/admin/tickets/99").status_code == 404


def test_a_task_that_was_cleaned_away_is_not_linked(world: World) -> None:
    browser = world.browser("support")
    task_id = ticket(world).task_id
    assert f'href="/admin/tasks/{task_id}"' in browser.get("/admin/tickets/1").text
    with world.fleet.database.write() as session:
        session.delete(session.get_one(Task, task_id))
    page = browser.get("/admin/tickets/1").text
    assert "v-add-web-domain" in page
    assert f'href="/admin/tasks/{task_id}"' not in page


def test_working_on_a_ticket(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.read() as session:
        me = session.scalars(select(User).where(User.email == "operator@example.net")).one()
    assert browser.submit("/admin/tickets/1/assign", {"assignee": str(me.id)}).status_code == 303
    assert "The operator has the ticket now." in browser.get("/admin/tickets/1").text
    browser.submit("/admin/tickets/1/note", {"text": "one\r\n<b>two</b>"})
    assert "one\n&lt;b&gt;two&lt;/b&gt;" in browser.get("/admin/tickets/1").text
    browser.submit("/admin/tickets/1/close", {"text": ""})
    assert ticket(world).status is TicketStatus.CLOSED
    page = browser.get("/admin/tickets/1").text
    assert "Reopen" in page
    assert "Close the ticket" not in page
    browser.submit("/admin/tickets/1/reopen")
    browser.submit("/admin/tickets/1/assign", {"assignee": ""})
    assert ticket(world).assignee_id is None
    assert [kind for kind, _ in notes(world)] == ["assigned", "note", "closed", "reopened", "assigned"]


def test_what_is_refused_says_why_and_keeps_what_was_typed(world: World) -> None:
    browser = world.browser("operator")
    answer = browser.submit("/admin/tickets/1/note", {"text": ""})
    assert (answer.status_code, "This is needed." in answer.text) == (422, True)
    answer = browser.submit("/admin/tickets/1/close", {"text": "long " * 2000})
    assert answer.status_code == 422
    assert "at most 5000 characters" in answer.text
    assert "long long" in answer.text
    for assignee in ("999", "anna@example.net", "²", "x" * 500):
        assert browser.submit("/admin/tickets/1/assign", {"assignee": assignee}).status_code == 303
        assert "Choose one of the staff." in browser.get("/admin/tickets/1").text
    browser.submit("/admin/tickets/1/reopen")
    assert "ticket 1 is open already" in browser.get("/admin/tickets/1").text
    assert notes(world) == []


def test_a_long_history_has_pages(world: World) -> None:
    for number in range(60):
        tickets.add_note(world.fleet, "me", 1, f"note number {number:02}")
    browser = world.browser("support")
    first, second = browser.get("/admin/tickets/1").text, browser.get("/admin/tickets/1?page=2").text
    assert "note number 59" in first
    assert "note number 05" not in first
    assert "note number 05" in second
