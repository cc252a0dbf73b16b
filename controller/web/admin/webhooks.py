"""Webhooks: list, new (its secret is shown once), one with its last deliveries, edit, test, delete."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import BooleanField, SelectMultipleField, StringField, widgets
from wtforms.validators import InputRequired, Length

from controller.domain.tickets import EVENTS
from controller.domain.webhooks import URL_MAX
from controller.operations import webhooks as operations
from controller.operations.errors import OperationError
from controller.operations.records import must
from controller.store.desk_models import Delivery, Webhook
from controller.store.ticket_queries import delivery_page, last_emails, newest_delivery, webhook_page
from controller.web.access import Access, page
from controller.web.forms import FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

HOME = "/admin/settings/webhooks"


class WebhookForm(FleetForm):
    name = StringField("Name", [InputRequired("Give the webhook a name."), Length(max=100)])
    url = StringField("Address", [InputRequired("Enter the address that is called."), Length(max=URL_MAX)])
    events = SelectMultipleField(
        "What it is told",
        choices=choices(EVENTS.items()),
        default=list(EVENTS),
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
    )
    active = BooleanField("Switched on", default=True)


def delivery_state(delivery: Delivery) -> tuple[str, str]:
    """Words and tone of a delivery."""
    match delivery.status:
        case "sent":
            return "Delivered", "good"
        case "failed":
            return "Given up", "bad"
    return ("Will try again", "warn") if delivery.attempt else ("Waiting", "quiet")


def webhook_list(request: Request) -> Response:
    search, sort = query(request, "search"), query(request, "sort") or "name"
    with database_of(request).read() as session:
        found = webhook_page(session, search=search, sort=sort, page=page_number(request))
        return render(
            request,
            "admin/settings/webhooks.html",
            tab="webhooks",
            found=found,
            search=search,
            sort=sort,
            newest=newest_delivery(session, [webhook.id for webhook in found.items]),
            emails=last_emails(session, 10),
            delivery_state=delivery_state,
            EVENTS=EVENTS,
        )


def new(request: Request) -> Response:
    return render(request, "admin/settings/webhooks_new.html", form=WebhookForm.of(request))


def create(request: Request) -> Response:
    """Answers with the page itself: the secret must not go through the session cookie or an address."""
    form = WebhookForm.of(request)
    if not form.validate():
        return render(request, "admin/settings/webhooks_new.html", 422, form=form)
    try:
        webhook, secret = operations.create(
            fleet_of(request),
            actor_of(request),
            name=form.name.data,
            url=form.url.data,
            events=form.events.data or [],
            active=form.active.data,
        )
    except OperationError as problem:
        form.refuse(problem)
        return render(request, "admin/settings/webhooks_new.html", 422, form=form)
    return _page(request, webhook.id, secret=secret)


def _page(
    request: Request, webhook_id: int, form: FleetForm | None = None, status: int = 200, secret: str = ""
) -> Response:
    with database_of(request).read() as session:
        webhook = must(session.get(Webhook, webhook_id), "webhook", webhook_id)
        stored = {name: getattr(webhook, name) for name in ("name", "url", "events", "active")}
        return render(
            request,
            "admin/settings/webhooks_detail.html",
            status,
            webhook=webhook,
            form=form or WebhookForm(data=stored),
            deliveries=delivery_page(session, webhook.id, page_number(request), 20),
            delivery_state=delivery_state,
            secret=secret,
            EVENTS=EVENTS,
        )


def detail(request: Request) -> Response:
    return _page(request, path_id(request))


def edit(request: Request) -> Response:
    webhook_id, form = path_id(request), WebhookForm.of(request)
    if not form.validate():
        return _page(request, webhook_id, form, 422)
    try:
        operations.edit(
            fleet_of(request),
            actor_of(request),
            webhook_id,
            name=form.name.data,
            url=form.url.data,
            events=form.events.data or [],
            active=form.active.data,
        )
    except OperationError as problem:
        form.refuse(problem)
        return _page(request, webhook_id, form, 422)
    flash(request, "The webhook is changed.")
    return RedirectResponse(f"{HOME}/{webhook_id}", 303)


def test(request: Request) -> Response:
    webhook_id = path_id(request)
    with refusal_flashed(request):
        operations.send_test(fleet_of(request), actor_of(request), webhook_id)
        flash(request, "A test is on its way; how it went shows below.")
    return RedirectResponse(f"{HOME}/{webhook_id}", 303)


def delete(request: Request) -> Response:
    webhook = operations.delete(fleet_of(request), actor_of(request), path_id(request))
    flash(request, f"{webhook.name} is told nothing any more.")
    return RedirectResponse(HOME, 303)


routes: list[BaseRoute] = [
    page(HOME, webhook_list, Access.STAFF),
    page(f"{HOME}/new", new, Access.OPERATOR),
    page(f"{HOME}/new", create, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}", detail, Access.STAFF),
    page(f"{HOME}/{{id:int}}", edit, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}/test", test, Access.OPERATOR, methods=["POST"]),
    page(f"{HOME}/{{id:int}}/delete", delete, Access.OPERATOR, methods=["POST"]),
]
