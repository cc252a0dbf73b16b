"""One action on many tasks: what is done, what is skipped and why, and what may never be deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from controller.domain.words import FINAL_TASK_STATES, TaskStatus
from controller.engine.dispatch import stuck
from controller.engine.fleet import Fleet
from controller.operations import task_bulk
from controller.operations.errors import Invalid
from controller.operations.task_bulk import BulkAction
from controller.store.base import utcnow
from controller.store.models import OperationLog, Pipeline, ServerGroup, Task, TaskEvent, TaskNeed
from controller.store.task_queries import STUCK, TaskFilter, matching_ids
from tests.integration.operations.conftest import Planned, add_pipeline

DONE, FAILED, CANCELLED = TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED
QUEUED, WAITING, HELD, RUNNING = TaskStatus.QUEUED, TaskStatus.WAITING, TaskStatus.HELD, TaskStatus.RUNNING

Add = Callable[..., list[int]]


def states(fleet: Fleet) -> dict[int, TaskStatus]:
    with fleet.database.read() as session:
        return {task.id: task.status for task in session.scalars(select(Task))}


def lines(fleet: Fleet) -> list[OperationLog]:
    with fleet.database.read() as session:
        query = select(OperationLog).where(OperationLog.action.startswith("task.bulk-"))
        return list(session.scalars(query.order_by(OperationLog.id)))


def test_failed_tasks_run_again_and_others_are_left_with_the_reason(fleet: Fleet, pipeline: Add) -> None:
    failed, running, done = pipeline(FAILED, RUNNING, DONE)
    result = task_bulk.run(fleet, "ann", "retry", ids=[failed, running, done, 999])
    assert states(fleet)[failed] is QUEUED
    assert states(fleet)[running] is RUNNING
    assert result.done == 1
    assert {tuple(ids) for ids in result.skipped.values()} == {(running,), (done,), (999,)}
    assert "1 task queued again. 3 left as they are" in result.words()
    (line,) = lines(fleet)
    assert (line.actor, line.action, line.message) == ("ann", "task.bulk-retry", result.words())


def test_a_filter_reaches_all_that_match_in_chunks_with_one_line(
    fleet: Fleet, pipeline: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_bulk, "CHUNK", 4)
    waiting = pipeline(*([QUEUED] * 11))
    other = pipeline(FAILED)
    result = task_bulk.run(fleet, "ann", "cancel", wanted=TaskFilter(state="queued"))
    assert result.done == 11
    assert {states(fleet)[task_id] for task_id in waiting} == {CANCELLED}
    assert states(fleet)[other[0]] is FAILED
    (line,) = lines(fleet)
    assert line.message.startswith("11 tasks")
    assert line.detail["filter"] == {"state": "queued"}


def test_a_priority_goes_to_what_waits_too(fleet: Fleet, pipeline: Add) -> None:
    first, second = pipeline(QUEUED, (WAITING, [0]))
    assert task_bulk.run(fleet, "ann", "priority", ids=[first], priority=10).done == 1
    with fleet.database.read() as session:
        assert [session.get_one(Task, task_id).priority for task_id in (first, second)] == [10, 10]


def test_only_what_is_stuck_is_made_to_fail(fleet: Fleet, pipeline: Add) -> None:
    lost, alive, later = pipeline(RUNNING, RUNNING, (WAITING, [0]))
    now = utcnow()
    with fleet.database.write() as session:
        session.get_one(Task, lost).lease_until = now - dt.timedelta(minutes=5)
        session.get_one(Task, lost).started_at = now - dt.timedelta(minutes=6)
        session.get_one(Task, alive).lease_until = now + dt.timedelta(seconds=10)
        session.get_one(Task, alive).started_at = now
    assert task_bulk.run(fleet, "ann", "force-fail", wanted=TaskFilter(state=STUCK)).done == 1
    assert [states(fleet)[task_id] for task_id in (lost, alive, later)] == [FAILED, RUNNING, HELD]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"action": "explode", "ids": [1]}, "action"),
        ({"action": "retry"}, "tasks"),
        ({"action": "retry", "ids": []}, "tasks"),
        ({"action": "retry", "ids": [1], "wanted": TaskFilter()}, "tasks"),
        ({"action": "retry", "ids": range(20_000)}, "tasks"),
        ({"action": "priority", "ids": [1]}, "priority"),
        ({"action": "priority", "ids": [1], "priority": 100}, "priority"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    fleet: Fleet, pipeline: Add, call: dict[str, object], field: str
) -> None:
    pipeline(FAILED)
    with pytest.raises(Invalid) as refused:
        task_bulk.run(fleet, "ann", **call)  # type: ignore[arg-type]
    assert [problem.field for problem in refused.value.problems] == [field]
    assert lines(fleet) == []


def test_only_what_is_over_in_a_run_that_is_over_is_deleted(fleet: Fleet, pipeline: Add) -> None:
    old = pipeline(DONE, FAILED, CANCELLED)
    going = pipeline(DONE, QUEUED)
    newest = pipeline(DONE)
    with fleet.database.read() as session:
        told = task_bulk.removable(session, TaskFilter(), stuck(utcnow(), 900))
    result = task_bulk.run(fleet, "ann", "delete", wanted=TaskFilter())
    assert (result.done, result.skipped) == (told.done, told.skipped), "as was said before"
    assert set(states(fleet)) == {*going, *newest}
    assert result.skipped == {
        task_bulk.PIPELINE_OPEN: [going[0]],
        task_bulk.NOT_OVER: [going[1]],
        task_bulk.NEWEST: newest,
    }
    with fleet.database.read() as session:
        assert session.scalar(select(func.count()).where(TaskEvent.task_id.in_(old))) == 0
    assert lines(fleet)[-1].message == result.words()


def test_a_failure_stays_while_what_stands_on_it_could_be_tried_again(fleet: Fleet, pipeline: Add) -> None:
    """Without it the engine would take it for done and run what needs it."""
    base, later = pipeline(FAILED, (CANCELLED, [0]))
    pipeline(DONE)
    assert task_bulk.run(fleet, "ann", "delete", ids=[base]).skipped == {task_bulk.STILL_NEEDED: [base]}
    assert task_bulk.run(fleet, "ann", "delete", ids=[base, later]).done == 2


def test_filters_find_by_age_group_state_and_words(fleet: Fleet, pipeline: Add) -> None:
    old, new = pipeline(DONE, FAILED)
    with fleet.database.write() as session:
        session.get_one(Task, old).finished_at = utcnow() - dt.timedelta(days=10)
        session.get_one(Task, new).error = "100% full"
        session.add(ServerGroup(name="empty"))

    def found(**wanted: object) -> list[int]:
        with fleet.database.read() as session:
            return matching_ids(session, TaskFilter(**wanted), stuck(utcnow(), 900))  # type: ignore[arg-type]

    assert found(finished_before=utcnow() - dt.timedelta(days=5)) == [old]
    assert found(states=[FAILED, CANCELLED]) == [new]
    assert found(search="100%") == [new]
    assert found(search="100_") == []
    assert found(search=f"#{old}") == [old]
    assert found(group_id=1) == [old, new]
    assert found(group_id=2) == []
    assert found(service="example") == []


@st.composite
def pipelines(draw: st.DrawFn) -> Planned:
    """Up to six tasks in any states, each standing on any of the earlier ones."""
    count = draw(st.integers(1, 6))
    return [
        (
            draw(st.sampled_from([DONE, FAILED, CANCELLED, CANCELLED, QUEUED, HELD])),
            draw(st.lists(st.integers(0, place - 1), unique=True)) if place else [],
        )
        for place in range(count)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planned=st.lists(pipelines(), min_size=1, max_size=3), chosen=st.sets(st.integers(0, 17)))
def test_deleting_never_loses_what_a_task_still_waits_for(
    fleet: Fleet, planned: list[Planned], chosen: set[int]
) -> None:
    with fleet.database.write() as session:
        session.execute(delete(Task))
        session.execute(delete(Pipeline))
        ids = [task_id for one in planned for task_id in add_pipeline(session, one)]
        before = {task.id: task for task in session.scalars(select(Task))}
        needs = session.execute(select(TaskNeed.task_id, TaskNeed.needs_id)).all()
        open_runs = set(session.scalars(select(Pipeline.id).where(Pipeline.finished_at.is_(None))))
    wanted = [ids[place] for place in chosen if place < len(ids)]
    if not wanted:
        return
    result = task_bulk.run(fleet, "ann", BulkAction.DELETE, ids=wanted)
    left = states(fleet)
    assert len(before) - len(left) == result.done
    assert set(before) - set(left) <= set(wanted)
    assert result.done + result.skipped_count == len(wanted)
    for task_id in set(before) - set(left):
        assert before[task_id].status in FINAL_TASK_STATES
        assert before[task_id].pipeline_id not in open_runs
    for task_id, needed in needs:
        if task_id in left and left[task_id] is not DONE and before[needed].status is not DONE:
            assert needed in left, "what it stands on has not worked out and must be seen"
