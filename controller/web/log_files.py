"""A task's whole log as a file: read from the database in pieces, so that a long one needs no memory."""

from __future__ import annotations

import json
from collections.abc import Iterator

from controller.store.database import Database
from controller.store.models import TaskEvent
from controller.store.queries import events_since
from controller.web.log_lines import readable


def events(database: Database, task_id: int) -> Iterator[TaskEvent]:
    """Every stored event in order; no session stays open between two pieces."""
    seen = 0
    while True:
        with database.read() as session:
            piece = events_since(session, task_id, seen)
        if not piece:
            return
        seen = piece[-1].seq
        yield from piece


def as_text(database: Database, task_id: int) -> Iterator[str]:
    """Number, time, attempt and kind of each event, below it its text and data; a gap is said where it is."""
    expected = 1
    for event in events(database, task_id):
        if event.seq > expected:
            missing = f"{expected}" if event.seq == expected + 1 else f"{expected} to {event.seq - 1}"
            yield f"-- missing: {missing}\n"
        expected = event.seq + 1
        lines = [f"{event.seq:>6}  {event.at.isoformat()}  attempt {event.attempt}  {event.kind}"]
        lines += [f"        {line}" for line in readable(event.text).splitlines()]
        if event.data:
            lines.append(f"        data {json.dumps(event.data, ensure_ascii=False)}")
        yield "\n".join(lines) + "\n"


def as_json_lines(database: Database, task_id: int) -> Iterator[str]:
    """One object on each line, exactly as it is stored."""
    for event in events(database, task_id):
        yield json.dumps(as_object(event), ensure_ascii=False) + "\n"


def as_object(event: TaskEvent) -> dict[str, object]:
    """Everything that is stored of an event."""
    return {
        "seq": event.seq,
        "attempt": event.attempt,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "text": event.text,
        "data": event.data,
    }
