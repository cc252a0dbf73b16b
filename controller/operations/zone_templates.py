"""Zone templates: records with placeholders that zones are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.zones import DEFAULT_TEMPLATE, check_template
from controller.engine import zone_rollout
from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict, Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.base import utcnow
from controller.store.models import Product, Server, ServerGroup
from controller.store.queries import by_key
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone, ZoneTemplate

Key = int | str
LINE = frozenset({"name", "type", "value", "priority", "ttl"})


def find(session: Session, key: Key) -> ZoneTemplate:
    """By id or name, or NotFound."""
    return must(by_key(session, ZoneTemplate, key, ZoneTemplate.name), "zone template", key)


def built_in() -> list[dict[str, Any]]:
    """The lines of the built-in template."""
    return [{key: value for key, value in vars(line).items() if value is not None} for line in DEFAULT_TEMPLATE]


def create(
    fleet: Fleet, actor: str, *, name: str, description: str = "", records: Sequence[Mapping[str, Any]]
) -> ZoneTemplate:
    """A new template. Raises Invalid (fields ``records.N.value`` and so on, from 0), Conflict."""
    fields, name, description, lines = _checked(name, description, records)
    with fleet.database.write() as session:
        _refuse_taken(session, fields, name)
        fields.finish()
        template = ZoneTemplate(name=name, description=description, records=lines)
        session.add(template)
        _flush(session, name)
        audit(session, actor, "zone-template.create", name, message=f"{len(lines)} records")
    return template


def copy_built_in(fleet: Fleet, actor: str, name: str) -> ZoneTemplate:
    """A template that begins as the built-in one. Raises Invalid, Conflict."""
    return create(fleet, actor, name=name, description="", records=built_in())


def edit(
    fleet: Fleet, actor: str, key: Key, *, name: str, description: str = "", records: Sequence[Mapping[str, Any]]
) -> ZoneTemplate:
    """Change a template; zones follow when they are redeployed. Raises NotFound, Invalid, Conflict."""
    fields, name, description, lines = _checked(name, description, records)
    with fleet.database.write() as session:
        template = find(session, key)
        _refuse_taken(session, fields, name, template)
        fields.finish()
        template.name, template.description, template.records = name, description, lines
        template.updated_at = utcnow()
        _flush(session, name)
        audit(session, actor, "zone-template.edit", name, message=f"{len(lines)} records")
    return template


def set_default(fleet: Fleet, actor: str, key: Key | None) -> None:
    """The template of zones for which nobody chose one; None: the built-in one. Raises NotFound."""
    with fleet.database.write() as session:
        template = find(session, key) if key is not None else None
        session.execute(update(ZoneTemplate).values(is_default=False))
        if template is not None:
            session.refresh(template)
            template.is_default = True
        audit(session, actor, "zone-template.default", template.name if template is not None else "built-in")


def delete_template(fleet: Fleet, actor: str, key: Key) -> None:
    """Remove a template that nobody chose. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        template = find(session, key)
        if template.is_default:
            raise Refused(f"{template.name} is the default template; make another one the default first")
        users = _chosen_by(session, template)
        if users:
            raise Refused(f"{template.name} is chosen by {users}; choose another one there first")
        name = template.name
        session.delete(template)
        audit(session, actor, "zone-template.delete", name)


def redeploy(fleet: Fleet, actor: str, key: Key | None) -> LongRun:
    """Bring every zone that uses a template (None: the built-in one) up to what it says now.

    Raises NotFound, Refused when there is none.
    """
    with fleet.database.write() as session:
        template = find(session, key) if key is not None else None
        name = template.name if template is not None else "the built-in template"
        number = template.id if template is not None else None
        run = zone_rollout.start(session, actor, f"Zones of {name}", "template", template_id=number)
        if run is None:
            raise Refused(f"no zone uses {name}")
        audit(session, actor, "zone-template.redeploy", name, message=f"{run.total} zones")
    return run


def _chosen_by(session: Session, template: ZoneTemplate) -> str:
    counts = []
    choices = (
        (Product.zone_template_id, "product"),
        (ServerGroup.zone_template_id, "group"),
        (Server.zone_template_id, "server"),
        (Zone.template_id, "zone"),
    )
    for choice, noun in choices:
        count = session.scalar(select(func.count()).where(choice == template.id)) or 0
        if count:
            counts.append(f"{count} {noun}{'' if count == 1 else 's'}")
    return ", ".join(counts)


def _checked(
    name: Any, description: Any, records: Sequence[Mapping[str, Any]]
) -> tuple[Fields, str, str, list[dict[str, Any]]]:
    """The values, and what is wrong with them. Before anything is locked: many lines take a while."""
    fields = Fields()
    name = fields.name("name", name)
    description = fields.text("description", description, maximum=1000, required=False)
    lines = [{key: value for key, value in line.items() if key in LINE and value is not None} for line in records]
    if not lines:
        fields.problem("records", "a template needs at least one record")
    fields.extend(check_template(lines))
    return fields, name, description, lines


def _refuse_taken(session: Session, fields: Fields, name: str, template: ZoneTemplate | None = None) -> None:
    """A name that another template has."""
    if fields.wrong("name"):
        return
    other = session.scalar(select(ZoneTemplate.id).where(ZoneTemplate.name == name))
    if other is not None and (template is None or other != template.id):
        fields.refusal("name", Conflict(f"there is a zone template {name} already", field="name"))


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"there is a zone template {name} already", field="name") from None
