"""Questions about tickets and webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload

from controller.domain.words import STAFF_ROLES, TicketStatus
from controller.store.desk_models import Delivery, Ticket, TicketNote, Webhook
from controller.store.models import Server, Service, User
from controller.store.queries import Page, is_id, like, ordered, paged

NOBODY = "nobody"


def ticket_page(
    session: Session,
    *,
    search: str = "",
    status: str = "",
    assignee: str = "",
    server_id: int | None = None,
    service_id: int | None = None,
    sort: str = "-updated",
    page: int = 1,
    per_page: int = 25,
) -> Page[Ticket]:
    """Tickets with server, service and assignee loaded.

    ``search`` is part of subject, domain or a note, or ``#`` and a number; ``assignee`` a user's id or ``nobody``.
    """
    query = select(Ticket).options(
        selectinload(Ticket.server), selectinload(Ticket.service), selectinload(Ticket.assignee)
    )
    text = search.strip()
    if text.startswith("#") and is_id(text[1:]):
        query = query.where(Ticket.id == int(text[1:]))
    elif text:
        pattern = like(text)
        noted = select(TicketNote.ticket_id).where(TicketNote.body.ilike(pattern, escape="\\"))
        named = or_(Service.domain.ilike(pattern, escape="\\"), Service.domain_unicode.ilike(pattern, escape="\\"))
        query = query.where(
            or_(
                Ticket.subject.ilike(pattern, escape="\\"),
                Ticket.service_id.in_(select(Service.id).where(named)),
                Ticket.id.in_(noted),
            )
        )
    if status in set(TicketStatus):
        query = query.where(Ticket.status == TicketStatus(status))
    if assignee == NOBODY:
        query = query.where(Ticket.assignee_id.is_(None))
    elif is_id(assignee):
        query = query.where(Ticket.assignee_id == int(assignee))
    if server_id is not None:
        query = query.where(Ticket.server_id == server_id)
    if service_id is not None:
        query = query.where(Ticket.service_id == service_id)
    columns: dict[str, Any] = {
        "id": Ticket.id,
        "subject": Ticket.subject,
        "status": Ticket.status,
        "failures": Ticket.failures,
        "created": Ticket.created_at,
        "updated": Ticket.updated_at,
        "server": select(Server.name).where(Server.id == Ticket.server_id).scalar_subquery(),
        "assignee": select(User.name).where(User.id == Ticket.assignee_id).scalar_subquery(),
    }
    return paged(session, ordered(query, sort, columns, "-updated"), page, per_page)


def open_ticket_count(session: Session) -> int:
    """How many tickets wait for somebody."""
    return session.scalar(select(func.count()).select_from(Ticket).where(Ticket.status == TicketStatus.OPEN)) or 0


def note_page(session: Session, ticket_id: int, page: int, per_page: int = 50) -> Page[TicketNote]:
    """Notes of a ticket, the newest first."""
    query = select(TicketNote).where(TicketNote.ticket_id == ticket_id).order_by(TicketNote.id.desc())
    return paged(session, query, page, per_page)


def same_cause(session: Session, ticket: Ticket, limit: int = 5) -> Sequence[Ticket]:
    """Other tickets about the same thing, the newest first."""
    return session.scalars(
        select(Ticket)
        .where(Ticket.cause == ticket.cause, Ticket.id != ticket.id)
        .order_by(Ticket.id.desc())
        .limit(limit)
    ).all()


def possible_assignees(session: Session) -> Sequence[User]:
    """Staff who can sign in, by name."""
    return session.scalars(
        select(User).where(User.role.in_(STAFF_ROLES), User.disabled.is_(False)).order_by(User.name, User.id)
    ).all()


def find_webhook(session: Session, key: int | str) -> Webhook | None:
    """By id or name."""
    text = str(key)
    found = session.get(Webhook, int(text)) if is_id(text) else None
    return found or session.scalars(select(Webhook).where(Webhook.name == text)).first()


def webhook_page(
    session: Session, *, search: str = "", sort: str = "name", page: int = 1, per_page: int = 25
) -> Page[Webhook]:
    """Webhooks."""
    query = select(Webhook)
    if search.strip():
        pattern = like(search.strip())
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in (Webhook.name, Webhook.url))))
    columns: dict[str, Any] = {"id": Webhook.id, "name": Webhook.name, "created": Webhook.created_at}
    return paged(session, ordered(query, sort, columns, "name"), page, per_page)


def delivery_page(session: Session, webhook_id: int, page: int, per_page: int = 50) -> Page[Delivery]:
    """What was sent to a webhook, or is to be; the newest first."""
    query = select(Delivery).where(Delivery.webhook_id == webhook_id).order_by(Delivery.id.desc())
    return paged(session, query, page, per_page)


def last_emails(session: Session, limit: int = 10) -> Sequence[Delivery]:
    """E-mails that were sent, or are to be; the newest first."""
    query = select(Delivery).where(Delivery.channel == "email").order_by(Delivery.id.desc()).limit(limit)
    return session.scalars(query).all()


def newest_delivery(session: Session, webhook_ids: Sequence[int]) -> dict[int, Delivery]:
    """The last message of each webhook."""
    newest = select(func.max(Delivery.id)).where(Delivery.webhook_id.in_(webhook_ids)).group_by(Delivery.webhook_id)
    found = session.scalars(select(Delivery).where(Delivery.id.in_(newest)))
    return {row.webhook_id: row for row in found if row.webhook_id is not None}
