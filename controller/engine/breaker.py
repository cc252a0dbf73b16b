"""The circuit breaker of a server: when it does not answer, one check asks for all of its tasks.

Closed (``blocked_since`` is None): tasks run. Open: nothing runs but ``server.status``; the failure that opened it
queues such a check, which is repeated with the pauses of the "unreachable" policy until it gets through (half open).
Whatever reaches the server closes it.
"""

from __future__ import annotations

import datetime as dt
import random

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.failures import BLOCKS_SERVER, CLASS_WORDS, ErrorClass
from controller.domain.options import RetryOptions
from controller.domain.pipelines import label
from controller.domain.words import RUNNABLE, STATUS_ACTION, Desired, Reason, TaskStatus
from controller.engine import journal
from controller.engine.rows import take
from controller.store.base import utcnow
from controller.store.models import Pipeline, Server, Task
from controller.store.options import load
from controller.store.task_queries import next_check

PRIORITY = 5
"""A check that others wait for goes before everything else."""
PATIENCE = dt.timedelta(minutes=10)


def open_breaker(session: Session, server_id: int, cause: ErrorClass, error: str | None) -> None:
    """Stop the server's tasks and see to it that a check asks for them."""
    server = take(session, Server, server_id)
    if server is None:
        return
    server.problem, server.checked_at = error, utcnow()
    server.blocked_cause = cause.value
    if server.blocked_since is None:
        server.blocked_since = utcnow()
        journal.say_server(session, server.id, "server.blocked", f"{CLASS_WORDS[cause][0]}: its tasks wait")
    queue_probe(session, server)


def close_breaker(session: Session, server_id: int) -> None:
    """The server was reached."""
    if session.scalar(select(Server.blocked_since).where(Server.id == server_id)) is None:
        return
    server = take(session, Server, server_id)
    if server is None or server.blocked_since is None:
        return
    server.blocked_since = server.blocked_cause = server.problem = None
    server.catch_up = True
    journal.say_server(session, server.id, "server.back", "The server answers again: its tasks go on")


def needs_a_person(server: Server) -> bool:
    """Whether the server has been away for longer than a restart takes, or cannot come back by itself."""
    if server.blocked_cause != ErrorClass.UNREACHABLE.value:
        return True
    return server.blocked_since is not None and utcnow() - server.blocked_since > PATIENCE


def queue_probe(session: Session, server: Server) -> Task | None:
    """A check of an open breaker, unless one is on its way; first after the policy's first pause."""
    if server.status not in RUNNABLE or next_check(session, server.id) is not None:
        return None
    task = new_check(session, server, actor=journal.ENGINE, priority=PRIORITY)
    task.not_before = utcnow() + probe_pause(session, 1)
    return task


def new_check(session: Session, server: Server, *, actor: str, priority: int) -> Task:
    """A queued ``server.status`` in a pipeline of its own."""
    pipeline = Pipeline(reason=Reason.CHECK, actor=actor)
    session.add(pipeline)
    session.flush()
    task = Task(
        pipeline_id=pipeline.id,
        server_id=server.id,
        action=STATUS_ACTION,
        target=server.name,
        label=label(STATUS_ACTION, server.name, Desired.ACTIVE),
        status=TaskStatus.QUEUED,
        queued_at=utcnow(),
        priority=priority,
    )
    session.add(task)
    session.flush()
    return task


def probe_pause(session: Session, failures: int) -> dt.timedelta:
    """How long to leave a server alone after its check has failed this often."""
    policy = load(session, RetryOptions).policy(ErrorClass.UNREACHABLE)
    return dt.timedelta(seconds=policy.pause(failures, random.SystemRandom()))


def tired_of_waiting(session: Session, limit: int = 100) -> list[int]:
    """Tasks that have waited for a blocked server as long as their policy allows.

    One that has run into the block itself follows the policy of its failure; one that never got that far waits as
    for a server that does not answer.
    """
    options = load(session, RetryOptions)
    now = utcnow()
    rows = session.execute(
        select(Task.id, Task.error_class, Task.queued_at, Server.blocked_since)
        .join(Server, Server.id == Task.server_id)
        .where(Task.status == TaskStatus.QUEUED, Task.action != STATUS_ACTION, Server.blocked_since.is_not(None))
        .order_by(Task.queued_at)
        .limit(limit)
    )
    found = []
    for task_id, error_class, queued_at, blocked_since in rows:
        own = ErrorClass(error_class) if error_class in BLOCKS_SERVER else ErrorClass.UNREACHABLE
        assert blocked_since is not None
        since = max(queued_at or blocked_since, blocked_since)
        if (now - since).total_seconds() > options.policy(own).patience:
            found.append(task_id)
    return found


def unwatched(session: Session) -> list[int]:
    """Servers with an open breaker that nothing asks for any more (somebody cancelled the check)."""
    asked = select(Task.server_id).where(
        Task.action == STATUS_ACTION, Task.status.in_((TaskStatus.QUEUED, TaskStatus.RUNNING))
    )
    return list(
        session.scalars(
            select(Server.id).where(
                Server.blocked_since.is_not(None), Server.status.in_(RUNNABLE), Server.id.not_in(asked)
            )
        )
    )
