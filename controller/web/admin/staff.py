"""Logins of staff, for owners."""

from __future__ import annotations

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from controller.domain.words import STAFF_ROLES, Role
from controller.operations import people
from controller.operations.errors import OperationError
from controller.store.models import User
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import flash
from controller.web.templating import render

ROLE_CHOICES = [
    (Role.SUPPORT.value, "Support: sees everything, changes nothing"),
    (Role.OPERATOR.value, "Operator: runs services, servers and customers"),
    (Role.OWNER.value, "Owner: also manages staff and API tokens"),
]


class StaffForm(FleetForm):
    name = StringField("Name", [InputRequired("Enter a name."), Length(max=200)])
    email = EmailField("E-mail address", [InputRequired("Enter an e-mail address."), Length(max=254)])
    role = ChoiceField("Role", choices=choices(ROLE_CHOICES))
    password = PasswordField(
        "First password", [InputRequired("Enter a first password."), Length(people.PASSWORD_MIN, people.PASSWORD_MAX)]
    )


def _page(request: Request, form: FleetForm, status: int = 200) -> Response:
    with database_of(request).read() as session:
        staff = session.scalars(select(User).where(User.role.in_(STAFF_ROLES)).order_by(User.name)).all()
        return render(request, "admin/staff.html", status, staff=staff, form=form)


def staff_list(request: Request) -> Response:
    return _page(request, StaffForm.of(request))


def create(request: Request) -> Response:
    form = StaffForm.of(request)
    if not form.validate():
        return _page(request, form, 422)
    try:
        user = people.create_user(
            fleet_of(request),
            actor_of(request),
            email=form.email.data,
            name=form.name.data,
            role=form.role.data,
            password=form.password.data,
        )
    except OperationError as problem:
        form.refuse(problem)
        return _page(request, form, 422)
    flash(request, f"{user.email} can sign in now.")
    return RedirectResponse("/admin/staff", 303)


routes: list[BaseRoute] = [
    page("/admin/staff", staff_list, Access.OWNER),
    page("/admin/staff", create, Access.OWNER, methods=["POST"]),
]
