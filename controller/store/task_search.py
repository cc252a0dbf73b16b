"""Tasks that a text is found in, quickly however many there are.

What services' tasks are about is looked for among services and accounts, of which there are far fewer than tasks. Of a
text that fits few of them the tasks are taken by index; one that fits many is met soon when the tasks are gone through
from the newest on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from controller.domain.pipelines import LABELS, REMOVAL_LABELS, SUSPEND_LABELS, label
from controller.domain.words import Desired, TaskStatus
from controller.store.models import Account, Server, Service, Task
from controller.store.queries import has_lower, is_id, like

FOUND_MAX = 5_000
"""Tasks that a search lists at most, the newest ones."""
FEW_SERVICES = 4000
FEW_SERVERS = 5
TROUBLE = (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED, TaskStatus.HELD)
"""States in which a task's error is told."""
STEP_WORDS = tuple(
    (action, label(action, "", desired, check=check).lower())
    for desired, words in (
        (Desired.ACTIVE, LABELS),
        (Desired.ABSENT, REMOVAL_LABELS),
        (Desired.SUSPENDED, SUSPEND_LABELS),
    )
    for action in words
    for check in (True, False)
)


def fits(text: str) -> ColumnElement[bool]:
    """Whether a text is found in a task."""
    if (number := _number(text)) is not None:
        return Task.id == number
    return or_(
        *_of_services(text), _of_servers(text), _of_no_service(text), _of_steps(text, _actions(text)), _of_errors(text)
    )


def newest(session: Session, text: str, others: Sequence[ColumnElement[bool]]) -> list[int]:
    """Ids of the tasks that a text is found in and that meet the other conditions, newest first, at most one more than
    ``FOUND_MAX``."""
    if _number(text) is not None:
        return list(session.scalars(select(Task.id).where(fits(text), *others)))
    by_index, one_by_one = [_of_no_service(text), _of_errors(text)], []
    services = _few(session, _services(text), FEW_SERVICES)
    owners = _few(session, _accounts(text), FEW_SERVICES) if services is not None else None
    if services is None or owners is None:
        one_by_one += _of_services(text)
    else:
        by_index.append(Task.service_id.in_(services | owners))
    servers = _few(session, _servers(text), FEW_SERVERS)
    if servers is None:
        one_by_one.append(_of_servers(text))
    else:
        by_index.append(Task.server_id.in_(servers))
    if actions := _actions(text):
        one_by_one.append(_of_steps(text, actions))
    # Past the session, which would look at every number for what it could be part of.
    connection = session.connection()
    found = set(connection.scalars(union(*(select(Task.id).where(part, *others) for part in by_index))))
    if one_by_one:
        passed = select(Task.id).where(or_(*one_by_one), *others).order_by(Task.id.desc())
        found.update(connection.scalars(passed.limit(FOUND_MAX + 1)))
    return sorted(found, reverse=True)[: FOUND_MAX + 1]


def _number(text: str) -> int | None:
    return int(text[1:]) if text.startswith("#") and is_id(text[1:]) else None


def _actions(text: str) -> set[str]:
    """Whose words may have the text; words that end with a space go on with the server's name."""
    small = text.lower()
    heads = tuple(small[: place + 1] for place, character in enumerate(small) if character == " ")
    return {action for action, words in STEP_WORDS if small in words or words.endswith(heads)}


# Sums, so that no database goes by an index there: that would gather all there are before the newest are known.
def _of_services(text: str) -> list[ColumnElement[bool]]:
    return [(Task.service_id + 0).in_(query) for query in (_services(text), _accounts(text))]


def _of_servers(text: str) -> ColumnElement[bool]:
    return (Task.server_id + 0).in_(_servers(text))


def _of_steps(text: str, actions: Collection[str]) -> ColumnElement[bool]:
    return and_(Task.action.in_(actions), _has(text, Task.label))


def _of_errors(text: str) -> ColumnElement[bool]:
    # By their states first, which are in an index: most tasks have succeeded.
    in_trouble = select(Task.id).where(Task.status.in_(TROUBLE))
    return and_(Task.id.in_(in_trouble), _has(text, Task.error))


def _of_no_service(text: str) -> ColumnElement[bool]:
    return and_(Task.service_id.is_(None), or_(_has(text, Task.target), _has(text, Task.label)))


def _has(text: str, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    return column.ilike(like(text), escape="\\")


def _services(text: str) -> Select[Any]:
    return select(Service.id).where(or_(has_lower(Service.domain, text), has_lower(Service.domain_unicode, text)))


def _accounts(text: str) -> Select[Any]:
    query = select(Account.service_id).where(has_lower(Account.username, text), Account.service_id.is_not(None))
    return query.distinct()


def _servers(text: str) -> Select[Any]:
    return select(Server.id).where(or_(_has(text, Server.name), _has(text, Server.hostname)))


def _few(session: Session, query: Select[Any], most: int) -> set[int] | None:
    """What a query finds, None if that is more than ``most`` rows."""
    found = session.scalars(query.limit(most + 1)).all()
    return set(found) if len(found) <= most else None
