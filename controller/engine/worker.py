"""A worker process: takes rings from the queue, runs tasks, renews leases, looks for what got lost."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from controller.automation.inventory import host_variables
from controller.automation.runner import Job, Outcome, end_run, run
from controller.automation.scrub import Scrubber
from controller.automation.variables import NotReadyError, RoleVariables, role_variables
from controller.automation.warm_server import WarmServer
from controller.domain.failures import ErrorClass
from controller.domain.words import TaskStatus
from controller.engine import lifecycle
from controller.engine.events import EventWriter, TaskLog
from controller.engine.lifecycle import Claim
from controller.operations.fleet import Fleet
from controller.store.models import Task

log = logging.getLogger(__name__)
RING_AGAIN_SECONDS = 5.0


def run_name(task_id: int, fence: int) -> str:
    """Name of an attempt's folder."""
    return f"task-{task_id}-{fence}"


class Worker:
    """Runs tasks of one fleet in this process."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        self._events = EventWriter(fleet.database, fleet.settings.event_flush_seconds)
        self._held: dict[int, Claim] = {}
        self._stop_task: dict[int, threading.Event] = {}
        self._mutex = threading.Lock()
        self._stopping = threading.Event()
        self._rung: dict[int, float] = {}
        self._warm = WarmServer(fleet.settings.run_dir) if fleet.settings.warm_ansible else None

    # -- one task ------------------------------------------------------------------------------------

    def run_task(self, task_id: int) -> None:
        """What a ring means: try to claim the task and, if it is to be had, run it to a result."""
        if self._stopping.is_set():
            return
        with self.fleet.database.write() as session:
            held = lifecycle.claim(session, task_id, self.owner, self.fleet.settings)
        if held is None:
            return
        stop = threading.Event()
        with self._mutex:
            self._held[task_id], self._stop_task[task_id] = held, stop
        try:
            outcome, last_seq = self._attempt(held, stop)
            self._finish(held, outcome, last_seq)
        finally:
            with self._mutex:
                self._held.pop(task_id, None)
                self._stop_task.pop(task_id, None)

    def _attempt(self, held: Claim, stop: threading.Event) -> tuple[Outcome, int]:
        """Run the role; whatever goes wrong becomes an outcome."""
        job: Job | None = None
        secrets: list[str] = []
        try:
            job, secrets = self._job(held)
        except NotReadyError as problem:
            outcome = Outcome(ok=False, error_class=ErrorClass.NOT_FOUND, error=str(problem))
        except Exception as problem:
            log.exception("task %s could not be prepared", held.task_id)
            outcome = Outcome(ok=False, error_class=ErrorClass.INTERNAL, error=f"could not be prepared: {problem}")
        scrubber = Scrubber(secrets)
        task_log = TaskLog(self._events, held, scrubber)
        task_log.say("attempt", f"Attempt {held.attempt}")
        if job is not None:
            warm = self._warm.socket if self._warm else None
            outcome = run(job, self.fleet.settings.run_dir, task_log.ansible, stop.is_set, warm)
        outcome = _scrubbed(outcome, scrubber)
        if outcome.ok:
            task_log.say(
                "result", "done, something was changed" if outcome.changed else "done, nothing had to be changed"
            )
        elif not outcome.stopped:
            task_log.say("result", f"failed ({outcome.error_class}): {outcome.error}")
        else:
            task_log.say("result", "stopped")
        self._events.sync()
        return outcome, task_log.last_seq

    def _job(self, held: Claim) -> tuple[Job, list[str]]:
        settings, vault = self.fleet.settings, self.fleet.vault
        with self.fleet.database.read() as session:
            task = session.get_one(Task, held.task_id)
            server = task.server
            variables = RoleVariables({})
            if task.resource is not None:
                variables = role_variables(session, vault, task.resource)
            elif task.action not in lifecycle.READ_ONLY_ACTIONS:
                raise NotReadyError(f"{task.target} is gone already")
            password = vault.unseal(server.ssh_password) if server.ssh_password else None
            key = vault.unseal(server.ssh_private_key) if server.ssh_private_key else None
            job = Job(
                name=run_name(task.id, held.fence),
                action=task.action,
                host_name=server.name,
                host=host_variables(server, settings.server_python),
                host_key=server.host_key,
                variables=variables.values,
                password=password,
                private_key=key,
                check=task.check_mode,
                timeout=settings.task_timeout,
            )
        return job, [*variables.secrets, *filter(None, (password, key))]

    def _finish(self, held: Claim, outcome: Outcome, last_seq: int) -> None:
        """Write the result; a database that is busy is asked again until the lease is surely over."""
        deadline = time.monotonic() + 2 * self.fleet.settings.lease_seconds
        while True:
            try:
                with self.fleet.database.write() as session:
                    ready = lifecycle.finish(session, held, outcome, last_seq, self.fleet.settings)
                break
            except Exception:
                log.exception("could not write the result of task %s", held.task_id)
                if time.monotonic() > deadline:
                    return
                time.sleep(0.5)
        if ready is None:
            log.warning("task %s was taken over; this result is not written", held.task_id)
        else:
            self.fleet.wake(ready)

    # -- the process ---------------------------------------------------------------------------------

    def serve(self) -> None:
        """Work until the process is told to stop (SIGINT, SIGTERM); running tasks are handed back."""
        self._clean_run_dir()
        if self._warm:
            self._warm.ensure()
        threads = [
            threading.Thread(target=self._loop, args=(self.renew, self.fleet.settings.lease_seconds / 4), daemon=True),
            threading.Thread(
                target=self._loop, args=(self.reconcile, self.fleet.settings.reconcile_seconds), daemon=True
            ),
        ]
        for thread in threads:
            thread.start()
        consumer = self.fleet.queue.consumer(self.run_task, self.fleet.settings.workers)
        consumer.start()
        log.info("worker %s is ready", self.owner)
        try:
            _wait_for_signal()
        finally:
            self.stop()
            consumer.stop(graceful=True)
            self._close_masters()
            if self._warm:
                self._warm.stop()

    def stop(self) -> None:
        """End running attempts; their tasks go back to the queue without spending an attempt."""
        self._stopping.set()
        with self._mutex:
            for stop in self._stop_task.values():
                stop.set()

    def renew(self) -> None:
        """Renew the leases of this process; stop what was lost or is to be cancelled."""
        with self._mutex:
            held = list(self._held.values())
        if not held:
            return
        with self.fleet.database.write() as session:
            lost, cancelled = lifecycle.renew(session, self.owner, held, self.fleet.settings)
        with self._mutex:
            for task_id in lost | cancelled:
                if task_id in self._stop_task:
                    self._stop_task[task_id].set()

    def reconcile(self) -> None:
        """Find what no message tells about: leases run out, rings lost, retries due, a dead warm server."""
        if self._warm:
            self._warm.ensure()
        with self.fleet.database.read() as session:
            overdue = [(task.id, task.fence) for task in lifecycle.expired(session)]
        for task_id, fence in overdue:
            end_run(self.fleet.settings.run_dir / run_name(task_id, fence))
            shutil.rmtree(self.fleet.settings.run_dir / run_name(task_id, fence), ignore_errors=True)
            with self.fleet.database.write() as session:
                ready = lifecycle.take_back(session, task_id, fence)
            self.fleet.wake(ready)
        with self.fleet.database.read() as session:
            due = lifecycle.due(session)
        # Its own ring is probably on its way: a due task is rung for after a second, then every few seconds.
        now = time.monotonic()
        rung = {task_id: self._rung.get(task_id, now - RING_AGAIN_SECONDS + 1.0) for task_id, _ in due}
        lost = [(task_id, priority) for task_id, priority in due if now - rung[task_id] >= RING_AGAIN_SECONDS]
        self._rung = rung | {task_id: now for task_id, _ in lost}
        self.fleet.wake(lost)

    def _loop(self, work: Callable[[], None], interval: float) -> None:
        while not self._stopping.wait(interval):
            try:
                work()
            except Exception:
                log.exception("%s failed; trying again", work.__name__)

    def _clean_run_dir(self) -> None:
        """Folders of attempts that are not running any more: their worker died. On this host only."""
        folder = self.fleet.settings.run_dir
        if not folder.is_dir():
            return
        with self.fleet.database.read() as session:
            running = {
                run_name(task_id, fence)
                for task_id, fence in session.execute(
                    select(Task.id, Task.fence).where(Task.status == TaskStatus.RUNNING)
                )
            }
        for leftover in folder.glob("task-*"):
            if leftover.name not in running:
                end_run(leftover)
                shutil.rmtree(leftover, ignore_errors=True)
        for leftover in folder.glob("warm-*"):
            if not Path(f"/proc/{leftover.name.removeprefix('warm-')}").exists():
                shutil.rmtree(leftover, ignore_errors=True)

    def _close_masters(self) -> None:
        """End shared SSH connections of this installation; other workers just open new ones."""
        for control in (self.fleet.settings.run_dir / "cp").glob("*"):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    ["ssh", "-o", f"ControlPath={control}", "-O", "exit", "fleet"],
                    capture_output=True,
                    timeout=5,
                    check=False,
                )


def _scrubbed(outcome: Outcome, scrubber: Scrubber) -> Outcome:
    outcome.facts = scrubber.data(outcome.facts)
    outcome.actions = scrubber.data(outcome.actions)
    outcome.repaired = scrubber.data(outcome.repaired)
    outcome.diff = scrubber.data(outcome.diff)
    outcome.error = scrubber.text(outcome.error) if outcome.error else outcome.error
    return outcome


def _wait_for_signal() -> None:
    done = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: done.set())
    while not done.wait(1.0):
        pass
