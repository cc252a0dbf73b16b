"""An installation for one example: a migrated SQLite database of its own, and hands to move it with."""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, literal_column, select, update
from sqlalchemy.orm import Session

from controller.automation.runner import Outcome
from controller.domain.failures import NEVER_RETRIED, ErrorClass
from controller.domain.options import PolicyOptions, RetryOptions
from controller.domain.words import Desired, Driver, Mode, ServerStatus, TaskStatus
from controller.engine import lifecycle
from controller.engine.dispatch import due, expired
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.engine.reconcile import Reconciler
from controller.settings import Settings
from controller.store.base import Base, utcnow
from controller.store.models import (
    Activity,
    OperationLog,
    Pipeline,
    Product,
    Resource,
    Server,
    ServerGroup,
    ServerLock,
    Task,
)
from controller.store.options import save
from controller.store.schema import upgrade
from controller.store.vault import create_key
from tests.property.panel import Panels, Step

MILLISECONDS = "%Y-%m-%d %H:%M:%f"
ROLES = ["web", "mail", "dns"]
# Everything that says when something is due or over; moved back together, time has passed.
CLOCKS: dict[type[Base], tuple[str, ...]] = {
    Task: ("not_before", "lease_until", "queued_at", "started_at", "finished_at"),
    Pipeline: ("created_at", "finished_at"),
    ServerLock: ("until",),
    Resource: ("applied_at",),
    Server: ("blocked_since", "checked_at"),
    Activity: ("at",),
    OperationLog: ("at",),
}


def prepare(fill: Callable[[Session], None]) -> Path:
    """A data folder with retries that are quick and what ``fill`` adds, to be copied by examples."""
    home = Path(tempfile.mkdtemp(prefix="hestia-fleet-property-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    settings = Settings(home=home)
    create_key(settings.key_file)
    upgrade(settings.effective_database_url)
    fleet = Fleet.open(settings)
    with fleet.database.write() as session:
        policy = PolicyOptions(attempts=3, delay=4, growth=2, delay_max=60, jitter=0.2)
        kinds = {kind: policy for kind in ErrorClass if kind not in NEVER_RETRIED | {ErrorClass.UNREACHABLE}}
        patient = PolicyOptions(attempts=5, delay=10, growth=2, delay_max=100, jitter=0.2)
        save(session, RetryOptions(classes=kinds | {ErrorClass.UNREACHABLE: patient}), "test")
        fill(session)
    with fleet.database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    fleet.close()
    return home


@functools.cache
def prepared() -> Path:
    """Four servers and four products, made once."""
    return prepare(_four_servers)


def _four_servers(session: Session) -> None:
    group = ServerGroup(name="g")
    session.add(group)
    session.flush()
    for name, roles in (("a", ("web", "mail")), ("b", ("web",)), ("n", ("dns",))):
        server = new_server(name, *roles)
        if "dns" in roles:
            group.dns_servers.append(server)
        else:
            server.group = group
        session.add(server)
    alone = ServerGroup(name="alone", servers=[new_server("u", *ROLES)])
    alone.dns_servers = list(alone.servers)
    session.add(alone)
    session.flush()
    for name, wanted, where, quota in (
        ("all", ROLES, group, 100),
        ("more", ROLES, group, 200),
        ("web", ["web"], group, 100),
        ("one", ROLES, alone, 100),
    ):
        limits = {"web_disk_quota": quota}
        session.add(Product(name=name, mode=Mode.SPLIT, roles=wanted, group_id=where.id, limits=limits))


def new_server(name: str, *roles: str) -> Server:
    """A HestiaCP server that may host these."""
    return Server(
        name=name,
        driver=Driver.HESTIACP,
        address="127.0.0.1",
        host_key="ssh-ed25519 AAAA",
        hostname=f"{name}.test",
        **{f"can_{role}": True for role in roles},
    )


@dataclass(frozen=True)
class Attempt:
    """A claim in some worker's hands, with what that worker has read."""

    held: Claim
    step: Step


class World:
    """One installation, its servers, and a clock that can be moved."""

    def __init__(self, source: Callable[[], Path] = prepared, panels: Panels | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hestia-fleet-example-"))
        for name in ("fleet.db", "secret.key"):
            shutil.copy(source() / name, self.home)
        self.fleet = Fleet.open(Settings(home=self.home))
        event.listen(self.fleet.database.engine, "connect", _careless)
        self.panels = panels or Panels()
        self._trouble = _Trouble()
        logging.getLogger("controller").addHandler(self._trouble)
        self._reconciler = Reconciler(self.fleet)
        self._numbers = 0

    def close(self) -> None:
        """Forget everything."""
        logging.getLogger("controller").removeHandler(self._trouble)
        self.fleet.close()
        shutil.rmtree(self.home, ignore_errors=True)

    # -- looking ---------------------------------------------------------------------------------------

    def rows(self, model: type[Any]) -> list[Any]:
        """All rows of a table, in the order of their ids."""
        with self.fleet.database.read() as session:
            return list(session.scalars(select(model).order_by(*model.__table__.primary_key)))

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored."""
        with self.fleet.database.read() as session:
            return {
                table.name: [tuple(row) for row in session.execute(select(table))]
                for table in Base.metadata.sorted_tables
            }

    def find_task(self, task_id: int) -> Task | None:
        """A task as it is now; None when it was cleaned away."""
        with self.fleet.database.read() as session:
            return session.get(Task, task_id)

    def due(self) -> list[int]:
        """Ids of what could start now."""
        with self.fleet.database.read() as session:
            return [task_id for task_id, _ in due(session)]

    # -- a worker --------------------------------------------------------------------------------------

    def claim(self, task_id: int, owner: str = "w1") -> Attempt | None:
        """What a ring makes a worker do: claim, and read what is wished."""
        with self.fleet.database.write() as session:
            held = lifecycle.claim(session, task_id, owner, self.fleet.settings)
        if held is None:
            return None
        with self.fleet.database.read() as session:
            return Attempt(held, self.read(session, session.get_one(Task, task_id), held))

    def read(self, session: Session, task: Task, _held: Claim) -> Step:
        """What a worker reads before it runs a task that it holds."""
        resource = task.resource
        user = resource.account.username if resource is not None and resource.account is not None else None
        desired = resource.desired if resource is not None else Desired.ACTIVE
        return Step(task.server_id, task.action, task.target, user, desired, task.check_mode)

    def finish(self, attempt: Attempt, outcome: Outcome, last_seq: int = 0) -> bool:
        """Write a result; False when it was not taken."""
        with self.fleet.database.write() as session:
            ready = lifecycle.finish(session, attempt.held, outcome, last_seq)
        if ready is None:
            return False
        self.fleet.wake(ready)
        return True

    def renew(self, attempts: Iterable[Attempt]) -> set[int]:
        """Renew leases; ids of the tasks that were lost."""
        with self.fleet.database.write() as session:
            return lifecycle.renew(session, [attempt.held for attempt in attempts], self.fleet.settings)

    def reconcile(self) -> None:
        """One round of the reconciler; nothing in it may go wrong."""
        self._reconciler.reconcile()
        assert not self._trouble.records, self._trouble.records

    def expire(self, attempt: Attempt) -> None:
        """The lease and the lock of an attempt run out."""
        past = utcnow() - dt.timedelta(seconds=1)
        mine = (Task.id == attempt.held.task_id, Task.fence == attempt.held.fence)
        locks = (ServerLock.task_id == attempt.held.task_id, ServerLock.fence == attempt.held.fence)
        with self.fleet.database.write() as session:
            session.execute(update(Task).where(*mine, Task.status == TaskStatus.RUNNING).values(lease_until=past))
            session.execute(update(ServerLock).where(*locks).values(until=past))

    def take_back(self, attempt: Attempt) -> None:
        """What the reconciler does for one attempt."""
        with self.fleet.database.write() as session:
            ready = lifecycle.take_back(session, attempt.held.task_id, attempt.held.fence)
        self.fleet.wake(ready)

    # -- the world -------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Everything that was to come is that much nearer, everything that was is that much longer ago."""
        by = f"-{seconds:f} seconds"
        with self.fleet.database.write() as session:
            for model, columns in CLOCKS.items():
                earlier = {name: func.strftime("%Y-%m-%d %H:%M:%f", literal_column(name), by) for name in columns}
                session.execute(
                    update(model.__table__).values({name: at.op("||")("000") for name, at in earlier.items()})
                )

    def set_status(self, server_id: int, status: ServerStatus) -> None:
        """Staff take a server out of use or back."""
        with self.fleet.database.write() as session:
            session.execute(update(Server).where(Server.id == server_id).values(status=status))

    def run_to_the_end(self, *, rounds: int = 400) -> int:
        """Every server answers and every worker does its best, until nothing moves any more; how many tasks ran."""
        for number in range(rounds):
            self.reconcile()
            ids = self.due()
            for task_id in ids:
                attempt = self.claim(task_id)
                if attempt is not None:
                    assert self.finish(attempt, self.panels.run(attempt.step))
            if not ids:
                moving = [t for t in self.rows(Task) if t.status in (TaskStatus.QUEUED, TaskStatus.RUNNING)]
                if not moving:
                    return number
                self.pass_time(self._until_something_is_due(moving))
        raise AssertionError(f"it never ends: {self.story()}")

    def _until_something_is_due(self, tasks: list[Task]) -> float:
        moments = [task.not_before if task.status is TaskStatus.QUEUED else task.lease_until for task in tasks]
        moments += [lock.until for lock in self.rows(ServerLock)]
        waits = [(moment - utcnow()).total_seconds() for moment in moments if moment is not None]
        assert waits, f"nothing that is queued will ever be due: {self.story()}"
        return max(0.0, min(waits)) + 0.01

    def story(self) -> str:
        """All open or broken tasks and all servers, for messages."""
        tasks = [
            f"{t.id} p{t.pipeline_id} s{t.service_id} @{t.server_id} {t.action} {t.status.value}"
            f" {t.error_class} {t.error} nb={t.not_before} res={t.resource_id}"
            for t in self.rows(Task)
            if t.status is not TaskStatus.SUCCEEDED
        ]
        servers = [f"server {s.id} {s.status.value} blocked={s.blocked_since}" for s in self.rows(Server)]
        return "\n" + "\n".join(tasks + servers)

    def overdue(self) -> list[int]:
        """Ids of running tasks whose lease has run out."""
        with self.fleet.database.read() as session:
            return [task.id for task in expired(session)]


class _Trouble(logging.Handler):
    """Keeps what the engine logs as an error: it goes on after one, a test should not."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(f"{record.getMessage()}: {record.exc_info}")


def _careless(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")
