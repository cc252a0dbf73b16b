"""An installation with servers and a product, and pipelines as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy.orm import Session

from controller.domain.words import FINAL_TASK_STATES, Reason, TaskStatus
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Pipeline, Task, TaskEvent, TaskNeed
from tests.integration.engine.conftest import fleet

__all__ = ["fleet"]

Planned = Sequence[tuple[TaskStatus, Sequence[int]]]
"""State of each task, and which of the earlier ones (by place) it needs."""


def add_pipeline(session: Session, planned: Planned) -> list[int]:
    """A pipeline of checks of server 1 in these states; finished when all of its tasks are over."""
    over = all(status in FINAL_TASK_STATES for status, _ in planned)
    pipeline = Pipeline(reason=Reason.CHECK, finished_at=utcnow() if over else None)
    session.add(pipeline)
    session.flush()
    ids: list[int] = []
    for place, (status, needs) in enumerate(planned):
        task = Task(
            pipeline_id=pipeline.id,
            server_id=1,
            action="server.status",
            target="w1",
            label=f"Step {place}",
            status=status,
            finished_at=utcnow() if status in FINAL_TASK_STATES else None,
        )
        session.add(task)
        session.flush()
        ids.append(task.id)
        session.add(TaskEvent(task_id=task.id, seq=1, attempt=1, kind="verbose", text="x"))
        session.add_all(TaskNeed(task_id=task.id, needs_id=ids[need]) for need in needs)
    return ids


@pytest.fixture
def pipeline(fleet: Fleet) -> Callable[..., list[int]]:
    """Adds a pipeline; tasks without needs may be given as a bare state."""

    def add(*planned: TaskStatus | tuple[TaskStatus, Sequence[int]]) -> list[int]:
        with fleet.database.write() as session:
            return add_pipeline(session, [(one, ()) if isinstance(one, TaskStatus) else one for one in planned])

    return add
