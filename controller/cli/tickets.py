"""``ticket`` and ``webhook``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    actor,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    plain,
    when,
    words,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.web.api.ticket_answers import TicketAnswer, WebhookAnswer

ticket_app = new_group("Tickets: what failed for good and needs a person.")
webhook_app = new_group("Webhooks: addresses that are told what happens.")

TicketId = Annotated[int, typer.Argument(metavar="TICKET", min=1, max=2**62, help="Id.")]
WebhookKey = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id or name.")]
EventOption = Annotated[
    list[str] | None, typer.Option("--event", help="What it is told, repeated or with commas; default: everything.")
]
NOTES_SHOWN = 50


@ticket_app.command("list")
def list_tickets(
    status: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    search: Annotated[str, typer.Option(help="Part of the subject, the domain or a note.")] = "",
    assignee: Annotated[str, typer.Option(help="Only tickets of this person (e-mail address), or nobody.")] = "",
    server: Annotated[str, typer.Option(help="Only tickets about this server (id or name).")] = "",
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Tickets on a page.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List tickets, the last changed first."""
    from sqlalchemy import select

    from controller.operations.records import must
    from controller.store.models import User
    from controller.store.queries import find_server
    from controller.store.ticket_queries import NOBODY, ticket_page
    from controller.web.api.ticket_answers import ticket_answer

    if status not in ("open", "closed", "all"):
        raise BadInput("--status: must be one of open, closed, all")
    with opened() as fleet, fleet.database.read() as session:
        if assignee and assignee != NOBODY:
            user = session.scalars(select(User).where(User.email == assignee.strip().lower())).first()
            assignee = str(must(user, "login", assignee).id)
        found = ticket_page(
            session,
            search=search,
            status=status,
            assignee=assignee,
            server_id=must(find_server(session, server), "server", server).id if server else None,
            page=page,
            per_page=per_page,
        )
        tickets = [ticket_answer(ticket) for ticket in (found.items if found.page == page else [])]
    out_list(
        as_json,
        tickets,
        ("ID", "STATUS", "SUBJECT", "FAILURES", "ASSIGNED TO", "OPENED", "CHANGED"),
        [
            (
                ticket.id,
                _state(ticket),
                ticket.subject[:80],
                ticket.failures,
                ticket.assignee.email if ticket.assignee else "",
                when(ticket.created_at),
                when(ticket.updated_at),
            )
            for ticket in tickets
        ],
    )


@ticket_app.command("show")
def show_ticket(ticket_id: TicketId, as_json: AsJson = False) -> None:
    """Show a ticket and its newest notes, the oldest of them first."""
    from controller.store.ticket_queries import note_page
    from controller.web.api.ticket_answers import note_answer

    with opened() as fleet:
        ticket = _ticket(fleet, ticket_id)
        with fleet.database.read() as session:
            found = note_page(session, ticket_id, 1, NOTES_SHOWN)
            notes = [note_answer(note) for note in reversed(found.items)]
    if as_json:
        out_json({**plain(ticket), "notes": notes})
        return
    out_fields(
        {
            "id": ticket.id,
            "subject": ticket.subject,
            "status": _state(ticket),
            "server": ticket.server.name if ticket.server else "",
            "service": ticket.service.name if ticket.service else "",
            "operation": ticket.action,
            "target": ticket.target,
            "last failed task": ticket.task_id,
            "failures": ticket.failures,
            "assigned to": ticket.assignee.email if ticket.assignee else "",
            "opened": when(ticket.created_at),
            "works again since": when(ticket.recovered_at),
            "closed": when(ticket.closed_at),
        }
    )
    if found.total > len(notes):
        out(f"\n({found.total - len(notes)} older notes are left out)")
    for note in notes:
        out(f"\n{when(note.at)}  {note.kind}{f'  {note.actor}' if note.actor else ''}")
        for line in note.body.splitlines():
            out(f"  {line}")


@ticket_app.command("note")
def note_ticket(
    ticket_id: TicketId, text: Annotated[str, typer.Argument(help="What to write.")], as_json: AsJson = False
) -> None:
    """Write a note into a ticket."""
    from controller.operations import tickets

    with opened() as fleet:
        tickets.add_note(fleet, actor(), ticket_id, text)
        _done(fleet, ticket_id, "has a new note", as_json)


@ticket_app.command("assign")
def assign_ticket(
    ticket_id: TicketId,
    assignee: Annotated[str, typer.Argument(help="E-mail address of one of the staff, or nobody.")],
    as_json: AsJson = False,
) -> None:
    """Give a ticket to one of the staff, or to nobody."""
    from controller.operations import tickets
    from controller.store.ticket_queries import NOBODY

    if not assignee.strip():
        raise BadInput("ASSIGNEE: an e-mail address or nobody")
    with opened() as fleet:
        tickets.assign(fleet, actor(), ticket_id, None if assignee == NOBODY else assignee)
        _done(fleet, ticket_id, f"is assigned to {assignee}", as_json)


@ticket_app.command("close")
def close_ticket(
    ticket_id: TicketId,
    text: Annotated[str, typer.Argument(help="Last words, if any.")] = "",
    as_json: AsJson = False,
) -> None:
    """Close a ticket."""
    from controller.operations import tickets

    with opened() as fleet:
        tickets.close(fleet, actor(), ticket_id, text)
        _done(fleet, ticket_id, "is closed", as_json)


@ticket_app.command("reopen")
def reopen_ticket(ticket_id: TicketId, as_json: AsJson = False) -> None:
    """Open a closed ticket again."""
    from controller.operations import tickets

    with opened() as fleet:
        tickets.reopen(fleet, actor(), ticket_id)
        _done(fleet, ticket_id, "is open again", as_json)


@webhook_app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List webhooks."""
    from sqlalchemy import select

    from controller.store.desk_models import Webhook
    from controller.web.api.ticket_answers import webhook_answer

    with opened() as fleet, fleet.database.read() as session:
        found = [webhook_answer(webhook) for webhook in session.scalars(select(Webhook).order_by(Webhook.name))]
    out_list(
        as_json,
        found,
        ("ID", "NAME", "URL", "EVENTS", "ON"),
        [(hook.id, hook.name, hook.url, ",".join(hook.events), "yes" if hook.active else "no") for hook in found],
    )


@webhook_app.command("show")
def show_webhook(key: WebhookKey, as_json: AsJson = False) -> None:
    """Show a webhook and what was last sent to it."""
    from controller.operations.records import must
    from controller.store.ticket_queries import delivery_page, find_webhook
    from controller.web.api.ticket_answers import delivery_answer, webhook_answer

    with opened() as fleet, fleet.database.read() as session:
        webhook = webhook_answer(must(find_webhook(session, key), "webhook", key))
        deliveries = [delivery_answer(row) for row in delivery_page(session, webhook.id, 1, 10).items]
    if as_json:
        out_json({**plain(webhook), "deliveries": deliveries})
        return
    _print_webhook(webhook)
    if deliveries:
        out()
        out_list(
            False,
            deliveries,
            ("EVENT", "STATUS", "ATTEMPTS", "QUEUED", "SENT", "ERROR"),
            [
                (one.event, one.status, one.attempt, when(one.created_at), when(one.sent_at), one.error)
                for one in deliveries
            ],
        )


@webhook_app.command("create")
def create_webhook(
    name: Annotated[str, typer.Argument(help="A short name.")],
    url: Annotated[str, typer.Argument(help="Address that is called, http or https.")],
    event: EventOption = None,
    as_json: AsJson = False,
) -> None:
    """Add a webhook and print its secret, this once."""
    from controller.domain.tickets import EVENTS
    from controller.operations import webhooks
    from controller.web.api.ticket_answers import webhook_answer

    with opened() as fleet:
        webhook, secret = webhooks.create(
            fleet, actor(), name=name, url=url, events=words(event) if event else list(EVENTS)
        )
        if as_json:
            out_json({**plain(webhook_answer(webhook)), "secret": secret})
        else:
            out(secret)


@webhook_app.command("edit")
def edit_webhook(
    key: WebhookKey,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    url: Annotated[str | None, typer.Option(help="New address.")] = None,
    event: EventOption = None,
    active: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is called at all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given."""
    from controller.operations import webhooks
    from controller.web.api.ticket_answers import webhook_answer

    with opened() as fleet:
        events = words(event) if event else None
        webhook = webhook_answer(webhooks.edit(fleet, actor(), key, name=name, url=url, events=events, active=active))
        if as_json:
            out_json(webhook)
        else:
            _print_webhook(webhook)


@webhook_app.command("delete")
def delete_webhook(key: WebhookKey, as_json: AsJson = False) -> None:
    """Delete a webhook and what still waits for it."""
    from controller.operations import webhooks
    from controller.web.api.ticket_answers import webhook_answer

    with opened() as fleet:
        webhook = webhooks.delete(fleet, actor(), key)
        if as_json:
            out_json(webhook_answer(webhook))
        else:
            out(f"Webhook {webhook.name} is deleted")


@webhook_app.command("test")
def send_test(key: WebhookKey, as_json: AsJson = False) -> None:
    """Queue a test message; a worker sends it."""
    from controller.operations import webhooks
    from controller.web.api.ticket_answers import delivery_answer

    with opened() as fleet:
        delivery = webhooks.send_test(fleet, actor(), key)
        if as_json:
            out_json(delivery_answer(delivery))
        else:
            out(f"Test {delivery.key} is queued")


def _print_webhook(webhook: WebhookAnswer) -> None:
    out_fields(
        {
            "id": webhook.id,
            "name": webhook.name,
            "url": webhook.url,
            "events": ", ".join(webhook.events),
            "on": "yes" if webhook.active else "no",
            "added": when(webhook.created_at),
        }
    )


def _state(ticket: TicketAnswer) -> str:
    return "works again" if ticket.status.value == "open" and ticket.recovered_at else ticket.status.value


def _ticket(fleet: Fleet, ticket_id: int) -> TicketAnswer:
    from controller.operations.records import must
    from controller.store.desk_models import Ticket
    from controller.web.api.ticket_answers import ticket_answer

    with fleet.database.read() as session:
        return ticket_answer(must(session.get(Ticket, ticket_id), "ticket", ticket_id))


def _done(fleet: Fleet, ticket_id: int, what: str, as_json: bool) -> None:
    if as_json:
        out_json(_ticket(fleet, ticket_id))
    else:
        out(f"Ticket {ticket_id} {what}")
