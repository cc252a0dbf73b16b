"""Pushing what a group wants to its servers: first shown in check mode, then one task per server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.automation.group_wishes import server_files, server_settings
from controller.domain.words import (
    CONFIG_ACTION,
    FILES_ACTION,
    RUNNABLE,
    STATUS_ACTION,
    Capability,
    Driver,
    Reason,
)
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK, DEPLOYMENT, ServerTask, server_resource, start_server_run
from controller.operations.errors import Refused
from controller.operations.fields import Fields
from controller.operations.lanes import lanes
from controller.operations.records import audit, must
from controller.operations.server_actions import SCOPES, not_started, refuse_when_all_wait
from controller.store.models import Pipeline, Server, ServerGroup
from controller.store.queries import find_group

Key = int | str
KINDS = ("config", "files", "status")
FILES = "standard"
"""Name of the resource that stands for a server's standard files."""
WISH = "wish"
"""Argument of a preview's tasks: a mark of what was looked for."""
TITLES = {
    ("config", "all"): "Settings of all servers",
    ("config", "web"): "Settings of web servers",
    ("config", "mail"): "Settings of mail servers",
    ("config", "dns"): "Settings of DNS servers",
    ("files", "all"): "Standard files",
    ("status", "all"): "Status of all servers",
}


def preview(fleet: Fleet, actor: str, key: Key, kind: str, scope: str = "all") -> Pipeline:
    """Show in check mode what a push would change on which server. Raises NotFound, Invalid, Refused."""
    return _run(fleet, actor, key, kind, scope, check=True)


def apply(fleet: Fleet, actor: str, key: Key, kind: str, scope: str = "all", *, shown: int | None = None) -> Pipeline:
    """Push to every server that it concerns, one after another; one that an earlier push has not reached yet (it is
    away, or its turn has not come) keeps its task of that.

    ``shown``: the preview (id of its pipeline) that is confirmed by this; refused when what it showed is not what is
    wanted any more. Raises NotFound, Invalid, Refused.
    """
    return _run(fleet, actor, key, kind, scope, check=False, shown=shown)


def is_as_shown(session: Session, group: ServerGroup, preview: Pipeline, kind: str, scope: str) -> bool:
    """Whether a push would still bring what a preview looked for, to the same servers."""
    seen = {task.server_id: task.arguments.get(WISH) for task in preview.tasks}
    return seen == _wishes(session, concerned(session, group, kind, scope), kind, scope)


def _wishes(session: Session, servers: Sequence[Server], kind: str, scope: str) -> dict[int, str]:
    """A short mark of all that a push would bring to each server."""
    if kind == "config":
        return {server.id: _mark(server_settings(server, scope)) for server in servers}
    # Files go to servers of one group, so all get the same.
    same = _mark(server_files(session, servers[0])) if servers else ""
    return dict.fromkeys((server.id for server in servers), same)


def _mark(wanted: Any) -> str:
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def members(session: Session, group: ServerGroup) -> list[Server]:
    """A group's own servers and its nameservers, by name."""
    everyone = {server.id: server for server in (*group.servers, *group.dns_servers)}
    return sorted(everyone.values(), key=lambda server: server.name)


def concerned(session: Session, group: ServerGroup, kind: str, scope: str) -> list[Server]:
    """Members in use that a run is for."""
    usable = [server for server in members(session, group) if server.status in RUNNABLE]
    if kind == "status":
        return usable
    panels = [server for server in usable if server.driver is Driver.HESTIACP]
    if kind == "files":
        return [server for server in panels if server.can_web and server.group_id == group.id]
    if scope != "all":
        panels = [server for server in panels if Capability(scope) in server.capabilities]
    return [server for server in panels if server_settings(server, scope)]


def _run(
    fleet: Fleet, actor: str, key: Key, kind: str, scope: str, *, check: bool, shown: int | None = None
) -> Pipeline:
    fields = Fields()
    fields.choice("kind", kind, KINDS)
    fields.choice("scope", scope, SCOPES if kind == "config" else ("all",))
    if check and kind == "status":
        fields.problem("kind", "a look at the servers changes nothing and needs no preview")
    fields.finish()
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        servers = concerned(session, group, kind, scope)
        if not servers:
            raise Refused(_nobody(group, kind, scope))
        if shown is not None and not is_as_shown(session, group, session.get_one(Pipeline, shown), kind, scope):
            raise Refused(f"what {group.name} wants has changed since this preview; look again")
        pipeline, ready = _start(session, actor, group, servers, kind, scope, check=check)
        if not check:
            message = f"{pipeline.title}: {', '.join(task.server.name for task in pipeline.tasks)}"
            audit(session, actor, f"group.{kind}", group.name, message=message, group_id=group.id, scope=scope)
    fleet.wake(ready)
    return pipeline


def _start(
    session: Session, actor: str, group: ServerGroup, servers: Sequence[Server], kind: str, scope: str, *, check: bool
) -> tuple[Pipeline, Ready]:
    title = f"{'Preview: ' if check else ''}{TITLES[kind, scope]}"
    if kind == "status":
        return start_server_run(
            session,
            reason=Reason.CHECK,
            title=title,
            actor=actor,
            tasks=[ServerTask(server, STATUS_ACTION, server.name) for server in servers],
            group_id=group.id,
            priority=CUSTOMER_CLICK,
        )
    action, name = (CONFIG_ACTION, scope) if kind == "config" else (FILES_ACTION, FILES)
    resources = {server.id: server_resource(session, server, action, name) for server in servers}
    if not check:
        waiting = not_started(session, [resource.id for resource in resources.values()])
        if len(waiting) == len(servers):
            refuse_when_all_wait(waiting)
        for resource in resources.values():
            resource.generation += 1
        later = [server for server in servers if resources[server.id].id in waiting]
        servers = [server for server in servers if resources[server.id].id not in waiting]
        title += _told_later([(server.name, waiting[resources[server.id].id]) for server in later])
    wishes = _wishes(session, servers, kind, scope) if check else {}
    return start_server_run(
        session,
        reason=Reason.CONFIG if kind == "config" else Reason.FILES,
        title=title,
        actor=actor,
        tasks=[
            ServerTask(
                server,
                action,
                name,
                resources[server.id].id,
                arguments={WISH: wishes[server.id]} if check else {},
            )
            for server in servers
        ],
        group_id=group.id,
        priority=CUSTOMER_CLICK if check else DEPLOYMENT,
        check=check,
        lanes=lanes(session, servers),
    )


def _told_later(servers: Sequence[tuple[str, int]]) -> str:
    """What a push's title says of servers, by name and task, that an earlier push has not reached yet: their tasks
    take the newest wish when they start."""
    if not servers:
        return ""
    if len(servers) == 1:
        return "; {} with task {}, which waits".format(*servers[0])
    return f"; {len(servers)} more servers with earlier tasks, which wait"


def _nobody(group: ServerGroup, kind: str, scope: str) -> str:
    if kind == "config":
        kinds = "server" if scope == "all" else f"{scope} server"
        return f"no {kinds} of {group.name} is in use and has settings to be applied"
    if kind == "files":
        return f"{group.name} has no web server in use"
    return f"{group.name} has no server in use"
