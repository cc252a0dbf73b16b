"""What is killed in the middle: the worker, and the panel's own command. Nothing is lost, nothing doubled."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from controller.domain.words import ServiceStatus, TaskStatus
from controller.operations import products
from controller.sandbox.demo import GROUP, Demo
from controller.store.models import Service, Task, TaskEvent
from tests.support.demo import installation, leftovers, nothing_is_left_of_runs, order, pause, settle, until, wait_for


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with installation(tmp_path_factory.mktemp("kills"), pace=0.5) as running:
        yield running


def running(demo: Demo, service_id: int, action: str) -> bool:
    with demo.fleet.database.read() as session:
        query = select(Task.id).where(
            Task.service_id == service_id, Task.action == action, Task.status == TaskStatus.RUNNING
        )
        return session.scalar(query) is not None


def assert_whole(demo: Demo, done: Service) -> None:
    """Everything is on its server once, counters included, and the nameservers answer."""
    for account in done.accounts:
        state = demo.servers[account.server.name].state()
        user = state["users"][account.username]
        kinds = {"web": "web", "mail": "mail", "dns": "dns"}
        for role in account.roles:
            assert list(user[kinds[role]]) == [done.domain], (account.username, user)
        listed = demo.servers[account.server.name].panel("v-list-user", account.username, "json").stdout
        for role, counter in (("web", "U_WEB_DOMAINS"), ("mail", "U_MAIL_DOMAINS"), ("dns", "U_DNS_DOMAINS")):
            wanted = "1" if role in account.roles else "0"
            assert f'"{counter}": "{wanted}"' in listed, (account.username, counter, listed)


def assert_log_without_gap(demo: Demo, service_id: int) -> None:
    with demo.fleet.database.read() as session:
        for task in session.scalars(select(Task).where(Task.service_id == service_id)):
            numbers = list(
                session.scalars(select(TaskEvent.seq).where(TaskEvent.task_id == task.id).order_by(TaskEvent.seq))
            )
            assert numbers == list(range(1, len(numbers) + 1)), task.action
            if task.status is TaskStatus.SUCCEEDED:
                assert len(numbers) == task.events_expected, task.action


@pytest.mark.parametrize("action", ["web.account", "web.domain", "mail.domain", "dns.zone"])
def test_a_worker_killed_in_the_middle_loses_nothing_and_leaves_nothing(demo: Demo, action: str) -> None:
    domain = f"killed-in-{action.replace('.', '-')}.com"
    service = order(demo, domain)
    until(lambda: running(demo, service.id, action), words=f"{action} never ran")
    worker = demo._worker
    assert worker is not None
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: not leftovers(demo), 10, f"still there: {leftovers(demo)}")
    demo.start_worker()
    done = wait_for(demo, service.id, ServiceStatus.ACTIVE)
    assert_whole(demo, done)
    assert_log_without_gap(demo, service.id)
    with demo.fleet.database.read() as session:
        doubled = select(Task.resource_id).where(Task.service_id == service.id).group_by(Task.resource_id)
        assert session.execute(doubled.having(func.count() > 1)).all() == []
    settle(demo)
    nothing_is_left_of_runs(demo)


@pytest.fixture(scope="module")
def narrow(demo: Demo) -> dict[str, str]:
    """A product for each role, with no more than it needs."""
    roles = {"web": ["web"], "mail": ["mail"], "dns": ["web", "dns"]}
    return {
        role: products.create(demo.fleet, "test", name=f"Just {role}", mode="split", roles=needed, group=GROUP).name
        for role, needed in roles.items()
    }


@pytest.mark.parametrize(
    ("server_of", "command", "point"),
    [
        ("web", "v-add-web-domain", "vhost"),
        ("web", "v-add-user", "data"),
        ("mail", "v-add-mail-domain", "record"),
        ("dns", "v-rebuild-dns-domain", "zone-line"),
        # What the roles' own tests go through at every point.
        pytest.param("web", "v-add-web-domain", "directory", marks=pytest.mark.long),
        pytest.param("web", "v-add-web-domain", "counters", marks=pytest.mark.long),
        pytest.param("web", "v-add-user", "system-user", marks=pytest.mark.long),
        pytest.param("mail", "v-add-mail-domain", "config", marks=pytest.mark.long),
    ],
)
def test_a_panel_command_killed_in_the_middle_is_repaired(
    demo: Demo, narrow: dict[str, str], server_of: str, command: str, point: str
) -> None:
    for server in demo.servers:
        server.faults.pace = 0
        if server_of in server.capabilities:
            server.faults.die(command, at=point, times=1)
    service = order(demo, f"half-{command}-{point}.com".replace("_", "-"), narrow[server_of])
    done = wait_for(demo, service.id, ServiceStatus.ACTIVE)
    assert_whole(demo, done)
    for server in demo.servers:
        server.faults.clear()
        server.faults.pace = 0.5
    with demo.fleet.database.read() as session:
        attempts = session.scalar(select(func.max(Task.attempt)).where(Task.service_id == service.id))
        said = [
            str(task.result.get("repaired"))
            for task in session.scalars(select(Task).where(Task.service_id == service.id))
        ]
    assert attempts == 2 or any(words != "[]" for words in said), "the fault never happened"


def test_a_restart_that_fails_is_no_verdict(demo: Demo) -> None:
    for server in demo.servers:
        if "web" in server.capabilities:
            server.faults.fail("v-add-web-domain", 20, times=1, at="restart")
    done = wait_for(demo, order(demo, "reload-failed.com").id, ServiceStatus.ACTIVE)
    assert_whole(demo, done)


def test_a_worker_stopped_in_the_middle_hands_its_task_back(demo: Demo) -> None:
    service = order(demo, "handed-back.com")
    until(lambda: running(demo, service.id, "web.domain"), words="web.domain never ran")
    worker = demo._worker
    assert worker is not None
    worker.terminate()
    worker.wait(60)
    assert leftovers(demo) == []
    with demo.fleet.database.read() as session:
        states = set(session.scalars(select(Task.status).where(Task.service_id == service.id)))
    assert TaskStatus.RUNNING not in states
    demo.start_worker()
    wait_for(demo, service.id, ServiceStatus.ACTIVE)


def test_a_paused_worker_writes_nothing_over_the_newer_attempt(demo: Demo, tmp_path: Path) -> None:
    service = order(demo, "paused.com")
    until(lambda: running(demo, service.id, "web.account"), words="web.account never ran")
    paused = demo._worker
    assert paused is not None
    pause(demo, paused)
    try:
        demo.start_worker()
        done = wait_for(demo, service.id, ServiceStatus.ACTIVE)
    finally:
        paused.send_signal(signal.SIGCONT)
        paused.terminate()
        paused.wait(60)
    assert_whole(demo, done)
    with demo.fleet.database.read() as session:
        for task in session.scalars(select(Task).where(Task.service_id == service.id)):
            assert task.status is TaskStatus.SUCCEEDED, (task.action, task.error)
    assert_log_without_gap(demo, service.id)
    demo._processes.remove(paused)
