"""Zones of a group: which of them a variable is in, and bringing them up to what the group says now."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.automation.zone_wishes import template_lines
from controller.domain.zones import DEFAULT_TEMPLATE, nameserver_number, of_zone, placeholders_of
from controller.engine import zone_rollout
from controller.engine.fleet import Fleet
from controller.operations.errors import Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.models import ServerGroup
from controller.store.queries import find_group
from controller.store.work_models import LongRun
from controller.store.zone_models import ZoneTemplate

Key = int | str
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""Name of a group's variable."""


def reach(session: Session, group: ServerGroup, variables: Collection[str] | None = None) -> int:
    """How many zones of a group can be redeployed; with ``variables`` those that one of these is in."""
    return zone_rollout.reach(session, "group", group_id=group.id, templates=_naming(session, variables))


def redeploy(fleet: Fleet, actor: str, key: Key, variables: Collection[str] | None = None) -> LongRun:
    """Bring the zones of a group up to its variables, template and TTL, a few at a time; with ``variables`` those
    that one of these is in.

    Raises NotFound, Invalid (field ``variables``), Refused when there is none.
    """
    fields = Fields()
    for name in variables if variables is not None else ():
        if not VARIABLE.fullmatch(name):
            fields.problem("variables", f"{name[:60]!r} is not a variable's name")
    if variables is not None and not variables:
        fields.problem("variables", "name at least one")
    fields.finish()
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        run = zone_rollout.start(
            session,
            actor,
            f"Zones of {group.name}",
            "group",
            group_id=group.id,
            templates=_naming(session, variables),
        )
        if run is None:
            whose = f"no zone of {group.name}"
            raise Refused(f"{whose} can be redeployed now" if variables is None else f"{whose} uses these variables")
        words = f"{run.total} zones" if variables is None else f"{run.total} zones with {', '.join(sorted(variables))}"
        audit(session, actor, "group.redeploy", group.name, message=words, group_id=group.id)
    return run


def _naming(session: Session, variables: Collection[str] | None) -> list[int | None] | None:
    """Templates that one of these variables is in, None among them for the built-in one; None if that leaves out no
    zone: nameservers are named in all of them."""
    if variables is None or any(nameserver_number(name) is not None for name in variables):
        return None
    wanted = {name for name in variables if not of_zone(name)}
    stored = session.scalars(select(ZoneTemplate).order_by(ZoneTemplate.id)).all()
    lines = {None: DEFAULT_TEMPLATE} | {template.id: template_lines(template.records) for template in stored}
    found = [number for number, of_template in lines.items() if wanted.intersection(placeholders_of(of_template))]
    return None if len(found) == len(lines) else found
