"""Bodies about zones and their records."""

from __future__ import annotations

from pydantic import Field, JsonValue

from controller.domain.zones import MAX_TTL, MIN_TTL, TYPES
from controller.web.api.bodies import Body, Key

TYPE: dict[str, JsonValue] = {"enum": list(TYPES)}
TTL: dict[str, JsonValue] = {"minimum": MIN_TTL, "maximum": MAX_TTL}
PREFERENCE: dict[str, JsonValue] = {"minimum": 0, "maximum": 65535}


class NewRecord(Body):
    """A record of a zone's own."""

    name: str = Field(description="relative to the zone, @ the zone itself", examples=["shop"])
    type: str = Field(json_schema_extra=TYPE)
    value: str = Field(description="without the priority", examples=["192.0.2.80"])
    priority: int | None = Field(None, description="of MX and SRV", json_schema_extra=PREFERENCE)
    ttl: int | None = Field(None, description="seconds; null: the zone's", json_schema_extra=TTL)


class RecordChange(Body):
    """What is left out stays."""

    name: str | None = None
    type: str | None = Field(None, json_schema_extra=TYPE)
    value: str | None = None
    priority: int | None = Field(None, json_schema_extra=PREFERENCE)
    ttl: int | None = Field(None, json_schema_extra=TTL)


class TemplateChoice(Body):
    """The template of one zone."""

    zone_template: Key | None = Field(description="null: as its product, server or group say")


class ZonesBody(Body):
    """Several zones."""

    zones: list[Key] = Field(min_length=1, description="ids or domains")


class ImportBody(Body):
    """A zone file."""

    text: str = Field(examples=["shop 3600 IN A 192.0.2.80"])
    replace: bool = Field(False, description="all of the zone's own records, not only those of the same name and type")
    preview: bool = Field(False, description="only show what would be taken over")
