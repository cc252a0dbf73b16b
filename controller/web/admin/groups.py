"""Server groups: list, create, one group."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from controller.operations import groups as operations
from controller.operations.errors import OperationError
from controller.operations.records import must
from controller.store.models import Product, ServerGroup
from controller.store.server_queries import server_loads
from controller.web.access import Access, page
from controller.web.forms import FleetForm, optional
from controller.web.request_tools import actor_of, count_by, database_of, fleet_of, path_id
from controller.web.session import flash
from controller.web.templating import render


class GroupForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the group a name."), Length(max=100)])
    description = StringField("Description", [optional(), Length(max=1000)])
    variables = TextAreaField("Variables", [optional(), Length(max=10_000)])

    def parsed(self) -> dict[str, str] | None:
        """``name = value`` lines as a dict; None (and a message at the field) when a line is not one."""
        values: dict[str, str] = {}
        for number, line in enumerate((self.variables.data or "").splitlines(), 1):
            if not line.strip():
                continue
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                self.variables.errors = [*self.variables.errors, f"Line {number} is not “name = value”."]
                return None
            values[name.strip()] = value.strip()
        return values

    def refuse(self, problem: OperationError) -> None:
        super().refuse(problem)
        # A variable has no field of its own.
        for text in [text for text in self.form_errors if text.startswith("variables.")]:
            self.form_errors.remove(text)
            self.variables.errors = [*self.variables.errors, text.removeprefix("variables.")]


def group_list(request: Request) -> Response:
    with database_of(request).read() as session:
        groups = session.scalars(
            select(ServerGroup)
            .options(selectinload(ServerGroup.servers), selectinload(ServerGroup.dns_servers))
            .order_by(ServerGroup.name)
        ).all()
        products = count_by(session, select(Product.group_id, func.count()).group_by(Product.group_id))
        return render(request, "admin/groups/list.html", groups=groups, products=products)


def new(request: Request) -> Response:
    return render(request, "admin/groups/new.html", form=GroupForm.of(request))


def create(request: Request) -> Response:
    form = GroupForm.of(request)
    variables = form.parsed() if form.validate() else None
    if variables is None:
        return render(request, "admin/groups/new.html", 422, form=form)
    try:
        group = operations.create(
            fleet_of(request),
            actor_of(request),
            name=form.name.data,
            description=form.description.data or "",
            variables=variables,
        )
    except OperationError as problem:
        form.refuse(problem)
        return render(request, "admin/groups/new.html", 422, form=form)
    flash(request, f"The group {group.name} is there. Add servers to it next.")
    return RedirectResponse(f"/admin/groups/{group.id}", 303)


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        group_id = path_id(request)
        group = must(session.get(ServerGroup, group_id), "group", group_id)
        products = session.scalars(select(Product).where(Product.group_id == group.id).order_by(Product.name)).all()
        return render(request, "admin/groups/detail.html", group=group, products=products, loads=server_loads(session))


routes: list[BaseRoute] = [
    page("/admin/groups", group_list, Access.STAFF),
    page("/admin/groups/new", new, Access.OPERATOR),
    page("/admin/groups/new", create, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}", detail, Access.STAFF),
]
