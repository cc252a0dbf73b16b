"""Runs by hand: what plain Ansible asks the database for, and what it leaves behind there.

The playbooks that staff start themselves do what the buttons do: they read the same wishes, and what came of each
server is written as a task's result is, with the person at the keyboard as the one who did it.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from controller.automation.installation import NoInstallation, settings, vault
from controller.automation.variables import WISHED_WITH, resource_wishes, role_variables, task_variables
from controller.domain.config_keys import Tier
from controller.domain.failures import classify
from controller.domain.words import CONFIG_ACTION, FILES_ACTION, STATUS_ACTION, VERIFY_ACTION, Capability, Desired
from controller.engine.arrivals import settings_arrived, status_arrived
from controller.engine.breaker import close_breaker
from controller.engine.planning import server_resource
from controller.store.base import utcnow
from controller.store.database import Database
from controller.store.models import OperationLog, Resource, Server, Task
from controller.store.queries import find_service

KEPT = (CONFIG_ACTION, FILES_ACTION)
"""What a server itself shall have; its rows tell whether it is up to date."""

OWN_LOOKUP = "The lookup plugin 'hestia_fleet_"
NAMED = 10
"""Resources that a line of the operation log names."""

_databases: dict[int, Database] = {}


def _database() -> Database:
    """The database of the chosen installation, as this process has it open. Raises NoInstallation."""
    if os.getpid() not in _databases:
        here = settings()
        _databases[os.getpid()] = Database(here.effective_database_url, here.database_busy_seconds)
    return _databases[os.getpid()]


@contextlib.contextmanager
def reading() -> Iterator[Session]:
    """A session for looking. Raises NoInstallation when the database does not answer."""
    try:
        with _database().read() as session:
            yield session
    except SQLAlchemyError as error:
        raise NoInstallation(f"the database does not answer: {_said(error)}") from None


def _said(error: SQLAlchemyError) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())


def actor() -> str:
    """Who is at the keyboard, for the operation log."""
    try:
        return f"ansible:{getpass.getuser()}"
    except (OSError, KeyError):
        return "ansible"


# -- what is wished for ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    """One action on one server: the role's variables, and the generation that they are of."""

    action: str
    name: str
    variables: dict[str, Any]
    generation: int = 0


def server_wish(session: Session, server_id: int, action: str, name: str) -> Wish:
    """What a server itself shall have (settings of a scope, standard files), or what a look at it needs.

    Raises NoInstallation when there is no such thing.
    """
    server = _server(session, server_id)
    if action not in KEPT:
        task = Task(server=server, action=action, target=server.name, arguments={})
        return Wish(action, name, task_variables(session, vault(), task).values)
    if action == CONFIG_ACTION and name not in set(Tier):
        raise NoInstallation(f"scope: must be one of {', '.join(Tier)}, not {name}")
    # A look leaves nothing behind: the row is made when something was applied.
    resource = session.scalars(
        select(Resource).where(Resource.server_id == server_id, Resource.action == action, Resource.name == name)
    ).first() or Resource(server=server, server_id=server_id, action=action, name=name, generation=1)
    return Wish(action, name, role_variables(session, vault(), resource).values, resource.generation)


def _server(session: Session, server_id: int) -> Server:
    server = session.get(Server, server_id)
    if server is None:
        raise NoInstallation(f"there is no server {server_id} any more")
    return server


@dataclass(frozen=True)
class Wishes:
    """Everything that services have on a server: resources with the options of their modules, as JSON, and in words
    what cannot be said yet. No secret is among them."""

    resources_json: str
    not_ready: list[str]


def service_wishes(session: Session, server_id: int, service: str = "") -> Wishes:
    """Of one service (id or domain), or of all. Raises NoInstallation for a service that nobody knows."""
    _server(session, server_id)
    query = (
        select(Resource)
        .where(Resource.server_id == server_id, Resource.service_id.is_not(None))
        .options(*WISHED_WITH)
        .order_by(Resource.service_id, Resource.id)
    )
    if service:
        found = find_service(session, service.strip().lower())
        if found is None:
            raise NoInstallation(f"service: there is no service {service}")
        query = query.where(Resource.service_id == found.id)
    known = [r for r in session.scalars(query) if r.applied_generation or r.desired is not Desired.ABSENT]
    wishes, not_ready = resource_wishes(session, vault(), known)
    # One text: Ansible goes through every word of a tree.
    return Wishes(json.dumps([wish for _, wish in wishes], separators=(",", ":")), not_ready)


# -- what came of it -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """What a run did on one server. ``result`` is the module's."""

    server_id: int
    action: str
    name: str
    check: bool
    result: Mapping[str, Any]
    failed: bool = False
    unreachable: bool = False
    generation: int | None = None
    """Of the wish that was read."""


def write(who: str, done: Sequence[Done]) -> None:
    """Write what came of some servers, each a line of the operation log; all of it or nothing.

    Raises NoInstallation when the database does not answer.
    """
    try:
        with _database().write() as session:
            for one in done:
                _write(session, who, one)
    except SQLAlchemyError as error:
        raise NoInstallation(f"the database does not answer: {_said(error)}") from None
    finally:
        # The workers that come are forks: they are not to share a connection.
        _database().dispose()


def _write(session: Session, who: str, done: Done) -> None:
    server = session.get(Server, done.server_id)
    if server is None:
        return
    wrong = done.failed or done.unreachable
    message = _why(done) if wrong else words(done)
    looks_only = done.check or done.action == VERIFY_ACTION
    if not wrong:
        close_breaker(session, server.id)
        if not done.check:
            _arrived(session, server, done)
    elif done.action == CONFIG_ACTION and not done.check:
        settings_arrived(session, server.id, _facts(done))
    result = "failed" if wrong else "checked" if looks_only else "succeeded"
    preview = "Preview: " if done.check and done.action != VERIFY_ACTION else ""
    session.add(
        OperationLog(
            actor=who,
            action=done.action,
            target=server.name,
            result=result,
            message=f"{preview}{message}",
            server_id=server.id,
        )
    )


def _arrived(session: Session, server: Server, done: Done) -> None:
    facts = _facts(done)
    if done.action == STATUS_ACTION:
        status_arrived(session, server, facts)
    elif done.action in KEPT and done.generation is not None:
        if done.action == CONFIG_ACTION:
            settings_arrived(session, server.id, facts)
        resource = server_resource(session, server, done.action, done.name)
        resource.facts = {**resource.facts, **facts}
        resource.applied_generation = max(resource.applied_generation, min(done.generation, resource.generation))
        resource.applied_at = utcnow()


def _facts(done: Done) -> dict[str, Any]:
    return dict(done.result.get("facts") or {})


def _why(done: Done) -> str:
    """Why it failed; of what a lookup of ours says without what Ansible says around it."""
    message = classify(done.result, unreachable=done.unreachable)[1]
    _, ours, said = message.partition(OWN_LOOKUP)
    return said.partition("failed: ")[2] if ours else message


def words(done: Done) -> str:
    """What was done, or would be, for people."""
    match done.action:
        case "server.status":
            return "Status collected"
        case "server.verify":
            return _verified(done.result)
    what = f"{'Settings' if done.action == CONFIG_ACTION else 'Standard files'}{_scope(done)}"
    changed = _differing(done.result)
    if not done.result.get("changed"):
        return f"{what}: nothing to change"
    verb = "would change" if done.check else "changed"
    return f"{what}: {len(changed)} {verb} ({', '.join(changed)})" if changed else f"{what}: {verb}"


def _scope(done: Done) -> str:
    return f" ({done.name})" if done.name in set(Capability) else ""


def _differing(result: Mapping[str, Any]) -> list[str]:
    """Names of what differs between before and after."""
    diff = result.get("diff") or {}
    before, after = (diff.get(side) or {} for side in ("before", "after")) if isinstance(diff, Mapping) else ({}, {})
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    return [str(key) for key in after if before.get(key) != after[key]]


def _verified(result: Mapping[str, Any]) -> str:
    differences, failures = result.get("differences") or [], result.get("failures") or []
    checked = f"Verified {int(result.get('checked') or 0)} resources"
    if not differences and not failures:
        return f"{checked}: all as they should be"
    parts = [f"{len(differences)} differ", *([f"{len(failures)} could not be looked at"] if failures else [])]
    names = [f"{one['action']} {one['name']}" for one in [*differences, *failures]]
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return f"{checked}: {', '.join(parts)} ({shown})"
