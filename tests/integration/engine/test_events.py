"""The log of a task: numbered, in batches, scrubbed, and never written over by a worker that lost the task."""

from __future__ import annotations

from sqlalchemy import select, update

from controller.automation.scrub import Scrubber
from controller.engine.events import EventWriter, TaskLog
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.store.models import Task, TaskEvent
from tests.integration.engine.test_lifecycle import claim, order, task_of


def lines(fleet: Fleet, task_id: int) -> list[tuple[int, str]]:
    with fleet.database.read() as session:
        query = select(TaskEvent).where(TaskEvent.task_id == task_id).order_by(TaskEvent.seq)
        return [(event.seq, event.text) for event in session.scalars(query)]


def test_events_are_numbered_without_a_gap_and_scrubbed(fleet: Fleet) -> None:
    order(fleet)
    held = claim(fleet, task_of(fleet, "web.package").id)
    assert held is not None
    log = TaskLog(EventWriter(fleet.database, 0.01), held, Scrubber(["Sekret.2026x"]))
    for number in range(1200):
        log.ansible({"event": "verbose", "stdout": f"{number} Sekret.2026x", "event_data": {}})
    assert log._writer.sync(30)
    stored = lines(fleet, held.task_id)
    assert [seq for seq, _ in stored] == list(range(1, 1201))
    assert not any("Sekret" in text for _, text in stored)


def test_a_worker_that_lost_its_task_stores_nothing_and_its_log_goes_on_for_others(fleet: Fleet) -> None:
    order(fleet)
    lost = claim(fleet, task_of(fleet, "web.package").id)
    other = claim(fleet, task_of(fleet, "mail.package").id)
    assert lost is not None
    assert other is not None
    with fleet.database.write() as session:
        session.execute(update(Task).where(Task.id == lost.task_id).values(fence=lost.fence + 1))
    newer = Claim(lost.task_id, lost.fence + 1, lost.attempt, 0)
    writer = EventWriter(fleet.database, 0.01)
    TaskLog(writer, newer, Scrubber([])).say("attempt", "newer")
    TaskLog(writer, lost, Scrubber([])).say("attempt", "late")
    TaskLog(writer, other, Scrubber([])).say("attempt", "other")
    assert writer.sync(10)
    assert lines(fleet, lost.task_id) == [(1, "newer")]
    assert lines(fleet, other.task_id) == [(1, "other")]
