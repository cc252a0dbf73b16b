"""Zone templates: bodies, answers, and how they are made of rows. The built-in one has no row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from controller.domain.zones import MAX_TTL, MIN_TTL, TYPES
from controller.operations.zone_templates import built_in
from controller.store.zone_models import ZoneTemplate
from controller.web.api import PREFIX
from controller.web.api.answers import Links
from controller.web.api.bodies import Body

BUILT_IN = "built-in"
"""Its key."""


class TemplateLineBody(Body):
    """A record with placeholders."""

    name: str = Field(description="relative to the zone, @ the zone itself", examples=["www"])
    type: str = Field(json_schema_extra={"enum": list(TYPES)})
    value: str = Field(description="without the priority", examples=["{server_ip}"])
    priority: int | None = Field(None, description="of MX and SRV", json_schema_extra={"minimum": 0, "maximum": 65535})
    ttl: int | None = Field(
        None, description="seconds; null: the zone's", json_schema_extra={"minimum": MIN_TTL, "maximum": MAX_TTL}
    )


class NewZoneTemplate(Body):
    """Records that zones are made of."""

    name: str = Field(examples=["Mail elsewhere"])
    description: str = ""
    records: list[TemplateLineBody] | None = Field(None, description="null: begins as the built-in template")


class ZoneTemplateChange(Body):
    """What is left out stays."""

    name: str | None = None
    description: str | None = None
    records: list[TemplateLineBody] = Field(default_factory=list, description="all of them")


class TemplateLine(BaseModel):
    """A record with placeholders."""

    name: str
    type: str
    value: str
    priority: int | None
    ttl: int | None


class ZoneTemplateSummary(BaseModel):
    """A zone template, as lists show it."""

    id: int | None = Field(description="null for the built-in one")
    name: str
    description: str
    is_default: bool = Field(description="for zones for which nobody chose one")
    lines: int
    zones: int = Field(description="that use it")
    updated_at: dt.datetime | None
    links: Links


class ZoneTemplateAnswer(ZoneTemplateSummary):
    """A zone template."""

    records: list[TemplateLine]


class ZoneTemplatesAnswer(BaseModel):
    """All zone templates, the built-in one first."""

    items: list[ZoneTemplateSummary]


class PlaceholderAnswer(BaseModel):
    """What can stand in a template, and what it becomes."""

    name: str = Field(examples=["{server_ip}"])
    explanation: str


class PlaceholdersAnswer(BaseModel):
    """All placeholders; beside these every variable of the server group can stand in braces."""

    items: list[PlaceholderAnswer]


def template_summary(template: ZoneTemplate | None, zones: int, default: bool) -> ZoneTemplateSummary:
    """A template for the list; None is the built-in one."""
    me = f"{PREFIX}/zone-templates/{template.id if template else BUILT_IN}"
    return ZoneTemplateSummary(
        id=template.id if template else None,
        name=template.name if template else "Built-in",
        description=template.description if template else "Working web and mail; cannot be changed, only copied.",
        is_default=default,
        lines=len(_lines(template)),
        zones=zones,
        updated_at=template.updated_at if template else None,
        links={"self": me, "default": f"{me}/default", "redeploy": f"{me}/redeploy"},
    )


def template_answer(template: ZoneTemplate | None, zones: int, default: bool) -> ZoneTemplateAnswer:
    """A template in full."""
    return ZoneTemplateAnswer(
        **dict(template_summary(template, zones, default)), records=[_line(line) for line in _lines(template)]
    )


def _lines(template: ZoneTemplate | None) -> list[dict[str, Any]]:
    return template.records if template else built_in()


def _line(line: Mapping[str, Any]) -> TemplateLine:
    return TemplateLine(
        name=line["name"],
        type=line["type"],
        value=line["value"],
        priority=line.get("priority"),
        ttl=line.get("ttl"),
    )
