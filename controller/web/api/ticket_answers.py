"""Tickets and webhooks: bodies, answers, and from rows to answers. A webhook's secret is in one answer only."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field, JsonValue

from controller.domain.tickets import EVENTS
from controller.domain.words import TicketStatus
from controller.store.desk_models import Delivery, Ticket, TicketNote, Webhook
from controller.web.api import PREFIX
from controller.web.api.answers import Links, Ref
from controller.web.api.bodies import Body, Key

EVENT_LIST: dict[str, JsonValue] = {"items": {"type": "string", "enum": [*EVENTS]}}


class NewNote(Body):
    """A note in a ticket."""

    text: str = Field(description="up to 5000 characters, with line breaks", examples=["The disk was full."])


class Closing(Body):
    """Why a ticket is closed."""

    text: str = Field("", description="last words, if any")


class Assignment(Body):
    """Who takes a ticket."""

    assignee: Key | None = Field(description="id or e-mail address of one of the staff; null for nobody")


class NewWebhook(Body):
    """An address that wants to be told."""

    name: str = Field(examples=["chat"])
    url: str = Field(description="http or https, without a login", examples=["https://chat.example.net/hooks/fleet"])
    events: list[str] = Field(default_factory=lambda: list(EVENTS), json_schema_extra=EVENT_LIST)
    active: bool = True


class WebhookChange(Body):
    """What is left out stays."""

    name: str | None = None
    url: str | None = None
    events: list[str] | None = Field(None, json_schema_extra=EVENT_LIST)
    active: bool | None = None


class StaffRef(BaseModel):
    """One of the staff."""

    id: int
    email: str
    name: str


class TicketAnswer(BaseModel):
    """A failure that needs a person."""

    id: int
    status: TicketStatus
    subject: str
    error_class: str | None
    action: str | None = Field(description="the operation that failed")
    target: str | None
    server: Ref | None
    service: Ref | None
    task_id: int | None = Field(description="the task that failed last")
    assignee: StaffRef | None
    failures: int
    recovered_at: dt.datetime | None = Field(description="since when the same operation works again")
    created_at: dt.datetime
    updated_at: dt.datetime
    closed_at: dt.datetime | None
    links: Links


class NoteAnswer(BaseModel):
    """One entry of a ticket."""

    id: int
    at: dt.datetime
    actor: str = Field(description="empty for the engine")
    kind: str = Field(description="note, failure, success, assigned, closed or reopened")
    body: str
    task_id: int | None
    links: Links


class WebhookAnswer(BaseModel):
    """An address that is told what happens."""

    id: int
    name: str
    url: str
    events: list[str]
    active: bool
    created_at: dt.datetime
    links: Links


class NewWebhookAnswer(WebhookAnswer):
    """A new webhook."""

    secret: str = Field(description="what the receiver checks signatures with; shown this one time")


class DeliveryAnswer(BaseModel):
    """One message to a webhook."""

    id: int
    key: str = Field(description="the header webhook-id, the same for every attempt")
    event: str
    status: str = Field(description="pending, sent or failed")
    attempt: int
    error: str | None = Field(description="of the last attempt")
    not_before: dt.datetime
    created_at: dt.datetime
    sent_at: dt.datetime | None
    links: Links


def ticket_answer(ticket: Ticket) -> TicketAnswer:
    """A ticket."""
    me = f"{PREFIX}/tickets/{ticket.id}"
    links = {"self": me, "notes": f"{me}/notes", "page": f"/admin/tickets/{ticket.id}"}
    if ticket.task_id is not None:
        links["task"] = f"{PREFIX}/tasks/{ticket.task_id}"
    if ticket.service_id is not None:
        links["service"] = f"{PREFIX}/services/{ticket.service_id}"
    return TicketAnswer(
        id=ticket.id,
        status=ticket.status,
        subject=ticket.subject,
        error_class=ticket.error_class,
        action=ticket.action,
        target=ticket.target,
        server=Ref(id=ticket.server.id, name=ticket.server.name) if ticket.server else None,
        service=Ref(id=ticket.service.id, name=ticket.service.domain) if ticket.service else None,
        task_id=ticket.task_id,
        assignee=StaffRef(id=ticket.assignee.id, email=ticket.assignee.email, name=ticket.assignee.name)
        if ticket.assignee
        else None,
        failures=ticket.failures,
        recovered_at=ticket.recovered_at,
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
        closed_at=ticket.closed_at,
        links=links,
    )


def note_answer(note: TicketNote) -> NoteAnswer:
    """A note."""
    ticket = f"{PREFIX}/tickets/{note.ticket_id}"
    links = {"self": f"{ticket}/notes", "ticket": ticket}
    if note.task_id is not None:
        links["task"] = f"{PREFIX}/tasks/{note.task_id}"
    return NoteAnswer(
        id=note.id, at=note.at, actor=note.actor, kind=note.kind, body=note.body, task_id=note.task_id, links=links
    )


def webhook_answer(webhook: Webhook) -> WebhookAnswer:
    """A webhook, without its secret."""
    me = f"{PREFIX}/webhooks/{webhook.id}"
    return WebhookAnswer(
        id=webhook.id,
        name=webhook.name,
        url=webhook.url,
        events=webhook.events,
        active=webhook.active,
        created_at=webhook.created_at,
        links={"self": me, "deliveries": f"{me}/deliveries", "test": f"{me}/test"},
    )


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """A message."""
    webhook = f"{PREFIX}/webhooks/{delivery.webhook_id}"
    return DeliveryAnswer(
        id=delivery.id,
        key=delivery.key,
        event=delivery.event,
        status=delivery.status,
        attempt=delivery.attempt,
        error=delivery.error,
        not_before=delivery.not_before,
        created_at=delivery.created_at,
        sent_at=delivery.sent_at,
        links={"self": f"{webhook}/deliveries", "webhook": webhook},
    )
