"""Bringing pipelines and services in line with their tasks: what starts, what is held, what is over."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from controller.domain.failures import BLOCKS_SERVER, ErrorClass, customer_words
from controller.domain.pipelines import Step, arrange
from controller.domain.words import (
    FINAL_TASK_STATES,
    OPEN_TASK_STATES,
    RUNNABLE,
    ZONE_ACTION,
    Desired,
    Reason,
    ServiceStatus,
    TaskStatus,
)
from controller.engine import journal
from controller.engine.dispatch import Ready
from controller.store.base import utcnow
from controller.store.models import Account, Pipeline, Resource, Server, Service, Task, TaskNeed
from controller.store.queries import DEPLOY_REASONS, current_pipeline
from controller.store.zone_models import Zone

DEAD = frozenset({TaskStatus.FAILED, TaskStatus.CANCELLED})
STANDING = OPEN_TASK_STATES - {TaskStatus.RUNNING}
"""Open, and in nobody's hands."""


def settle(session: Session, pipeline_id: int) -> Ready:
    """After any change to its tasks: queue and hold tasks, finish the pipeline, tell its service.

    Returns the tasks that have become ready. The caller holds the pipeline (``rows``).
    """
    session.flush()
    pipeline = session.get_one(Pipeline, pipeline_id)
    tasks = session.scalars(select(Task).where(Task.pipeline_id == pipeline_id).order_by(Task.id)).all()
    needs = session.execute(
        select(TaskNeed.task_id, TaskNeed.needs_id).join(Task, Task.id == TaskNeed.task_id)
        .where(Task.pipeline_id == pipeline_id)
    ).all()  # fmt: skip
    by_id = {task.id: task for task in tasks}
    now = utcnow()
    for task in tasks:
        if task.is_moot and task.status in STANDING:
            _came_true(session, task)
    steps = {
        task.id: Step(_as_needed(task), tuple(need.needs_id for need in needs if need.task_id == task.id))
        for task in tasks
    }
    ready: Ready = []
    for task_id, status in arrange(steps).items():
        task = by_id[task_id]
        task.status = status
        if status is TaskStatus.QUEUED:
            task.queued_at = now
            ready.append((task_id, task.priority))
    is_over = all(task.status in FINAL_TASK_STATES for task in tasks)
    pipeline.finished_at = (pipeline.finished_at or now) if is_over else None
    session.flush()
    if pipeline.service_id is not None and pipeline.reason is Reason.VERIFY:
        _tell_verified(session, pipeline, tasks)
    elif pipeline.service_id is not None:
        _tell_service(session, pipeline, tasks)
    return ready


def _came_true(session: Session, task: Task) -> None:
    """Something else removed what a task that does not run was about: nothing is left to do."""
    task.status, task.finished_at = TaskStatus.SUCCEEDED, utcnow()
    task.error_class = task.error = task.not_before = None
    task.cancel_requested = False
    words = f"{task.label}: it is gone already"
    journal.note(session, task, "task.succeeded", words)
    journal.record(session, task, words)


def is_history(task: Task) -> bool:
    """Whether a task came to nothing and what it was for has come true since all the same, by another task."""
    if task.status not in DEAD or task.check_mode:
        return False
    resource = task.resource
    if resource is None:
        return task.is_moot
    wanted = task.generation if task.generation is not None else resource.generation
    return (
        resource.applied_generation >= wanted
        and None not in (resource.applied_at, task.finished_at)
        and resource.applied_at > task.finished_at  # type: ignore[operator]
    )


def _as_needed(task: Task) -> TaskStatus:
    """How a task looks to those that need it."""
    return TaskStatus.SUCCEEDED if is_history(task) else task.status


def is_overtaken(session: Session, task: Task) -> bool:
    """Whether a newer pipeline has the last word about the task's service."""
    if task.service_id is None or task.check_mode or task.pipeline.reason not in DEPLOY_REASONS:
        return False
    newest = current_pipeline(session, task.service_id)
    return newest is not None and newest.id != task.pipeline_id


def _tell_verified(session: Session, pipeline: Pipeline, tasks: Collection[Task]) -> None:
    """What a verification that looked at everything came to."""
    if pipeline.finished_at is None or any(task.status is not TaskStatus.SUCCEEDED for task in tasks):
        return
    service = session.get_one(Service, pipeline.service_id)
    service.verified_at = pipeline.finished_at
    service.differences = sum(bool(task.changed) for task in tasks)


def _tell_service(session: Session, pipeline: Pipeline, tasks: Collection[Task]) -> None:
    service = session.get_one(Service, pipeline.service_id)
    newest = current_pipeline(session, service.id)
    if newest is None or newest.id != pipeline.id or service.status is ServiceStatus.TERMINATED:
        return
    tasks = _that_count(session, tasks)
    if _only_nameservers_away(service, tasks):
        _complete(session, service)
        return
    broken = next((task for task in tasks if task.status is TaskStatus.FAILED), None) or next(
        (task for task in tasks if task.status is TaskStatus.CANCELLED), None
    )
    if broken is not None:
        if broken.status is TaskStatus.CANCELLED:
            words = f"“{broken.label}” was cancelled by our staff."
        else:
            words = customer_words(ErrorClass(broken.error_class or ErrorClass.INTERNAL), broken.label)
        _set_error(session, service, words)
    elif all(task.status is TaskStatus.SUCCEEDED for task in tasks):
        _complete(session, service)
    else:
        service.error = None
        if service.status is not ServiceStatus.PENDING:
            is_going = service.desired is Desired.ABSENT
            service.status = ServiceStatus.TERMINATING if is_going else ServiceStatus.DEPLOYING


def _that_count(session: Session, tasks: Collection[Task]) -> list[Task]:
    """Tasks without those that were cancelled because a newer change does the same, and those that came to nothing
    although what they were for has come true: by a later task, or because it was lost with its server."""
    tasks = [task for task in tasks if not is_history(task)]
    cancelled = [task.resource_id for task in tasks if task.status is TaskStatus.CANCELLED]
    if not cancelled:
        return tasks
    newest = dict(
        session.execute(
            select(Task.resource_id, func.max(Task.id))
            .where(Task.resource_id.in_(cancelled), ~Task.check_mode)
            .group_by(Task.resource_id)
        ).all()
    )
    return [
        task
        for task in tasks
        if task.status is not TaskStatus.CANCELLED or newest.get(task.resource_id, task.id) == task.id
    ]


def _only_nameservers_away(service: Service, tasks: Collection[Task]) -> bool:
    """Whether all that is left are copies of the zone on nameservers that are away, while another one serves it.

    Then the service lives: that is what more than one nameserver is for. A copy that is missing catches up by itself.
    """
    left = [task for task in tasks if task.status is not TaskStatus.SUCCEEDED]
    if service.desired is Desired.ABSENT or not left:
        return False
    # A copy that has an older version serves too; that its change is under way is seen to by ``_complete``.
    serving = [r for r in service.resources if r.action == ZONE_ACTION and r.applied_generation]
    return bool(serving) and all(_waits_for_nameserver(service, task) for task in left)


def _waits_for_nameserver(service: Service, task: Task) -> bool:
    if not task.action.startswith("dns.") or task.status is TaskStatus.CANCELLED:
        return False
    if task.status is TaskStatus.FAILED and task.error_class not in BLOCKS_SERVER:
        return False
    # A service that was settled already stays so while a nameserver that is back catches up.
    is_away = task.server.blocked_since is not None or task.server.status not in RUNNABLE
    return is_away or service.status in (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


def _set_error(session: Session, service: Service, words: str) -> None:
    if (service.status, service.error) != (ServiceStatus.ERROR, words):
        service.status, service.error = ServiceStatus.ERROR, words
        journal.say(session, service, "service.error", words)


def _complete(session: Session, service: Service) -> None:
    now = utcnow()
    if (words := _what_is_left(session, service)) is not None:
        _set_error(session, service, words)
        return
    service.error = None
    if service.desired is Desired.ABSENT:
        session.execute(delete(Account).where(Account.service_id == service.id))
        session.execute(delete(Zone).where(Zone.service_id == service.id))
        service.status, service.terminated_at = ServiceStatus.TERMINATED, now
        journal.say(session, service, "service.terminated", "Everything is removed")
    elif service.desired is Desired.SUSPENDED:
        if service.status is ServiceStatus.SUSPENDED:
            return
        service.status = ServiceStatus.SUSPENDED
        journal.say(session, service, "service.suspended", "The service is suspended")
    elif service.status is not ServiceStatus.ACTIVE:
        service.status, service.activated_at = ServiceStatus.ACTIVE, service.activated_at or now
        journal.say(session, service, "service.active", "The service is live")


def _is_away() -> ColumnElement[bool]:
    """Whether a resource's server takes no tasks now."""
    away = or_(Server.blocked_since.is_not(None), Server.status.not_in(RUNNABLE))
    return exists().where(Server.id == Resource.server_id, away)


def unsettled(session: Session, limit: int = 50) -> list[int]:
    """Pipelines of services that are being built and wait for nothing but a nameserver that went away since."""
    others = aliased(Task)
    away = or_(Server.blocked_since.is_not(None), Server.status.not_in(RUNNABLE))
    still = exists().where(
        others.pipeline_id == Task.pipeline_id,
        others.status.not_in((TaskStatus.SUCCEEDED, TaskStatus.FAILED)),
        others.action.not_like("dns.%"),
    )
    query = (
        select(Task.pipeline_id)
        .join(Server, Server.id == Task.server_id)
        .join(Service, Service.id == Task.service_id)
        .join(Pipeline, Pipeline.id == Task.pipeline_id)
        .where(
            Task.status.in_((TaskStatus.QUEUED, TaskStatus.WAITING)),
            Task.action.like("dns.%"),
            away,
            Service.status == ServiceStatus.DEPLOYING,
            Pipeline.reason.in_(DEPLOY_REASONS),
            ~still,
        )
    )
    return list(session.scalars(query.distinct().limit(limit)))


def _what_is_left(session: Session, service: Service) -> str | None:
    """What the tasks have left undone although all that are there succeeded (one that had not may be deleted)."""
    mine = select(Resource.id).where(Resource.service_id == service.id).limit(1)
    if service.desired is Desired.ABSENT:
        is_left = session.scalar(mine) is not None
        return "Something is left on our servers. Our staff can see this." if is_left else None
    if service.desired is Desired.ACTIVE:
        # What a zone change is about to apply is on its way.
        on_its_way = exists().where(Task.resource_id == Resource.id, Task.status.in_(OPEN_TASK_STATES))
        behind = mine.where(
            Resource.applied_generation != Resource.generation,
            ~on_its_way,
            ~(Resource.action.startswith("dns.") & _is_away()),
        )
        is_behind = session.scalar(behind) is not None
        return "A step is still missing on our servers. Our staff can see this." if is_behind else None
    # What was never made of a suspended service is made when it comes back.
    return None
