"""Sends what is to be sent: every receiver by a thread of its own, so that a slow one holds up nobody else."""

from __future__ import annotations

import datetime as dt
import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from controller.domain.failures import RetryPolicy
from controller.engine import post
from controller.engine.fleet import Fleet
from controller.engine.mail_options import mail_options
from controller.store.base import utcnow
from controller.store.desk_models import Delivery, Webhook
from controller.store.vault import VaultError

log = logging.getLogger(__name__)

POLICY = RetryPolicy(attempts=8, delay=5, growth=4, delay_max=4 * 3600)
"""Pauses of 5 s, 20 s, 80 s, 5 min, 21 min, 85 min and 4 h."""

LEASE = dt.timedelta(minutes=5)
"""Longer than any attempt takes; after it another worker may try."""

PATIENCE = 2.0
"""How long one round waits for slow receivers; they go on behind it."""

ERROR_MAX = 500

Receiver = tuple[str, int | None]
"""Channel and webhook."""


@dataclass(frozen=True)
class Held:
    """A message that this process may send until its lease ends."""

    id: int
    key: str
    lease_until: dt.datetime
    payload: dict[str, Any]
    webhook: Webhook | None


class Outbox:
    """The sending side of one process; several processes share the rows by leases."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._client = post.http_client()
        self._guard = threading.Lock()
        self._busy: set[Receiver] = set()
        self._sent = 0

    def send_due(self) -> int:
        """Send what is due; returns how many messages have left since the last round."""
        rounds = [self._start(receiver) for receiver in self._receivers()]
        deadline = time.monotonic() + PATIENCE
        for thread in rounds:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._guard:
            sent, self._sent = self._sent, 0
        return sent

    def _receivers(self) -> list[Receiver]:
        """Who has something due, but for those that a thread of the last rounds is still busy with."""
        with self._fleet.database.read() as session:
            rows = session.execute(select(Delivery.channel, Delivery.webhook_id).where(_due()).distinct()).all()
        with self._guard:
            found = [(channel, webhook_id) for channel, webhook_id in rows if (channel, webhook_id) not in self._busy]
            self._busy.update(found)
        return found

    def _start(self, receiver: Receiver) -> threading.Thread:
        # A daemon: a message that is cut off with the process is sent again, with the same id.
        thread = threading.Thread(target=self._serve, args=(receiver,), name=f"outbox {receiver}", daemon=True)
        thread.start()
        return thread

    def _serve(self, receiver: Receiver) -> None:
        """Send one message after another, until there is none or one does not get through."""
        try:
            while (held := self._claim(receiver)) is not None:
                if not self._deliver(held):
                    return
        except Exception:
            log.exception("deliveries to %s stopped for now", receiver)
        finally:
            with self._guard:
                self._busy.discard(receiver)

    def _claim(self, receiver: Receiver) -> Held | None:
        channel, webhook_id = receiver
        with self._fleet.database.write() as session:
            row = session.scalars(
                select(Delivery)
                .where(_due(), Delivery.channel == channel, Delivery.webhook_id == webhook_id)
                .order_by(Delivery.not_before, Delivery.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).first()
            if row is None:
                return None
            row.lease_until = utcnow() + LEASE
            return Held(row.id, row.key, row.lease_until, row.payload, row.webhook)

    def _deliver(self, held: Held) -> bool:
        """One attempt and its result; returns whether the receiver may get the next message now."""
        try:
            remark = self._send_mail(held) if held.webhook is None else self._call(held, held.webhook)
        except (post.SendError, VaultError) as problem:
            self._failed(held, str(problem))
            return False
        with self._fleet.database.write() as session:
            if (row := _mine(session, held)) is not None:
                row.status, row.sent_at, row.error = "sent", utcnow(), remark or None
                row.attempt += 1
                row.lease_until = None
        with self._guard:
            self._sent += 1
        return True

    def _send_mail(self, held: Held) -> str:
        with self._fleet.database.read() as session:
            options = mail_options(session, self._fleet.vault)
        refused = post.send_mail(post.Mail(held.key, **held.payload), options, self._fleet.settings.public_url)
        return f"not taken: {'; '.join(refused)}"[:ERROR_MAX] if refused else ""

    def _call(self, held: Held, webhook: Webhook) -> str:
        if not webhook.active:
            raise post.SendError("the webhook is switched off")
        secret = self._fleet.vault.unseal(webhook.secret)
        call = post.Call(held.key, webhook.url, secret, held.payload)
        post.send_call(self._client, call, self._fleet.settings.public_url)
        return ""

    def _failed(self, held: Held, error: str) -> None:
        with self._fleet.database.write() as session:
            row = _mine(session, held)
            if row is None:
                return
            row.attempt += 1
            row.error, row.lease_until = error[:ERROR_MAX], None
            delay = POLICY.next_delay(row.attempt, random.SystemRandom())
            if delay is None:
                row.status = "failed"
            else:
                row.not_before = utcnow() + dt.timedelta(seconds=delay)
        log.warning("delivery %s (%s): %s", held.key, "e-mail" if held.webhook is None else "webhook", error)


def _due() -> ColumnElement[bool]:
    now = utcnow()
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until <= now)
    return (Delivery.status == "pending") & (Delivery.not_before <= now) & free


def _mine(session: Session, held: Held) -> Delivery | None:
    """The row, unless its lease ended and somebody else has taken it (or it was deleted with its webhook)."""
    row = session.scalars(select(Delivery).where(Delivery.id == held.id).with_for_update()).first()
    return row if row is not None and row.status == "pending" and row.lease_until == held.lease_until else None
