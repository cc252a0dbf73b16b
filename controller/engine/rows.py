"""Taking rows for a change, always in the same order: service, pipeline, task, server.

Writers take turns (``Database.write``), but the event log and renewed leases are written beside them on PostgreSQL:
what a change rests on is therefore locked and read anew.
"""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.store.models import Pipeline, Server, Service, Task

T = TypeVar("T", Service, Pipeline, Task, Server)


def take(session: Session, model: type[T], row_id: int) -> T | None:
    """The row as it is now, ours until the transaction ends; rows that refer to it can still be added."""
    query = select(model).where(model.id == row_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).first()


def take_task(session: Session, task_id: int) -> Task | None:
    """A task with its service and pipeline."""
    owners = session.execute(select(Task.service_id, Task.pipeline_id).where(Task.id == task_id)).first()
    if owners is None:
        return None
    if owners.service_id is not None:
        take(session, Service, owners.service_id)
    take(session, Pipeline, owners.pipeline_id)
    return take(session, Task, task_id)
