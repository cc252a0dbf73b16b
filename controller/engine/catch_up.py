"""A server that was away or out of use is back: what was given up or missed meanwhile is done."""

from __future__ import annotations

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from controller.domain.failures import BLOCKS_SERVER
from controller.domain.words import MOVING_TASK_STATES, RUNNABLE, ZONE_ACTION, Desired, ServiceStatus, TaskStatus
from controller.engine import journal, lifecycle
from controller.engine.dispatch import Ready
from controller.engine.planning import DEPLOYMENT
from controller.engine.rows import take, take_task
from controller.engine.settling import is_overtaken
from controller.engine.zone_work import bring_up
from controller.store.database import Database
from controller.store.models import Resource, Server, Service, Task, TaskNeed

OTHER = aliased(Task)
UNDER_ZONE = ("dns.account", "dns.package")
AT_ONCE = 50
"""Tasks or zones of one round and server."""


def advance(database: Database) -> Ready:
    """One round for every server that is back; the tasks to ring for."""
    waiting = select(Server.id).where(Server.catch_up, Server.blocked_since.is_(None), Server.status.in_(RUNNABLE))
    with database.read() as session:
        servers = session.scalars(waiting.order_by(Server.id)).all()
    ready: Ready = []
    for server_id in servers:
        with database.write() as session:
            server = take(session, Server, server_id)
            if server is not None and server.catch_up:
                again, given_up = _given_up(session, server_id)
                more, missed = _missed_zones(session, server_id)
                server.catch_up = AT_ONCE in (given_up, missed)
                ready += again + more
    return ready


def _given_up(session: Session, server_id: int) -> tuple[Ready, int]:
    """Tasks that were given up because the server was away start again; how many.

    One that stands in nobody's way starts again only if no later task is about the same: that one has the right order,
    and counts.
    """
    held_back = exists().where(
        TaskNeed.needs_id == Task.id, TaskNeed.task_id == OTHER.id, OTHER.status == TaskStatus.HELD
    )
    later = exists().where(OTHER.resource_id == Task.resource_id, OTHER.id > Task.id, ~OTHER.check_mode)
    failed = (
        select(Task.id)
        .join(Resource, Resource.id == Task.resource_id)
        .where(
            Task.server_id == server_id,
            Task.status == TaskStatus.FAILED,
            Task.error_class.in_([kind.value for kind in BLOCKS_SERVER]),
            ~Task.check_mode,
            or_(and_(Resource.applied_generation != Resource.generation, ~later), held_back),
        )
    )
    ready: Ready = []
    found = 0
    for task_id in session.scalars(failed.order_by(Task.id.desc())).all():
        task = take_task(session, task_id)
        if task is not None and task.status is TaskStatus.FAILED and not is_overtaken(session, task):
            ready += lifecycle.queue_again(session, task)
            found += 1
        if found == AT_ONCE:
            break
    return ready, found


def _missed_zones(session: Session, server_id: int) -> tuple[Ready, int]:
    """Zones that this nameserver has not confirmed, and accounts of zones that left it and are still there, that
    nothing is under way for and that it has not refused; how many."""
    on_its_way = exists().where(Task.resource_id == Resource.id, Task.status.in_(MOVING_TASK_STATES))
    newest = (
        select(func.max(OTHER.id))
        .where(OTHER.resource_id == Resource.id, ~OTHER.check_mode)
        .correlate(Resource)
        .scalar_subquery()
    )
    refused = exists().where(
        Task.id == newest,
        Task.status == TaskStatus.FAILED,
        Task.error_class.not_in([kind.value for kind in BLOCKS_SERVER]),
    )
    held = exists().where(Task.resource_id == Resource.id, Task.status == TaskStatus.HELD)
    leftover = and_(Resource.desired == Desired.ABSENT, ~held)
    query = (
        select(Resource)
        .join(Service, Service.id == Resource.service_id)
        .where(
            Resource.server_id == server_id,
            or_(Resource.action == ZONE_ACTION, and_(Resource.action.in_(UNDER_ZONE), leftover)),
            Resource.applied_generation != Resource.generation,
            Service.status.in_((ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)),
            ~on_its_way,
            ~refused,
        )
        .order_by(Resource.id)
        .limit(AT_ONCE)
    )
    ready: Ready = []
    found = session.scalars(query).all()
    missed: dict[int, list[Resource]] = {}
    for resource in found:
        missed.setdefault(resource.service_id or 0, []).append(resource)
    for service_id, resources in missed.items():
        service = session.get_one(Service, service_id)
        ready += bring_up(session, service, resources, journal.ENGINE, priority=DEPLOYMENT)[1]
    return ready, len(found)
