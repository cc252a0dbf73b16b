"""What no message tells about: leases run out, rings lost, retries due, servers waited for too long, leftovers."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from controller.automation.runner import end_run
from controller.domain.words import TaskStatus
from controller.engine import breaker, catch_up, drift, lifecycle, zone_rollout
from controller.engine.dispatch import due, expired
from controller.engine.fleet import Fleet
from controller.engine.rows import take
from controller.engine.settling import settle, unsettled
from controller.store.models import Pipeline, Server, Service, Task

log = logging.getLogger(__name__)
RING_AGAIN_SECONDS = 5.0
LOOK = "look-"
"""How folders of a web process's first look at a server begin; its number follows."""
SWEEP_SECONDS = 30.0


def run_name(task_id: int, fence: int) -> str:
    """Name of an attempt's folder."""
    return f"task-{task_id}-{fence}"


class Reconciler:
    """Every worker runs one; all it does is safe to do twice and by several at once."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._rung: dict[int, float] = {}
        self._swept = time.monotonic()

    def reconcile(self) -> None:
        """One round; one part's trouble does not keep the others from their work."""
        for part in (
            self._take_back,
            self._ring_again,
            self._watch_breakers,
            self._advance_runs,
            self._catch_up,
            self._sweep,
        ):
            safely(part)

    def _take_back(self) -> None:
        with self.fleet.database.read() as session:
            overdue = [(task.id, task.fence) for task in expired(session)]
        for task_id, fence in overdue:
            # Of a worker on this machine, what still runs is ended; elsewhere the run ends itself with its lease.
            folder = self.fleet.settings.run_dir / run_name(task_id, fence)
            end_run(folder)
            shutil.rmtree(folder, ignore_errors=True)
            with self.fleet.database.write() as session:
                ready = lifecycle.take_back(session, task_id, fence)
            self.fleet.wake(ready)

    def _ring_again(self) -> None:
        """Its own ring is probably on its way: a due task is rung for after a second, then every few seconds."""
        with self.fleet.database.read() as session:
            found = due(session)
        now = time.monotonic()
        rung = {task_id: self._rung.get(task_id, now - RING_AGAIN_SECONDS + 1.0) for task_id, _ in found}
        lost = [(task_id, priority) for task_id, priority in found if now - rung[task_id] >= RING_AGAIN_SECONDS]
        self._rung = rung | {task_id: now for task_id, _ in lost}
        self.fleet.wake(lost)

    def _watch_breakers(self) -> None:
        with self.fleet.database.read() as session:
            tired = breaker.tired_of_waiting(session)
            unwatched = breaker.unwatched(session)
            waiting = unsettled(session)
        for task_id in tired:
            with self.fleet.database.write() as session:
                lifecycle.give_up_waiting(session, task_id)
        for server_id in unwatched:
            with self.fleet.database.write() as session:
                server = take(session, Server, server_id)
                if server is not None and server.blocked_since is not None:
                    breaker.queue_probe(session, server)
        for pipeline_id in waiting:
            with self.fleet.database.write() as session:
                pipeline = session.get(Pipeline, pipeline_id)
                if pipeline is None or take(session, Service, pipeline.service_id or 0) is None:
                    continue
                take(session, Pipeline, pipeline_id)
                ready = settle(session, pipeline_id)
            self.fleet.wake(ready)

    def _advance_runs(self) -> None:
        self.fleet.wake(drift.advance(self.fleet.database))
        self.fleet.wake(zone_rollout.advance(self.fleet))

    def _catch_up(self) -> None:
        self.fleet.wake(catch_up.advance(self.fleet.database))

    def _sweep(self) -> None:
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            self.sweep()

    def sweep(self) -> None:
        """End and remove what attempts that are over left on this machine: their worker died."""
        folder = self.fleet.settings.run_dir
        # Folders first: one that is there before the rows are read belongs to a claim that these rows show.
        leftovers = list(folder.glob("task-*"))
        if leftovers:
            with self.fleet.database.read() as session:
                running = {
                    run_name(task_id, fence)
                    for task_id, fence in session.execute(
                        select(Task.id, Task.fence).where(Task.status == TaskStatus.RUNNING)
                    )
                }
            for leftover in leftovers:
                if leftover.name not in running:
                    end_run(leftover)
                    shutil.rmtree(leftover, ignore_errors=True)
        for beginning in ("warm-", LOOK):
            for leftover in folder.glob(f"{beginning}*"):
                process = leftover.name.removeprefix(beginning).partition("-")[0]
                if not Path(f"/proc/{process}").exists():
                    end_run(leftover)
                    shutil.rmtree(leftover, ignore_errors=True)


def safely(work: Callable[[], None]) -> None:
    """Do something that comes round again: trouble is logged, and the next time may go well."""
    try:
        work()
    except Exception:
        log.exception("%s failed; trying again", work.__name__.strip("_"))
