"""A server that was away or out of use is back: what was given up or missed meanwhile is done."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from controller.domain.failures import BLOCKS_SERVER
from controller.domain.words import OPEN_TASK_STATES, RUNNABLE, ZONE_ACTION, ServiceStatus, TaskStatus
from controller.engine import journal, lifecycle
from controller.engine.dispatch import Ready
from controller.engine.planning import DEPLOYMENT
from controller.engine.rows import take, take_task
from controller.engine.settling import is_overtaken
from controller.engine.zone_work import bring_up
from controller.store.database import Database
from controller.store.models import Resource, Server, Service, Task

AT_ONCE = 50
"""Tasks or zones of one round."""


def advance(database: Database) -> Ready:
    """One round for one server that is back, if any; the tasks to ring for."""
    waiting = select(Server.id).where(Server.catch_up, Server.blocked_since.is_(None), Server.status.in_(RUNNABLE))
    with database.read() as session:
        server_id = session.scalar(waiting.limit(1))
    if server_id is None:
        return []
    with database.write() as session:
        server = take(session, Server, server_id)
        if server is None or not server.catch_up:
            return []
        ready, found = _given_up(session, server_id)
        more, missed = _missed_zones(session, server_id)
        server.catch_up = found + missed > 0
        return ready + more


def _given_up(session: Session, server_id: int) -> tuple[Ready, int]:
    """Tasks that were given up because the server was away start again; how many were found."""
    behind = select(Task.id).join(Resource, Resource.id == Task.resource_id)
    failed = behind.where(
        Task.server_id == server_id,
        Task.status == TaskStatus.FAILED,
        Task.error_class.in_([kind.value for kind in BLOCKS_SERVER]),
        ~Task.check_mode,
        Resource.applied_generation != Resource.generation,
    )
    ready: Ready = []
    found = 0
    for task_id in session.scalars(failed.order_by(Task.id.desc()).limit(AT_ONCE)).all():
        task = take_task(session, task_id)
        if task is not None and task.status is TaskStatus.FAILED and not is_overtaken(session, task):
            ready += lifecycle.queue_again(session, task)
            found += 1
    return ready, found


def _missed_zones(session: Session, server_id: int) -> tuple[Ready, int]:
    """Zones that this nameserver has not confirmed and that nothing is under way for; how many were found."""
    on_its_way = exists().where(Task.resource_id == Resource.id, Task.status.in_(OPEN_TASK_STATES))
    query = (
        select(Resource)
        .join(Service, Service.id == Resource.service_id)
        .where(
            Resource.server_id == server_id,
            Resource.action == ZONE_ACTION,
            Resource.applied_generation != Resource.generation,
            Service.status.in_((ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)),
            ~on_its_way,
        )
        .order_by(Resource.id)
        .limit(AT_ONCE)
    )
    ready: Ready = []
    found = session.scalars(query).all()
    for resource in found:
        service = session.get_one(Service, resource.service_id)
        ready += bring_up(session, service, [resource], journal.ENGINE, priority=DEPLOYMENT)[1]
    return ready, len(found)
