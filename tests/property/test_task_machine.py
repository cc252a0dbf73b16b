"""The life of one task between two workers, the reconciler and a person: leases, fences, late results, its log."""

from __future__ import annotations

import atexit
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from controller.automation.runner import Outcome
from controller.automation.scrub import Scrubber
from controller.domain.failures import ErrorClass
from controller.domain.options import RetryOptions
from controller.domain.words import FINAL_TASK_STATES, TaskStatus
from controller.engine import lifecycle
from controller.engine.events import EventWriter, TaskLog
from controller.operations import orders
from controller.operations import tasks as task_operations
from controller.operations.errors import Refused
from controller.store.base import utcnow
from controller.store.models import Activity, ServerLock, Task, TaskEvent
from controller.store.options import load
from tests.property.settings import COMMON
from tests.property.world import Attempt, World

ACTOR = "test"
WORKER = st.sampled_from(("w1", "w2"))
GOOD = Outcome(ok=True, changed=True)
KINDS = st.sampled_from(sorted(set(ErrorClass) - {ErrorClass.UNREACHABLE, ErrorClass.AUTHENTICATION}))


class Shared:
    """One installation for all examples; each has a task of its own in it."""

    world: World | None = None
    writer: EventWriter
    number = 0

    @classmethod
    def get(cls) -> World:
        if cls.world is None:
            cls.world = World()
            atexit.register(cls.world.close)
            cls.writer = EventWriter(cls.world.fleet.database, 0.001)
        return cls.world


class OneTask(RuleBasedStateMachine):
    """The first step of an order. Each worker holds at most one attempt, which it may have lost without knowing."""

    @initialize()
    def open(self) -> None:
        self.world = Shared.get()
        self.fleet = self.world.fleet
        Shared.number += 1
        service = orders.order(
            self.fleet,
            ACTOR,
            product="web",
            domain=f"c{Shared.number}.com",
            customer_email="a@one.com",
            customer_name="Ada",
        )
        self.id = next(task.id for task in self.world.rows(Task) if task.service_id == service.id)
        self.held: dict[str, tuple[Attempt, TaskLog]] = {}
        self.fence = 0
        self.successes = 0
        self.failures: dict[ErrorClass, int] = {}

    # -- workers ---------------------------------------------------------------------------------------

    @rule(worker=WORKER)
    def ring(self, worker: str) -> None:
        if worker in self.held:
            return
        before = self.task()
        is_due = before.not_before is None or before.not_before.timestamp() <= self.now()
        # The run of a task that was given up by a person may take a moment to end: its lock runs out by itself.
        locks = [lock for lock in self.world.rows(ServerLock) if lock.server_id == before.server_id]
        is_free = all(lock.until.timestamp() <= self.now() for lock in locks)
        attempt = self.world.claim(self.id, worker)
        assert (attempt is not None) == (before.status is TaskStatus.QUEUED and is_due and is_free)
        if attempt is not None:
            self.held[worker] = (attempt, TaskLog(Shared.writer, attempt.held, Scrubber([])))
            assert attempt.held.last_seq == len(self.events()), "numbers go on where the last attempt ended"
            assert attempt.held.fence > self.fence

    @rule(worker=WORKER, lines=st.integers(1, 5))
    def say(self, worker: str, lines: int) -> None:
        if worker in self.held:
            for number in range(lines):
                self.held[worker][1].say("line", f"{worker} {number}")
            assert Shared.writer.sync()

    @rule(worker=WORKER)
    def renew(self, worker: str) -> None:
        if worker in self.held:
            lost = self.world.renew([self.held[worker][0]])
            assert lost == (set() if self.is_current(worker) else {self.id})

    @rule(worker=WORKER, kind=st.none() | KINDS)
    def deliver(self, worker: str, kind: ErrorClass | None) -> None:
        """The result of an attempt; it counts only if the attempt is still the one."""
        outcome = GOOD if kind is None else Outcome(ok=False, error_class=kind, error=f"it was {kind.value}")
        if not self.finish(worker, outcome):
            return
        after = self.task()
        if kind is None:
            self.successes += 1
            assert after.status is TaskStatus.SUCCEEDED
            assert self.successes == 1, "one success"
            return
        self.failures[kind] = self.failures.get(kind, 0) + 1
        with self.fleet.database.read() as session:
            allowed = load(session, RetryOptions).policy(kind).attempts
        if self.wanted_off:
            assert after.status is TaskStatus.CANCELLED
        elif self.failures[kind] >= allowed:
            assert after.status is TaskStatus.FAILED, "attempts end"
        else:
            assert after.status is TaskStatus.QUEUED
            assert after.not_before is not None
        if kind is ErrorClass.HOST_KEY_CHANGED:
            self.reach_the_server_again()

    @rule(worker=WORKER)
    def hand_back(self, worker: str) -> None:
        if self.finish(worker, Outcome(ok=False, stopped=True, error_class=ErrorClass.INTERRUPTED, error="stopped")):
            after = self.task()
            if self.wanted_off:
                assert after.status is TaskStatus.CANCELLED
            else:
                assert after.status in (TaskStatus.QUEUED, TaskStatus.FAILED)

    @rule(worker=WORKER, taken=st.booleans())
    def is_paused_past_its_lease(self, worker: str, taken: bool) -> None:
        if worker in self.held:
            attempt = self.held[worker][0]
            self.world.expire(attempt)
            if taken:
                self.world.take_back(attempt)
                assert not self.is_current(worker)

    @precondition(lambda self: self.held)
    @rule(worker=WORKER)
    def is_killed(self, worker: str) -> None:
        if worker in self.held:
            attempt, _ = self.held.pop(worker)
            self.world.expire(attempt)
            self.world.take_back(attempt)

    # -- people and time -------------------------------------------------------------------------------

    @rule(verb=st.sampled_from(("retry", "cancel", "force_fail")))
    def person(self, verb: str) -> None:
        before = self.task()
        is_open = before.status not in FINAL_TASK_STATES
        retryable = before.status in (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED)
        try:
            getattr(task_operations, verb)(self.fleet, ACTOR, self.id)
        except Refused:
            assert not (retryable if verb == "retry" else is_open)
            return
        assert retryable if verb == "retry" else is_open
        after = self.task()
        match verb:
            case "retry":
                self.failures.clear()
                assert (after.status, after.not_before, after.error) == (TaskStatus.QUEUED, None, None)
            case "cancel" if before.status is TaskStatus.RUNNING:
                assert after.cancel_requested
            case "cancel":
                assert after.status is TaskStatus.CANCELLED
            case _:
                assert after.status is TaskStatus.FAILED

    @rule(seconds=st.sampled_from((1, 10, 100)))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()
        assert self.id not in self.world.overdue()

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "id"):
            return
        task = self.task()
        assert task.fence >= self.fence
        self.fence = task.fence
        runs = task.status is TaskStatus.RUNNING
        assert (task.lease_owner is not None, task.lease_until is not None) == (runs, runs)
        assert sum(self.is_current(worker) for worker in self.held) <= 1
        assert [event.seq for event in self.events()] == list(range(1, len(self.events()) + 1)), "a log without gaps"
        if task.status is TaskStatus.SUCCEEDED:
            assert task.events_expected == len(self.events()), "the count is stored with the result"
        assert task.status is TaskStatus.SUCCEEDED or not self.successes
        kinds = [line.kind for line in self.world.rows(Activity) if line.task_id == self.id]
        assert kinds.count("task.succeeded") == self.successes
        assert task.attempt <= task.fence

    def teardown(self) -> None:
        """Whatever it came to, a person can bring it to a good end; then it leaves the installation as it was."""
        if not hasattr(self, "id"):
            return
        for attempt, _ in self.held.values():
            self.world.expire(attempt)
        self.world.reconcile()
        if self.task().status is not TaskStatus.SUCCEEDED:
            task_operations.retry(self.fleet, ACTOR, self.id)
            self.world.pass_time(self.fleet.settings.lease_seconds)
            attempt = self.world.claim(self.id)
            assert attempt is not None
            assert self.world.finish(attempt, GOOD, len(self.events()))
        assert self.task().status is TaskStatus.SUCCEEDED
        assert not [lock for lock in self.world.rows(ServerLock) if lock.task_id == self.id]
        for task in self.world.rows(Task):
            if task.status not in FINAL_TASK_STATES:
                task_operations.cancel(self.fleet, ACTOR, task.id)

    # -- small things ----------------------------------------------------------------------------------

    def finish(self, worker: str, outcome: Outcome) -> bool:
        """Hand in what a worker has; whether it was taken. A late result must leave no trace."""
        if worker not in self.held:
            return False
        current = self.is_current(worker)
        self.wanted_off = self.task().cancel_requested
        attempt, log = self.held.pop(worker)
        log.say("result", "the end")
        assert Shared.writer.sync()
        before: Any = None if current else self.world.dump()
        assert self.world.finish(attempt, outcome, log.last_seq) == current
        if not current:
            assert self.world.dump() == before, "a late result writes nothing"
        return current

    def reach_the_server_again(self) -> None:
        """A changed host key stops the whole server; staff have looked into it."""
        with self.fleet.database.write() as session:
            task = session.get_one(Task, self.id)
            assert task.server.blocked_since is not None
            lifecycle.breaker.close_breaker(session, task.server_id)

    def is_current(self, worker: str) -> bool:
        task, (attempt, _) = self.task(), self.held[worker]
        locks = {(lock.task_id, lock.fence) for lock in self.world.rows(ServerLock)}
        return task.status is TaskStatus.RUNNING and task.fence == attempt.held.fence and (task.id, task.fence) in locks

    def task(self) -> Task:
        found = self.world.find_task(self.id)
        assert found is not None
        return found

    def now(self) -> float:
        return utcnow().timestamp()

    def events(self) -> list[TaskEvent]:
        with self.fleet.database.read() as session:
            return list(session.scalars(select(TaskEvent).where(TaskEvent.task_id == self.id).order_by(TaskEvent.seq)))


TestOneTask = OneTask.TestCase
TestOneTask.settings = settings(COMMON, max_examples=25, stateful_step_count=30)


@pytest.mark.long
class TestOneTaskLong(OneTask.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(COMMON, max_examples=800, stateful_step_count=60)
