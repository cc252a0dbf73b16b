"""A worker process: takes rings from the queue, runs tasks, renews leases, does its share of the housekeeping."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from controller.automation.inventory import host_variables
from controller.automation.roles import role_of
from controller.automation.runner import CONTROL, Job, Outcome, extend_lease, run
from controller.automation.scrub import Scrubber
from controller.automation.variables import NotReadyError, task_variables
from controller.automation.warm_server import WarmServer
from controller.domain.failures import ErrorClass
from controller.engine import jobs, lifecycle, zone_watch
from controller.engine.dispatch import claimable
from controller.engine.events import EventWriter, TaskLog
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.engine.outbox import Outbox
from controller.engine.reconcile import Reconciler, run_name, safely
from controller.store.base import utcnow
from controller.store.database import is_unavailable
from controller.store.models import Task
from controller.store.work_models import WorkerProcess

log = logging.getLogger(__name__)
WATCH_SECONDS = 0.5
JOBS_SECONDS = 5.0
OUTBOX_SECONDS = 1.0
ZONES_SECONDS = 1.0
PROBES = 2
"""Checks of servers that do not answer run in places of their own, so that they take none from other tasks."""


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
        self._renewed = time.monotonic()
        self._probes = ThreadPoolExecutor(PROBES, thread_name_prefix="probe")
        self._reconciler = Reconciler(fleet)
        self._outbox = Outbox(fleet)
        self._warm = WarmServer(fleet.settings.run_dir) if fleet.settings.warm_ansible else None

    # -- one task ------------------------------------------------------------------------------------

    def run_task(self, task_id: int) -> None:
        """What a ring means: try to claim the task and, if it is to be had, run it to a result."""
        if self._stopping.is_set():
            return
        with self.fleet.database.read() as session:
            if not claimable(session, task_id):
                return
        with self.fleet.database.write() as session:
            held = lifecycle.claim(session, task_id, self.owner, self.fleet.settings)
        if held is None:
            return
        stop = threading.Event()
        with self._mutex:
            if task_id in self._stop_task:
                # This worker stood still and lost it meanwhile; that attempt may still be ending.
                self._stop_task[task_id].set()
            self._held[task_id], self._stop_task[task_id] = held, stop
        if held.is_probe:
            self._probes.submit(self._run, held, stop)
        else:
            self._run(held, stop)

    def _run(self, held: Claim, stop: threading.Event) -> None:
        try:
            outcome, last_seq = self._attempt(held, stop)
            self._finish(held, outcome, last_seq)
        except Exception:
            log.exception("task %s ended without a result; its lease will run out", held.task_id)
        finally:
            with self._mutex:
                if self._held.get(held.task_id) == held:
                    del self._held[held.task_id], self._stop_task[held.task_id]

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
            variables = task_variables(session, vault, task)
            role, entry = role_of(server.driver, task.action)
            password = vault.unseal(server.ssh_password) if server.ssh_password else None
            key = vault.unseal(server.ssh_private_key) if server.ssh_private_key else None
            job = Job(
                name=run_name(task.id, held.fence),
                role=role,
                entry=entry,
                host_name=server.name,
                host=host_variables(server, settings.server_python),
                host_key=server.host_key,
                variables=variables.values,
                password=password,
                private_key=key,
                check=task.check_mode,
                timeout=server.command_timeout or settings.task_timeout,
                lease=settings.lease_seconds,
            )
        return job, [*variables.secrets, *filter(None, (password, key))]

    def _finish(self, held: Claim, outcome: Outcome, last_seq: int) -> None:
        """Write the result; a database that is busy is asked again until the lease is surely over.

        A result that the database does not take is a failure of the task: it would be no better the next time.
        """
        deadline = time.monotonic() + 2 * self.fleet.settings.lease_seconds
        while True:
            try:
                with self.fleet.database.write() as session:
                    ready = lifecycle.finish(session, held, outcome, last_seq)
                break
            except Exception as problem:
                log.exception("could not write the result of task %s", held.task_id)
                if time.monotonic() > deadline:
                    return
                if not (isinstance(problem, DBAPIError) and is_unavailable(problem)):
                    words = f"its result could not be stored ({type(problem).__name__})"
                    outcome = Outcome(ok=False, error_class=ErrorClass.INTERNAL, error=words)
                time.sleep(0.5)
        if ready is None:
            log.warning("task %s was taken over; this result is not written", held.task_id)
        else:
            self.fleet.wake(ready)

    # -- the process ---------------------------------------------------------------------------------

    def serve(self) -> None:
        """Work until the process is told to stop (SIGINT, SIGTERM); running tasks are handed back."""
        if self._warm:
            self._warm.ensure()
        for first in (self._reconciler.sweep, self.renew):
            # A database that is busy now is no reason not to start.
            safely(first)
        settings = self.fleet.settings
        for work, interval in (
            (self.renew, settings.lease_seconds / 4),
            (self.watch, WATCH_SECONDS),
            (self.reconcile, settings.reconcile_seconds),
            (self.run_jobs, JOBS_SECONDS),
            (self.send_out, OUTBOX_SECONDS),
            (self.ask_nameservers, ZONES_SECONDS),
        ):
            threading.Thread(target=self._loop, args=(work, interval), name=work.__name__, daemon=True).start()
        consumer = self.fleet.queue.consumer(self.run_task, settings.workers)
        consumer.start()
        log.info("worker %s is ready", self.owner)
        try:
            _wait_for_signal()
        finally:
            self.stop()
            consumer.stop(graceful=True)
            self._probes.shutdown()
            self._sign_off()
            self._close_masters()
            if self._warm:
                self._warm.stop()
            self._leave_run_dir()

    def stop(self) -> None:
        """End running attempts; their tasks go back to the queue without spending an attempt."""
        self._stopping.set()
        self._stop(self._holding())

    def _stop(self, claims: Iterable[Claim]) -> None:
        """Stop these attempts; a newer one of the same task goes on."""
        with self._mutex:
            for held in claims:
                if self._held.get(held.task_id) == held:
                    self._stop_task[held.task_id].set()

    def _holding(self) -> list[Claim]:
        with self._mutex:
            return list(self._held.values())

    def renew(self) -> None:
        """Tell that this worker is there; renew its leases, on its rows and for its runs; stop what was lost."""
        held = self._holding()
        with self.fleet.database.write() as session:
            self._report(session)
            lost = lifecycle.renew(session, held, self.fleet.settings)
        self._renewed = time.monotonic()
        for claim in held:
            if claim.task_id not in lost:
                extend_lease(
                    self.fleet.settings.run_dir / run_name(claim.task_id, claim.fence),
                    self.fleet.settings.lease_seconds,
                )
        self._stop(claim for claim in held if claim.task_id in lost)

    def watch(self) -> None:
        """Stop what somebody wants cancelled or given up, and everything when leases could not be renewed."""
        held = self._holding()
        if not held:
            return
        if time.monotonic() - self._renewed > self.fleet.settings.lease_seconds:
            self._stop(held)
            return
        with self.fleet.database.read() as session:
            rows = session.execute(
                select(Task.id, Task.fence, Task.cancel_requested).where(Task.id.in_([one.task_id for one in held]))
            )
            now = {row.id: (row.fence, row.cancel_requested) for row in rows}
        self._stop(one for one in held if now.get(one.task_id) != (one.fence, False))

    def reconcile(self) -> None:
        """One round of housekeeping; the warm server is looked after too."""
        if self._warm:
            self._warm.ensure()
        self._reconciler.reconcile()

    def run_jobs(self) -> None:
        """Periodic jobs that are due."""
        jobs.run_due(self.fleet, self.owner)

    def ask_nameservers(self) -> None:
        """Zones for which the nameservers are to be asked."""
        zone_watch.look(self.fleet)

    def send_out(self) -> None:
        """E-mails and webhook calls that are due."""
        self._outbox.send_due()

    def _report(self, session: Session) -> None:
        row = session.get(WorkerProcess, self.owner)
        if row is None:
            row = WorkerProcess(name=self.owner, host=socket.gethostname(), places=self.fleet.settings.workers)
            session.add(row)
        row.seen_at = utcnow()

    def _sign_off(self) -> None:
        with contextlib.suppress(Exception), self.fleet.database.write() as session:
            row = session.get(WorkerProcess, self.owner)
            if row is not None:
                session.delete(row)

    def _loop(self, work: Callable[[], None], interval: float) -> None:
        while not self._stopping.wait(interval):
            safely(work)

    def _leave_run_dir(self) -> None:
        """Folders that are empty go with the last worker; what another one uses stays."""
        folder = self.fleet.settings.run_dir
        for path in (*(folder / CONTROL).glob("*"), folder / CONTROL, folder):
            with contextlib.suppress(OSError):
                path.rmdir()

    def _close_masters(self) -> None:
        """End shared SSH connections of this installation; other workers just open new ones."""
        for control in (self.fleet.settings.run_dir / CONTROL).glob("*/*"):
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
