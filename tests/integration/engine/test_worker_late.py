"""A worker that stood still and takes its own task again while the attempt it has lost is still ending."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Callable

from sqlalchemy import update

from controller.domain.words import TaskStatus
from controller.engine import lifecycle
from controller.engine.fleet import Fleet
from controller.engine.worker import Worker
from controller.operations import servers
from controller.store.base import utcnow
from controller.store.models import Server, Task


def until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_newer_attempt_goes_on_and_keeps_its_lease(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with fleet.database.write() as session:
            session.execute(update(Server).where(Server.name == "w1").values(port=silent.getsockname()[1]))
        task_id = servers.check(fleet, "test", "w1").id

        def is_running(fence: int) -> bool:
            with fleet.database.read() as session:
                task = session.get_one(Task, task_id)
                return (task.status, task.fence) == (TaskStatus.RUNNING, fence)

        worker = Worker(fleet)
        attempts = [threading.Thread(target=worker.run_task, args=(task_id,)) for _ in range(2)]
        attempts[0].start()
        until(lambda: is_running(1))
        past = utcnow() - dt.timedelta(seconds=1)
        with fleet.database.write() as session:
            session.execute(update(Task).values(lease_until=past))
            lifecycle.take_back(session, task_id, 1)
        attempts[1].start()
        attempts[0].join(60)
        assert is_running(2)
        with fleet.database.write() as session:
            session.execute(update(Task).values(lease_until=past))
        worker.renew()
        with fleet.database.read() as session:
            renewed = session.get_one(Task, task_id).lease_until
        worker.stop()
        attempts[1].join(60)
    assert renewed is not None and renewed > past
    assert not any(attempt.is_alive() for attempt in attempts)
