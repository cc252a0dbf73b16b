"""What is to be sent about tickets: rows written in the transaction of what they tell about."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.options import MailOptions, TicketOptions
from controller.store.base import utcnow
from controller.store.desk_models import Delivery, Ticket, TicketNote, Webhook
from controller.store.options import load

EMAIL, WEBHOOK = "email", "webhook"
TEST_EVENT = "webhook.test"

HEADLINES = {
    "ticket.opened": "",
    "ticket.noted": "",
    "ticket.recovered": "Works again: ",
    "ticket.closed": "Closed: ",
}


def announce(session: Session, event: str, ticket: Ticket, note: TicketNote, *, email: bool = True) -> None:
    """One delivery per webhook that wants the event, and one e-mail if there is anybody to write to."""
    session.flush()
    path = f"/admin/tickets/{ticket.id}"
    for webhook in session.scalars(select(Webhook).where(Webhook.active)):
        if event in webhook.events:
            session.add(webhook_delivery(webhook.id, event, {**_ticket(ticket), "note": _note(note), "path": path}))
    if not email:
        return
    recipients = load(session, TicketOptions).email_to
    if recipients and load(session, MailOptions).host:
        session.add(_email(event, recipients, ticket, note, path))


def webhook_delivery(webhook_id: int, event: str, data: dict[str, Any]) -> Delivery:
    """A call of a webhook; body as Standard Webhooks recommends it."""
    return Delivery(
        key=new_key(),
        channel=WEBHOOK,
        webhook_id=webhook_id,
        event=event,
        payload={"type": event, "timestamp": utcnow().isoformat(), "data": data},
    )


def new_key() -> str:
    """Id of a message, the same for every attempt."""
    return f"msg_{secrets.token_hex(16)}"


def _email(event: str, recipients: list[str], ticket: Ticket, note: TicketNote, path: str) -> Delivery:
    by = f"{note.actor}:\n" if note.actor else ""
    return Delivery(
        key=new_key(),
        channel=EMAIL,
        event=event,
        payload={
            "to": recipients,
            "subject": f"[#{ticket.id}] {HEADLINES.get(event, '')}{ticket.subject}",
            "text": f"{by}{note.body}",
            "paths": {"Ticket": path} | ({"Task": f"/admin/tasks/{note.task_id}"} if note.task_id else {}),
            "thread": f"ticket-{ticket.id}",
        },
    )


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "ticket": {
            "id": ticket.id,
            "status": ticket.status.value,
            "subject": ticket.subject,
            "error_class": ticket.error_class,
            "action": ticket.action,
            "target": ticket.target,
            "server": {"id": ticket.server.id, "name": ticket.server.name} if ticket.server else None,
            "service": {"id": ticket.service.id, "domain": ticket.service.domain} if ticket.service else None,
            "task_id": ticket.task_id,
            "assignee": ticket.assignee.email if ticket.assignee else None,
            "failures": ticket.failures,
            "recovered_at": ticket.recovered_at.isoformat() if ticket.recovered_at else None,
            "created_at": ticket.created_at.isoformat(),
            "closed_at": ticket.closed_at.isoformat() if ticket.closed_at else None,
        }
    }


def _note(note: TicketNote) -> dict[str, Any]:
    return {
        "id": note.id,
        "at": note.at.isoformat(),
        "kind": note.kind,
        "actor": note.actor,
        "body": note.body,
        "task_id": note.task_id,
    }
