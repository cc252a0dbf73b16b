"""Tasks by filter, and how the queue is doing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from controller.domain.words import OPEN_TASK_STATES, RUNNABLE, STATUS_ACTION, TaskStatus
from controller.store import task_search
from controller.store.base import utcnow
from controller.store.desk_models import Ticket, TicketNote
from controller.store.models import GroupDnsServer, Server, Service, Task, TaskEvent, TaskNeed
from controller.store.queries import Page, has_lower, ordered
from controller.store.work_models import WorkerProcess

STUCK = "stuck"
"""A state of lists only: tasks that run although their time is long over."""
WORKER_SEEN_SECONDS = 30.0


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks; what is left empty does not narrow."""

    search: str = ""
    """Part of a domain or account, of the target of a task on a server, of a step's words or an error, or ``#`` and a
    task's number."""
    state: str = ""
    """A TaskStatus or ``stuck``."""
    states: Collection[TaskStatus] = ()
    action: str = ""
    server_id: int | None = None
    group_id: int | None = None
    """Members of the group and DNS servers attached to it."""
    service_id: int | None = None
    service: str = ""
    """Part of the service's domain."""
    finished_before: dt.datetime | None = None

    def where(self, stuck: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        """The conditions; ``stuck`` is the engine's word on which tasks are."""
        found: list[ColumnElement[bool]] = []
        if self.state == STUCK:
            found.append(stuck)
        elif self.state in set(TaskStatus):
            found.append(Task.status == TaskStatus(self.state))
        if self.states:
            found.append(Task.status.in_(self.states))
        if self.action:
            found.append(Task.action == self.action)
        if self.server_id is not None:
            found.append(Task.server_id == self.server_id)
        if self.group_id is not None:
            attached = select(GroupDnsServer.server_id).where(GroupDnsServer.group_id == self.group_id)
            members = select(Server.id).where(Server.group_id == self.group_id)
            found.append(or_(Task.server_id.in_(members), Task.server_id.in_(attached)))
        if self.service_id is not None:
            found.append(Task.service_id == self.service_id)
        if self.service.strip():
            text = self.service.strip()
            named = or_(has_lower(Service.domain, text), has_lower(Service.domain_unicode, text))
            found.append(Task.service_id.in_(select(Service.id).where(named)))
        if self.finished_before is not None:
            found.append(Task.finished_at < self.finished_before)
        if self.search.strip():
            found.append(task_search.fits(self.search.strip()))
        return found


def task_page(
    session: Session,
    wanted: TaskFilter,
    *,
    stuck: ColumnElement[bool] | None = None,
    sort: str = "-id",
    page: int = 1,
    per_page: int = 50,
) -> Page[Task]:
    """Tasks with server and service loaded; without ``stuck`` the state of that name finds nothing.

    Of a search that finds very many the newest are listed, and the page says that there are more.
    """
    stuck = _nothing() if stuck is None else stuck
    columns: dict[str, Any] = {
        name: getattr(Task, attribute)
        for name, attribute in {
            "id": "id",
            "action": "action",
            "target": "target",
            "status": "status",
            "priority": "priority",
            "attempts": "attempt",
            # They are numbered as they are made.
            "created": "id",
            "started": "started_at",
            "finished": "finished_at",
        }.items()
    }
    columns["server"] = Server.name
    text = wanted.search.strip()
    more = False
    # Numbers first and what they stand for after that, so that no database carries whole tasks along while it sorts.
    numbers = select(Task.id)
    if sort.removeprefix("-") == "server":
        # Server by server, so that the first page is there before all tasks are gone through.
        numbers = numbers.join(Task.server)
    if text:
        found = task_search.newest(session, text, replace(wanted, search="").where(stuck))
        more, found = len(found) > task_search.FOUND_MAX, found[: task_search.FOUND_MAX]
        numbers, total = numbers.where(Task.id.in_(found)), len(found)
    else:
        conditions = wanted.where(stuck)
        numbers, total = numbers.where(*conditions), count_tasks(session, *conditions)
    page = max(1, min(page, max(1, -(-total // per_page))))
    if text and sort == "-id":
        here = found[(page - 1) * per_page : page * per_page]
    else:
        in_order = ordered(numbers, sort, columns, "-id").limit(per_page).offset((page - 1) * per_page)
        here = list(session.scalars(in_order))
    loaded = select(Task).options(selectinload(Task.server), selectinload(Task.service)).where(Task.id.in_(here))
    tasks = {task.id: task for task in session.scalars(loaded)}
    return Page([tasks[number] for number in here], total, page, per_page, more)


def _nothing() -> ColumnElement[bool]:
    return Task.id.is_(None)


def matching_ids(session: Session, wanted: TaskFilter, stuck: ColumnElement[bool]) -> list[int]:
    """Ids of all tasks that a filter finds, in order."""
    return list(session.scalars(select(Task.id).where(*wanted.where(stuck)).order_by(Task.id)))


def count_tasks(session: Session, *conditions: ColumnElement[bool]) -> int:
    """How many tasks fit."""
    return session.scalar(select(func.count()).select_from(Task).where(*conditions)) or 0


def events_stored(session: Session, task_id: int) -> int:
    """How many lines of a task's log there are."""
    return session.scalar(select(func.count()).select_from(TaskEvent).where(TaskEvent.task_id == task_id)) or 0


def successors(session: Session, task_id: int) -> Sequence[Task]:
    """Tasks that wait for this one, or did."""
    query = select(Task).join(TaskNeed, TaskNeed.task_id == Task.id).where(TaskNeed.needs_id == task_id)
    return session.scalars(query.order_by(Task.id)).all()


def tickets_of(session: Session, task_ids: Collection[int]) -> dict[int, int]:
    """The ticket about each of these tasks, if there is one: a task's own, or the one its failure was noted on."""
    noted = select(TicketNote.task_id, TicketNote.ticket_id).where(TicketNote.task_id.in_(task_ids))
    own = select(Ticket.task_id, Ticket.id).where(Ticket.task_id.in_(task_ids))
    rows = [*session.execute(noted.order_by(TicketNote.id)).all(), *session.execute(own.order_by(Ticket.id)).all()]
    return {task_id: ticket_id for task_id, ticket_id in rows if task_id is not None}


@dataclass(frozen=True)
class Blocked:
    """A server whose circuit breaker is open, and how many tasks wait for it."""

    server: Server
    tasks: int


@dataclass(frozen=True)
class QueueState:
    """How the queue is doing."""

    waiting: int
    queued: int
    running: int
    stuck: int
    due: int
    """Queued, and nothing but a worker is missing."""
    workers: int
    places: int
    blocked: Sequence[Blocked]

    @property
    def nobody_works(self) -> bool:
        """Whether tasks are due and no worker is there to take them."""
        return not self.workers and bool(self.due or self.running)


def queue_state(session: Session, stuck: ColumnElement[bool]) -> QueueState:
    """Depth of the queue, workers that are alive, servers that are waited for."""
    now = utcnow()
    # Of what is over there is far more, and nobody asks for it here.
    is_open = Task.status.in_(OPEN_TASK_STATES)
    counts = dict(session.execute(select(Task.status, func.count()).where(is_open).group_by(Task.status)).all())
    alive = WorkerProcess.seen_at > now - dt.timedelta(seconds=WORKER_SEEN_SECONDS)
    workers, places = session.execute(
        select(func.count(), func.coalesce(func.sum(WorkerProcess.places), 0)).where(alive)
    ).one()
    due = count_tasks(
        session,
        Task.status == TaskStatus.QUEUED,
        or_(Task.not_before.is_(None), Task.not_before <= now),
        exists().where(
            Server.id == Task.server_id,
            Server.status.in_(RUNNABLE),
            or_(Server.blocked_since.is_(None), Task.action == STATUS_ACTION),
        ),
    )
    return QueueState(
        waiting=counts.get(TaskStatus.WAITING, 0) + counts.get(TaskStatus.HELD, 0),
        queued=counts.get(TaskStatus.QUEUED, 0),
        running=counts.get(TaskStatus.RUNNING, 0),
        stuck=count_tasks(session, stuck),
        due=due,
        workers=workers,
        places=places,
        blocked=blocked_servers(session),
    )


def blocked_servers(session: Session) -> list[Blocked]:
    """Servers whose circuit breaker is open, the longest first."""
    servers = session.scalars(select(Server).where(Server.blocked_since.is_not(None)).order_by(Server.blocked_since))
    return [Blocked(server, waiting_for_server(session, server.id)) for server in servers]


def waiting_for_server(session: Session, server_id: int) -> int:
    """Queued tasks of a server, without the check that asks for it."""
    return count_tasks(
        session, Task.status == TaskStatus.QUEUED, Task.server_id == server_id, Task.action != STATUS_ACTION
    )


def next_check(session: Session, server_id: int) -> Task | None:
    """The check of a server that is queued or runs."""
    open_states = (TaskStatus.QUEUED, TaskStatus.RUNNING)
    query = select(Task).where(Task.server_id == server_id, Task.action == STATUS_ACTION, Task.status.in_(open_states))
    return session.scalars(query.order_by(Task.id)).first()
