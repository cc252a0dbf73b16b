"""Server groups: bodies, answers, and how they are made of rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel
from sqlalchemy.orm import Session

from controller.domain.config_keys import KEYS, ConfigKey, Kind, Tier
from controller.domain.standard_files import STANDARD_FILES, StandardFileSpec
from controller.operations.group_runs import KINDS
from controller.operations.groups import TTL_MAX, TTL_MIN
from controller.operations.server_actions import SCOPES
from controller.store.fleet_models import StandardFile
from controller.store.group_queries import not_applied, own_files, standard_files, web_servers
from controller.store.models import ServerGroup
from controller.web.api import PREFIX
from controller.web.api.answers import Links, Ref
from controller.web.api.bodies import Body, Key
from controller.web.api.server_answers import template_names

TTL: dict[str, JsonValue] = {"minimum": TTL_MIN, "maximum": TTL_MAX}


class NewGroup(Body):
    """A server group."""

    name: str = Field(examples=["Poland"])
    description: str = ""
    variables: dict[str, str] = Field(
        default_factory=dict, description="values for zone templates", examples=[{"ns1": "ns1.example.net"}]
    )


class GroupChange(Body):
    """What is left out stays."""

    name: str | None = None
    description: str | None = None
    zone_template: Key | None = Field(None, description="for its zones; null: no choice")
    zone_ttl: int | None = Field(None, description="of its zones, seconds", json_schema_extra=TTL)


class VariablesBody(Body):
    """All variables of a group; those that are left out go."""

    variables: dict[str, str] = Field(
        description="zones have the new values once they are redeployed", examples=[{"ns1": "ns1.example.net"}]
    )


class GroupZonesBody(Body):
    """Which zones of a group."""

    variables: list[str] | None = Field(
        None, description="only zones whose templates one of these is in; null: all", examples=[["ns1"]]
    )


class NameserversBody(Body):
    """All nameservers of a group; those that are left out lose its zones."""

    dns_servers: list[Key] = Field(description="ids or names")


class MemberBody(Body):
    """A server that is taken into a group."""

    server: Key = Field(description="a web or mail server, also one of another group")


class ConfigChange(RootModel[dict[str, str | None]]):
    """Settings by the panel's key: the text that its servers shall have, null for "not managed"."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class FileBody(Body):
    """A group's own version of a standard file."""

    content: str


class PullBody(Body):
    """Where a standard file is taken from."""

    server: Key = Field(description="a web server")


class ApplyBody(Body):
    """What is pushed to the servers of a group, one after another."""

    kind: str = Field(json_schema_extra={"enum": list(KINDS)})
    scope: str = Field("all", description="of settings", json_schema_extra={"enum": list(SCOPES)})
    check: bool = Field(False, description="only show what would change on which server")


class GroupAnswer(BaseModel):
    """A server group."""

    id: int
    name: str
    description: str
    variables: dict[str, Any]
    zone_template: Ref | None
    zone_ttl: int = Field(description="seconds")
    servers: list[Ref]
    dns_servers: list[Ref]
    created_at: dt.datetime
    links: Links


class VariablesAnswer(GroupAnswer):
    """A server group whose variables were set."""

    changed: list[str] = Field(description="variables with another value than before")
    zones: int = Field(description="that one of these is in; they follow when they are redeployed")


class GroupConfigAnswer(BaseModel):
    """What a group wants of its servers' panels, by tier; what is not named is not managed."""

    all: dict[str, str]
    web: dict[str, str]
    mail: dict[str, str]
    dns: dict[str, str]


class ConfigKeyAnswer(BaseModel):
    """A setting of panels."""

    key: str
    tier: Tier = Field(description="which servers it concerns")
    title: str
    explanation: str
    type: Kind
    allowed: dict[str, str] | None = Field(description="for a choice: its values with their words")
    minimum: int | None = Field(description="of a number, or of the length of a text")
    maximum: int | None
    pattern: str | None = Field(description="what a text looks like, in words")
    unit: str | None
    how: str = Field(description="how it is applied; read_only settings cannot be managed")
    managed: bool = Field(description="whether a group can set it")


class ConfigKeysAnswer(BaseModel):
    """All settings."""

    items: list[ConfigKeyAnswer]


class FileSummary(BaseModel):
    """A standard file of a group."""

    name: str
    title: str
    explanation: str
    path: str = Field(description="where it is found on a server, in words")
    media_type: str
    origin: str = Field(description="default (the panel's own), overridden or pulled")
    size: int | None = Field(description="bytes; null for the panel's own")
    server: str | None = Field(description="where it was pulled from")
    updated_at: dt.datetime | None
    updated_by: str | None
    not_applied: list[str] = Field(description="names of servers that do not have it yet as it is here")
    links: Links


class FileAnswer(FileSummary):
    """A standard file with its text."""

    content: str | None = Field(description="null for the panel's own")


class FilesAnswer(BaseModel):
    """All standard files of a group."""

    items: list[FileSummary]


def group_answer(session: Session, group: ServerGroup) -> GroupAnswer:
    """A group with its servers."""
    me = f"{PREFIX}/groups/{group.id}"
    template = group.zone_template_id
    names = template_names(session, [template])
    return GroupAnswer(
        id=group.id,
        name=group.name,
        description=group.description,
        variables=group.variables,
        zone_template=Ref(id=template, name=names[template]) if template in names else None,
        zone_ttl=group.zone_ttl,
        servers=[Ref(id=server.id, name=server.name) for server in group.servers],
        dns_servers=[Ref(id=server.id, name=server.name) for server in group.dns_servers],
        created_at=group.created_at,
        links={
            "self": me,
            "servers": f"{PREFIX}/servers?group={group.id}",
            "config": f"{me}/config",
            "files": f"{me}/files",
            "apply": f"{me}/apply",
            "redeploy": f"{me}/zones/redeploy",
        },
    )


def config_answer(group: ServerGroup) -> GroupConfigAnswer:
    """What a group wants."""
    tiers: dict[str, dict[str, str]] = {tier.value: {} for tier in Tier}
    for key, value in group.config.items():
        if key in KEYS:
            tiers[KEYS[key].tier.value][key] = str(value)
    return GroupConfigAnswer(**tiers)


def config_key_answer(entry: ConfigKey) -> ConfigKeyAnswer:
    """One setting."""
    bounded = entry.maximum > 0
    return ConfigKeyAnswer(
        key=entry.key,
        tier=entry.tier,
        title=entry.title,
        explanation=entry.explanation,
        type=entry.kind,
        allowed=dict(entry.choices) or None,
        minimum=entry.minimum if bounded else None,
        maximum=entry.maximum if bounded else None,
        pattern=entry.pattern_words or None,
        unit=entry.unit or None,
        how=entry.how,
        managed=entry.managed,
    )


def file_summaries(session: Session, group_id: int) -> list[FileSummary]:
    """All files for the list."""
    wanted = standard_files(session, group_id)
    late = not_applied(session, web_servers(session, group_id), wanted)
    own = own_files(wanted)
    return [_file_summary(group_id, spec, own.get(name), late.get(name, [])) for name, spec in STANDARD_FILES.items()]


def _file_summary(group_id: int, spec: StandardFileSpec, row: StandardFile | None, late: list[str]) -> FileSummary:
    me = f"{PREFIX}/groups/{group_id}/files/{spec.name}"
    return FileSummary(
        name=spec.name,
        title=spec.title,
        explanation=spec.explanation,
        path=spec.path,
        media_type=spec.media_type,
        origin=row.origin if row else "default",
        size=len(row.content.encode()) if row else None,
        server=row.server_name or None if row else None,
        updated_at=row.updated_at if row else None,
        updated_by=row.updated_by if row else None,
        not_applied=late,
        links={"self": me, "pull": f"{me}/pull"},
    )


def file_answer(session: Session, group_id: int, name: str) -> FileAnswer:
    """A file with its text."""
    wanted = standard_files(session, group_id)
    late = not_applied(session, web_servers(session, group_id), wanted)
    row = own_files(wanted).get(name)
    summary = _file_summary(group_id, STANDARD_FILES[name], row, late.get(name, []))
    return FileAnswer(**dict(summary), content=row.content if row else None)
