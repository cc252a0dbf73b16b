"""Products: list, create, one product, edit."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import BooleanField, SelectMultipleField, StringField, widgets
from wtforms.validators import InputRequired, Length

from controller.domain.limits import resolve
from controller.domain.words import Capability, Mode, ServiceStatus
from controller.operations import products as operations
from controller.operations.records import must
from controller.store.models import Product, ServerGroup, Service
from controller.store.zone_models import ZoneTemplate
from controller.store.zone_queries import templates
from controller.web import limit_fields
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices, optional
from controller.web.present import CAPABILITY_WORDS
from controller.web.rehearsal import attempt
from controller.web.request_tools import actor_of, count_by, database_of, fleet_of, path_id
from controller.web.session import flash
from controller.web.templating import render


class ProductFields(FleetForm):
    name = StringField("Name", [InputRequired("Give the product a name."), Length(max=100)])
    description = StringField("Description", [optional(), Length(max=1000)])
    group = ChoiceField("Server group")
    roles = SelectMultipleField(
        "What it includes",
        choices=choices((role.value, CAPABILITY_WORDS[role.value]) for role in Capability),
        default=[role.value for role in Capability],
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
    )
    self_service = BooleanField("Customers may order it themselves")

    field_map = limit_fields.field_map("limits")


class EditForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the product a name."), Length(max=100)])
    description = StringField("Description", [optional(), Length(max=1000)])
    zone_template = ChoiceField("Zone template")
    active = BooleanField("It is sold")
    self_service = BooleanField("Customers may order it themselves")


ProductForm = limit_fields.with_limits(ProductFields)


def _form(request: Request, session: Session) -> FleetForm:
    form = ProductForm.of(request)
    groups = session.scalars(select(ServerGroup).order_by(ServerGroup.name)).all()
    form["group"].choices = choices((group.id, group.name) for group in groups)
    return form


def _page(request: Request, form: FleetForm, status: int = 200) -> Response:
    return render(
        request,
        "admin/products/new.html",
        status,
        form=form,
        limit_groups=limit_fields.groups(form),
        hint=limit_fields.hint,
    )


def product_list(request: Request) -> Response:
    with database_of(request).read() as session:
        products = session.scalars(select(Product).options(selectinload(Product.group)).order_by(Product.name)).all()
        counts = count_by(
            session,
            select(Service.product_id, func.count())
            .where(Service.status != ServiceStatus.TERMINATED)
            .group_by(Service.product_id),
        )
        return render(request, "admin/products/list.html", products=products, counts=counts)


def new(request: Request) -> Response:
    with database_of(request).read() as session:
        return _page(request, _form(request, session))


def create(request: Request) -> Response:
    with database_of(request).read() as session:
        form = _form(request, session)
    product = attempt(
        form,
        fleet_of(request),
        lambda fleet: operations.create(
            fleet,
            actor_of(request),
            name=form["name"].data,
            description=form["description"].data or "",
            mode=Mode.SPLIT.value,
            roles=form["roles"].data or [],
            group=form["group"].data,
            limits=limit_fields.read(form),
            self_service=form["self_service"].data,
        ),
    )
    if product is None:
        return _page(request, form, 422)
    flash(request, f"{product.name} can be ordered now.")
    return RedirectResponse(f"/admin/products/{product.id}", 303)


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        product_id = path_id(request)
        product = must(session.get(Product, product_id), "product", product_id)
        limits, _problems = resolve(product.limits, {})
        services = session.scalars(
            select(Service)
            .options(selectinload(Service.customer))
            .where(Service.product_id == product.id)
            .order_by(Service.id.desc())
            .limit(10)
        ).all()
        template = session.get(ZoneTemplate, product.zone_template_id) if product.zone_template_id else None
        return render(
            request, "admin/products/detail.html", product=product, limits=limits, services=services, template=template
        )


def _with_templates(session: Session, form: EditForm) -> EditForm:
    form.zone_template.choices = choices(
        [("", "No own choice"), *((template.id, template.name) for template in templates(session))]
    )
    return form


def show_edit(request: Request) -> Response:
    with database_of(request).read() as session:
        product_id = path_id(request)
        product = must(session.get(Product, product_id), "product", product_id)
        form = EditForm(None, obj=product, data={"zone_template": product.zone_template_id or ""})
        return render(request, "admin/products/edit.html", product=product, form=_with_templates(session, form))


def edit(request: Request) -> Response:
    form = EditForm.of(request)
    with database_of(request).read() as session:
        product_id = path_id(request)
        product = must(session.get(Product, product_id), "product", product_id)
        _with_templates(session, form)
    saved = attempt(
        form,
        fleet_of(request),
        lambda fleet: operations.edit(
            fleet,
            actor_of(request),
            product_id,
            name=form.name.data,
            description=form.description.data or "",
            active=form.active.data,
            self_service=form.self_service.data,
            zone_template=form.zone_template.data or None,
        ),
    )
    if saved is None:
        return render(request, "admin/products/edit.html", 422, product=product, form=form)
    flash(request, "Saved. Services that are there keep what they have.")
    return RedirectResponse(f"/admin/products/{product_id}", 303)


routes: list[BaseRoute] = [
    page("/admin/products", product_list, Access.STAFF),
    page("/admin/products/new", new, Access.OPERATOR),
    page("/admin/products/new", create, Access.OPERATOR, methods=["POST"]),
    page("/admin/products/{id:int}", detail, Access.STAFF),
    page("/admin/products/{id:int}/edit", show_edit, Access.STAFF),
    page("/admin/products/{id:int}/edit", edit, Access.OPERATOR, methods=["POST"]),
]
