"""Live pages: one poller per process reads what is new and hands it to every open stream.

A stream first replays from the database what came after the last thing its page has seen, then follows. Numbers
(``Activity.id`` for a service, ``TaskEvent.seq`` for a task) make both without gaps: an open stream is registered
before it replays, and drops what it has sent already.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from controller.domain.words import TaskStatus
from controller.store.database import Database
from controller.store.models import Activity, Service, Task
from controller.store.queries import activity_since, events_since, progress
from controller.web.customer_lines import line as customer_line
from controller.web.log_lines import log_line
from controller.web.present import task_state

log = logging.getLogger(__name__)

POLL_SECONDS = 0.15
STREAM_SECONDS = 900.0
"""A stream ends after this and the browser comes back at once: that is when its session is looked at again."""
BACKLOG = 1000
OVERLAP = 200
"""How far behind the newest activity id is looked again: on PostgreSQL ids can become visible out of order."""
FINAL = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED})

Item = dict[str, Any]
Topic = tuple[str, int]


@dataclass(eq=False)
class Stream:
    """One open page; ``overflow`` is set when it reads too slowly and has to come back with its last number."""

    topic: Topic
    deadline: float
    items: asyncio.Queue[Item | None] = field(default_factory=lambda: asyncio.Queue(BACKLOG))
    overflow: bool = False

    def put(self, item: Item | None) -> None:
        """Hand over one item, None to end; never waits."""
        try:
            self.items.put_nowait(item)
        except asyncio.QueueFull:
            self.overflow = True

    async def next(self) -> Item | None:
        """The next item, or None when the stream has to end."""
        if self.overflow and self.items.empty():
            return None
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.items.get()
        except TimeoutError:
            return None


class Live:
    """The poller and its streams. Everything but the database reads runs on the event loop."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._streams: dict[Topic, set[Stream]] = {}
        self._awake = asyncio.Event()
        self._following = asyncio.Event()
        """Set while the poller knows from where on it hands over activity."""
        self._activity_top = 0
        self._activity_seen: deque[int] = deque(maxlen=2 * OVERLAP)
        self._task_seen: dict[int, int] = {}
        self._closed = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The poller as long as the application lives."""
        poller = asyncio.create_task(self._poll(), name="live poller")
        try:
            yield
        finally:
            self.close()
            poller.cancel()
            with suppress(asyncio.CancelledError):
                await poller

    def close(self) -> None:
        """End all streams; pages reconnect to whoever answers next."""
        self._closed = True
        # Who has just come waits for a poller that will not look any more.
        self._following.set()
        for streams in self._streams.values():
            for stream in streams:
                stream.put(None)

    @property
    def open_streams(self) -> int:
        """How many pages follow now."""
        return sum(len(streams) for streams in self._streams.values())

    @asynccontextmanager
    async def _open(self, topic: Topic) -> AsyncIterator[Stream]:
        stream = Stream(topic, asyncio.get_running_loop().time() + STREAM_SECONDS)
        self._streams.setdefault(topic, set()).add(stream)
        self._awake.set()
        if self._closed:
            stream.put(None)
        try:
            yield stream
        finally:
            self._streams[topic].discard(stream)
            if not self._streams[topic]:
                del self._streams[topic]
                if topic[0] == "task":
                    self._task_seen.pop(topic[1], None)

    # The poller

    async def _poll(self) -> None:
        while True:
            if not self._streams:
                # Nobody looks, so nothing is read; what happens meanwhile comes to a page by its replay.
                self._awake.clear()
                self._following.clear()
                await self._awake.wait()
            try:
                if not self._following.is_set():
                    await run_in_threadpool(self._start_following)
                    self._following.set()
                services = {topic[1] for topic in self._streams if topic[0] == "service"}
                for topic, item in await run_in_threadpool(self._read, services, dict(self._task_seen)):
                    for stream in self._streams.get(topic, ()):
                        stream.put(item)
                    if topic[0] == "task" and topic[1] in self._task_seen and "seq" in item:
                        self._task_seen[topic[1]] = item["seq"]
            except Exception:
                log.exception("live pages: reading failed, trying again")
                await asyncio.sleep(2)
            await asyncio.sleep(POLL_SECONDS)
            if AppStatus.should_exit:
                # The server has been told to stop: streams end properly before they would be cut off.
                self.close()

    def _start_following(self) -> None:
        with self.database.read() as session:
            self._activity_top = session.scalar(select(func.max(Activity.id))) or 0
            self._activity_seen.extend(
                session.scalars(select(Activity.id).where(Activity.id > self._activity_top - OVERLAP))
            )

    def _read(self, services: set[int], tasks: dict[int, int]) -> list[tuple[Topic, Item]]:
        found: list[tuple[Topic, Item]] = []
        with self.database.read() as session:
            rows = session.scalars(
                select(Activity)
                .where(Activity.id > self._activity_top - OVERLAP, Activity.id.not_in(self._activity_seen))
                .order_by(Activity.id)
            ).all()
            states: dict[int, Item] = {}
            for row in rows:
                self._activity_seen.append(row.id)
                self._activity_top = max(self._activity_top, row.id)
                if row.service_id in services:
                    if row.service_id not in states:
                        states[row.service_id] = service_state(session, row.service_id)
                    found.append((("service", row.service_id), activity_item(row) | states[row.service_id]))
            for task_id, seen in tasks.items():
                # The state is read before the events: when it says over, no line can come after those read now.
                status = session.scalar(select(Task.status).where(Task.id == task_id))
                found += [(("task", task_id), line) for line in all_lines(session, task_id, seen)]
                if status is None or status in FINAL:
                    found.append((("task", task_id), task_end(session, task_id)))
        return found

    # The streams

    async def service(self, service_id: int, after: int) -> AsyncGenerator[ServerSentEvent, None]:
        """Activity of a service after an id, as it happens; each event tells status and progress too."""
        async with self._open(("service", service_id)) as stream:
            await self._following.wait()
            sent: set[int] = set()
            for row in await run_in_threadpool(self._replay_service, service_id, after):
                sent.add(row["id"])
                yield activity_event(row)
            while (item := await stream.next()) is not None:
                if item["id"] > after and item["id"] not in sent:
                    sent.add(item["id"])
                    yield activity_event(item)

    async def task(self, task_id: int, after: int) -> AsyncGenerator[ServerSentEvent, None]:
        """Log lines of a task after a number, as they come; ``end`` when the task is over and all is sent."""
        async with aclosing(self._task_items(task_id, after)) as items:
            async for item in items:
                yield line_event(item) if "seq" in item else end_event(item)

    async def step(self, task_id: int, after: int) -> AsyncGenerator[ServerSentEvent, None]:
        """The same as the customer reads it: lines that are not for customers are left out."""
        async with aclosing(self._task_items(task_id, after)) as items:
            async for item in items:
                if "seq" not in item:
                    yield end_event(item)
                elif item["customer"] is not None:
                    yield line_event(item["customer"])

    async def _task_items(self, task_id: int, after: int) -> AsyncGenerator[Item, None]:
        async with self._open(("task", task_id)) as stream:
            for line in await run_in_threadpool(self._replay_task, task_id, after):
                after = line["seq"]
                yield line
            self._task_seen.setdefault(task_id, after)
            while (item := await stream.next()) is not None:
                if "seq" not in item:
                    yield item
                    return
                if item["seq"] > after:
                    after = item["seq"]
                    yield item

    def _replay_service(self, service_id: int, after: int) -> list[Item]:
        with self.database.read() as session:
            rows = activity_since(session, service_id, after)
            state = service_state(session, service_id) if rows else {}
            return [activity_item(row) | state for row in rows]

    def _replay_task(self, task_id: int, after: int) -> list[Item]:
        with self.database.read() as session:
            return all_lines(session, task_id, after)


def all_lines(session: Session, task_id: int, after: int) -> list[Item]:
    """Every log line of a task after a number."""
    lines: list[Item] = []
    while events := events_since(session, task_id, after):
        after = events[-1].seq
        lines += [log_line(event) | {"customer": customer_line(event)} for event in events]
    return lines


def task_end(session: Session, task_id: int) -> Item:
    """What the stream of a finished task says last."""
    task = session.get(Task, task_id)
    if task is None:
        return {"status": "gone", "words": "Removed"}
    return {"status": task.status.value, "words": task_state(task)[0]}


def service_state(session: Session, service_id: int) -> Item:
    """Status and progress as the API words them."""
    service = session.get(Service, service_id)
    steps = progress(session, service_id)
    return {
        "status": service.status.value if service else None,
        "progress": {"done": steps.done, "total": steps.total, "current": steps.current},
    }


def activity_event(item: Item) -> ServerSentEvent:
    """One event of a service's stream."""
    return ServerSentEvent(json.dumps(item), event="activity", id=str(item["id"]))


def line_event(item: Item) -> ServerSentEvent:
    """One event of a task's stream."""
    told = {key: value for key, value in item.items() if key != "customer"}
    return ServerSentEvent(json.dumps(told), event="line", id=str(item["seq"]))


def end_event(item: Item) -> ServerSentEvent:
    """The last event of a task's stream."""
    return ServerSentEvent(json.dumps(item), event="end")


def activity_item(row: Activity) -> Item:
    """One thing that happened, for JSON."""
    return {
        "id": row.id,
        "at": row.at.isoformat(),
        "kind": row.kind,
        "message": row.message,
        "task_id": row.task_id,
    }


def after_of(request: Request) -> int:
    """The last number this page has seen: the browser's header when it reconnects, else the page's own word."""
    for text in (request.headers.get("last-event-id"), request.query_params.get("after")):
        if text and text.isdigit() and len(text) < 19:
            return int(text)
    return 0


def stream_response(events: AsyncGenerator[ServerSentEvent, None]) -> EventSourceResponse:
    """Server-sent events; proxies must not collect them, and no stream lives for ever."""

    async def opened() -> AsyncIterator[ServerSentEvent]:
        # Opens the stream at once; ``retry`` (milliseconds) is how soon a browser that lost the line comes back.
        yield ServerSentEvent(comment="open", retry=1000)
        async with aclosing(events):
            async for event in events:
                yield event

    return EventSourceResponse(
        opened(),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        send_timeout=30,
        shutdown_event=anyio.Event(),
        shutdown_grace_period=2,
    )


def live_of(request: Request) -> Live:
    """The application's streams."""
    live = request.app.state.live
    assert isinstance(live, Live)
    return live
