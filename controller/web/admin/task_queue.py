"""The task queue: how it is doing, its tasks by filter, and what staff do to many of them at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import SelectMultipleField, widgets
from wtforms.validators import InputRequired, NumberRange

from controller.domain.pipelines import STEP_ORDER
from controller.domain.words import STATUS_ACTION, TaskStatus
from controller.engine.dispatch import stuck
from controller.operations import task_bulk
from controller.operations.errors import Invalid
from controller.operations.task_bulk import BulkAction
from controller.store.base import utcnow
from controller.store.models import Server, ServerGroup
from controller.store.queries import is_id
from controller.store.task_queries import STUCK, TaskFilter, queue_state, task_page
from controller.web.access import Access, page
from controller.web.forms import FleetForm, NumberField, choices, sentence
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render
from controller.web.waiting import waits

ACTIONS = (*STEP_ORDER, STATUS_ACTION)
FILTERS = ("search", "service", "state", "action", "server", "group")


class CleanUpForm(FleetForm):
    """Which finished tasks to delete."""

    days = NumberField(
        "Finished more than",
        [InputRequired("Enter a number of days."), NumberRange(0, 3650, "Enter 0 to 3650 days.")],
        default=30,
    )
    states = SelectMultipleField(
        "Tasks that",
        [InputRequired("Choose at least one.")],
        choices=choices(
            [
                (TaskStatus.SUCCEEDED, "succeeded"),
                (TaskStatus.FAILED, "failed"),
                (TaskStatus.CANCELLED, "were cancelled"),
            ]
        ),
        default=[TaskStatus.SUCCEEDED.value],
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
    )

    def wanted(self) -> TaskFilter:
        """The filter it stands for."""
        before = utcnow() - dt.timedelta(days=self.days.data or 0)
        return TaskFilter(states=[TaskStatus(name) for name in self.states.data], finished_before=before)


def wanted(given: Callable[[str], str]) -> TaskFilter:
    """The filter that a query or a form names; words that mean nothing narrow nothing."""
    return TaskFilter(
        search=given("search"),
        service=given("service"),
        state=given("state"),
        action=given("action") if given("action") in ACTIONS else "",
        server_id=int(given("server")) if is_id(given("server")) else None,
        group_id=int(given("group")) if is_id(given("group")) else None,
    )


def _stuck(request: Request) -> ColumnElement[bool]:
    return stuck(utcnow(), fleet_of(request).settings.task_timeout)


def task_list(request: Request) -> Response:
    sort = query(request, "sort") or "-id"
    with database_of(request).read() as session:
        found = task_page(
            session,
            wanted(lambda name: query(request, name)),
            stuck=_stuck(request),
            sort=sort,
            page=page_number(request),
        )
        return render(
            request,
            "admin/tasks/list.html",
            found=found,
            waits=waits(session, found.items),
            chosen={name: query(request, name) for name in FILTERS},
            servers=session.execute(select(Server.id, Server.name).order_by(Server.name)).all(),
            groups=session.execute(select(ServerGroup.id, ServerGroup.name).order_by(ServerGroup.name)).all(),
            sort=sort,
            actions=ACTIONS,
            queue=queue_state(session, _stuck(request)),
        )


def strip(request: Request) -> Response:
    """How the queue is doing, for a page that is open."""
    with database_of(request).read() as session:
        return render(request, "admin/tasks/strip.html", queue=queue_state(session, _stuck(request)))


def bulk(request: Request) -> Response:
    """One action on the ticked tasks, or on everything that the filter finds."""
    form = request.state.form

    def given(name: str) -> str:
        return str(form.get(name, "")).strip()[:200]

    ids = [int(text) for text in map(str, form.getlist("task")) if is_id(text)]
    everything = given("everything") == "1"
    parameters = {name: given(name) for name in (*FILTERS, "sort", "page") if given(name)}
    with refusal_flashed(request, Invalid, lambda problem: " ".join(sentence(one.reason) for one in problem.problems)):
        result = task_bulk.run(
            fleet_of(request),
            actor_of(request),
            given("do"),
            ids=None if everything else ids,
            wanted=wanted(given) if everything else None,
            priority=int(given("priority")) if is_id(given("priority")) else None,
        )
        flash(request, result.words(), "success" if result.done else "warning")
    return RedirectResponse(f"/admin/tasks?{urlencode(parameters)}" if parameters else "/admin/tasks", 303)


def clean_up(request: Request) -> Response:
    """What would go, before anything does."""
    form = CleanUpForm(request.query_params) if request.query_params else CleanUpForm()
    return _clean_up_page(request, form)


def _clean_up_page(request: Request, form: CleanUpForm, status: int = 200) -> Response:
    preview = None
    if (not request.query_params and request.method == "GET") or form.validate():
        with database_of(request).read() as session:
            preview = task_bulk.removable(session, form.wanted(), _stuck(request))
    return render(request, "admin/tasks/clean_up.html", status, form=form, preview=preview)


def clean_up_now(request: Request) -> Response:
    form = CleanUpForm.of(request)
    if not form.validate():
        return _clean_up_page(request, form, 422)
    result = task_bulk.run(fleet_of(request), actor_of(request), BulkAction.DELETE, wanted=form.wanted())
    flash(request, result.words(), "success" if result.done else "warning")
    return RedirectResponse("/admin/tasks", 303)


def fail_stuck(request: Request) -> Response:
    result = task_bulk.run(fleet_of(request), actor_of(request), BulkAction.FORCE_FAIL, wanted=TaskFilter(state=STUCK))
    flash(request, result.words() if result.done else "No task is stuck.", "success" if result.done else "info")
    return RedirectResponse("/admin/tasks", 303)


routes: list[BaseRoute] = [
    page("/admin/tasks", task_list, Access.STAFF),
    page("/admin/tasks/strip", strip, Access.STAFF),
    page("/admin/tasks/bulk", bulk, Access.OPERATOR, methods=["POST"]),
    page("/admin/tasks/clean-up", clean_up, Access.STAFF),
    page("/admin/tasks/clean-up", clean_up_now, Access.OPERATOR, methods=["POST"]),
    page("/admin/tasks/fail-stuck", fail_stuck, Access.OPERATOR, methods=["POST"]),
]
