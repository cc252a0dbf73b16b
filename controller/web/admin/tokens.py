"""API tokens, for owners; a new one is shown once."""

from __future__ import annotations

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from controller.operations import tokens as operations
from controller.operations.errors import OperationError
from controller.store.models import ApiToken
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash
from controller.web.templating import render


class TokenForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the token a name."), Length(max=100)])
    scope = ChoiceField("May", choices=choices([("admin", "Do everything"), ("read", "Only read")]))


def _page(request: Request, form: FleetForm, status: int = 200, plain: str = "") -> Response:
    with database_of(request).read() as session:
        tokens = session.scalars(select(ApiToken).order_by(ApiToken.revoked_at.is_not(None), ApiToken.id.desc())).all()
        return render(request, "admin/tokens.html", status, tokens=tokens, form=form, plain=plain)


def token_list(request: Request) -> Response:
    return _page(request, TokenForm.of(request))


def create(request: Request) -> Response:
    """Answers with the page itself: the token must not go through the session cookie or an address."""
    form = TokenForm.of(request)
    if not form.validate():
        return _page(request, form, 422)
    try:
        _token, plain = operations.create(
            fleet_of(request), actor_of(request), name=form.name.data, scope=form.scope.data
        )
    except OperationError as problem:
        form.refuse(problem)
        return _page(request, form, 422)
    return _page(request, TokenForm(), plain=plain)


def revoke(request: Request) -> Response:
    token = operations.revoke(fleet_of(request), actor_of(request), path_id(request))
    flash(request, f"The token {token.name} does not work any more.")
    return RedirectResponse("/admin/tokens", 303)


routes: list[BaseRoute] = [
    page("/admin/tokens", token_list, Access.OWNER),
    page("/admin/tokens", create, Access.OWNER, methods=["POST"]),
    page("/admin/tokens/{id:int}/revoke", revoke, Access.OWNER, methods=["POST"]),
]
