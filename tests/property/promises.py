"""What must hold in the database at every moment, whatever has happened so far."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from controller.domain.words import FINAL_TASK_STATES, Desired, Reason, ServiceStatus, TaskStatus
from controller.engine.dispatch import changes_server
from controller.store.base import utcnow
from controller.store.models import Pipeline, Resource, Server, ServerLock, Service, Task, TaskNeed

DEAD = (TaskStatus.FAILED, TaskStatus.CANCELLED)
MOVING = (TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.WAITING)
PART_OF_ZONES = (".zone", ".package", ".account")
"""What a change of a zone may touch; the last two where an account comes to carry one."""
SETTLED = {
    ServiceStatus.ACTIVE: Desired.ACTIVE,
    ServiceStatus.SUSPENDED: Desired.SUSPENDED,
    ServiceStatus.TERMINATED: Desired.ABSENT,
}


def check(session: Session, lease: dt.timedelta, *, zones_apart: bool = False) -> None:
    """Every promise about rows, one after the other; ``zones_apart`` where zones change beside their services' own
    lives, so that a live service's may be behind."""
    tasks = {task.id: task for task in session.scalars(select(Task).order_by(Task.id))}
    needs: dict[int, list[int]] = defaultdict(list)
    for need in session.scalars(select(TaskNeed)):
        needs[need.task_id].append(need.needs_id)
    locks = {lock.server_id: lock for lock in session.scalars(select(ServerLock))}
    for task in tasks.values():
        _task(task)
        _place(task, [tasks[need] for need in needs[task.id]], tasks, needs)
    _servers(tasks, locks, lease)
    for resource in session.scalars(select(Resource)):
        assert 0 <= resource.applied_generation <= resource.generation
    pipelines = session.scalars(select(Pipeline).options(selectinload(Pipeline.tasks))).all()
    for pipeline in pipelines:
        is_over = all(task.status in FINAL_TASK_STATES for task in pipeline.tasks)
        assert (pipeline.finished_at is not None) == is_over, f"pipeline {pipeline.id}"
    newest = {p.service_id: p for p in pipelines if p.reason not in (Reason.VERIFY, Reason.CHECK, Reason.ZONE)}
    latest = {task.resource_id: task.id for task in tasks.values() if task.resource_id and not task.check_mode}
    for service in session.scalars(select(Service).options(selectinload(Service.resources))):
        _service(service, newest.get(service.id), latest, zones_apart)
    for server in session.scalars(select(Server)):
        assert (server.blocked_since is None) == (server.blocked_cause is None)


def _task(task: Task) -> None:
    """A task and its own columns."""
    assert not task.is_moot or task.status in (*FINAL_TASK_STATES, TaskStatus.RUNNING), (
        f"task {task.id} is about nothing"
    )
    runs = task.status is TaskStatus.RUNNING
    words = f"task {task.id} is {task.status.value}"
    assert (task.lease_owner is not None) == runs, words
    assert (task.lease_until is not None) == runs, words
    assert (task.finished_at is not None) == (task.status in FINAL_TASK_STATES), words
    assert task.queued_at is not None or task.status is not TaskStatus.QUEUED, words
    assert not task.cancel_requested or task.status not in (TaskStatus.QUEUED, TaskStatus.WAITING), words
    if task.status in DEAD:
        assert task.error, f"{words} without a word why"
    if task.status is TaskStatus.FAILED:
        assert task.error_class, f"{words} without a class"
    if task.status is TaskStatus.SUCCEEDED:
        assert (task.error_class, task.error) == (None, None), words
    assert task.attempt >= 0, words
    assert task.attempt <= task.fence, words


def _place(task: Task, needed: list[Task], tasks: dict[int, Task], needs: dict[int, list[int]]) -> None:
    """A task among those it needs: nothing waits for what will not come, nothing is held without a reason."""
    words = f"task {task.id} is {task.status.value}, it needs {[(one.id, one.status.value) for one in needed]}"
    is_ready = all(one.status is TaskStatus.SUCCEEDED or _is_history(one) for one in needed)
    is_hopeless = any(_is_hopeless(one, tasks, needs) for one in needed)
    match task.status:
        case TaskStatus.QUEUED | TaskStatus.RUNNING | TaskStatus.SUCCEEDED:
            assert is_ready or task.attempt or task.fence or task.error_class is None, words
        case TaskStatus.WAITING:
            assert not is_ready, words
            assert not is_hopeless, words
        case TaskStatus.HELD:
            assert is_hopeless, words


def _is_history(task: Task) -> bool:
    """Came to nothing, and what it was for has come true since all the same."""
    if task.status not in DEAD or task.check_mode or task.resource is None:
        return task.is_moot and task.status in DEAD
    one = task.resource
    assert task.finished_at is not None
    wanted = one.generation if task.generation is None else task.generation
    return one.applied_generation >= wanted and (one.applied_at or task.finished_at) > task.finished_at


def _is_hopeless(task: Task, tasks: dict[int, Task], needs: dict[int, list[int]]) -> bool:
    if task.status in DEAD:
        return not _is_history(task)
    return task.status in (TaskStatus.WAITING, TaskStatus.HELD) and any(
        _is_hopeless(tasks[need], tasks, needs) for need in needs[task.id]
    )


def _servers(tasks: dict[int, Task], locks: dict[int, ServerLock], lease: dt.timedelta) -> None:
    """One changing task per server; a lock belongs to it, or runs out soon."""
    now = utcnow()
    running: dict[int, list[Task]] = defaultdict(list)
    for task in tasks.values():
        if task.status is TaskStatus.RUNNING and changes_server(task):
            assert task.lease_until is not None
            if task.lease_until > now:
                running[task.server_id].append(task)
    for server_id, found in running.items():
        assert len(found) == 1, f"{[task.id for task in found]} run at the same time on server {server_id}"
        lock = locks.get(server_id)
        assert lock is not None, f"task {found[0].id} runs without the lock of its server"
        assert (lock.task_id, lock.fence) == (found[0].id, found[0].fence)
        assert lock.until > now
    for lock in locks.values():
        assert lock.until <= now + lease, "a lock that nobody renews would last too long"
        holder = tasks[lock.task_id]
        assert holder.status is TaskStatus.RUNNING or lock.fence < holder.fence, "the lock of a task that is over"


def _late_nameservers(service: Service, tasks: Collection[Task], zones_apart: bool) -> set[TaskStatus]:
    """States of what a live service leaves to nameservers that are or were away, while another one serves its zone."""
    left = [task for task in tasks if task.status is not TaskStatus.SUCCEEDED]
    if service.status not in (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED) or not left:
        return set()
    copies = [r for r in service.resources if r.action == "dns.zone" and r.applied_generation]
    served = [r for r in copies if r.applied_generation == r.generation or zones_apart]
    assert served, f"service {service.id} is live, but no nameserver serves it"
    assert all(task.action.startswith("dns.") for task in left), f"service {service.id} is live without {left}"
    return {task.status for task in left}


def _is_replaced(task: Task, latest: Mapping[int, int]) -> bool:
    """Was cancelled, and a later change of its zone does the same."""
    return task.status is TaskStatus.CANCELLED and latest.get(task.resource_id or 0, task.id) != task.id


def _service(service: Service, newest: Pipeline | None, latest: Mapping[int, int], zones_apart: bool) -> None:
    """A service says what its newest pipeline does; one that was deleted had come to its end."""
    tasks = newest.tasks if newest is not None else []
    mine = [task for task in tasks if not _is_history(task) and not _is_replaced(task, latest)]
    states = {task.status for task in mine}
    words = f"service {service.id} is {service.status.value}, its tasks are {sorted(states)}"
    late = _late_nameservers(service, mine, zones_apart)
    states -= late
    assert (service.error is not None) == (service.status is ServiceStatus.ERROR), words
    assert service.status is ServiceStatus.ERROR or not states & set(DEAD), words
    if service.status in (ServiceStatus.PENDING, ServiceStatus.DEPLOYING, ServiceStatus.TERMINATING):
        assert states & set(MOVING), f"{words}: nothing moves it"
    if service.status in SETTLED:
        assert states <= {TaskStatus.SUCCEEDED}, words
        assert service.desired is SETTLED[service.status], words
    if service.status is ServiceStatus.ACTIVE:
        behind = [
            (r.id, r.action)
            for r in service.resources
            if r.applied_generation != r.generation
            and not (late and r.action.startswith("dns."))
            and not (zones_apart and r.action.endswith(PART_OF_ZONES))
        ]
        assert not behind, f"{words}, but {behind} are not as wished"
    if service.status is ServiceStatus.TERMINATED:
        assert not service.resources, words
        assert service.terminated_at is not None, words
    assert (service.desired is Desired.ABSENT) or service.status not in (
        ServiceStatus.TERMINATING,
        ServiceStatus.TERMINATED,
    ), words
