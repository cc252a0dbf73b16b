"""API tokens: shown once, kept as a hash."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.base import utcnow
from controller.store.models import ApiToken
from controller.store.queries import is_id

SCOPES = ("admin", "read")
USE_NOTED_EVERY = dt.timedelta(minutes=1)


def _hash(plain: str) -> str:
    # The token is 256 random bits, so a plain hash cannot be turned round.
    return hashlib.sha256(plain.encode()).hexdigest()


def create(fleet: Fleet, actor: str, *, name: str, scope: str) -> tuple[ApiToken, str]:
    """A new token and its plain text, which is never shown again. Raises Invalid, Conflict."""
    fields = Fields()
    name = fields.name("name", name)
    scope = fields.choice("scope", scope, SCOPES)
    fields.finish()
    plain = f"hf_{secrets.token_urlsafe(32)}"
    with fleet.database.write() as session:
        token = ApiToken(name=name, scope=scope, token_hash=_hash(plain))
        session.add(token)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a token {name} already", field="name") from None
        may = "may do everything" if scope == "admin" else "may only read"
        audit(session, actor, "token.create", name, message=may, scope=scope)
    return token, plain


def verify(fleet: Fleet, plain: str) -> ApiToken | None:
    """The token, if it is one and not revoked."""
    with fleet.database.read() as session:
        token = session.scalars(select(ApiToken).where(ApiToken.token_hash == _hash(plain))).first()
    if token is None or token.revoked_at is not None:
        return None
    if token.last_used_at is None or utcnow() - token.last_used_at > USE_NOTED_EVERY:
        with fleet.database.write() as session:
            session.get_one(ApiToken, token.id).last_used_at = utcnow()
    return token


def revoke(fleet: Fleet, actor: str, key: int | str) -> ApiToken:
    """Make a token useless. Raises NotFound."""
    with fleet.database.write() as session:
        by_id = session.get(ApiToken, int(key)) if is_id(str(key)) else None
        found = by_id or session.scalars(select(ApiToken).where(ApiToken.name == str(key))).first()
        token = must(found, "token", key)
        if token.revoked_at is None:
            token.revoked_at = utcnow()
            audit(session, actor, "token.revoke", token.name, message="does not work any more")
    return token
