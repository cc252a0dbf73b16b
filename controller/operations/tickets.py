"""What staff can do with a ticket."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.words import STAFF_ROLES, TicketStatus
from controller.engine.announcements import announce
from controller.engine.fleet import Fleet
from controller.operations.errors import Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.base import utcnow
from controller.store.desk_models import Ticket, TicketNote
from controller.store.models import User
from controller.store.queries import is_id

NOTE_MAX = 5000


def add_note(fleet: Fleet, actor: str, ticket_id: int, text: str) -> Ticket:
    """Write a note into a ticket, open or closed. Raises Invalid, NotFound."""
    text = _words(text, required=True)
    with fleet.database.write() as session:
        ticket = _find(session, ticket_id)
        _write(session, ticket, actor, "note", text, "ticket.noted")
        _audit(session, actor, "ticket.note", ticket)
    return ticket


def assign(fleet: Fleet, actor: str, ticket_id: int, assignee: int | str | None) -> Ticket:
    """Give an open ticket to one of the staff (id or e-mail address), or to nobody.

    Raises Invalid, NotFound, Refused.
    """
    fields = Fields()
    with fleet.database.write() as session:
        ticket = _find(session, ticket_id)
        if ticket.status is not TicketStatus.OPEN:
            raise Refused(f"ticket {ticket_id} is closed; reopen it first")
        user = _staff(session, assignee) if assignee else None
        if assignee and user is None:
            fields.problem("assignee", "is none of the staff")
        fields.finish()
        if (user.id if user else None) == ticket.assignee_id:
            return ticket
        ticket.assignee = user
        text = f"Assigned to {user.name}." if user else "Assigned to nobody."
        _write(session, ticket, actor, "assigned", text, "ticket.noted")
        _audit(session, actor, "ticket.assign", ticket, assignee=user.email if user else None)
    return ticket


def close(fleet: Fleet, actor: str, ticket_id: int, text: str = "") -> Ticket:
    """Close a ticket, with or without words. Raises Invalid, NotFound, Refused when it is closed already."""
    text = _words(text, required=False)
    with fleet.database.write() as session:
        ticket = _find(session, ticket_id)
        if ticket.status is not TicketStatus.OPEN:
            raise Refused(f"ticket {ticket_id} is closed already")
        ticket.status, ticket.closed_at = TicketStatus.CLOSED, utcnow()
        _write(session, ticket, actor, "closed", text or "Closed.", "ticket.closed")
        _audit(session, actor, "ticket.close", ticket)
    return ticket


def reopen(fleet: Fleet, actor: str, ticket_id: int) -> Ticket:
    """Open a closed ticket again. Raises NotFound, Refused when it is open, or another one is for the same cause."""
    with fleet.database.write() as session:
        ticket = _find(session, ticket_id)
        if ticket.status is TicketStatus.OPEN:
            raise Refused(f"ticket {ticket_id} is open already")
        newer = session.scalars(
            select(Ticket.id).where(Ticket.cause == ticket.cause, Ticket.status == TicketStatus.OPEN)
        ).first()
        if newer is not None:
            raise Refused(f"ticket {newer} is open for the same cause")
        ticket.status, ticket.closed_at = TicketStatus.OPEN, None
        _write(session, ticket, actor, "reopened", "Opened again.", "ticket.noted")
        _audit(session, actor, "ticket.reopen", ticket)
    return ticket


def _find(session: Session, ticket_id: int) -> Ticket:
    found = session.scalars(select(Ticket).where(Ticket.id == ticket_id).with_for_update()).first()
    return must(found, "ticket", ticket_id)


def _staff(session: Session, key: int | str) -> User | None:
    text = str(key).strip().lower()
    user = session.get(User, int(text)) if is_id(text) else None
    user = user or session.scalars(select(User).where(User.email == text)).first()
    return user if user is not None and user.role in STAFF_ROLES and not user.disabled else None


def _words(value: str, *, required: bool) -> str:
    fields = Fields()
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(value, str) else ""
    if value is not None and not isinstance(value, str):
        fields.problem("text", "must be text")
    elif required and not text:
        fields.problem("text", "is needed")
    elif len(text) > NOTE_MAX:
        fields.problem("text", f"must be at most {NOTE_MAX} characters")
    elif any(not (character.isprintable() or character in "\n\t") for character in text):
        fields.problem("text", "must not have control characters")
    fields.finish()
    return text


def _write(session: Session, ticket: Ticket, actor: str, kind: str, text: str, event: str) -> None:
    note = TicketNote(ticket=ticket, actor=actor, kind=kind, body=text)
    session.add(note)
    ticket.updated_at = utcnow()
    announce(session, event, ticket, note)


def _audit(session: Session, actor: str, action: str, ticket: Ticket, **detail: Any) -> None:
    audit(
        session,
        actor,
        action,
        f"ticket {ticket.id}",
        message=ticket.subject,
        service_id=ticket.service_id,
        server_id=ticket.server_id,
        **detail,
    )
