"""Customers: list, create, one customer with services and logins."""

from __future__ import annotations

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from controller.domain.words import Role
from controller.operations import customers as operations
from controller.operations import people
from controller.operations.errors import OperationError
from controller.operations.records import must
from controller.store.models import Customer, Service, User
from controller.store.queries import Page, service_page
from controller.web.access import Access, page
from controller.web.forms import FleetForm
from controller.web.request_tools import actor_of, count_by, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash
from controller.web.templating import render

PER_PAGE = 25


class CustomerForm(FleetForm):
    email = EmailField("E-mail address", [InputRequired("Enter an e-mail address."), Length(max=254)])
    name = StringField("Name", [InputRequired("Enter a name."), Length(max=200)])


class CustomerLoginForm(FleetForm):
    email = EmailField("E-mail address", [InputRequired("Enter an e-mail address."), Length(max=254)])
    name = StringField("Name", [InputRequired("Enter a name."), Length(max=200)])
    password = PasswordField(
        "Password", [InputRequired("Enter a first password."), Length(people.PASSWORD_MIN, people.PASSWORD_MAX)]
    )


def customer_list(request: Request) -> Response:
    search = query(request, "search")
    wanted = select(Customer)
    if search:
        wanted = wanted.where(or_(*(c.icontains(search, autoescape=True) for c in (Customer.email, Customer.name))))
    with database_of(request).read() as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        number = min(page_number(request), max(1, -(-total // PER_PAGE)))
        items = session.scalars(
            wanted.order_by(Customer.id.desc()).limit(PER_PAGE).offset((number - 1) * PER_PAGE)
        ).all()
        counts = count_by(
            session,
            select(Service.customer_id, func.count())
            .where(Service.customer_id.in_([customer.id for customer in items]))
            .group_by(Service.customer_id),
        )
        found = Page(items, total, number, PER_PAGE)
        return render(request, "admin/customers/list.html", found=found, counts=counts, search=search)


def new(request: Request) -> Response:
    return render(request, "admin/customers/new.html", form=CustomerForm.of(request))


def create(request: Request) -> Response:
    form = CustomerForm.of(request)
    if not form.validate():
        return render(request, "admin/customers/new.html", 422, form=form)
    try:
        customer = operations.create(fleet_of(request), actor_of(request), email=form.email.data, name=form.name.data)
    except OperationError as problem:
        form.refuse(problem)
        return render(request, "admin/customers/new.html", 422, form=form)
    flash(request, f"{customer.name} is a customer now.")
    return RedirectResponse(f"/admin/customers/{customer.id}", 303)


def _find(session: Session, request: Request) -> Customer:
    customer_id = path_id(request)
    return must(session.get(Customer, customer_id), "customer", customer_id)


def _detail(request: Request, form: FleetForm | None, status: int = 200) -> Response:
    with database_of(request).read() as session:
        customer = _find(session, request)
        logins = session.scalars(select(User).where(User.customer_id == customer.id).order_by(User.email)).all()
        form = form or CustomerLoginForm.of(request, email="" if logins else customer.email, name=customer.name)
        return render(
            request,
            "admin/customers/detail.html",
            status,
            customer=customer,
            logins=logins,
            found=service_page(session, customer_id=customer.id, page=page_number(request)),
            form=form,
        )


def detail(request: Request) -> Response:
    return _detail(request, None)


def add_login(request: Request) -> Response:
    form = CustomerLoginForm.of(request)
    if not form.validate():
        return _detail(request, form, 422)
    customer_id = path_id(request)
    try:
        user = people.create_user(
            fleet_of(request),
            actor_of(request),
            email=form.email.data,
            name=form.name.data,
            role=Role.CUSTOMER.value,
            password=form.password.data,
            customer_id=customer_id,
        )
    except OperationError as problem:
        form.refuse(problem)
        return _detail(request, form, 422)
    flash(request, f"{user.email} can sign in now.")
    return RedirectResponse(f"/admin/customers/{customer_id}", 303)


routes: list[BaseRoute] = [
    page("/admin/customers", customer_list, Access.STAFF),
    page("/admin/customers/new", new, Access.OPERATOR),
    page("/admin/customers/new", create, Access.OPERATOR, methods=["POST"]),
    page("/admin/customers/{id:int}", detail, Access.STAFF),
    page("/admin/customers/{id:int}/logins", add_login, Access.OPERATOR, methods=["POST"]),
]
