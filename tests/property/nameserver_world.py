"""An installation with two groups and nameservers of both kinds, and hands to move it with."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.automation.zone_wishes import wanted_zone
from controller.domain.words import RUNNABLE, ZONE_ACTION, Desired, Driver, Mode, ServerStatus, TaskStatus
from controller.engine import zone_rollout
from controller.engine.dispatch import changes_server
from controller.engine.lifecycle import Claim
from controller.operations import server_changes
from controller.store.base import utcnow
from controller.store.models import Product, Server, ServerGroup, ServerLock, Service, Task
from controller.store.work_models import LongRun
from controller.store.zone_models import ZoneTemplate
from tests.property.nameserver_panel import Record, ZonePanels, ZoneStep
from tests.property.world import ROLES, World, new_server, prepare

SERVERS = {"a": 1, "b": 2, "n": 3, "u": 4, "p": 5}
NAMESERVERS = {"g": ("a", "n", "u", "p"), "h": ("n", "u", "p")}
"""Which servers may be attached to which group: ``a`` hosts web and mail of ``g`` too, ``p`` is a PowerDNS."""
LINES = [
    {"name": "@", "type": "A", "value": "{server_ip}"},
    {"name": "{dkim_selector}._domainkey", "type": "TXT", "value": "p={domainkey}"},
]
WAITS_ENOUGH = 4
"""Rounds after which a run that waits for another nameserver is taken for one that needs help."""


@functools.cache
def two_groups() -> Path:
    """Five servers, two groups with two nameservers each, one of which they share; made once."""
    return prepare(_fill)


def _fill(session: Session) -> None:
    session.add(ZoneTemplate(name="t", records=LINES, is_default=True))
    for name, number in SERVERS.items():
        roles = {"a": ROLES, "b": ["web"]}.get(name, ["dns"])
        server = new_server(name, *roles)
        server.id, server.hostname = number, f"s{number}.test"
        if name == "p":
            server.driver, server.api_url = Driver.POWERDNS, "http://127.0.0.1:8081"
        session.add(server)
    session.flush()
    servers = {server.name: server for server in session.scalars(select(Server))}
    for name, home, attached, roles in (("g", "a", "nu", ROLES), ("h", "b", "up", ["web", "dns"])):
        group = ServerGroup(name=name, servers=[servers[home]], dns_servers=[servers[one] for one in attached])
        session.add(group)
        session.flush()
        session.add(Product(name=name, mode=Mode.SPLIT, roles=roles, group_id=group.id))


class NameserverWorld(World):
    """Steps carry the records that the worker has read, and a run acts only while it holds its server's lock."""

    panels: ZonePanels

    def __init__(self) -> None:
        super().__init__(two_groups, ZonePanels())
        self.panels.holds = self.holds

    def read(self, session: Session, task: Task, held: Claim) -> ZoneStep:
        """With the zone as it shall be now."""
        step = super().read(session, task, held)
        resource, service = task.resource, task.service
        records: frozenset[Record] = frozenset()
        user = step.user
        if resource is not None and resource.action == ZONE_ACTION:
            user = user or ""
            assert service is not None
            if resource.desired is not Desired.ABSENT:
                records = self.wanted(session, service)
        return ZoneStep(
            step.server_id,
            step.action,
            step.name,
            user,
            step.desired,
            step.check_mode,
            held=held,
            records=records,
            is_ending=service is not None and service.desired is Desired.ABSENT,
        )

    def wanted(self, session: Session, service: Service) -> frozenset[Record]:
        """A service's zone as it shall be on every nameserver."""
        found = wanted_zone(session, service)
        assert not found.missing, found.missing
        return frozenset(tuple(f"{key}={value}" for key, value in sorted(one.items())) for one in found.records)

    def holds(self, step: ZoneStep) -> bool:
        """Whether nobody else may touch the server now; a run whose lease is over has been ended."""
        with self.fleet.database.read() as session:
            task = session.get(Task, step.held.task_id)
            if task is None:
                return False
            if not changes_server(task):
                return True
            lock = session.get(ServerLock, step.server_id)
            mine = lock is not None and (lock.task_id, lock.fence) == (step.held.task_id, step.held.fence)
            return mine and lock is not None and lock.until > utcnow()

    def set_status(self, server_id: int, status: ServerStatus) -> None:
        """Staff take a server out of use or back, with all that follows from it."""
        server_changes.set_status(self.fleet, "test", server_id, status.value)

    def pass_time(self, seconds: float) -> None:
        """Rollouts have clocks too."""
        super().pass_time(seconds)
        by = dt.timedelta(seconds=seconds)
        with self.fleet.database.write() as session:
            for run in session.scalars(select(LongRun)):
                if "again_at" in run.report:
                    moment = dt.datetime.fromisoformat(run.report["again_at"]) - by
                    run.report = {**run.report, "again_at": moment.isoformat()}
                run.finished_at = run.finished_at - by if run.finished_at is not None else None

    def open_runs(self) -> list[LongRun]:
        """Rollouts that are not over."""
        with self.fleet.database.read() as session:
            return zone_rollout.running(session)

    def run_to_the_end(self, *, rounds: int = 600) -> int:
        """Until no task, no rollout and no server that is back has anything left to do; a rollout that only waits,
        and waits in vain, is left to those who look afterwards."""
        waited = 0
        for number in range(rounds):
            before = self._progress()
            self.reconcile()
            ids = self.due()
            for task_id in ids:
                attempt = self.claim(task_id)
                if attempt is not None:
                    assert self.finish(attempt, self.panels.run(attempt.step))
            if ids or self._progress() != before:
                waited = 0
                continue
            moving = [t for t in self.rows(Task) if t.status in (TaskStatus.QUEUED, TaskStatus.RUNNING)]
            if moving:
                self.pass_time(self._until_something_is_due(moving))
                continue
            if not self.open_runs() or waited == WAITS_ENOUGH:
                return number
            waited += 1
            self.pass_time(zone_rollout.AGAIN.total_seconds() + 1)
        raise AssertionError(f"it never ends: {self.story()}")

    def _progress(self) -> tuple[Any, ...]:
        """What changes as long as anything goes on but waiting."""
        with self.fleet.database.read() as session:
            runs = session.execute(select(LongRun.id, LongRun.done, LongRun.finished_at)).all()
            back = select(Server.id).where(Server.catch_up, Server.blocked_since.is_(None), Server.status.in_(RUNNABLE))
            tasks = session.execute(select(Task.id, Task.status)).all()
            return (runs, session.scalars(back).all(), tasks)

    def story(self) -> str:
        """Rollouts too."""
        runs = [f"run {r.id} {r.title} {r.done}/{r.total} failed={r.failed} {r.report}" for r in self.open_runs()]
        return "\n".join([super().story(), *runs])
