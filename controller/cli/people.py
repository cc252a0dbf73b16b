"""``user`` and ``token``."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.console import (
    AsJson,
    Failed,
    PasswordFromStdin,
    actor,
    new_group,
    opened,
    out,
    out_json,
    out_table,
    password_from,
    when,
)

user_app = new_group("Logins of staff and customers.")
token_app = new_group("Tokens for the API.")


@user_app.command("create")
def create_user(
    email: Annotated[str, typer.Argument(help="E-mail address to sign in with.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="owner, operator, support or customer.")] = "operator",
    customer: Annotated[str, typer.Option(help="Customer (id or e-mail) that a customer's login belongs to.")] = "",
    password_stdin: PasswordFromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Make a login."""
    from controller.operations import people
    from controller.operations.errors import NotFound
    from controller.store.queries import find_customer

    password = password_from(password_stdin)
    with opened() as fleet:
        customer_id = None
        if customer:
            with fleet.database.read() as session:
                found = find_customer(session, customer)
            if found is None:
                raise NotFound("customer", customer)
            customer_id = found.id
        user = people.create_user(
            fleet, actor(), email=email, name=name, role=role, password=password, customer_id=customer_id
        )
        if as_json:
            out_json({"id": user.id, "email": user.email, "name": user.name, "role": user.role.value})
        else:
            out(f"{user.email} may sign in ({user.role.value})")


@user_app.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List logins."""
    from sqlalchemy import select

    from controller.store.models import User

    with opened() as fleet, fleet.database.read() as session:
        users = session.scalars(select(User).order_by(User.email)).all()
        if as_json:
            out_json(
                [
                    {
                        "id": user.id,
                        "email": user.email,
                        "name": user.name,
                        "role": user.role.value,
                        "customer_id": user.customer_id,
                        "disabled": user.disabled,
                        "last_login_at": user.last_login_at.isoformat() if user.last_login_at else None,
                    }
                    for user in users
                ]
            )
            return
        out_table(
            ("ID", "E-MAIL", "NAME", "ROLE", "LAST LOGIN"),
            [(user.id, user.email, user.name, user.role.value, when(user.last_login_at)) for user in users],
        )


@user_app.command("passwd")
def change_password(
    email: Annotated[str, typer.Argument(help="E-mail address of the login.")],
    password_stdin: PasswordFromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Set a new password and end all sessions of the login."""
    from sqlalchemy import select

    from controller.operations import people
    from controller.operations.errors import NotFound
    from controller.store.models import User

    with opened() as fleet:
        with fleet.database.read() as session:
            user = session.scalars(select(User).where(User.email == email.strip().lower())).first()
        if user is None:
            raise NotFound("login", email)
        people.set_password(fleet, actor(), user.id, password_from(password_stdin))
        if as_json:
            out_json({"id": user.id, "email": user.email})
        else:
            out(f"{user.email} has a new password")


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    scope: Annotated[str, typer.Option(help="admin may do everything, read only looks.")],
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once."""
    from controller.operations import tokens

    with opened() as fleet:
        token, secret = tokens.create(fleet, actor(), name=name, scope=scope)
        if as_json:
            out_json({"id": token.id, "name": token.name, "scope": token.scope, "token": secret})
        else:
            out(secret)


@token_app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List tokens."""
    from sqlalchemy import select

    from controller.store.models import ApiToken

    with opened() as fleet, fleet.database.read() as session:
        tokens = session.scalars(select(ApiToken).order_by(ApiToken.id)).all()
        if as_json:
            out_json(
                [
                    {
                        "id": token.id,
                        "name": token.name,
                        "scope": token.scope,
                        "created_at": token.created_at.isoformat(),
                        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
                        "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
                    }
                    for token in tokens
                ]
            )
            return
        out_table(
            ("ID", "NAME", "SCOPE", "CREATED", "LAST USED", "REVOKED"),
            [(t.id, t.name, t.scope, when(t.created_at), when(t.last_used_at), when(t.revoked_at)) for t in tokens],
        )


@token_app.command("revoke")
def revoke_token(
    key: Annotated[str, typer.Argument(metavar="TOKEN", help="Id or name.")], as_json: AsJson = False
) -> None:
    """Make a token useless, at once."""
    from controller.operations import tokens

    with opened() as fleet:
        if not key:
            raise Failed("a token's id or name is needed", 2)
        token = tokens.revoke(fleet, actor(), key)
        if as_json:
            out_json({"id": token.id, "name": token.name, "revoked_at": f"{token.revoked_at:%Y-%m-%dT%H:%M:%SZ}"})
        else:
            out(f"Token {token.name} is revoked")
