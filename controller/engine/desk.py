"""Tickets that open, grow and recover by themselves: rows written in the transaction of the task's result."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain import tickets as rules
from controller.domain.failures import ErrorClass
from controller.domain.options import TicketOptions
from controller.domain.words import STATUS_ACTION, TicketStatus
from controller.engine.announcements import announce
from controller.store.base import utcnow
from controller.store.desk_models import Ticket, TicketNote
from controller.store.models import Task
from controller.store.options import load

# A ticket that somebody closes between our look and our insert is looked for again.
TRIES = 5

# Written this way, so that the index over causes serves the query and not the one over states: a success must not
# go through every open ticket.
IS_OPEN = Ticket.status != TicketStatus.CLOSED


def task_failed(session: Session, task: Task) -> None:
    """A task has failed for good: open a ticket, or add to the one that is open for the same cause."""
    kind = ErrorClass(task.error_class or ErrorClass.INTERNAL)
    about_server = rules.is_about_server(task.action, kind)
    if (task.check_mode and not about_server) or not load(session, TicketOptions).enabled:
        return
    cause = rules.cause_of(task.action, task.server_id, task.target, kind)
    for _ in range(TRIES):
        ticket = session.scalars(select(Ticket).where(Ticket.cause == cause, IS_OPEN).with_for_update()).first()
        if ticket is not None:
            _failed_again(session, ticket, task, kind)
            return
        if _opened(session, task, kind, cause, about_server):
            return
    raise RuntimeError(f"no ticket could be opened for {cause}")


def task_succeeded(session: Session, task: Task) -> None:
    """A task has succeeded: note it, once, in the open tickets whose cause is thereby over."""
    causes = rules.causes_ended_by(task.action, task.server_id, task.target, check_mode=task.check_mode)
    found = session.scalars(
        select(Ticket)
        .where(Ticket.cause.in_(causes), IS_OPEN, Ticket.recovered_at.is_(None))
        .order_by(Ticket.id)
        .with_for_update()
    ).all()
    for ticket in found:
        ticket.recovered_at = ticket.updated_at = utcnow()
        words = rules.success_words(task.label, task.target, task.server.name)
        note = TicketNote(ticket=ticket, kind="success", body=words, task_id=task.id)
        session.add(note)
        announce(session, "ticket.recovered", ticket, note)


def _opened(session: Session, task: Task, kind: ErrorClass, cause: str, about_server: bool) -> bool:
    """Open a ticket; False when another worker has opened one for this cause in the same moment."""
    ticket = Ticket(
        subject=rules.subject_of(task.action, task.label, task.server.name, task.target, kind),
        status=TicketStatus.OPEN,
        cause=cause,
        error_class=kind.value,
        action=task.action,
        target=task.target,
        server_id=task.server_id,
        service_id=None if about_server else task.service_id,
        task_id=task.id,
    )
    try:
        # A savepoint: the unique index may say no, and the caller's transaction goes on.
        with session.begin_nested():
            session.add(ticket)
            session.flush()
    except IntegrityError:
        return False
    announce(session, "ticket.opened", ticket, _failure_note(session, ticket, task, kind))
    return True


def _failed_again(session: Session, ticket: Ticket, task: Task, kind: ErrorClass) -> None:
    recovered, known = ticket.recovered_at is not None, ticket.error_class == kind.value
    ticket.failures += 1
    ticket.recovered_at = None
    ticket.task_id, ticket.error_class = task.id, kind.value
    ticket.updated_at = utcnow()
    told = rules.is_told(ticket.failures, recovered=recovered)
    if task.action == STATUS_ACTION and not told:
        # The probe of a server that is away fails every few minutes; the count says so.
        return
    announce(session, "ticket.noted", ticket, _failure_note(session, ticket, task, kind, known=known), email=told)


def _failure_note(session: Session, ticket: Ticket, task: Task, kind: ErrorClass, *, known: bool = False) -> TicketNote:
    words = rules.failure_words(task.label, task.target, task.server.name, task.attempt, task.error, kind, known=known)
    note = TicketNote(ticket=ticket, kind="failure", body=words, task_id=task.id)
    session.add(note)
    return note
