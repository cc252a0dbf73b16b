"""Calls on tickets and webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy.orm import Session

from controller.domain.words import TicketStatus
from controller.operations import tickets, webhooks
from controller.operations.errors import NotFound
from controller.operations.records import must
from controller.store.desk_models import Delivery, Ticket, TicketNote
from controller.store.queries import find_server, find_service
from controller.store.ticket_queries import delivery_page, find_webhook, note_page, ticket_page, webhook_page
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Asked, Call, Listed, Once
from controller.web.api.ticket_answers import (
    Assignment,
    Closing,
    DeliveryAnswer,
    NewNote,
    NewWebhook,
    NewWebhookAnswer,
    NoteAnswer,
    TicketAnswer,
    WebhookAnswer,
    WebhookChange,
    delivery_answer,
    note_answer,
    ticket_answer,
    webhook_answer,
)


class TicketParameters(lists.ListParameters):
    """Tickets by status, assignee, server, service."""

    search: lists.Search = Field("", description="part of the subject, the domain or a note, or # and an id")
    status: TicketStatus | None = None
    assignee: str = Field("", pattern=r"^([0-9]{1,18}|nobody)?$", description="a user's id, or nobody")
    server: lists.Name = Field(None, description="id or name")
    service: lists.Name = Field(None, description="id or domain")
    sort: str = lists.sort_field(
        ("id", "subject", "status", "failures", "server", "assignee", "created", "updated"), "-updated"
    )


class PageParameters(lists.Parameters):
    """Which part of a list, the newest first."""

    page: int = Field(1, ge=1, le=10**9)
    per_page: int = Field(50, ge=1, le=lists.PER_PAGE_MAX)


def find(session: Session, key: str) -> Ticket:
    """A ticket by id. Raises NotFound."""
    ticket = session.get(Ticket, int(key)) if key.isdecimal() and len(key) < 19 else None
    if ticket is None:
        raise NotFound("ticket", key)
    return ticket


def _id(asked: Asked) -> int:
    with asked.fleet.database.read() as session:
        return find(session, asked.key).id


def _list(asked: Asked) -> Listed:
    given: TicketParameters = asked.query
    with asked.fleet.database.read() as session:
        server = must(find_server(session, given.server), "server", given.server) if given.server else None
        service = must(find_service(session, given.service), "service", given.service) if given.service else None
        page = ticket_page(
            session,
            search=given.search,
            status=given.status or "",
            assignee=given.assignee,
            server_id=server.id if server else None,
            service_id=service.id if service else None,
            sort=given.sort,
            page=given.page,
            per_page=given.per_page,
        )
        page = lists.as_asked(page, given)
        return Listed(page, [ticket_answer(ticket) for ticket in page.items])


def _get(asked: Asked) -> TicketAnswer:
    with asked.fleet.database.read() as session:
        return ticket_answer(find(session, asked.key))


def _notes(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = note_page(session, find(session, asked.key).id, asked.query.page, asked.query.per_page)
        page = lists.as_asked(page, asked.query)
        return Listed(page, [note_answer(note) for note in page.items])


def _add_note(asked: Asked) -> None:
    tickets.add_note(asked.fleet, asked.actor, _id(asked), asked.body.text)


def _noted(_session: Session, note: TicketNote, _added: Sequence[Any]) -> NoteAnswer:
    return note_answer(note)


def _of_note(_session: Session, note: TicketNote, _added: Sequence[Any]) -> TicketAnswer:
    return ticket_answer(note.ticket)


NOTED = Once(TicketNote, _of_note)
"""For calls that change a ticket: each leaves a note in it."""


def _assign(asked: Asked) -> TicketAnswer:
    tickets.assign(asked.fleet, asked.actor, _id(asked), asked.body.assignee)
    return _get(asked)


def _close(asked: Asked) -> TicketAnswer:
    tickets.close(asked.fleet, asked.actor, _id(asked), asked.body.text)
    return _get(asked)


def _reopen(asked: Asked) -> TicketAnswer:
    tickets.reopen(asked.fleet, asked.actor, _id(asked))
    return _get(asked)


def _list_webhooks(asked: Asked) -> Listed:
    given = asked.query
    with asked.fleet.database.read() as session:
        page = webhook_page(session, search=given.search, sort=given.sort, page=given.page, per_page=given.per_page)
        page = lists.as_asked(page, given)
        return Listed(page, [webhook_answer(webhook) for webhook in page.items])


def _get_webhook(asked: Asked) -> WebhookAnswer:
    with asked.fleet.database.read() as session:
        return webhook_answer(must(find_webhook(session, asked.key), "webhook", asked.key))


def _create_webhook(asked: Asked) -> NewWebhookAnswer:
    body: NewWebhook = asked.body
    webhook, secret = webhooks.create(
        asked.fleet, asked.actor, name=body.name, url=body.url, events=body.events, active=body.active
    )
    return NewWebhookAnswer(**dict(webhook_answer(webhook)), secret=secret)


def _edit_webhook(asked: Asked) -> WebhookAnswer:
    body: WebhookChange = asked.body
    return webhook_answer(
        webhooks.edit(
            asked.fleet,
            asked.actor,
            asked.key,
            name=body.name,
            url=body.url,
            events=body.events,
            active=body.active,
        )
    )


def _delete_webhook(asked: Asked) -> WebhookAnswer:
    return webhook_answer(webhooks.delete(asked.fleet, asked.actor, asked.key))


def _test_webhook(asked: Asked) -> DeliveryAnswer:
    return delivery_answer(webhooks.send_test(asked.fleet, asked.actor, asked.key))


def _sent(_session: Session, delivery: Delivery, _added: Sequence[Any]) -> DeliveryAnswer:
    return delivery_answer(delivery)


def _deliveries(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        webhook = must(find_webhook(session, asked.key), "webhook", asked.key)
        page = lists.as_asked(delivery_page(session, webhook.id, asked.query.page, asked.query.per_page), asked.query)
        return Listed(page, [delivery_answer(delivery) for delivery in page.items])


CALLS = (
    Call(
        "GET",
        "/tickets",
        "List tickets",
        _list,
        answer=TicketAnswer,
        query=TicketParameters,
        listed=True,
        problems=("not-found",),
    ),
    Call("GET", "/tickets/{id}", "Show a ticket", _get, answer=TicketAnswer),
    Call(
        "GET",
        "/tickets/{id}/notes",
        "Read a ticket's notes, the newest first",
        _notes,
        answer=NoteAnswer,
        query=PageParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/tickets/{id}/notes",
        "Write a note into a ticket",
        _add_note,
        answer=NoteAnswer,
        status=201,
        body=NewNote,
        once=Once(TicketNote, _noted),
    ),
    Call(
        "POST",
        "/tickets/{id}/assign",
        "Give a ticket to one of the staff, or to nobody",
        _assign,
        answer=TicketAnswer,
        body=Assignment,
        once=NOTED,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/tickets/{id}/close",
        "Close a ticket",
        _close,
        answer=TicketAnswer,
        body=Closing,
        once=NOTED,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/tickets/{id}/reopen",
        "Open a closed ticket again",
        _reopen,
        answer=TicketAnswer,
        body=Nothing,
        once=NOTED,
        problems=("refused",),
    ),
    Call(
        "GET",
        "/webhooks",
        "List webhooks",
        _list_webhooks,
        answer=WebhookAnswer,
        query=lists.NamedParameters,
        listed=True,
    ),
    # Takes no key: an answer that belongs to one is kept, to be given again, and this one has the secret.
    Call(
        "POST",
        "/webhooks",
        "Add a webhook; the answer alone has its secret",
        _create_webhook,
        answer=NewWebhookAnswer,
        status=201,
        body=NewWebhook,
        problems=("conflict",),
    ),
    Call("GET", "/webhooks/{id}", "Show a webhook", _get_webhook, answer=WebhookAnswer),
    Call(
        "PATCH",
        "/webhooks/{id}",
        "Change a webhook",
        _edit_webhook,
        answer=WebhookAnswer,
        body=WebhookChange,
        problems=("conflict",),
    ),
    Call("DELETE", "/webhooks/{id}", "Delete a webhook", _delete_webhook, answer=WebhookAnswer),
    Call(
        "POST",
        "/webhooks/{id}/test",
        "Send a test to a webhook",
        _test_webhook,
        answer=DeliveryAnswer,
        status=202,
        body=Nothing,
        once=Once(Delivery, _sent),
        problems=("refused",),
    ),
    Call(
        "GET",
        "/webhooks/{id}/deliveries",
        "What was sent to a webhook, the newest first",
        _deliveries,
        answer=DeliveryAnswer,
        query=PageParameters,
        listed=True,
    ),
)
