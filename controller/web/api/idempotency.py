"""``Idempotency-Key``: a request that creates, starts or changes something, sent again, gets the first one's answer.

A claim (status 0) is written before the work, so that a second request meets it. The answer is written in the very
transaction that does the work: either both are there or neither, whenever the process dies. A claim whose
process died without an answer has therefore done nothing, and may be taken over after a while; the slow first
one, should it live after all, then finds its claim gone and rolls back.

Work of several transactions (many tasks, many services) renews the claim with each of them and has its answer stored
after the last; if it is cut off in the middle, the same request does what is left.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.problems import Problem
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import IdempotencyKey
from controller.web.api.problems import ProblemError

HEADER = "Idempotency-Key"
KEPT = dt.timedelta(hours=24)
CLAIM_LASTS = dt.timedelta(seconds=60)
"""Longer than a call takes to its first transaction, and from one to the next (adding a server asks it for its host
key, for at most 15 s)."""


@dataclass(frozen=True)
class Claim:
    """The right to do the work of a key."""

    id: int
    created_at: dt.datetime


@dataclass(frozen=True)
class Stored:
    """What the first request was answered."""

    status: int
    body: str


def sound(key: str) -> str:
    """The key, if it is one. Raises ProblemError."""
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        reason = "must be 1 to 255 printable ASCII characters"
        raise ProblemError("invalid", f"{HEADER}: {reason}", [Problem(HEADER, reason)])
    return key


def fingerprint(fleet: Fleet, path: str, body: Any) -> str:
    """Says whether two requests are the same; keyed, because a body may hold a password that could be guessed."""
    text = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
    return hmac.new(fleet.vault.session_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def claim(fleet: Fleet, token_id: int, key: str, request_hash: str) -> Claim | Stored:
    """Take the key, or the stored answer. Raises ProblemError when it is in use or belongs to another request."""
    now = utcnow()
    try:
        with fleet.database.write() as session:
            session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEPT))
            query = select(IdempotencyKey).where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)
            row = session.scalars(query.with_for_update()).first()
            if row is None:
                row = IdempotencyKey(token_id=token_id, key=key, request_hash=request_hash, status=0, created_at=now)
                session.add(row)
                session.flush()
                return Claim(row.id, now)
            if row.request_hash != request_hash:
                reason = "was used for another request"
                raise ProblemError("key-reused", f"{HEADER} {reason}", [Problem(HEADER, reason)])
            if row.status:
                return Stored(row.status, row.body)
            if row.created_at > now - CLAIM_LASTS:
                raise _in_progress()
            row.created_at = now
            return Claim(row.id, now)
    except IntegrityError:
        # Two claims in the same instant on a database that does not make writers queue.
        raise _in_progress() from None


def _in_progress() -> ProblemError:
    return ProblemError(
        "in-progress",
        "the first request with this key is still being worked on",
        [Problem(HEADER, "is in use by a request that is still being worked on")],
        {"Retry-After": "1"},
    )


def store(session: Session, held: Claim, answer: Stored) -> None:
    """Write the answer in the caller's transaction. Raises ProblemError when the claim was taken over."""
    written = session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == held.id, IdempotencyKey.created_at == held.created_at, IdempotencyKey.status == 0)
        .values(status=answer.status, body=answer.body)
        .returning(IdempotencyKey.id)
    ).first()
    if written is None:
        raise _in_progress()


def renew(session: Session, held: Claim) -> Claim:
    """Keep a key for longer, from the commit of the caller's transaction on. Raises ProblemError when the claim was
    taken over."""
    now = utcnow()
    written = session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == held.id, IdempotencyKey.created_at == held.created_at, IdempotencyKey.status == 0)
        .values(created_at=now)
        .returning(IdempotencyKey.id)
    ).first()
    if written is None:
        raise _in_progress()
    return Claim(held.id, now)


def release(fleet: Fleet, held: Claim) -> None:
    """Give back a key whose request created nothing, so that it can be sent again."""
    with fleet.database.write() as session:
        session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.id == held.id,
                IdempotencyKey.created_at == held.created_at,
                IdempotencyKey.status == 0,
            )
        )
