"""Signing in and out; one page for staff and customers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import InputRequired, Length

from controller.operations import people
from controller.web.access import Access, page
from controller.web.forms import FleetForm
from controller.web.session import Person, sign_in, sign_out
from controller.web.templating import render


class SignInForm(FleetForm):
    email = EmailField("E-mail address", [InputRequired("Enter your e-mail address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=200)])
    next = HiddenField()


def target_after_sign_in(person: Person, wanted: str | None) -> str:
    """The page asked for if it is one of ours and this person may open it, else where the person starts."""
    if wanted and (wanted == person.home or wanted.startswith((f"{person.home}/", f"{person.home}?"))):
        return wanted if "\\" not in wanted and "//" not in wanted else person.home
    return person.home


def login_page(request: Request) -> Response:
    person: Person | None = request.state.person
    wanted = request.query_params.get("next", "")
    if person is not None:
        return RedirectResponse(target_after_sign_in(person, wanted), 303)
    return render(request, "login.html", form=SignInForm.of(request, next=wanted))


def login(request: Request) -> Response:
    form = SignInForm.of(request)
    if not form.validate():
        return render(request, "login.html", 422, form=form)
    limiter = request.app.state.login_limiter
    host = request.client.host if request.client else "unknown"
    email, password = form.email.data or "", form.password.data or ""
    if not limiter.admit(host, email):
        form.form_errors.append("Too many attempts. Wait a minute, then try again.")
        return render(request, "login.html", 429, form=form)
    user = people.authenticate(request.app.state.fleet, email, password)
    if user is None:
        limiter.failed(host)
        form.form_errors.append("E-mail address or password is not right.")
        return render(request, "login.html", 401, form=form)
    limiter.succeeded(email)
    person = sign_in(request, user)
    return RedirectResponse(target_after_sign_in(person, form.next.data), 303)


def logout(request: Request) -> Response:
    sign_out(request)
    return RedirectResponse("/login", 303)


def root(request: Request) -> Response:
    person: Person | None = request.state.person
    return RedirectResponse(person.home if person else "/login", 303)


routes: list[BaseRoute] = [
    page("/", root, Access.OPEN),
    page("/login", login_page, Access.OPEN),
    page("/login", login, Access.OPEN, methods=["POST"]),
    page("/logout", logout, Access.OPEN, methods=["POST"]),
]
