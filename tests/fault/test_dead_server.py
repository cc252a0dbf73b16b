"""Servers that never answer beside one that does: the healthy one's deployments do not notice."""

from __future__ import annotations

import contextlib
import itertools
import socket
import statistics
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from controller.domain.words import ServerStatus, ServiceStatus
from controller.operations import groups, orders, products
from controller.sandbox.demo import Demo
from controller.store.models import Server, Service, Task
from controller.web.waiting import waits
from tests.support import truth
from tests.support.demo import installation, settle, until, wait_for
from tests.support.options import quick_retries

MACHINES = (
    ("web01", ("web",), "192.0.2.11", "web01.fleet.test"),
    ("silent", ("web",), "192.0.2.12", "silent.fleet.test"),
    ("dropping", ("web",), "192.0.2.13", "dropping.fleet.test"),
)
DEAD = ("silent", "dropping")
ROUNDS = 5
MOST = 1.2
NUMBERS = itertools.count()


@contextlib.contextmanager
def silent(address: tuple[str, int]) -> Iterator[None]:
    """Takes every connection and never says a word."""
    with socket.create_server(address, backlog=200) as listener:
        kept: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        for each in kept:
            each.close()


@contextlib.contextmanager
def dropping(address: tuple[str, int]) -> Iterator[None]:
    """Answers no attempt to connect: nobody takes from its queue, which is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(address, backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        time.sleep(0.1)
        yield
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with installation(tmp_path_factory.mktemp("dead"), pace=0.5, machines=MACHINES) as running:
        quick_retries(running.fleet, attempts=500, delay=1.0)
        with running.fleet.database.write() as session:
            session.execute(update(Server).values(group_id=None))
        for name, _, _, _ in MACHINES:
            group = groups.create(running.fleet, "test", name=f"only {name}")
            with running.fleet.database.write() as session:
                session.execute(update(Server).where(Server.name == name).values(group_id=group.id))
            products.create(running.fleet, "test", name=f"web on {name}", mode="split", roles=["web"], group=group.id)
        yield running


def order(demo: Demo, server: str, domain: str) -> Service:
    return orders.order(
        demo.fleet,
        "test",
        product=f"web on {server}",
        domain=domain,
        customer_email="ada@demo.test",
        customer_name="Ada",
    )


def seconds_to_live(demo: Demo, domain: str) -> float:
    begin = time.monotonic()
    wait_for(demo, order(demo, "web01", domain).id, ServiceStatus.ACTIVE)
    return time.monotonic() - begin


def dead_servers_take_part(demo: Demo, *, take_part: bool) -> None:
    """Switch the dead servers' tasks on, as if nothing were known of their state yet, or off."""
    status = ServerStatus.ACTIVE if take_part else ServerStatus.MAINTENANCE
    with demo.fleet.database.write() as session:
        session.execute(
            update(Server).where(Server.name.in_(DEAD)).values(status=status, blocked_since=None, blocked_cause=None)
        )


def waiting_words(demo: Demo, service_id: int) -> list[str]:
    with demo.fleet.database.read() as session:
        tasks = session.scalars(select(Task).where(Task.service_id == service_id)).all()
        return [wait.words for wait in waits(session, tasks).values()]


@contextlib.contextmanager
def both_dead(demo: Demo, orders: int) -> Iterator[list[Service]]:
    """Neither of the two answers; so many services are ordered on each of them."""
    for name in DEAD:
        demo.servers[name].stop()
    with silent(("127.0.0.1", demo.servers["silent"].port)), dropping(("127.0.0.1", demo.servers["dropping"].port)):
        yield [order(demo, name, f"{name}-{next(NUMBERS)}.com") for _ in range(orders) for name in DEAD]


def back_again(demo: Demo, stuck: list[Service]) -> None:
    """Both answer: what waited for them goes on, and all is as it should be."""
    for name in DEAD:
        demo.servers[name].start()
    for each in stuck:
        wait_for(demo, each.id, ServiceStatus.ACTIVE)
    settle(demo)
    assert truth.everything(demo.fleet, demo.servers) == []


def test_work_on_a_dead_server_waits_while_the_others_go_on_and_goes_on_when_it_is_back(demo: Demo) -> None:
    with both_dead(demo, orders=1) as stuck:
        seconds_to_live(demo, "beside-the-dead.com")
        until(
            lambda: all(any("come back" in words for words in waiting_words(demo, each.id)) for each in stuck),
            60,
            f"the tasks do not say what they wait for: {[waiting_words(demo, each.id) for each in stuck]}",
        )
    back_again(demo, stuck)


@pytest.mark.long
def test_a_dead_server_costs_the_others_no_time(demo: Demo) -> None:
    ratios = []
    with both_dead(demo, orders=3) as stuck:
        # In pairs, so that whatever else the machine does is shared by both, and in turn first and second.
        for number in range(ROUNDS):
            pair = {}
            for take_part in (number % 2 == 0, number % 2 == 1):
                dead_servers_take_part(demo, take_part=take_part)
                pair[take_part] = seconds_to_live(demo, f"healthy-{number}-{take_part}.com".lower())
            ratios.append(pair[True] / pair[False])
        dead_servers_take_part(demo, take_part=True)
    back_again(demo, stuck)
    assert statistics.median(ratios) <= MOST, ratios
