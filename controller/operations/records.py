"""What every change leaves behind: an audit row, an activity row; and how things are looked up."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.orm import Session

from controller.operations.errors import NotFound
from controller.store.models import Activity, OperationLog, Service
from controller.store.queries import find_service

T = TypeVar("T")


def audit(
    session: Session,
    actor: str,
    action: str,
    target: str,
    *,
    message: str = "",
    service_id: int | None = None,
    server_id: int | None = None,
    task_id: int | None = None,
    **detail: Any,
) -> None:
    """One line of the operation log: who asked for what, of which thing. Never give it a secret."""
    session.add(
        OperationLog(
            actor=actor,
            action=action,
            target=target,
            message=message,
            detail=detail,
            service_id=service_id,
            server_id=server_id,
            task_id=task_id,
        )
    )


def note(
    session: Session,
    kind: str,
    message: str,
    *,
    actor: str = "",
    service_id: int | None = None,
    server_id: int | None = None,
    task_id: int | None = None,
) -> None:
    """One activity row: the lasting line, and what moves the live pages."""
    session.add(
        Activity(kind=kind, message=message, actor=actor, service_id=service_id, server_id=server_id, task_id=task_id)
    )


def counted(count: int, noun: str) -> str:
    """``1 service``, ``3 services``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def must(thing: T | None, kind: str, name: object) -> T:
    """The thing, or NotFound."""
    if thing is None:
        raise NotFound(kind, name)
    return thing


def service(session: Session, key: int | str) -> Service:
    """A service by id or domain, or NotFound."""
    return must(find_service(session, key), "service", key)
