"""Standard files of a group: its own version, one pulled from a server, or the panel's own."""

from __future__ import annotations

from controller.domain.standard_files import STANDARD_FILES, check
from controller.domain.words import PULL_ACTION, Driver, Reason
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK, ServerTask, start_server_run
from controller.operations.errors import Invalid, Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.operations.server_actions import in_use
from controller.store.base import utcnow
from controller.store.fleet_models import DEFAULT_FILE, StandardFile
from controller.store.group_queries import own_files, standard_files
from controller.store.models import Pipeline, ServerGroup
from controller.store.queries import find_group

Key = int | str


def override(fleet: Fleet, actor: str, key: Key, name: str, content: str) -> StandardFile:
    """The group's own version of a file; nothing reaches a server before it is applied.

    Raises NotFound, Invalid (fields ``name``, ``content``).
    """
    _known(name)
    problems = check(name, content)
    if problems:
        raise Invalid(problems)
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        row = standard_files(session, group.id).get(name)
        if row is None:
            row = StandardFile(group_id=group.id, name=name)
            session.add(row)
        row.origin, row.content, row.server_name = "overridden", content, ""
        row.updated_at, row.updated_by = utcnow(), actor
        audit(session, actor, "group.file", group.name, message=f"{name} overridden", group_id=group.id)
    return row


def reset(fleet: Fleet, actor: str, key: Key, name: str) -> ServerGroup:
    """Back to the panel's own file once it is applied. Raises NotFound, Invalid."""
    _known(name)
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        row = own_files(standard_files(session, group.id)).get(name)
        if row is not None:
            # The row stays: servers have the group's version until the next push.
            row.origin, row.content, row.server_name = DEFAULT_FILE, "", ""
            row.updated_at, row.updated_by = utcnow(), actor
            audit(session, actor, "group.file", group.name, message=f"{name} back to default", group_id=group.id)
    return group


def pull(fleet: Fleet, actor: str, key: Key, name: str, server: Key) -> Pipeline:
    """Take over the version that a server has now, unless the group's is changed meanwhile.

    Raises NotFound, Invalid, Refused.
    """
    _known(name)
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        source = in_use(session, server, Driver.HESTIACP)
        if not source.can_web:
            raise Refused(f"{source.name} hosts no websites")
        row = standard_files(session, group.id).get(name)
        # What somebody writes while the server is asked is newer than what it will say.
        version = row.updated_at.isoformat() if row is not None else None
        arguments = {"file": name, "group_id": group.id, "version": version}
        pipeline, ready = start_server_run(
            session,
            reason=Reason.FILES,
            title=f"{STANDARD_FILES[name].title} from {source.name}",
            actor=actor,
            tasks=[ServerTask(source, PULL_ACTION, name, arguments=arguments)],
            group_id=group.id,
            priority=CUSTOMER_CLICK,
        )
        audit(session, actor, "group.file", group.name, message=f"{name} pulled from {source.name}", group_id=group.id)
    fleet.wake(ready)
    return pipeline


def _known(name: str) -> None:
    fields = Fields()
    fields.choice("name", name, STANDARD_FILES)
    fields.finish()
