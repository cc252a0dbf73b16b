"""Server groups: the list, create, name and description, delete. Each other tab has a module of its own."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from controller.operations import groups as operations
from controller.operations.errors import OperationError
from controller.store.group_queries import group_lines
from controller.store.models import Product, Server, ServerGroup
from controller.web.access import Access, page
from controller.web.admin.group_frame import find, group_tab
from controller.web.forms import FleetForm, optional
from controller.web.rehearsal import attempt
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render


class GeneralForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the group a name."), Length(max=100)])
    description = StringField("Description", [optional(), Length(max=1000)])


class GroupForm(GeneralForm):
    variables = TextAreaField("Variables", [optional(), Length(max=10_000)])

    def parsed(self) -> dict[str, str]:
        """``name = value`` lines as a dict; what is none, or comes twice, is said at the field and left out."""
        values: dict[str, str] = {}
        wrong = []
        for number, line in enumerate((self.variables.data or "").splitlines(), 1):
            name, equals, value = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not name:
                wrong.append(f"Line {number} is not “name = value”.")
            elif name in values:
                wrong.append(f"Line {number}: {name[:60]} comes twice.")
            else:
                values[name] = value
        self.variables.errors = [*self.variables.errors, *wrong]
        return values

    def refuse(self, problem: OperationError) -> None:
        super().refuse(problem)
        # A variable has no field of its own.
        for text in [text for text in self.form_errors if text.startswith("variables.")]:
            self.form_errors.remove(text)
            self.variables.errors = [*self.variables.errors, text.removeprefix("variables.")]


def group_list(request: Request) -> Response:
    with database_of(request).read() as session:
        return render(request, "admin/groups/list.html", lines=group_lines(session))


def new(request: Request) -> Response:
    return render(request, "admin/groups/new.html", form=GroupForm.of(request))


def create(request: Request) -> Response:
    form = GroupForm.of(request)
    form.validate()
    variables = form.parsed()
    group = attempt(
        form,
        fleet_of(request),
        lambda fleet: operations.create(
            fleet,
            actor_of(request),
            name=form.name.data,
            description=form.description.data or "",
            variables=variables,
        ),
        fine=not form.errors,
    )
    if group is None:
        return render(request, "admin/groups/new.html", 422, form=form)
    flash(request, f"The group {group.name} is there. Add servers to it next.")
    return RedirectResponse(f"/admin/groups/{group.id}", 303)


def general(request: Request) -> Response:
    with database_of(request).read() as session:
        group = find(session, request)
        form = GeneralForm.of(request, name=group.name, description=group.description)
        return _general(request, session, group, form)


def _general(request: Request, session: Session, group: ServerGroup, form: GeneralForm, status: int = 200) -> Response:
    products = session.scalars(select(Product).where(Product.group_id == group.id).order_by(Product.name)).all()
    return group_tab(
        request,
        session,
        group,
        "general",
        status,
        form=form,
        products=products,
        blockers=blockers(session, group.id, len(products)),
    )


def blockers(session: Session, group_id: int, products: int) -> str:
    """What keeps a group from being deleted, in words: ``2 products and 1 server use it``."""
    servers = session.scalar(select(func.count()).select_from(Server).where(Server.group_id == group_id)) or 0
    counts = [(products, "product"), (servers, "server")]
    words = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count]
    verb = "uses" if products + servers == 1 else "use"
    return f"{' and '.join(words)} {verb} it" if words else ""


def edit(request: Request) -> Response:
    form = GeneralForm.of(request)
    with database_of(request).read() as session:
        group = find(session, request)
    saved = attempt(
        form,
        fleet_of(request),
        lambda fleet: operations.edit(
            fleet,
            actor_of(request),
            group.id,
            name=form.name.data,
            description=form.description.data or "",
            zone_template=group.zone_template_id,
            zone_ttl=group.zone_ttl,
        ),
    )
    if saved is None:
        with database_of(request).read() as session:
            return _general(request, session, find(session, request), form, 422)
    flash(request, "Saved.")
    return RedirectResponse(f"/admin/groups/{group.id}/general", 303)


def delete(request: Request) -> Response:
    with database_of(request).read() as session:
        group = find(session, request)
    address = f"/admin/groups/{group.id}/general"
    with refusal_flashed(request):
        operations.delete_group(fleet_of(request), actor_of(request), group.id)
        flash(request, f"The group {group.name} is deleted.")
        address = "/admin/groups"
    return RedirectResponse(address, 303)


routes: list[BaseRoute] = [
    page("/admin/groups", group_list, Access.STAFF),
    page("/admin/groups/new", new, Access.OPERATOR),
    page("/admin/groups/new", create, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/general", general, Access.STAFF),
    page("/admin/groups/{id:int}/general", edit, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/delete", delete, Access.OPERATOR, methods=["POST"]),
]
