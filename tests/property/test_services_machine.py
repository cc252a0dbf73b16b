"""Whatever happens to services, their tasks, workers and servers, in any order: the promises hold at every step,
and there is always a way out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import FINAL_TASK_STATES, Desired, ServerStatus, ServiceStatus, TaskStatus
from controller.engine.cleanup import clean_up
from controller.engine.dispatch import changes_server
from controller.operations import orders, services, task_bulk
from controller.operations import servers as server_operations
from controller.operations import tasks as task_operations
from controller.operations.errors import Conflict, Invalid, Refused
from controller.store.models import Account, Resource, Server, ServerLock, Service, Task
from tests.property import promises
from tests.property.settings import COMMON
from tests.property.world import Attempt, World

ACTOR = "test"
NUMBER = st.integers(0, 40)
PRODUCT = st.sampled_from(("all", "web", "one"))
SERVICE = st.integers(0, 2)
NEVER_AGAIN = 1_000_000
"""Fence of a task that was deleted: a new one with its id would be taken for it."""
KINDS = st.sampled_from(ErrorClass)


class Services(RuleBasedStateMachine):
    """Four servers, up to three services, two workers that may die, staff that may do anything."""

    @initialize(product=PRODUCT, steps=st.integers(0, 8))
    def open(self, product: str, steps: int) -> None:
        self.world = World()
        self.fleet = self.world.fleet
        self.wishes: dict[int, Desired] = {}
        self.hands: list[Attempt] = []
        self.lost: list[Attempt] = []
        self.fences: dict[int, int] = {}
        self.successes: set[int] = set()
        self.order(product, "one.com")
        self.work(steps)

    # -- customers and staff: services -----------------------------------------------------------------

    @precondition(lambda self: len(self.wishes) < 3)
    @rule(product=PRODUCT, domain=st.sampled_from(("one.com", "two.com")))
    def order(self, product: str, domain: str) -> None:
        try:
            service = orders.order(
                self.fleet, ACTOR, product=product, domain=domain, customer_email="a@one.com", customer_name="Ada"
            )
        except Conflict:
            assert any(s.domain == domain and s.status is not ServiceStatus.TERMINATED for s in self.services())
        except Invalid:
            usable = {server.name for server in self.world.rows(Server) if server.status is ServerStatus.ACTIVE}
            ways = {"all": ({"a", "n"},), "web": ({"a"}, {"b"}), "one": ({"u"},)}[product]
            assert not any(way <= usable for way in ways), "there was room"
        else:
            self.wishes[service.id] = Desired.ACTIVE

    @rule(which=SERVICE, verb=st.sampled_from(("suspend", "unsuspend", "suspend", "unsuspend", "terminate")))
    def wish(self, which: int, verb: str) -> None:
        service = self.service(which)
        try:
            getattr(services, verb)(self.fleet, ACTOR, service.id)
        except Refused:
            assert service.desired is Desired.ABSENT
        else:
            assert service.status is not ServiceStatus.TERMINATED
            self.wishes[service.id] = {
                "suspend": Desired.SUSPENDED,
                "unsuspend": Desired.ACTIVE,
                "terminate": Desired.ABSENT,
            }[verb]

    @rule(which=SERVICE, verb=st.sampled_from(("redeploy", "repair", "verify")))
    def ask_again(self, which: int, verb: str) -> None:
        service = self.service(which)
        try:
            getattr(services, verb)(self.fleet, ACTOR, service.id)
        except Refused:
            assert service.desired is Desired.ABSENT or verb == "verify"
        else:
            assert service.status is not ServiceStatus.TERMINATED

    @precondition(lambda self: any(len(service.roles) > 1 for service in self.services()))
    @rule(which=SERVICE, product=st.sampled_from(("all", "more")))
    def change_product(self, which: int, product: str) -> None:
        able = [service for service in self.services() if len(service.roles) > 1]
        service = able[which % len(able)]
        try:
            services.change_product(self.fleet, ACTOR, service.id, product)
        except Refused:
            assert service.desired is Desired.ABSENT
        except Invalid as problem:
            # What was sold on the one server stays there.
            assert "of another group" in str(problem)

    # -- staff: tasks and servers ----------------------------------------------------------------------

    @rule(number=NUMBER, verb=st.sampled_from(("retry", "cancel", "force_fail")))
    def handle_task(self, number: int, verb: str) -> None:
        task = self.task(number)
        try:
            getattr(task_operations, verb)(self.fleet, ACTOR, task.id)
        except Refused:
            if verb == "retry":
                is_over = task.status in (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED)
                assert not is_over or task.is_moot or self.is_replaced(task)
            else:
                assert task.status in FINAL_TASK_STATES
        else:
            assert verb == "retry" or task.status not in FINAL_TASK_STATES

    @rule(first=NUMBER, count=st.integers(1, 30), only_broken=st.booleans())
    def delete_tasks(self, first: int, count: int, only_broken: bool) -> None:
        """Staff clear the list of tasks; what is not over or still needed stays by itself."""
        found = [task for task in self.world.rows(Task) if task.status in promises.DEAD or not only_broken]
        found = found[first % max(1, len(found)) :][:count]
        if found:
            task_bulk.run(self.fleet, ACTOR, "delete", ids=[task.id for task in found])
        left = {task.id for task in self.world.rows(Task)}
        assert all(task.id in left for task in found if task.status not in FINAL_TASK_STATES)

    @rule()
    def old_things_go(self) -> None:
        open_before = {task.id for task in self.world.rows(Task) if task.status not in FINAL_TASK_STATES}
        self.world.pass_time(40 * 86_400)
        clean_up(self.fleet)
        assert open_before <= {task.id for task in self.world.rows(Task)}

    @rule(server_id=st.integers(1, 4), status=st.sampled_from(ServerStatus))
    def change_server(self, server_id: int, status: ServerStatus) -> None:
        if status is ServerStatus.CLOSED:
            status = ServerStatus.ACTIVE  # a closed server takes no orders, which is no matter here
        self.world.set_status(server_id, status)

    # -- workers ---------------------------------------------------------------------------------------

    @rule(owner=st.sampled_from(("w1", "w2")), number=NUMBER)
    def claim_what_is_due(self, owner: str, number: int) -> None:
        ids = self.world.due()
        if ids:
            attempt = self.world.claim(ids[number % len(ids)], owner)
            assert attempt is not None, "what could start can be claimed"
            self.hands.append(attempt)

    @rule(number=NUMBER)
    def a_late_or_doubled_ring(self, number: int) -> None:
        task = self.task(number)
        before = self.world.dump()
        attempt = self.world.claim(task.id)
        if attempt is None:
            assert self.world.dump() == before, "a ring for nothing leaves nothing"
        else:
            assert task.status is TaskStatus.QUEUED
            self.hands.append(attempt)

    @rule(number=st.integers(1, 8))
    def work(self, number: int) -> None:
        """Some steps come to a good end, one after the other."""
        for _ in range(number):
            ids = self.world.due()
            attempt = self.world.claim(ids[0]) if ids else None
            if attempt is not None:
                self.deliver(attempt, self.world.panels.run(attempt.step))

    @precondition(lambda self: self.hands)
    @rule(number=NUMBER)
    def finish_well(self, number: int) -> None:
        attempt = self.hands.pop(number % len(self.hands))
        self.deliver(attempt, self.world.panels.run(attempt.step))

    @precondition(lambda self: self.hands)
    @rule(number=NUMBER, kind=KINDS, done=st.booleans())
    def fail(self, number: int, kind: ErrorClass, done: bool) -> None:
        """A step fails; what it was to do may have been done all the same."""
        attempt = self.hands.pop(number % len(self.hands))
        if done:
            self.world.panels.run(attempt.step)
        self.deliver(attempt, Outcome(ok=False, error_class=kind, error=f"it was {kind.value}"))

    @rule(number=NUMBER)
    def something_fails_for_good(self, number: int) -> None:
        ids = self.world.due()
        attempt = self.world.claim(ids[number % len(ids)]) if ids else None
        if attempt is not None:
            self.deliver(attempt, Outcome(ok=False, error_class=ErrorClass.BAD_ARGUMENT, error="it cannot be"))

    @precondition(lambda self: self.hands)
    @rule(number=NUMBER, done=st.booleans())
    def stop(self, number: int, done: bool) -> None:
        """A worker that ends hands its task back."""
        attempt = self.hands.pop(number % len(self.hands))
        if done:
            self.world.panels.run(attempt.step)
        self.deliver(attempt, Outcome(ok=False, stopped=True, error_class=ErrorClass.INTERRUPTED, error="stopped"))

    @precondition(lambda self: self.hands)
    @rule(number=NUMBER, done=st.booleans(), seen=st.booleans())
    def die(self, number: int, done: bool, seen: bool) -> None:
        """A worker is killed or paused past its lease; the reconciler sees it now or later."""
        attempt = self.hands.pop(number % len(self.hands))
        if done:
            self.world.panels.run(attempt.step)
        self.world.expire(attempt)
        if seen:
            self.world.take_back(attempt)
        self.lost.append(attempt)

    @precondition(lambda self: self.lost)
    @rule(number=NUMBER, ok=st.booleans())
    def come_back_late(self, number: int, ok: bool) -> None:
        attempt = self.lost.pop(number % len(self.lost))
        self.deliver(attempt, Outcome(ok=ok, error_class=None if ok else ErrorClass.REFUSED, error="late"), late=True)

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()
        assert not self.world.overdue()

    @rule(seconds=st.sampled_from((1, 5, 15, 60, 600)))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(what=st.sampled_from(("priority", "check", "renew", "early", "flush")), number=NUMBER)
    def a_small_thing(self, what: str, number: int) -> None:
        """What happens all the time and should not matter."""
        match what:
            case "priority":
                self.change_priority(self.task(number), 1 + number)
            case "check":
                server_operations.check(self.fleet, ACTOR, "abnu"[number % 4])
            case "renew":
                self.renew()
            case "early" if self.hands:
                self.take_back_too_early(self.hands[number % len(self.hands)])
            case "flush":
                self.fleet.queue.flush()

    def change_priority(self, task: Task, priority: int) -> None:
        try:
            task_operations.change_priority(self.fleet, ACTOR, task.id, priority)
        except Refused:
            assert task.status in FINAL_TASK_STATES

    def renew(self) -> None:
        current = {task.id: task for task in self.world.rows(Task)}
        locks = {(lock.task_id, lock.fence) for lock in self.world.rows(ServerLock)}
        gone = {
            attempt.held.task_id
            for attempt in self.hands
            if (task := current.get(attempt.held.task_id)) is None
            or task.fence != attempt.held.fence
            or task.status is not TaskStatus.RUNNING
            or (changes_server(task) and (task.id, task.fence) not in locks)
        }
        assert self.world.renew(self.hands) == gone

    def take_back_too_early(self, attempt: Attempt) -> None:
        if attempt.held.task_id not in self.world.overdue():
            before = self.world.dump()
            self.world.take_back(attempt)
            assert self.world.dump() == before, "a lease that holds is not taken away"

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.fleet.database.read() as session:
            promises.check(session, dt.timedelta(seconds=self.fleet.settings.lease_seconds))
        self.fences_only_rise()
        for service in self.services():
            assert service.desired is self.wishes[service.id], "the latest wish is the one that counts"

    def fences_only_rise(self) -> None:
        current = {task.id: task for task in self.world.rows(Task)}
        for task in current.values():
            assert task.fence >= self.fences.get(task.id, 0), "fences only rise"
            self.fences[task.id] = task.fence
        for task_id in self.fences.keys() - current.keys():
            self.fences[task_id] = NEVER_AGAIN

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.way_out()
        finally:
            self.world.close()

    def way_out(self) -> None:
        """Everything works again: what nobody broke ends as wished, the rest does when staff have helped."""
        for server in self.world.rows(Server):
            if server.status is not ServerStatus.ACTIVE:
                self.world.set_status(server.id, ServerStatus.ACTIVE)
        for attempt in [*self.hands, *self.lost]:
            self.world.expire(attempt)
        self.world.run_to_the_end()
        self.promises_hold()
        stuck = [task for task in self.world.rows(Task) if task.status in (*promises.MOVING,)]
        assert not stuck, self.world.story()
        for service in self.services():
            if service.status is ServiceStatus.ERROR:
                self.help(service)
            else:
                self.is_as_wished(service)
        self.world.run_to_the_end()
        self.promises_hold()
        for service in self.services():
            self.is_as_wished(service)
        assert not self.world.rows(ServerLock)
        assert all(server.blocked_since is None for server in self.world.rows(Server))
        # What is wished for what has been said in other words: asking once more changes nothing but the log.
        for service in self.services():
            if service.status is ServiceStatus.ACTIVE:
                services.redeploy(self.fleet, ACTOR, service.id)
        self.world.run_to_the_end()
        for service in self.services():
            self.is_as_wished(service)

    def help(self, service: Service) -> None:
        """Staff press "retry" where they can, and "redeploy" where that was not enough."""
        broken = [
            task
            for task in self.world.rows(Task)
            if task.service_id == service.id and task.status in promises.DEAD and task.resource_id is not None
        ]
        newest = max((task.pipeline_id for task in broken), default=0)
        for task in broken:
            if task.pipeline_id == newest and not self.is_replaced(task):
                task_operations.retry(self.fleet, ACTOR, task.id)
        self.world.run_to_the_end()
        if self.service_by_id(service.id).status is ServiceStatus.ERROR:
            services.redeploy(self.fleet, ACTOR, service.id)

    def is_as_wished(self, service: Service) -> None:
        wished = promises.SETTLED
        assert wished.get(service.status) is self.wishes[service.id], f"{service.status}: {self.world.story()}"
        resources = [one for one in self.world.rows(Resource) if one.service_id == service.id]
        accounts = {one.id: one for one in self.world.rows(Account) if one.service_id == service.id}
        if service.status is ServiceStatus.TERMINATED:
            assert not resources
            assert not accounts
            return
        panels = self.world.panels
        for one in resources:
            assert one.account_id is not None
            found = panels.state(one.server_id, accounts[one.account_id].username, one.action, one.name)
            if service.status is ServiceStatus.ACTIVE:
                assert found is False, f"{one.action} {one.name} is not there: {panels}"
            elif one.action.endswith(".domain"):
                assert found is not False, f"{one.action} {one.name} is not suspended: {panels}"

    def is_replaced(self, task: Task) -> bool:
        """Whether a newer task is about the same."""
        others = [other for other in self.world.rows(Task) if other.id > task.id and not other.check_mode]
        return task.resource_id is not None and any(other.resource_id == task.resource_id for other in others)

    # -- small things ----------------------------------------------------------------------------------

    def deliver(self, attempt: Attempt, outcome: Outcome, *, late: bool = False) -> None:
        task = self.world.find_task(attempt.held.task_id)
        mine = task is not None and task.fence == attempt.held.fence and task.status is TaskStatus.RUNNING
        before: Any = None if mine else self.world.dump()
        assert self.world.finish(attempt, outcome) == mine
        if task is None or not mine:
            assert self.world.dump() == before, "a late result writes nothing"
            return
        after = self.world.find_task(task.id)
        assert after is not None
        assert after.status is not TaskStatus.RUNNING
        if outcome.ok:
            assert after.status is TaskStatus.SUCCEEDED
            assert task.id not in self.successes, "a task succeeds once"
            self.successes.add(task.id)

    def services(self) -> list[Service]:
        return self.world.rows(Service)

    def service(self, number: int) -> Service:
        found = self.services()
        return found[number % len(found)]

    def service_by_id(self, service_id: int) -> Service:
        return next(service for service in self.services() if service.id == service_id)

    def task(self, number: int) -> Task:
        """One of the newest tasks more often than an old one."""
        found = self.world.rows(Task)
        return found[-1 - number % len(found)]


TestServices = Services.TestCase
TestServices.settings = settings(COMMON, max_examples=8, stateful_step_count=35)


@pytest.mark.long
class TestServicesLong(Services.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(COMMON, max_examples=600, stateful_step_count=80)
