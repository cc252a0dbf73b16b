"""Server groups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError

from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.store.models import ServerGroup

VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")


def create(
    fleet: Fleet, actor: str, *, name: str, description: str = "", variables: Mapping[str, Any] | None = None
) -> ServerGroup:
    """A new group; variables fill placeholders of zone templates. Raises Invalid, Conflict."""
    fields = Fields()
    name = fields.name("name", name)
    description = fields.text("description", description, maximum=1000, required=False)
    values: dict[str, str] = {}
    for key, value in (variables or {}).items():
        if not VARIABLE.fullmatch(str(key)):
            fields.problem(f"variables.{key}", "a variable's name has lower-case letters, digits and underscores")
        else:
            values[key] = fields.text(f"variables.{key}", value, maximum=255, required=False)
    fields.finish()
    with fleet.database.write() as session:
        group = ServerGroup(name=name, description=description, variables=values)
        session.add(group)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a group {name} already", field="name") from None
        audit(session, actor, "group.create", name, message=description, group_id=group.id)
    return group
