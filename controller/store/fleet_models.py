"""Tables about servers as they are: what a panel has, history of figures, usage, standard files."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.base import Base, utcnow

REFUSED_VIEW = "refused"


class ServerView(Base):
    """What a panel has now, as last collected: one row per server and kind."""

    __tablename__ = "server_views"

    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    """``config`` (settings by key), ``packages``, ``addresses``, ``services``, ``users`` (lists); ``refused``: by key
    the value that a setting could not be set to when it was pushed last (``asked``), and the ``reason``."""
    data: Mapped[Any] = mapped_column(JSON)
    at: Mapped[dt.datetime] = mapped_column(default=utcnow)


class ServerSample(Base):
    """Figures of a server at one time, for its charts; shares in percent."""

    __tablename__ = "server_samples"

    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(primary_key=True, default=utcnow)
    load: Mapped[float | None]
    cpu: Mapped[float | None]
    memory: Mapped[float | None]
    disk: Mapped[float | None]
    accounts: Mapped[int | None]
    services_up: Mapped[int | None]
    services_all: Mapped[int | None]


class ServiceUsage(Base):
    """What a service uses, as last collected; disk and traffic in MB."""

    __tablename__ = "service_usage"

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    web_disk: Mapped[int] = mapped_column(default=0, index=True)
    web_bandwidth: Mapped[int] = mapped_column(default=0, index=True)
    """Traffic of the panel's current month."""
    databases: Mapped[int] = mapped_column(default=0)
    ftp_accounts: Mapped[int] = mapped_column(default=0)
    cron_jobs: Mapped[int] = mapped_column(default=0)
    web_backups: Mapped[int] = mapped_column(default=0)
    dns_records: Mapped[int] = mapped_column(default=0)
    mail_disk: Mapped[int] = mapped_column(default=0, index=True)
    mail_accounts: Mapped[int] = mapped_column(default=0)
    mail_backups: Mapped[int] = mapped_column(default=0)


class UsageSample(Base):
    """A service's usage on one day (the day's last figures), for its charts."""

    __tablename__ = "usage_samples"

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[dt.date] = mapped_column(primary_key=True, index=True)
    web_disk: Mapped[int] = mapped_column(default=0)
    web_bandwidth: Mapped[int] = mapped_column(default=0)
    mail_disk: Mapped[int] = mapped_column(default=0)
    databases: Mapped[int] = mapped_column(default=0)
    mail_accounts: Mapped[int] = mapped_column(default=0)


DEFAULT_FILE = "default"
"""Origin of a standard file that was put back to the panel's own."""


class StandardFile(Base):
    """What a group wants of a standard file; one without a row has always been the panel's own."""

    __tablename__ = "standard_files"
    __table_args__ = (UniqueConstraint("group_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("server_groups.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(40))
    origin: Mapped[str] = mapped_column(String(20))
    """``overridden``, ``pulled``, or ``default``: put back to the panel's own."""
    content: Mapped[str] = mapped_column(Text)
    server_name: Mapped[str] = mapped_column(String(63), default="")
    """Where it was pulled from."""
    updated_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    updated_by: Mapped[str] = mapped_column(String(254), default="")
