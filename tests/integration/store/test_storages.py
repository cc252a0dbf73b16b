"""Both storages under pressure: a database that is busy, connections that end, a queue that vanishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from controller.engine.fleet import Fleet
from controller.engine.queue import Queue
from controller.settings import Settings
from controller.store.models import Customer
from controller.store.vault import create_key
from tests.support.storages import Storage

BUSY_SECONDS = 2.0
with_a_server = pytest.mark.parametrize("storage", ["postgres"], indirect=True)
"""About connections that a database server can end; SQLite has none."""


@pytest.fixture
def settings(tmp_path: Path, storage: Storage) -> Settings:
    chosen = Settings(home=tmp_path, database_busy_seconds=BUSY_SECONDS, **storage.settings)
    create_key(chosen.key_file)
    return chosen


@pytest.fixture
def fleet(settings: Settings) -> Iterator[Fleet]:
    opened = Fleet.open(settings)
    yield opened
    opened.close()


def add(fleet: Fleet, name: str) -> None:
    with fleet.database.write() as session:
        session.add(Customer(email=f"{name}@example.net", name=name))


def count(fleet: Fleet) -> int:
    with fleet.database.read() as session:
        return session.scalar(select(func.count()).select_from(Customer)) or 0


def test_writers_come_one_after_another_and_see_what_the_one_before_has_written(fleet: Fleet) -> None:
    def add_next(_: int) -> None:
        with fleet.database.write() as session:
            number = session.scalar(select(func.count()).select_from(Customer)) or 0
            time.sleep(0.005)
            session.add(Customer(email=f"{number}@example.net", name="x"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_next, range(24)))
    with fleet.database.read() as session:
        assert set(session.scalars(select(Customer.email))) == {f"{number}@example.net" for number in range(24)}


def test_a_look_sees_one_state_from_beginning_to_end(fleet: Fleet) -> None:
    add(fleet, "first")
    with fleet.database.read() as session:
        before = session.scalar(select(func.count()).select_from(Customer))
        add(fleet, "second")
        assert session.scalar(select(func.count()).select_from(Customer)) == before
    assert count(fleet) == 2


def test_a_busy_database_says_so_after_the_set_time_and_goes_on_afterwards(fleet: Fleet) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with fleet.database.write() as session:
            session.add(Customer(email="slow@example.net", name="slow"))
            session.flush()
            held.set()
            while not done.wait(BUSY_SECONDS / 5):
                session.execute(text("SELECT 1"))

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(hold)
        assert held.wait(60)
        begin = time.monotonic()
        with pytest.raises(OperationalError):
            add(fleet, "impatient")
        waited = time.monotonic() - begin
        assert count(fleet) == 0, "reading does not wait"
        done.set()
        slow.result(60)
    assert waited > BUSY_SECONDS * 0.8
    add(fleet, "later")
    assert count(fleet) == 2


@with_a_server
def test_a_writer_that_stands_still_is_thrown_out(fleet: Fleet) -> None:
    with pytest.raises(DBAPIError), fleet.database.write() as session:
        session.add(Customer(email="paused@example.net", name="paused"))
        session.flush()
        time.sleep(BUSY_SECONDS / 2 + 0.1)
        add(fleet, "other")
    assert count(fleet) == 1


@with_a_server
def test_connections_that_the_database_has_ended_are_replaced(fleet: Fleet, settings: Settings) -> None:
    add(fleet, "before")
    other = Fleet.open(settings)
    with other.database.read() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    other.close()
    add(fleet, "after")
    assert count(fleet) == 2


def test_messages_come_by_priority_and_get_through_after_everything_was_lost(
    fleet: Fleet, settings: Settings, storage: Storage
) -> None:
    reader = Fleet.open(settings).queue
    fleet.queue.enqueue(1, 90)
    fleet.queue.enqueue(2, 10)
    fleet.queue.enqueue(3, 50)
    assert [task_of(reader) for _ in range(3)] == [2, 3, 1]
    fleet.queue.enqueue(4, 50)
    if storage.name == "sqlite":
        for path in settings.home.glob("queue.db*"):
            path.unlink()
    else:
        fleet.queue.huey.storage.conn.flushall()
    fleet.queue.enqueue(5, 50)
    assert task_of(reader) == 5
    assert reader.pending() == 0


def task_of(queue: Queue) -> int:
    message = queue.huey.dequeue()
    return int(message.args[0])
