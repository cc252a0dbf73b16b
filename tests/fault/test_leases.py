"""A run never outlives its lease: not that of a worker that stands still, nor one that lost its database."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

from sqlalchemy import select

from controller.domain.words import ServiceStatus, TaskStatus
from controller.operations import products, tasks
from controller.operations.errors import Conflict
from controller.sandbox.demo import GROUP, Demo
from controller.store.models import Task
from tests.support.demo import LEASE_SECONDS, installation, leftovers, order, until, wait_for

LEASE = float(LEASE_SECONDS)


def hang(demo: Demo, command: str, seconds: float) -> None:
    for server in demo.servers:
        if "web" in server.capabilities:
            server.faults.hang(command, seconds)


def just_web(demo: Demo) -> str:
    """A product that has a site and nothing else."""
    with contextlib.suppress(Conflict):
        products.create(demo.fleet, "test", name="Just web", mode="split", roles=["web"], group=GROUP)
    return "Just web"


def running(demo: Demo, service_id: int) -> Task | None:
    with demo.fleet.database.read() as session:
        return session.scalars(
            select(Task).where(
                Task.service_id == service_id, Task.action == "web.domain", Task.status == TaskStatus.RUNNING
            )
        ).first()


def has_status(demo: Demo, task_id: int, status: TaskStatus) -> bool:
    with demo.fleet.database.read() as session:
        return session.get_one(Task, task_id).status is status


def test_the_run_of_a_worker_that_stands_still_ends_with_its_lease_and_nobody_has_to_end_it(tmp_path: Path) -> None:
    with installation(tmp_path / "home") as demo:
        hang(demo, "v-add-web-domain", 4 * LEASE)
        service = order(demo, "still.com", just_web(demo))
        until(lambda: running(demo, service.id) and leftovers(demo), words="web.domain never ran")
        worker = demo._worker
        assert worker is not None
        worker.send_signal(signal.SIGSTOP)
        try:
            # No other worker is there to see that the lease is over.
            until(lambda: not leftovers(demo), LEASE + 6, f"still there: {leftovers(demo)}")
        finally:
            worker.send_signal(signal.SIGCONT)
        wait_for(demo, service.id, ServiceStatus.ACTIVE)


def test_a_cancelled_and_a_given_up_task_end_their_processes_at_once(tmp_path: Path) -> None:
    with installation(tmp_path / "home", LEASE_SECONDS="8") as demo:
        for stop, status in ((tasks.cancel, TaskStatus.CANCELLED), (tasks.force_fail, TaskStatus.FAILED)):
            hang(demo, "v-add-web-domain", 5)
            service = order(demo, f"{status.value}.com", just_web(demo))
            until(lambda: running(demo, service.id) and leftovers(demo), words="web.domain never ran")  # noqa: B023
            task = running(demo, service.id)
            assert task is not None
            stop(demo.fleet, "test", task.id)
            until(lambda: not leftovers(demo), 10, f"still there: {leftovers(demo)}")
            until(lambda: has_status(demo, task.id, status), 10, f"it is not {status.value}")  # noqa: B023
            # The command on the server goes on to its end; the retry waits for it and finds what it made.
            tasks.retry(demo.fleet, "test", task.id)
            wait_for(demo, service.id, ServiceStatus.ACTIVE)
