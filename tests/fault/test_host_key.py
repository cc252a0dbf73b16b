"""A server that shows another host key: work on it stops, staff accept the key, work goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from controller.automation.hostkeys import scan
from controller.domain.words import ServiceStatus, TaskStatus
from controller.operations import server_doors, tasks
from controller.operations.errors import Invalid
from controller.sandbox.demo import Demo
from controller.sandbox.sshd import make_key
from controller.store.desk_models import Ticket
from controller.store.models import Server, Task
from tests.support.demo import installation, order, until, wait_for


def change_host_key(demo: Demo, name: str) -> None:
    server = demo.servers[name]
    server.stop()
    for ending in ("", ".pub"):
        (server.folder / f"host_key{ending}").unlink()
    make_key(server.folder / "host_key", server.hostname)
    server.start()


def blocked(demo: Demo) -> list[Server]:
    with demo.fleet.database.read() as session:
        return list(session.scalars(select(Server).where(Server.blocked_since.is_not(None))))


def test_a_changed_host_key_stops_work_until_staff_accept_it(tmp_path: Path) -> None:
    with installation(tmp_path / "home") as demo:
        for name in ("web01", "web02"):
            change_host_key(demo, name)
        service = order(demo, "rekeyed.com")
        wait_for(demo, service.id, ServiceStatus.ERROR)
        (server,) = blocked(demo)
        assert server.blocked_cause == "host_key_changed"
        with demo.fleet.database.read() as session:
            failed = session.scalars(
                select(Task).where(Task.service_id == service.id, Task.status == TaskStatus.FAILED)
            ).one()
            assert failed.attempt == 1, "it is never tried again"
            assert session.scalars(select(Ticket)).one().server_id == server.id

        with pytest.raises(Invalid, match="fingerprint"):
            server_doors.accept_host_key(demo.fleet, "staff", server.id, "SHA256:somebodyelse")
        assert blocked(demo)
        shown = scan(server.address, server.port)
        server_doors.accept_host_key(demo.fleet, "staff", server.id, shown.fingerprint)
        until(lambda: not blocked(demo), 60, "the accepted key did not let the check through")
        tasks.retry(demo.fleet, "staff", failed.id)
        wait_for(demo, service.id, ServiceStatus.ACTIVE)
        with demo.fleet.database.read() as session:
            assert session.scalars(select(Ticket)).one().recovered_at is not None
