"""Tables of the ticket desk and of what is sent out: tickets, notes, webhooks, deliveries."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controller.domain.words import TicketStatus
from controller.store.base import Base, utcnow, words
from controller.store.models import Server, Service, User


class Ticket(Base):
    """A failure that needs a person; one open ticket per cause."""

    __tablename__ = "tickets"
    __table_args__ = (
        Index("ix_tickets_status_updated_at", "status", "updated_at"),
        Index(
            "uq_tickets_open_cause",
            "cause",
            unique=True,
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[TicketStatus] = mapped_column(words(TicketStatus), default=TicketStatus.OPEN)
    subject: Mapped[str] = mapped_column(String(300))
    cause: Mapped[str] = mapped_column(String(400), index=True)
    """What makes a later failure the same one: operation, server and target, or server and class."""
    error_class: Mapped[str | None] = mapped_column(String(30))
    action: Mapped[str | None] = mapped_column(String(40))
    target: Mapped[str | None] = mapped_column(String(253))
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id", ondelete="SET NULL"), index=True)
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id", ondelete="SET NULL"), index=True)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id", ondelete="SET NULL"), index=True)
    """The task that failed last."""
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    failures: Mapped[int] = mapped_column(default=1)
    recovered_at: Mapped[dt.datetime | None]
    """When the same operation last succeeded after a failure; None while it has not."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    closed_at: Mapped[dt.datetime | None]

    server: Mapped[Server | None] = relationship()
    service: Mapped[Service | None] = relationship()
    assignee: Mapped[User | None] = relationship()
    notes: Mapped[list[TicketNote]] = relationship(back_populates="ticket", order_by="TicketNote.id")


class TicketNote(Base):
    """One entry of a ticket: a person's note, or what happened by itself."""

    __tablename__ = "ticket_notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    actor: Mapped[str] = mapped_column(String(254), default="")
    """Empty for the engine."""
    kind: Mapped[str] = mapped_column(String(20))
    """``note``, ``failure``, ``success``, ``assigned``, ``closed``, ``reopened``."""
    body: Mapped[str] = mapped_column(Text)
    task_id: Mapped[int | None] = mapped_column(index=True)

    ticket: Mapped[Ticket] = relationship(back_populates="notes")


class Webhook(Base):
    """An address that wants to be told."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(Text)
    """Encrypted."""
    events: Mapped[list[str]] = mapped_column()
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)


class Delivery(Base):
    """One e-mail or webhook call that is to be sent; written in the transaction of what it tells about."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_status_not_before", "status", "not_before"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    """Id of the message for its receiver: the same for every attempt."""
    channel: Mapped[str] = mapped_column(String(10))
    """``email`` or ``webhook``."""
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(60))
    """``ticket.opened``..."""
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(String(10), default="pending")
    """``pending``, ``sent`` or ``failed`` (given up)."""
    attempt: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[dt.datetime] = mapped_column(default=utcnow)
    lease_until: Mapped[dt.datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    sent_at: Mapped[dt.datetime | None]

    webhook: Mapped[Webhook | None] = relationship()
