"""People who sign in: staff and customers."""

from __future__ import annotations

from functools import lru_cache

from pwdlib import PasswordHash
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from controller.domain.words import Role
from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.base import utcnow
from controller.store.models import Customer, User

PASSWORD_MIN = 10
PASSWORD_MAX = 200


@lru_cache(maxsize=1)
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@lru_cache(maxsize=1)
def _dummy_hash() -> str:
    return _hasher().hash("nobody has this password")


def create_user(
    fleet: Fleet, actor: str, *, email: str, name: str, role: str, password: str, customer_id: int | None = None
) -> User:
    """A new login; a customer's login belongs to that customer. Raises Invalid, Conflict."""
    fields = Fields()
    email = fields.email("email", email)
    name = fields.text("name", name)
    role = fields.choice("role", role, Role)
    _password(fields, password)
    if role == Role.CUSTOMER and customer_id is None:
        fields.problem("customer_id", "is needed for a customer’s login")
    fields.finish()
    hashed = _hasher().hash(password)
    with fleet.database.write() as session:
        if customer_id is not None:
            must(session.get(Customer, customer_id), "customer", customer_id)
        user = User(
            email=email,
            name=name,
            role=Role(role),
            password_hash=hashed,
            customer_id=customer_id if role == Role.CUSTOMER else None,
        )
        session.add(user)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a login {email} already", field="email") from None
        audit(session, actor, "user.create", email, message=f"{name}, {role}", role=role, customer_id=customer_id)
    return user


def authenticate(fleet: Fleet, email: str, password: str) -> User | None:
    """The user when address and password fit and the login is enabled; takes the same time when not."""
    with fleet.database.read() as session:
        user = session.scalars(select(User).where(User.email == email.strip().lower())).first()
    stored = user.password_hash if user and user.password_hash else _dummy_hash()
    fits, newer = _hasher().verify_and_update(password[: PASSWORD_MAX + 1], stored)
    if user is None or not user.password_hash or not fits or user.disabled:
        return None
    with fleet.database.write() as session:
        signed_in = session.get_one(User, user.id)
        signed_in.last_login_at = utcnow()
        if newer:
            signed_in.password_hash = newer
    return user


def set_password(fleet: Fleet, actor: str, user_id: int, password: str) -> User:
    """Set a new password and end all sessions of the user. Raises Invalid, NotFound."""
    fields = Fields()
    _password(fields, password)
    fields.finish()
    hashed = _hasher().hash(password)
    with fleet.database.write() as session:
        user = must(session.get(User, user_id), "user", user_id)
        user.password_hash = hashed
        user.session_epoch += 1
        audit(session, actor, "user.set_password", user.email, message="all sessions ended")
    return user


def _password(fields: Fields, password: str) -> None:
    if not isinstance(password, str) or not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        fields.problem("password", f"must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
