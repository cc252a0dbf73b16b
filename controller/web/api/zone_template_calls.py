"""Calls on zone templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.operations import zone_templates
from controller.operations.errors import Refused
from controller.store.zone_models import ZoneTemplate
from controller.store.zone_queries import templates, zones_by_template
from controller.store.zone_template_queries import zones_using
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Asked, Call, Once
from controller.web.api.zone_runs import STARTS, ZoneRunAnswer, zone_run_answer
from controller.web.api.zone_template_answers import (
    BUILT_IN,
    NewZoneTemplate,
    PlaceholderAnswer,
    PlaceholdersAnswer,
    ZoneTemplateAnswer,
    ZoneTemplateChange,
    ZoneTemplatesAnswer,
    ZoneTemplateSummary,
    template_answer,
    template_summary,
)
from controller.web.placeholders import explained


def find(session: Session, key: str) -> ZoneTemplate | None:
    """A template by id or name, None for the built-in one. Raises NotFound."""
    return None if key == BUILT_IN else zone_templates.find(session, key)


def _own_id(asked: Asked) -> int:
    """Id of a template that is not the built-in one. Raises NotFound, Refused."""
    with asked.fleet.database.read() as session:
        template = find(session, asked.key)
    if template is None:
        raise Refused("the built-in template stays as it is; copy it to change it")
    return template.id


def in_full(session: Session, template: ZoneTemplate | None) -> ZoneTemplateAnswer:
    """A template with who uses it; None is the built-in one."""
    number = template.id if template else None
    default = template.is_default if template else not any(one.is_default for one in templates(session))
    return template_answer(template, zones_using(session, number), default)


def all_templates(session: Session) -> list[ZoneTemplateSummary]:
    """All of them, the built-in one first."""
    found, zones = templates(session), zones_by_template(session)
    built_in = template_summary(None, zones.get(None, 0), not any(one.is_default for one in found))
    return [built_in, *(template_summary(one, zones.get(one.id, 0), one.is_default) for one in found)]


def _list(asked: Asked) -> ZoneTemplatesAnswer:
    with asked.fleet.database.read() as session:
        return ZoneTemplatesAnswer(items=all_templates(session))


def _get(asked: Asked) -> ZoneTemplateAnswer:
    with asked.fleet.database.read() as session:
        return in_full(session, find(session, asked.key))


def _create(asked: Asked) -> None:
    body: NewZoneTemplate = asked.body
    records = zone_templates.built_in() if body.records is None else [line.model_dump() for line in body.records]
    zone_templates.create(asked.fleet, asked.actor, name=body.name, description=body.description, records=records)


def _created(session: Session, template: ZoneTemplate, _added: Sequence[Any]) -> ZoneTemplateAnswer:
    return in_full(session, template)


def _edit(asked: Asked) -> ZoneTemplateAnswer:
    body: ZoneTemplateChange = asked.body
    number = _own_id(asked)
    with asked.fleet.database.read() as session:
        template = session.get_one(ZoneTemplate, number)
    before = {"name": template.name, "description": template.description, "records": template.records}
    zone_templates.edit(asked.fleet, asked.actor, number, **before | body.model_dump(exclude_unset=True))
    with asked.fleet.database.read() as session:
        return in_full(session, session.get_one(ZoneTemplate, number))


def _delete(asked: Asked) -> ZoneTemplateAnswer:
    number = _own_id(asked)
    gone = _get(asked)
    zone_templates.delete_template(asked.fleet, asked.actor, number)
    return gone


def _default(asked: Asked) -> ZoneTemplateAnswer:
    zone_templates.set_default(asked.fleet, asked.actor, None if asked.key == BUILT_IN else asked.key)
    return _get(asked)


def _redeploy(asked: Asked) -> ZoneRunAnswer:
    key = None if asked.key == BUILT_IN else asked.key
    return zone_run_answer(zone_templates.redeploy(asked.fleet, asked.actor, key))


def _placeholders(_asked: Asked) -> PlaceholdersAnswer:
    return PlaceholdersAnswer(
        items=[PlaceholderAnswer(name=name, explanation=explanation) for name, explanation in explained()]
    )


CALLS = (
    Call(
        "GET",
        "/zone-templates",
        "List zone templates, the built-in one first",
        _list,
        answer=ZoneTemplatesAnswer,
    ),
    Call(
        "POST",
        "/zone-templates",
        "Create a zone template",
        _create,
        answer=ZoneTemplateAnswer,
        status=201,
        body=NewZoneTemplate,
        once=Once(ZoneTemplate, _created),
    ),
    Call(
        "GET",
        "/zone-templates/{id}",
        "Show a zone template; `built-in` is the one that is always there",
        _get,
        answer=ZoneTemplateAnswer,
    ),
    Call(
        "PATCH",
        "/zone-templates/{id}",
        "Change a zone template; zones follow when they are redeployed",
        _edit,
        answer=ZoneTemplateAnswer,
        body=ZoneTemplateChange,
        problems=("conflict", "refused"),
    ),
    Call(
        "DELETE",
        "/zone-templates/{id}",
        "Remove a zone template that nobody chose",
        _delete,
        answer=ZoneTemplateAnswer,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/zone-templates/{id}/default",
        "Use a template for zones for which nobody chose one",
        _default,
        answer=ZoneTemplateAnswer,
        body=Nothing,
        once=Once(),
    ),
    Call(
        "POST",
        "/zone-templates/{id}/redeploy",
        "Bring every zone that uses a template up to what it says now",
        _redeploy,
        answer=ZoneRunAnswer,
        status=202,
        body=Nothing,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "GET",
        "/zone-placeholders",
        "List what can stand in zone templates, and what it becomes",
        _placeholders,
        answer=PlaceholdersAnswer,
    ),
)
