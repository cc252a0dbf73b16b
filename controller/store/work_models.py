"""Tables of the engine's own housekeeping: settings, periodic jobs, worker processes, long runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.base import Base, utcnow


class Setting(Base):
    """One section of the settings that staff edit (``controller.domain.options``)."""

    __tablename__ = "settings"

    section: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    updated_by: Mapped[str] = mapped_column(String(254), default="")


class Job(Base):
    """A periodic job of the engine: when it is due, who runs it, how it went."""

    __tablename__ = "jobs"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    due_at: Mapped[dt.datetime]
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[dt.datetime | None]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    result: Mapped[str] = mapped_column(Text, default="")
    """What the last run did, in words."""
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last run failed; None when it did not."""


class WorkerProcess(Base):
    """A worker that is or was there; one that has not been seen for a while is dead."""

    __tablename__ = "worker_processes"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    places: Mapped[int]
    """Tasks it runs side by side."""
    started_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    seen_at: Mapped[dt.datetime] = mapped_column(default=utcnow, index=True)


class LongRun(Base):
    """Work over many things at once (a drift check over the fleet) with its progress and report."""

    __tablename__ = "long_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    """``drift-check``."""
    title: Mapped[str] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(254), default="")
    started_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    finished_at: Mapped[dt.datetime | None]
    cancelled: Mapped[bool] = mapped_column(default=False)
    total: Mapped[int] = mapped_column(default=0)
    """Things to be looked at; for a drift check services."""
    done: Mapped[int] = mapped_column(default=0)
    """Looked at, whatever came out."""
    failed: Mapped[int] = mapped_column(default=0)
    """Of these, could not be looked at."""
    found: Mapped[int] = mapped_column(default=0)
    """Of these, differ."""
    cursor: Mapped[int] = mapped_column(default=0)
    """Id of the last thing that was started."""
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)


class DriftLook(Base):
    """One service on one server in a drift check that runs; gone when the service has been seen on all of them."""

    __tablename__ = "drift_looks"
    __table_args__ = (Index("ix_drift_looks_run_id_looked_server_id", "run_id", "looked", "server_id", "service_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("long_runs.id", ondelete="CASCADE"), primary_key=True)
    service_id: Mapped[int] = mapped_column(primary_key=True)
    server_id: Mapped[int] = mapped_column(primary_key=True)
    looked: Mapped[bool] = mapped_column(default=False)
    found: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """``wrong`` and ``failed`` by id of the resource, ``unseen``: why something could not be looked at."""
