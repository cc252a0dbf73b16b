"""Things done on one server at once: look anew, count, restart, rebuild, bring its settings in line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controller.automation.group_wishes import server_settings
from controller.domain.config_keys import Tier
from controller.domain.words import (
    CONFIG_ACTION,
    REBUILD_ACTION,
    RECOUNT_ACTION,
    RESTART_ACTION,
    USAGE_ACTION,
    Driver,
    Reason,
    ServerStatus,
)
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK, ServerTask, server_resource, start_server_run
from controller.engine.rows import take
from controller.engine.zone_work import UNSTARTED
from controller.operations.errors import Refused
from controller.operations.fields import Fields
from controller.operations.lanes import lanes
from controller.operations.records import audit, must
from controller.operations.servers import queue_check
from controller.store.models import Pipeline, Server, Task
from controller.store.queries import find_server

Key = int | str
SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,63}")
USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
REBUILDS = ("users", "web", "mail", "dns")
SCOPES = tuple(tier.value for tier in Tier)


def restart_service(fleet: Fleet, actor: str, key: Key, service: str) -> Pipeline:
    """Restart one of the programs that the panel lists. Raises NotFound, Invalid, Refused."""
    fields = Fields()
    if not SERVICE.fullmatch(str(service)):
        fields.problem("service", "must be the name of a service of the server")
    fields.finish()
    return _once(fleet, actor, key, RESTART_ACTION, f"Restart {service}", {"service": service})


def rebuild(fleet: Fleet, actor: str, key: Key, what: str, users: Sequence[str] = ()) -> Pipeline:
    """Let the panel write anew what it keeps for ``users`` (all if empty): their accounts, web, mail or DNS.

    Raises NotFound, Invalid, Refused.
    """
    fields = Fields()
    fields.choice("what", what, REBUILDS)
    for user in users:
        if not isinstance(user, str) or not USERNAME.fullmatch(user):
            fields.problem("users", f"“{str(user)[:40]}” is not the name of an account")
            break
    fields.finish()
    arguments = {"what": what, "users": list(users)}
    return _once(fleet, actor, key, REBUILD_ACTION, f"Rebuild {what}", arguments)


def recount(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Let the panel count disk and traffic anew, then collect them. Raises NotFound, Refused."""
    return _once(fleet, actor, key, RECOUNT_ACTION, "Count usage anew", {"users": []})


def refresh(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Status and usage, now. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        server = in_use(session, key)
        task, ready = queue_check(session, actor, server)
        pipeline = task.pipeline
        if server.driver is Driver.HESTIACP:
            pipeline, more = start_server_run(
                session,
                reason=Reason.USAGE,
                title=f"Usage of {server.name}",
                actor=actor,
                tasks=[ServerTask(server, USAGE_ACTION, server.name)],
                priority=CUSTOMER_CLICK,
            )
            ready = ready + more
        audit(session, actor, "server.refresh", server.name, server_id=server.id)
    fleet.wake(ready)
    return pipeline


def apply_config(fleet: Fleet, actor: str, key: Key, scope: str = "all", *, check: bool = False) -> Pipeline:
    """Bring the panel's settings in line with what the server's groups want; ``check`` only shows what would change.

    Raises NotFound, Invalid, Refused.
    """
    fields = Fields()
    fields.choice("scope", scope, SCOPES)
    fields.finish()
    with fleet.database.write() as session:
        server = in_use(session, key, Driver.HESTIACP)
        if not server_settings(server, scope):
            raise Refused(f"no settings of this kind are managed for {server.name}")
        resource = server_resource(session, server, CONFIG_ACTION, scope)
        if not check:
            refuse_when_all_wait(not_started(session, [resource.id]))
            resource.generation += 1
        pipeline, ready = start_server_run(
            session,
            reason=Reason.CONFIG,
            title=f"{'Preview of settings' if check else 'Settings'} for {server.name}",
            actor=actor,
            tasks=[ServerTask(server, CONFIG_ACTION, scope, resource.id)],
            group_id=server.group_id,
            check=check,
            lanes=lanes(session, [server]),
        )
        if not check:
            audit(session, actor, "server.config", server.name, message=f"scope {scope}", server_id=server.id)
    fleet.wake(ready)
    return pipeline


def not_started(session: Session, resource_ids: Sequence[int]) -> dict[int, int]:
    """Tasks by resource that will make it as it is wanted when they start, so that none is needed beside them."""
    query = select(Task.resource_id, func.min(Task.id)).where(
        Task.resource_id.in_(resource_ids), Task.status.in_(UNSTARTED), ~Task.check_mode, ~Task.cancel_requested
    )
    return {
        resource_id: task_id
        for resource_id, task_id in session.execute(query.group_by(Task.resource_id))
        if resource_id is not None
    }


def refuse_when_all_wait(waiting: Mapping[int, int]) -> None:
    """Raises Refused when there is such a task."""
    for task_id in waiting.values():
        raise Refused(f"this is being applied already: task {task_id} waits, and takes what is wanted when it starts")


def in_use(session: Session, key: Key, driver: Driver | None = None) -> Server:
    """A server that runs tasks, taken for a change. Raises NotFound, Refused."""
    server = must(find_server(session, key), "server", key)
    server = must(take(session, Server, server.id), "server", key)
    if server.status is ServerStatus.DISABLED:
        raise Refused(f"{server.name} is out of use; take it into use first")
    if driver is not None and server.driver is not driver:
        raise Refused(f"{server.name} has no panel for this")
    return server


def _once(fleet: Fleet, actor: str, key: Key, action: str, title: str, arguments: dict[str, Any]) -> Pipeline:
    """A task that is no resource's; one that may interrupt what the server does waits for its group's turn."""
    with fleet.database.write() as session:
        server = in_use(session, key, Driver.HESTIACP)
        pipeline, ready = start_server_run(
            session,
            reason=Reason.MAINTENANCE,
            title=f"{title} on {server.name}",
            actor=actor,
            tasks=[ServerTask(server, action, str(arguments.get("service") or server.name), arguments=arguments)],
            priority=CUSTOMER_CLICK,
            lanes=None if action == RECOUNT_ACTION else lanes(session, [server]),
        )
        audit(session, actor, action, server.name, message=title, server_id=server.id)
    fleet.wake(ready)
    return pipeline
