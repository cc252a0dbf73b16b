"""Streams: replay, then follow, without a gap and without an end that hangs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from controller.domain.words import TaskStatus
from controller.store.models import Activity, Task
from controller.web import live as live_module
from controller.web.live import Live
from tests.integration.web.world import World, log


def happen(world: World, service_id: int, *messages: str) -> None:
    for message in messages:
        with world.fleet.database.write() as session:
            session.add(Activity(service_id=service_id, kind="test", message=message))


def ids(world: World, service_id: int) -> list[int]:
    with world.fleet.database.read() as session:
        return list(session.scalars(select(Activity.id).where(Activity.service_id == service_id).order_by(Activity.id)))


@pytest.fixture
async def live(world: World) -> AsyncIterator[Live]:
    live = Live(world.fleet.database)
    async with live.running():
        yield live


async def take(stream, count: int) -> list[dict]:
    """The next events as data with their id and name."""
    found = []
    async with asyncio.timeout(60):
        async for event in stream:
            found.append({"event": event.event, "sse": event.id, **json.loads(event.data)})
            if len(found) == count:
                break
    return found


async def test_replay_then_follow(world: World, live: Live) -> None:
    service = world.ben_service
    before = await run_in_threadpool(ids, world, service)
    await run_in_threadpool(happen, world, service, "one", "two")
    await run_in_threadpool(happen, world, world.anna_service, "of somebody else")
    async with contextlib.aclosing(live.service(service, before[-1])) as stream:
        replayed = await take(stream, 2)
        assert [item["message"] for item in replayed] == ["one", "two"]
        assert [int(item["sse"]) for item in replayed] == (await run_in_threadpool(ids, world, service))[-2:]
        await run_in_threadpool(happen, world, service, "three")
        (followed,) = await take(stream, 1)
    assert followed["message"] == "three"
    assert followed["status"] == "pending"
    assert followed["progress"]["done"] == 0
    assert followed["progress"]["total"] > 8


async def test_no_gap_and_nothing_twice_while_things_happen(world: World, live: Live) -> None:
    """Pages come and go (each with the last id it has seen) while a writer is at work."""
    service, wanted = world.ben_service, 120
    start = (await run_in_threadpool(ids, world, service))[-1]
    writer = threading.Thread(target=lambda: [happen(world, service, f"n{i}") for i in range(wanted)])
    seen: list[int] = []
    writer.start()
    async with asyncio.timeout(60):
        while len(seen) < wanted:
            async with contextlib.aclosing(live.service(service, seen[-1] if seen else start)) as stream:
                seen += [int(item["sse"]) for item in await take(stream, min(7, wanted - len(seen)))]
    await run_in_threadpool(writer.join)
    assert seen == [i for i in await run_in_threadpool(ids, world, service) if i > start]


async def opened(live: Live, number: int) -> None:
    """Wait until that many pages follow."""
    async with asyncio.timeout(60):
        while live.open_streams != number:
            await asyncio.sleep(0.01)


async def test_many_pages_one_poller(world: World, live: Live) -> None:
    service = world.ben_service
    start = (await run_in_threadpool(ids, world, service))[-1]
    streams = [live.service(service, start) for _ in range(20)]
    waiting = [asyncio.create_task(take(stream, 1)) for stream in streams]
    await opened(live, 20)
    await run_in_threadpool(happen, world, service, "hello")
    assert {found[0]["message"] for found in await asyncio.gather(*waiting)} == {"hello"}
    for stream in streams:
        await stream.aclose()
    assert live.open_streams == 0


def first_task(world: World) -> int:
    with world.fleet.database.write() as session:
        task = session.scalars(select(Task).where(Task.service_id == world.ben_service).order_by(Task.id)).first()
        assert task is not None
        task.status = TaskStatus.RUNNING
        return task.id


def write_lines(world: World, task_id: int, first: int, last: int) -> None:
    with world.fleet.database.write() as session:
        task = session.get_one(Task, task_id)
        for number in range(first, last + 1):
            log(session, task, f"line {number}", seq=number)


def end(world: World, task_id: int, last: int) -> None:
    with world.fleet.database.write() as session:
        task = session.get_one(Task, task_id)
        log(session, task, "the last line", seq=last)
        task.status = TaskStatus.SUCCEEDED


async def test_a_log_to_its_end(world: World, live: Live) -> None:
    task_id = await run_in_threadpool(first_task, world)
    await run_in_threadpool(write_lines, world, task_id, 1, 30)
    async with contextlib.aclosing(live.task(task_id, 10)) as stream:
        replayed = await take(stream, 20)
        assert [item["seq"] for item in replayed] == list(range(11, 31))
        await run_in_threadpool(write_lines, world, task_id, 31, 700)
        assert [item["seq"] for item in await take(stream, 670)] == list(range(31, 701))
        await run_in_threadpool(end, world, task_id, 701)
        last, over = await take(stream, 2)
        assert (last["text"], last["event"]) == ("the last line", "line")
        assert (over["event"], over["status"], over["words"]) == ("end", "succeeded", "Done")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_finished_log_ends_at_once(world: World, live: Live) -> None:
    task_id = await run_in_threadpool(first_task, world)
    await run_in_threadpool(end, world, task_id, 1)
    async with contextlib.aclosing(live.task(task_id, 0)) as stream:
        assert [item["event"] for item in await take(stream, 2)] == ["line", "end"]


async def test_closing_ends_every_stream(world: World) -> None:
    live = Live(world.fleet.database)
    async with live.running():
        start = (await run_in_threadpool(ids, world, world.ben_service))[-1]
        waiting = [asyncio.create_task(take(live.service(world.ben_service, start), 1)) for _ in range(3)]
        await opened(live, 3)
    async with asyncio.timeout(60):
        assert await asyncio.gather(*waiting) == [[], [], []]


async def test_a_stream_has_an_age(world: World, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser comes back at once; that is when its session is looked at again."""
    monkeypatch.setattr(live_module, "STREAM_SECONDS", 0.3)
    start = (await run_in_threadpool(ids, world, world.ben_service))[-1]
    async with asyncio.timeout(60):
        assert await take(live.service(world.ben_service, start), 1) == []


async def test_a_page_that_reads_too_slowly_has_to_come_back(
    world: World, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "BACKLOG", 5)
    service = world.ben_service
    start = (await run_in_threadpool(ids, world, service))[-1]
    async with contextlib.aclosing(live.service(service, start)) as stream:
        await run_in_threadpool(happen, world, service, "zero")
        seen = [int(item["sse"]) for item in await take(stream, 1)]
        await run_in_threadpool(happen, world, service, *(f"n{i}" for i in range(30)))
        await asyncio.sleep(0.6)
        seen += [int(item["sse"]) for item in await take(stream, 100)]
    assert len(seen) < 31, "it was ended"
    async with contextlib.aclosing(live.service(service, seen[-1])) as stream:
        seen += [int(item["sse"]) for item in await take(stream, 31 - len(seen))]
    assert seen == [i for i in await run_in_threadpool(ids, world, service) if i > start]
