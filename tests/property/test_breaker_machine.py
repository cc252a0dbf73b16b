"""Servers that answer or not: nothing but a check runs on one that does not, everything goes on when it is back,
and nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import RUNNABLE, STATUS_ACTION, ServerStatus, ServiceStatus, TaskStatus
from controller.operations import orders, services
from controller.operations import servers as server_operations
from controller.operations import tasks as task_operations
from controller.operations.errors import Refused
from controller.store.models import Server, Service, Task
from tests.property.settings import COMMON
from tests.property.world import Attempt, World

ACTOR = "test"
SERVER = st.integers(1, 4)
TROUBLE = st.sampled_from((ErrorClass.UNREACHABLE, ErrorClass.AUTHENTICATION, ErrorClass.HOST_KEY_CHANGED))


class Breaker(RuleBasedStateMachine):
    """Two services on four servers, each of which may go away and come back at any moment."""

    @initialize()
    def open(self) -> None:
        self.world = World()
        self.fleet = self.world.fleet
        self.away: dict[int, ErrorClass] = {}
        self.hands: list[Attempt] = []
        for product, domain in (("all", "one.com"), ("one", "two.com")):
            orders.order(
                self.fleet, ACTOR, product=product, domain=domain, customer_email="a@one.com", customer_name="Ada"
            )

    @rule(server_id=SERVER, kind=TROUBLE)
    def goes_away(self, server_id: int, kind: ErrorClass) -> None:
        self.away[server_id] = kind

    @rule(server_id=SERVER)
    def comes_back(self, server_id: int) -> None:
        self.away.pop(server_id, None)

    @rule(server_id=SERVER, status=st.sampled_from((ServerStatus.ACTIVE, ServerStatus.MAINTENANCE)))
    def maintenance(self, server_id: int, status: ServerStatus) -> None:
        self.world.set_status(server_id, status)

    @rule(server_id=SERVER)
    def staff_look_at_it(self, server_id: int) -> None:
        server_operations.check(self.fleet, ACTOR, server_id)

    @rule(server_id=SERVER, verb=st.sampled_from(("cancel", "force_fail")))
    def staff_end_its_check(self, server_id: int, verb: str) -> None:
        for task in self.world.rows(Task):
            if task.server_id == server_id and task.action == STATUS_ACTION:
                try:
                    getattr(task_operations, verb)(self.fleet, ACTOR, task.id)
                except Refused:
                    assert task.status not in (TaskStatus.QUEUED, TaskStatus.RUNNING)

    @rule(number=st.integers(0, 3))
    def ask_again(self, number: int) -> None:
        found = self.world.rows(Service)
        services.redeploy(self.fleet, ACTOR, found[number % len(found)].id)

    @rule(number=st.integers(0, 20))
    def begin(self, number: int) -> None:
        ids = self.world.due()
        attempt = self.world.claim(ids[number % len(ids)]) if ids else None
        if attempt is not None:
            self.hands.append(attempt)
            server = self.server(attempt.step.server_id)
            assert server.blocked_since is None or attempt.step.action == STATUS_ACTION, "it does not answer"
            assert attempt.held.is_probe == (server.blocked_since is not None)

    @rule(number=st.integers(0, 20))
    def end(self, number: int) -> None:
        if self.hands:
            self.finish(self.hands.pop(number % len(self.hands)))

    @rule(seconds=st.sampled_from((1, 10, 60, 300)))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()
        for server in self.world.rows(Server):
            if server.blocked_since is not None and server.status in RUNNABLE:
                assert self.checks(server.id), "somebody asks for a server that does not answer"

    @invariant()
    def a_blocked_server_is_left_alone(self) -> None:
        if not hasattr(self, "world"):
            return
        blocked = {server.id for server in self.world.rows(Server) if server.blocked_since is not None}
        tasks = {task.id: task for task in self.world.rows(Task)}
        for task_id in self.world.due():
            assert tasks[task_id].server_id not in blocked or tasks[task_id].action == STATUS_ACTION
        for server_id in range(1, 5):
            assert len(self.checks(server_id)) <= 1, "one check asks for all"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.everything_goes_on()
        finally:
            self.world.close()

    def everything_goes_on(self) -> None:
        """Those that are away stay away until everybody has given up; then all come back."""
        for server_id in range(1, 5):
            self.world.set_status(server_id, ServerStatus.ACTIVE)
        for attempt in self.hands:
            self.finish(attempt)
        for _ in range(20):
            self.world.reconcile()
            for task_id in self.world.due():
                if (attempt := self.world.claim(task_id)) is not None:
                    self.finish(attempt)
            self.world.pass_time(120)
        tasks = self.world.rows(Task)
        waiting = [task for task in tasks if task.status in (TaskStatus.QUEUED, TaskStatus.RUNNING)]
        assert all(task.action == STATUS_ACTION for task in waiting), "attempts end"
        assert {task.server_id for task in waiting} <= set(self.away), self.world.story()
        self.away.clear()
        self.world.run_to_the_end()
        assert all(server.blocked_since is None for server in self.world.rows(Server))
        assert all(server.problem is None for server in self.world.rows(Server)), "what is over is not a problem"
        for service in self.world.rows(Service):
            if service.status is not ServiceStatus.ACTIVE:
                assert service.status is ServiceStatus.ERROR
                services.redeploy(self.fleet, ACTOR, service.id)
        self.world.run_to_the_end()
        assert all(service.status is ServiceStatus.ACTIVE for service in self.world.rows(Service)), self.world.story()

    # -- small things ----------------------------------------------------------------------------------

    def finish(self, attempt: Attempt) -> None:
        """As far as the server lets it."""
        kind = self.away.get(attempt.step.server_id)
        if kind is None:
            outcome = self.world.panels.run(attempt.step)
        else:
            outcome = Outcome(ok=False, error_class=kind, error=f"it was {kind.value}")
        written = self.world.finish(attempt, outcome)
        server = self.server(attempt.step.server_id)
        if written:
            assert (server.blocked_since is None) == (kind is None), "the last to look knows best"

    def server(self, server_id: int) -> Server:
        return next(server for server in self.world.rows(Server) if server.id == server_id)

    def checks(self, server_id: int) -> list[Task]:
        """Checks of a server that are on their way."""
        return [
            task
            for task in self.world.rows(Task)
            if task.server_id == server_id
            and task.action == STATUS_ACTION
            and task.status in (TaskStatus.QUEUED, TaskStatus.RUNNING)
        ]


TestBreaker = Breaker.TestCase
TestBreaker.settings = settings(COMMON, max_examples=6, stateful_step_count=30)


@pytest.mark.long
class TestBreakerLong(Breaker.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(COMMON, max_examples=200, stateful_step_count=60)
