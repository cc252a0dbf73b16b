"""The ticket desk: list, one ticket with its notes, and what staff do with it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import TextAreaField

from controller.domain.failures import CLASS_WORDS, ErrorClass
from controller.domain.tickets import ADVICE, is_about_server
from controller.domain.words import TicketStatus
from controller.engine.fleet import Fleet
from controller.operations import tickets as operations
from controller.operations.errors import Invalid
from controller.operations.records import must
from controller.store.desk_models import Ticket
from controller.store.models import Server, Task
from controller.store.queries import is_id
from controller.store.ticket_queries import (
    NOBODY,
    note_page,
    possible_assignees,
    same_cause,
    ticket_page,
)
from controller.web.access import Access, page
from controller.web.forms import FleetForm
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

TICKET_STATES = {TicketStatus.OPEN: ("Open", "bad"), TicketStatus.CLOSED: ("Closed", "quiet")}
WORKS_AGAIN = ("Works again", "good")
NOTES = {
    "failure": ("circle-x", "bad", "Did not work"),
    "success": ("circle-check", "good", "Works again"),
    "note": ("message", "quiet", "Note"),
    "assigned": ("user", "quiet", "Assigned"),
    "closed": ("check", "quiet", "Closed"),
    "reopened": ("refresh", "warn", "Opened again"),
}
"""Icon, tone and title of each kind of note."""


class NoteForm(FleetForm):
    text = TextAreaField("Note")


def state_of(ticket: Ticket) -> tuple[str, str]:
    """Words and tone; an open ticket whose trouble is over says so."""
    if ticket.status is TicketStatus.OPEN and ticket.recovered_at is not None:
        return WORKS_AGAIN
    return TICKET_STATES[ticket.status]


def ticket_list(request: Request) -> Response:
    search, status, sort = query(request, "search"), query(request, "status"), query(request, "sort") or "-updated"
    server, assignee = query(request, "server"), query(request, "assignee")
    with database_of(request).read() as session:
        found = ticket_page(
            session,
            search=search,
            # Without a choice the desk shows what waits for somebody.
            status=status or TicketStatus.OPEN.value,
            assignee=assignee,
            server_id=int(server) if is_id(server) else None,
            sort=sort,
            page=page_number(request),
        )
        return render(
            request,
            "admin/tickets/list.html",
            found=found,
            search=search,
            status=status,
            server=server,
            assignee=assignee,
            sort=sort,
            servers=session.scalars(select(Server).order_by(Server.name)).all(),
            staff=possible_assignees(session),
            nobody=NOBODY,
            state_of=state_of,
        )


def _page(request: Request, form: FleetForm, status: int = 200) -> Response:
    with database_of(request).read() as session:
        ticket_id = path_id(request)
        ticket = must(session.get(Ticket, ticket_id), "ticket", ticket_id)
        kind = ErrorClass(ticket.error_class) if ticket.error_class else None
        notes = note_page(session, ticket.id, page_number(request))
        return render(
            request,
            "admin/tickets/detail.html",
            status,
            ticket=ticket,
            state=state_of(ticket),
            about_server=kind is not None and is_about_server(ticket.action or "", kind),
            cause=CLASS_WORDS[kind] if kind else None,
            advice=ADVICE[kind] if kind else "",
            notes=notes,
            # A ticket is kept longer than the tasks it tells about.
            kept=set(session.scalars(select(Task.id).where(Task.id.in_([note.task_id for note in notes.items])))),
            kinds=NOTES,
            others=same_cause(session, ticket),
            staff=possible_assignees(session),
            form=form,
            state_of=state_of,
        )


def detail(request: Request) -> Response:
    return _page(request, NoteForm.of(request))


def _back(request: Request) -> RedirectResponse:
    return RedirectResponse(f"/admin/tickets/{path_id(request)}", 303)


def _written(operation: Callable[[Fleet, str, int, str], object], done: str) -> Callable[[Request], Response]:
    """A button below the note."""

    def endpoint(request: Request) -> Response:
        form = NoteForm.of(request)
        with refusal_flashed(request):
            try:
                operation(fleet_of(request), actor_of(request), path_id(request), form.text.data or "")
            except Invalid as problem:
                form.refuse(problem)
                return _page(request, form, 422)
            flash(request, done)
        return _back(request)

    return endpoint


def assign(request: Request) -> Response:
    chosen = str(request.state.form.get("assignee", "")).strip()
    with refusal_flashed(request), refusal_flashed(request, Invalid, lambda _: "Choose one of the staff."):
        ticket = operations.assign(fleet_of(request), actor_of(request), path_id(request), chosen or None)
        flash(request, f"{ticket.assignee.name} has the ticket now." if ticket.assignee else "Nobody has the ticket.")
    return _back(request)


def reopen(request: Request) -> Response:
    with refusal_flashed(request):
        operations.reopen(fleet_of(request), actor_of(request), path_id(request))
        flash(request, "The ticket is open again.")
    return _back(request)


routes: list[BaseRoute] = [
    page("/admin/tickets", ticket_list, Access.STAFF),
    page("/admin/tickets/{id:int}", detail, Access.STAFF),
    page(
        "/admin/tickets/{id:int}/note",
        _written(operations.add_note, "The note is in the ticket."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/tickets/{id:int}/close",
        _written(operations.close, "The ticket is closed."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page("/admin/tickets/{id:int}/assign", assign, Access.OPERATOR, methods=["POST"]),
    page("/admin/tickets/{id:int}/reopen", reopen, Access.OPERATOR, methods=["POST"]),
]
