"""A whole installation for a test, with short leases, and looks at what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import select

from controller.domain.words import ServiceStatus, TaskStatus
from controller.operations import orders
from controller.sandbox.demo import PRODUCT, SERVERS, Demo, NameserverSpec, ServerSpec
from controller.store.models import Service, Task
from tests.support.options import nothing_by_itself, quick_retries
from tests.support.storages import Storage, environment

LEASE_SECONDS = "3"


@contextlib.contextmanager
def installation(
    home: Path,
    *,
    pace: float = 0.0,
    storage: Storage | None = None,
    machines: Sequence[ServerSpec] = SERVERS,
    nameservers: Sequence[NameserverSpec] = (),
    pages: bool = True,
    **settings: str,
) -> Iterator[Demo]:
    """Sandbox servers, a worker and (unless not asked for) the pages; ``settings`` go to the processes' environment."""
    values = {"LEASE_SECONDS": LEASE_SECONDS, "RECONCILE_SECONDS": "0.5", **settings}
    told = {f"HESTIA_FLEET_{key}": value for key, value in values.items()}
    with (
        environment(told | (storage.environment if storage else {})),
        Demo(home, pace=pace, machines=machines, nameservers=nameservers, pages=pages) as demo,
    ):
        quick_retries(demo.fleet, delay=0.3)
        nothing_by_itself(demo.fleet)
        settle(demo)
        yield demo


def by_load(seconds: float) -> float:
    """What a machine that has nothing else to do does in these seconds takes longer where more wants to run than there
    are processors."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(holds: Callable[[], object], seconds: float = 180.0, words: str = "it did not happen") -> None:
    """Wait until something holds, ``seconds`` on a quiet machine; fail with the words."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < by_load(seconds), words
        time.sleep(0.05)


def settle(demo: Demo, seconds: float = 180.0) -> None:
    """Wait until no task is queued or runs."""

    def idle() -> bool:
        with demo.fleet.database.read() as session:
            busy = Task.status.in_((TaskStatus.QUEUED, TaskStatus.RUNNING))
            return session.scalar(select(Task.id).where(busy).limit(1)) is None

    until(idle, seconds, "tasks are still open")


def order(demo: Demo, domain: str, product: str = PRODUCT) -> Service:
    """Order a product, the demo's own unless told, for a domain."""
    return orders.order(
        demo.fleet, "test", product=product, domain=domain, customer_email="ada@demo.test", customer_name="Ada"
    )


def service(demo: Demo, service_id: int) -> Service:
    """The service as it is now, with accounts and resources."""
    with demo.fleet.database.read() as session:
        found = session.get_one(Service, service_id)
        for account in found.accounts:
            assert account.server.name
        assert found.resources is not None
        return found


def wait_for(demo: Demo, service_id: int, status: ServiceStatus, seconds: float = 240.0) -> Service:
    """Wait until a service has a status."""
    until(
        lambda: service(demo, service_id).status is status,
        seconds,
        f"service {service_id} is not {status.value}: {tasks(demo, service_id)}",
    )
    return service(demo, service_id)


def tasks(demo: Demo, service_id: int) -> list[tuple[str, str, str, str | None]]:
    """(action, server, status, error) of every task, for messages."""
    with demo.fleet.database.read() as session:
        query = select(Task).where(Task.service_id == service_id).order_by(Task.id)
        return [(task.action, task.server.name, task.status.value, task.error) for task in session.scalars(query)]


def pause(demo: Demo, worker: subprocess.Popen[bytes]) -> None:
    """Stop a worker where it stands, but not in the middle of writing: SQLite's lock would keep everybody waiting."""
    files = sorted(demo.settings.home.glob("*.db"))
    assert files

    def stands() -> bool:
        worker.send_signal(signal.SIGSTOP)
        until(lambda: _stands(worker.pid), 30, "the worker does not stop")
        if all(_can_be_written(path) for path in files):
            return True
        worker.send_signal(signal.SIGCONT)
        return False

    until(stands, 30, "the worker writes all the time")


def _stands(pid: int) -> bool:
    """Whether every thread of a process has stopped: one that was in the middle of a call comes to its end first."""
    states = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            states.append((thread / "stat").read_text().rsplit(")", 1)[1].split()[0])
    return set(states) <= {"T", "t"}


def _can_be_written(path: Path) -> bool:
    connection = sqlite3.connect(path, timeout=0.2)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


def leftovers(demo: Demo) -> list[str]:
    """Processes that belong to a run of this installation (an SSH master that waits for reuse does not)."""
    mark = str(demo.settings.run_dir)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "[mux]" in command or int(entry.name) == os.getpid():
            continue
        if ("task-" in command and mark in command) or f"{mark}/task-" in environment:
            found.append(f"{entry.name}: {command}")
    return found


def nothing_is_left_of_runs(demo: Demo) -> None:
    """No process and no folder of a run stays; a look at a server that has just begun goes by itself."""
    until(lambda: not leftovers(demo), 30, f"still there: {leftovers(demo)}")
    until(lambda: not list(demo.settings.run_dir.glob("task-*")), 30, "the folder of a run is still there")
