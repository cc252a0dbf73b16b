"""Answers about zones, and how they are made of rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from controller.automation.zone_wishes import WantedZone, wanted_zone
from controller.domain.words import Desired, ServiceStatus
from controller.domain.zone_files import ZoneImport
from controller.domain.zones import TemplateRecord
from controller.store.zone_models import Zone, ZoneAnswer, ZoneRecord
from controller.store.zone_queries import Place, PlaceState, places
from controller.web.api import PREFIX
from controller.web.api.answers import Links, Ref
from controller.web.api.zone_bodies import ImportBody


class ZoneSummary(BaseModel):
    """A zone, as lists show it."""

    id: int
    domain: str
    domain_unicode: str
    service_id: int
    status: ServiceStatus
    nameservers: int = Field(description="servers that publish it")
    up_to_date: bool = Field(description="whether every one of them has confirmed the newest wish")
    agrees: bool | None = Field(description="whether all answered as they should when last asked; null: never asked")
    checked_at: dt.datetime | None
    links: Links


class RecordAnswer(BaseModel):
    """A record as it should be; ``name`` is relative, ``@`` the zone itself."""

    id: int | None = Field(description="of the zone's own records")
    origin: str = Field(description="template, nameserver (an address of one inside the zone), staff or import")
    name: str
    type: str
    value: str
    ttl: int
    priority: int | None


class OwnRecordAnswer(BaseModel):
    """A record of a zone's own."""

    id: int
    zone: Ref
    name: str
    type: str
    value: str
    priority: int | None
    ttl: int | None = Field(description="null: the zone's")
    origin: str
    created_at: dt.datetime
    links: Links


class LeftOut(BaseModel):
    """A line of the template with a placeholder that is empty, or that makes no record with what is filled in."""

    name: str
    type: str
    value: str


class NameserverAnswer(BaseModel):
    """What a nameserver itself answered when it was last asked for all of the zone."""

    at: dt.datetime
    reached: bool
    agrees: bool
    serial: int | None
    records: int = Field(description="of the wished records, how many it has right")
    problems: list[str]


class ZoneServer(BaseModel):
    """A zone on one nameserver."""

    server: str
    hostname: str
    state: PlaceState
    desired: Desired
    generation: int
    applied_generation: int
    up_to_date: bool
    applied_at: dt.datetime | None
    serial: str | None = Field(description="that it was given")
    records: int | None = Field(description="that it was given")
    answer: NameserverAnswer | None


class ZoneDetail(ZoneSummary):
    """A zone with its records as they should be, what each nameserver has confirmed and what it answers."""

    template: str = Field(description="the one that is used")
    zone_template: Ref | None = Field(description="the one that was chosen for this zone alone")
    ttl: int
    soa: str = Field(description="primary nameserver")
    serial: int | None = Field(description="the highest that was answered")
    records: list[RecordAnswer]
    left_out: list[LeftOut]
    not_ready: str | None = Field(description="why it cannot be published yet")
    problems: list[str] = Field(description="of all nameservers, the server in front")
    servers: list[ZoneServer]


class ImportedRecord(BaseModel):
    """A record of a zone file."""

    name: str
    type: str
    value: str
    priority: int | None
    ttl: int | None


class Skipped(BaseModel):
    """A line that is none of ours."""

    what: str
    reason: str


class LineProblem(BaseModel):
    """Something wrong with a zone file."""

    line: str
    reason: str


class ImportAnswer(BaseModel):
    """What a zone file holds, and what became of it."""

    preview: bool
    replace: bool
    records: list[ImportedRecord]
    skipped: list[Skipped]
    problems: list[LineProblem] = Field(description="in a preview only: with any of them nothing can be taken over")
    zone: ZoneSummary
    links: Links


def summaries(session: Session, zones: Sequence[Zone]) -> list[ZoneSummary]:
    """Zones for a list."""
    there = places(session, zones)
    return [_summary(zone, there[zone.id]) for zone in zones]


def _summary(zone: Zone, there: Sequence[Place]) -> ZoneSummary:
    me = f"{PREFIX}/zones/{zone.id}"
    copies = [place.resource for place in there if place.resource is not None]
    return ZoneSummary(
        id=zone.id,
        domain=zone.domain,
        domain_unicode=zone.service.domain_unicode,
        service_id=zone.service_id,
        status=zone.service.status,
        nameservers=len(copies),
        up_to_date=all(copy.applied_generation == copy.generation for copy in copies),
        agrees=zone.agrees,
        checked_at=zone.checked_at,
        links={
            "self": me,
            "records": f"{me}/records",
            "export": f"{me}/export",
            "service": f"{PREFIX}/services/{zone.service_id}",
        },
    )


def zone_detail(session: Session, zone: Zone) -> ZoneDetail:
    """A zone in full."""
    there = places(session, [zone])[zone.id]
    wanted = wanted_zone(session, zone.service)
    serials = [place.answer.serial for place in there if place.answer is not None and place.answer.serial]
    return ZoneDetail(
        **dict(_summary(zone, there)),
        template=wanted.template,
        zone_template=Ref(id=zone.template.id, name=zone.template.name) if zone.template else None,
        ttl=wanted.ttl,
        soa=wanted.soa,
        serial=max(serials, default=None),
        records=_records(zone, wanted),
        left_out=[_left_out(line) for line in wanted.left_out],
        not_ready=wanted.missing or None,
        problems=[
            f"{place.server.name}: {problem}"
            for place in there
            if place.answer is not None
            for problem in place.answer.problems
        ],
        servers=[_server(place) for place in there],
    )


def _records(zone: Zone, wanted: WantedZone) -> list[RecordAnswer]:
    own = {_key(vars_of(row)): row for row in zone.own_records}
    inside = f".{zone.domain}."
    glue = {
        record["value"].removesuffix(inside)
        for record in wanted.records
        if record["type"] == "NS" and record["value"].endswith(inside)
    }
    found = []
    for record in wanted.records:
        row = own.pop(_key(record), None)
        of_nameserver = record["type"] == "A" and record["name"] in glue
        found.append(
            RecordAnswer(
                id=row.id if row else None,
                origin=row.origin if row else "nameserver" if of_nameserver else "template",
                name=record["name"],
                type=record["type"],
                value=record["value"],
                ttl=record.get("ttl") or wanted.ttl,
                priority=record.get("priority"),
            )
        )
    return found


def vars_of(row: ZoneRecord) -> dict[str, Any]:
    """A row as a record."""
    return {"name": row.name, "type": row.type, "value": row.value, "priority": row.priority, "ttl": row.ttl}


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return record["name"], record["type"], record["value"], record.get("priority")


def _left_out(line: TemplateRecord) -> LeftOut:
    return LeftOut(name=line.name, type=line.type, value=line.value)


def _server(place: Place) -> ZoneServer:
    copy = place.resource
    facts = copy.facts if copy is not None else {}
    serial, records = facts.get("serial"), facts.get("records")
    return ZoneServer(
        server=place.server.name,
        hostname=place.server.hostname,
        state=place.state,
        desired=copy.desired if copy is not None else Desired.ABSENT,
        generation=copy.generation if copy is not None else 0,
        applied_generation=copy.applied_generation if copy is not None else 0,
        up_to_date=copy is None or copy.applied_generation == copy.generation,
        applied_at=copy.applied_at if copy is not None else None,
        serial=None if serial is None else str(serial),
        records=records if isinstance(records, int) else None,
        answer=_answered(place.answer) if place.answer is not None else None,
    )


def _answered(answer: ZoneAnswer) -> NameserverAnswer:
    return NameserverAnswer(
        at=answer.at,
        reached=answer.reached,
        agrees=answer.agrees,
        serial=answer.serial,
        records=answer.records,
        problems=[str(problem) for problem in answer.problems],
    )


def own_record_answer(_session: Session, row: ZoneRecord, _added: Sequence[Any] = ()) -> OwnRecordAnswer:
    """A record of a zone's own."""
    zone = f"{PREFIX}/zones/{row.zone_id}"
    return OwnRecordAnswer(
        id=row.id,
        zone=Ref(id=row.zone_id, name=row.zone.domain),
        **vars_of(row),
        origin=row.origin,
        created_at=row.created_at,
        links={"self": f"{zone}/records/{row.id}", "zone": zone},
    )


def import_answer(session: Session, zone: Zone, found: ZoneImport, body: ImportBody) -> ImportAnswer:
    """What a zone file holds."""
    me = f"{PREFIX}/zones/{zone.id}"
    return ImportAnswer(
        preview=body.preview,
        replace=body.replace,
        records=[
            ImportedRecord(priority=record.get("priority"), ttl=record.get("ttl"), **_plain(record))
            for record in found.records
        ],
        skipped=[Skipped(what=what, reason=reason) for what, reason in found.skipped],
        problems=[LineProblem(line=problem.field, reason=problem.reason) for problem in found.problems],
        zone=summaries(session, [zone])[0],
        links={"zone": me},
    )


def _plain(record: Mapping[str, Any]) -> dict[str, str]:
    return {key: record[key] for key in ("name", "type", "value")}
