"""Calls on pipelines: how far something is that was started, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from controller.operations.records import must
from controller.store.models import Pipeline, Task
from controller.store.queries import is_id, paged
from controller.web.api import lists
from controller.web.api.calls import Asked, Call, Listed, Once
from controller.web.api.pipeline_answers import RunAnswer, run_answer
from controller.web.api.task_answers import TaskAnswer, task_answers


def find(session: Session, key: str) -> Pipeline:
    """A pipeline by id. Raises NotFound."""
    return must(session.get(Pipeline, int(key)) if is_id(key) else None, "pipeline", key)


def started(asked: Asked, pipeline: Pipeline) -> RunAnswer:
    """One that an operation has just started."""
    with asked.fleet.database.read() as session:
        return run_answer(session, session.get_one(Pipeline, pipeline.id))


def _begun(session: Session, pipeline: Pipeline, _added: Sequence[Any]) -> RunAnswer:
    return run_answer(session, pipeline)


STARTS = Once(Pipeline, _begun)
"""For calls whose answer is the pipeline they start."""


def _get(asked: Asked) -> RunAnswer:
    with asked.fleet.database.read() as session:
        return run_answer(session, find(session, asked.key))


def _tasks(asked: Asked) -> Listed:
    given: Any = asked.query
    with asked.fleet.database.read() as session:
        query = select(Task).options(selectinload(Task.server)).order_by(Task.id)
        query = query.where(Task.pipeline_id == find(session, asked.key).id)
        page = lists.as_asked(paged(session, query, given.page, given.per_page), given)
        return Listed(page, [*task_answers(session, page.items)])


CALLS = (
    Call("GET", "/pipelines/{id}", "Show a pipeline: how far it is, and what came out per server", _get, RunAnswer),
    Call(
        "GET",
        "/pipelines/{id}/tasks",
        "List a pipeline's tasks",
        _tasks,
        answer=TaskAnswer,
        query=lists.PageParameters,
        listed=True,
    ),
)
