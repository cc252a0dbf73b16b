"""One's own name and password; the same page for staff and customers."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from wtforms import PasswordField
from wtforms.validators import EqualTo, InputRequired, Length

from controller.operations import people
from controller.operations.errors import OperationError
from controller.web.forms import FleetForm
from controller.web.request_tools import fleet_of
from controller.web.session import flash, person_of, sign_in
from controller.web.templating import render


class PasswordForm(FleetForm):
    current = PasswordField("Current password", [InputRequired("Enter your current password.")])
    password = PasswordField(
        "New password", [InputRequired("Enter a new password."), Length(people.PASSWORD_MIN, people.PASSWORD_MAX)]
    )
    again = PasswordField(
        "New password again", [InputRequired("Enter it again."), EqualTo("password", "This is not the same.")]
    )


def show(layout: str) -> Callable[[Request], Response]:
    """The page in the frame of ``layout``."""

    def endpoint(request: Request) -> Response:
        return render(request, "profile.html", layout=layout, form=PasswordForm.of(request))

    return endpoint


def change_password(layout: str) -> Callable[[Request], Response]:
    """Takes a new password; every other session of the person ends."""

    def endpoint(request: Request) -> Response:
        form = PasswordForm.of(request)
        person, fleet = person_of(request), fleet_of(request)
        if not form.validate():
            return render(request, "profile.html", 422, layout=layout, form=form)
        limiter = request.app.state.login_limiter
        if not limiter.admit(f"profile {person.id}", person.email):
            form.form_errors.append("Too many attempts. Wait a minute, then try again.")
            return render(request, "profile.html", 429, layout=layout, form=form)
        if people.authenticate(fleet, person.email, form.current.data) is None:
            form.current.errors = ["This is not your current password."]
            return render(request, "profile.html", 422, layout=layout, form=form)
        try:
            user = people.set_password(fleet, person.email, person.id, form.password.data)
        except OperationError as problem:
            form.refuse(problem)
            return render(request, "profile.html", 422, layout=layout, form=form)
        sign_in(request, user)
        flash(request, "Your password is changed. Other devices have to sign in again.")
        return RedirectResponse(f"{person.home}/profile", 303)

    return endpoint
