"""Tables of zones: templates, the zones of services, their own records, and what nameservers answered."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controller.store.base import Base, utcnow
from controller.store.models import Service


class ZoneTemplate(Base):
    """Records with placeholders that a new zone begins with."""

    __tablename__ = "zone_templates"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    records: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """``{"name", "type", "value"}`` and, if set, ``priority`` and ``ttl``."""
    is_default: Mapped[bool] = mapped_column(default=False)
    """For zones for which nobody chose another; exactly one template is."""
    updated_at: Mapped[dt.datetime] = mapped_column(default=utcnow)


class Zone(Base):
    """The one logical zone of a service, which every attached nameserver serves."""

    __tablename__ = "zones"
    __table_args__ = (Index("ix_zones_agrees_id", "agrees", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), unique=True)
    domain: Mapped[str] = mapped_column(String(253), index=True)
    template_id: Mapped[int | None] = mapped_column(ForeignKey("zone_templates.id"), index=True)
    """Chosen for this zone; None: the product's, group's or server's choice, or the default."""
    agrees: Mapped[bool | None]
    """Whether all its nameservers answered as they should when last asked; None: never asked."""
    checked_at: Mapped[dt.datetime | None]
    check_due_at: Mapped[dt.datetime | None] = mapped_column(index=True)
    check_lease_until: Mapped[dt.datetime | None]

    service: Mapped[Service] = relationship()
    template: Mapped[ZoneTemplate | None] = relationship()
    own_records: Mapped[list[ZoneRecord]] = relationship(
        back_populates="zone", order_by="ZoneRecord.id", cascade="all, delete-orphan", passive_deletes=True
    )
    answers: Mapped[list[ZoneAnswer]] = relationship(
        order_by="ZoneAnswer.server_id", cascade="all, delete-orphan", passive_deletes=True
    )


class ZoneRecord(Base):
    """A record of one zone itself, beside its template's or instead of them (same name and type)."""

    __tablename__ = "zone_records"

    id: Mapped[int] = mapped_column(primary_key=True)
    zone_id: Mapped[int] = mapped_column(ForeignKey("zones.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(253))
    """Relative to the zone, ``@`` for the zone itself."""
    type: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(Text)
    priority: Mapped[int | None]
    ttl: Mapped[int | None]
    origin: Mapped[str] = mapped_column(String(20), default="staff")
    """``staff`` or ``import``."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)

    zone: Mapped[Zone] = relationship(back_populates="own_records")


class ZoneAnswer(Base):
    """What one nameserver itself answered when it was last asked for all of a zone."""

    __tablename__ = "zone_answers"

    zone_id: Mapped[int] = mapped_column(ForeignKey("zones.id", ondelete="CASCADE"), primary_key=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True, index=True)
    at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    reached: Mapped[bool] = mapped_column(default=True)
    agrees: Mapped[bool] = mapped_column(default=False)
    serial: Mapped[int | None] = mapped_column(BigInteger)
    records: Mapped[int] = mapped_column(default=0)
    """Of the wished records, how many it has right."""
    problems: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """In words."""
