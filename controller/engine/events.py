"""The log of running tasks: events go to memory at once and to the database in batches by one writer."""

from __future__ import annotations

import datetime as dt
import json
import logging
import queue
import threading
from typing import Any

from sqlalchemy import insert, select

from controller.automation.scrub import Scrubber
from controller.engine.lifecycle import Claim
from controller.store.base import utcnow
from controller.store.database import Database
from controller.store.models import Task, TaskEvent

log = logging.getLogger(__name__)
BATCH = 500
TEXT_MAX = 100_000
DATA_MAX = 200_000


class TaskLog:
    """Numbers the events of one attempt; ``last_seq`` is how many the task has in all."""

    def __init__(self, writer: EventWriter, held: Claim, scrubber: Scrubber) -> None:
        self._writer, self._held, self._scrubber = writer, held, scrubber
        self.last_seq = held.last_seq

    def ansible(self, event: dict[str, Any]) -> None:
        """Take one event of ansible-runner. Only appends to memory."""
        data = event.get("event_data") or {}
        kept = {key: data[key] for key in ("task", "task_action", "role", "host", "res", "duration") if key in data}
        self._add(str(event.get("event")), str(event.get("stdout") or ""), kept)

    def say(self, kind: str, text: str) -> None:
        """A line of the engine's own."""
        self._add(f"fleet_{kind}", text, {})

    def _add(self, kind: str, text: str, data: dict[str, Any]) -> None:
        self.last_seq += 1
        self._writer.put(
            {
                "task_id": self._held.task_id,
                "fence": self._held.fence,
                "seq": self.last_seq,
                "attempt": self._held.attempt,
                "at": utcnow(),
                "kind": kind,
                "text": text,
                "data": data,
                "scrubber": self._scrubber,
            }
        )


class EventWriter:
    """One thread per process that writes batches: the number of transactions is what costs."""

    def __init__(self, database: Database, flush_seconds: float) -> None:
        self._database = database
        self._flush = flush_seconds
        self._queue: queue.SimpleQueue[dict[str, Any] | threading.Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="event-writer", daemon=True)
        self._thread.start()

    def put(self, row: dict[str, Any]) -> None:
        """Queue one row; never blocks."""
        self._queue.put(row)

    def sync(self, timeout: float = 60.0) -> bool:
        """Wait until everything put so far is in the database."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout)

    def _work(self) -> None:
        while True:
            batch, waiters = self._collect()
            while batch:
                try:
                    self._write(batch)
                    batch = []
                except Exception:
                    log.exception("could not store %d events; trying again", len(batch))
                    threading.Event().wait(0.5)
            for waiter in waiters:
                waiter.set()

    def _collect(self) -> tuple[list[dict[str, Any]], list[threading.Event]]:
        """Everything that comes within one flush interval; a waiter ends the wait."""
        batch: list[dict[str, Any]] = []
        waiters: list[threading.Event] = []
        deadline: dt.datetime | None = None
        while len(batch) < BATCH and not waiters:
            timeout = None if deadline is None else max(0.0, (deadline - utcnow()).total_seconds())
            try:
                item = self._queue.get(timeout=timeout)
            except queue.Empty:
                break
            if isinstance(item, threading.Event):
                waiters.append(item)
            else:
                batch.append(item)
                deadline = deadline or utcnow() + dt.timedelta(seconds=self._flush)
        return batch, waiters

    def _write(self, batch: list[dict[str, Any]]) -> None:
        """Store what belongs to attempts that still hold their task: the numbers of a worker that lost it
        (paused past its lease) are given to the newer attempt by now."""
        with self._database.write_beside() as session:
            task_ids = {item["task_id"] for item in batch}
            # In the order of the ids, as leases are renewed: otherwise two could wait for each other.
            held = select(Task.id, Task.fence).where(Task.id.in_(task_ids)).order_by(Task.id).with_for_update(read=True)
            fences = {task_id: fence for task_id, fence in session.execute(held)}  # noqa: C416
            rows = [_row(item) for item in batch if fences.get(item["task_id"]) == item["fence"]]
            if rows:
                session.execute(insert(TaskEvent), rows)


def _row(item: dict[str, Any]) -> dict[str, Any]:
    scrubber: Scrubber = item["scrubber"]
    data = scrubber.data(item["data"])
    if len(json.dumps(data, default=str)) > DATA_MAX:
        data = {key: data[key] for key in ("task", "host") if key in data} | {"cut": "result too large to keep"}
    text = scrubber.text(item["text"])
    if len(text) > TEXT_MAX:
        text = text[:TEXT_MAX] + "\n... (cut)"
    row = {key: item[key] for key in ("task_id", "seq", "attempt", "at", "kind")}
    return row | {"text": text, "data": json.loads(json.dumps(data, default=str))}
