"""A server that will never come back: what was to be removed from it is over, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from controller.domain.words import OPEN_TASK_STATES, Desired, ServerStatus, ServiceStatus, TaskStatus
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import cancel
from controller.engine.rows import take, take_task
from controller.engine.settling import settle
from controller.operations.errors import Refused
from controller.operations.records import audit, counted, must, note
from controller.store.models import Account, Pipeline, Resource, Server, Service, Task
from controller.store.queries import current_pipeline, find_server

Key = int | str
AT_ONCE = 50
"""Services of one transaction; others get their turn in between."""
NAMED = 5
"""How many of the services that live there are named."""
REASON = "the server is lost"
AT_REST = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED, ServiceStatus.TERMINATED)


def give_up(fleet: Fleet, actor: str, key: Key) -> Server:
    """Give up a server that is out of use for good: whatever was still to be removed from it counts as gone with it,
    and services that waited for that end. Afterwards it can be deleted; nothing is done on the server itself.

    Raises NotFound, Refused (it is in use, or something is still wanted there).
    """
    with fleet.database.write() as session:
        server = must(find_server(session, key), "server", key)
        server = must(take(session, Server, server.id), "server", key)
        _refuse_while_wanted(session, server)
        services = len(_services(session, server.id))
        words = f"{server.name} is lost: what was left on it of {counted(services, 'service')} counts as gone"
        note(session, "server.lost", words, actor=actor, server_id=server.id)
        audit(session, actor, "server.lost", server.name, message=words, server_id=server.id)
    while _step(fleet, server.id):
        pass
    return server


def _step(fleet: Fleet, server_id: int) -> bool:
    """One portion; whether there was any."""
    with fleet.database.write() as session:
        server = must(take(session, Server, server_id), "server", server_id)
        _refuse_while_wanted(session, server)
        services = _services(session, server_id, AT_ONCE)
        ready: Ready = []
        for service_id in services:
            ready += _let_go(session, service_id, server_id)
        if not services:
            # What is the server's own, and accounts that belong to no service.
            _cancel(session, _open_tasks(session, Task.server_id == server_id, Task.service_id.is_(None)))
            session.execute(delete(Resource).where(Resource.server_id == server_id))
            session.execute(delete(Account).where(Account.server_id == server_id))
    fleet.wake(ready)
    return bool(services)


def _services(session: Session, server_id: int, most: int | None = None) -> list[int]:
    """Services that have something on the server."""
    made = select(Resource.service_id).where(Resource.server_id == server_id)
    ids = made.union(select(Account.service_id).where(Account.server_id == server_id)).subquery().c[0]
    return list(session.scalars(select(ids).where(ids.is_not(None)).order_by(ids).limit(most)))


def _let_go(session: Session, service_id: int, server_id: int) -> Ready:
    """Nothing of a service is left on the server; it is told to all that waited for it."""
    service = take(session, Service, service_id)
    if service is None:
        return []
    here = (Resource.server_id == server_id, Resource.service_id == service_id)
    tasks = _open_tasks(session, Task.server_id == server_id, Task.service_id == service_id)
    session.execute(delete(Resource).where(*here))
    session.execute(delete(Account).where(Account.server_id == server_id, Account.service_id == service_id))
    session.expire_all()
    ready = _cancel(session, tasks)
    current = current_pipeline(session, service_id)
    if current is None or service.status in AT_REST:
        return ready
    take(session, Pipeline, current.id)
    return ready + settle(session, current.id)


def _open_tasks(session: Session, *which: ColumnElement[bool]) -> list[int]:
    query = select(Task.id).where(Task.status.in_(OPEN_TASK_STATES), *which)
    return list(session.scalars(query.order_by(Task.id)))


def _cancel(session: Session, task_ids: Iterable[int]) -> Ready:
    tasks = [take_task(session, task_id) for task_id in task_ids]
    return cancel(session, [task for task in tasks if task is not None and task.status in OPEN_TASK_STATES], REASON)


def _refuse_while_wanted(session: Session, server: Server) -> None:
    if server.status is not ServerStatus.DISABLED:
        raise Refused(f"{server.name} is {server.status.value}; take it out of use first")
    if server.dns_groups:
        names = ", ".join(group.name for group in server.dns_groups)
        raise Refused(f"{server.name} is attached as nameserver to {names}; detach it there first")
    wanted = (Resource.server_id == server.id, Resource.desired != Desired.ABSENT)
    count = session.scalar(
        select(func.count(func.distinct(Service.id))).join(Resource, Resource.service_id == Service.id).where(*wanted)
    )
    if count:
        lives = select(Service.domain).join(Resource, Resource.service_id == Service.id).where(*wanted)
        names = ", ".join(session.scalars(lives.distinct().order_by(Service.domain).limit(NAMED)))
        more = f" and {count - NAMED} more" if count > NAMED else ""
        raise Refused(f"{names}{more} shall still be on {server.name}; end or move what lives there first")
    running = session.scalar(select(Task.id).where(Task.server_id == server.id, Task.status == TaskStatus.RUNNING))
    if running is not None:
        raise Refused(f"task {running} still runs on {server.name}; wait for it or force-fail it")
