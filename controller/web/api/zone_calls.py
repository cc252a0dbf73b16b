"""Calls on zones: look, change records, write again, ask the nameservers, import and export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.problems import Problem
from controller.domain.zone_files import MOST_BYTES
from controller.operations import zones
from controller.operations.errors import Invalid, NotFound
from controller.store.models import OperationLog, Pipeline
from controller.store.queries import is_id
from controller.store.zone_models import Zone, ZoneRecord
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import AFTERWARDS, Asked, Call, Listed, Once, TextFile, logged
from controller.web.api.zone_answers import (
    ImportAnswer,
    OwnRecordAnswer,
    ZoneDetail,
    ZoneSummary,
    import_answer,
    own_record_answer,
    summaries,
    vars_of,
    zone_detail,
)
from controller.web.api.zone_bodies import ImportBody, NewRecord, RecordChange, TemplateChoice, ZonesBody
from controller.web.api.zone_runs import STARTS, ZoneRunAnswer, zone_run_answer

PREFERRED = ("MX", "SRV")
ESCAPED = 2
"""Zone files are ASCII, whose line breaks and quotes take two characters of JSON."""


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.zones(session, asked.query)
        return Listed(page, [*summaries(session, page.items)])


def _id(asked: Asked) -> int:
    with asked.fleet.database.read() as session:
        return zones.find(session, asked.key).id


def _get(asked: Asked) -> ZoneDetail:
    with asked.fleet.database.read() as session:
        return zone_detail(session, zones.find(session, asked.key))


def _own(session: Session, asked: Asked) -> ZoneRecord:
    zone, number = zones.find(session, asked.key), asked.path["record"]
    row = session.get(ZoneRecord, int(number)) if is_id(number) else None
    if row is None or row.zone_id != zone.id:
        raise NotFound("record", number)
    return row


def _records(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.own_records(session, zones.find(session, asked.key).id, asked.query)
        return Listed(page, [own_record_answer(session, row) for row in page.items])


def _record(asked: Asked) -> OwnRecordAnswer:
    with asked.fleet.database.read() as session:
        return own_record_answer(session, _own(session, asked))


def _add_record(asked: Asked) -> None:
    body: NewRecord = asked.body
    zones.add_record(
        asked.fleet,
        asked.actor,
        _id(asked),
        name=body.name,
        type=body.type,
        value=body.value,
        priority=body.priority,
        ttl=body.ttl,
    )


def _edit_record(asked: Asked) -> OwnRecordAnswer:
    body: RecordChange = asked.body
    with asked.fleet.database.read() as session:
        row = _own(session, asked)
    changes: dict[str, Any] = vars_of(row) | body.model_dump(exclude_unset=True)
    if "priority" not in body.model_fields_set and str(changes["type"]).upper() not in PREFERRED:
        # A record that becomes one of another type leaves its priority behind.
        changes["priority"] = None
    zones.edit_record(asked.fleet, asked.actor, row.zone_id, row.id, **changes)
    return _record(asked)


def _delete_record(asked: Asked) -> OwnRecordAnswer:
    gone = _record(asked)
    zones.delete_record(asked.fleet, asked.actor, gone.zone.id, gone.id)
    return gone


def _template(asked: Asked) -> ZoneDetail:
    body: TemplateChoice = asked.body
    zones.choose_template(asked.fleet, asked.actor, _id(asked), body.zone_template)
    return _get(asked)


def _redeploy(asked: Asked) -> ZoneDetail:
    zones.redeploy(asked.fleet, asked.actor, _id(asked))
    return _get(asked)


def _begun(session: Session, pipeline: Pipeline, _added: Sequence[Any]) -> ZoneDetail:
    return zone_detail(session, session.scalars(select(Zone).where(Zone.service_id == pipeline.service_id)).one())


def _redeploy_many(asked: Asked) -> ZoneRunAnswer:
    body: ZonesBody = asked.body
    found: list[int] = []
    problems: list[Problem] = []
    with asked.fleet.database.read() as session:
        for number, key in enumerate(body.zones):
            try:
                found.append(zones.find(session, key).id)
            except NotFound as problem:
                problems.append(Problem(f"zones.{number}", problem.message))
    if problems:
        raise Invalid(problems)
    return zone_run_answer(zones.redeploy_many(asked.fleet, asked.actor, found))


def _check(asked: Asked) -> ZoneDetail:
    zones.check_now(asked.fleet, asked.actor, _id(asked))
    return _get(asked)


def _asked(session: Session, line: OperationLog) -> ZoneDetail:
    return zone_detail(session, session.scalars(select(Zone).where(Zone.service_id == line.service_id)).one())


def _import(asked: Asked) -> ImportAnswer:
    body: ImportBody = asked.body
    with asked.fleet.database.read() as session:
        zone = zones.find(session, asked.key)
        found = zones.preview_import(session, zone, body.text)
    if not body.preview:
        try:
            zones.import_records(asked.fleet, asked.actor, zone.id, body.text, replace=body.replace)
        except Invalid as problem:
            raise Invalid([_in_text(one) for one in problem.problems]) from None
    with asked.fleet.database.read() as session:
        return import_answer(session, session.get_one(Zone, zone.id), found, body)


def _in_text(problem: Problem) -> Problem:
    """What is wrong with a line of a file is wrong with the field that holds the file."""
    where = "" if problem.field == "file" else f"{problem.field}: "
    return Problem("text", f"{where}{problem.reason}")


def _export(asked: Asked) -> TextFile:
    with asked.fleet.database.read() as session:
        text = zones.export(session, zones.find(session, asked.key))
    return TextFile(iter([text]), "text/dns")


CALLS = (
    Call("GET", "/zones", "List zones", _list, ZoneSummary, query=lists.ZoneParameters, listed=True),
    Call(
        "POST",
        "/zones/redeploy",
        "Write several zones again, a few at a time",
        _redeploy_many,
        answer=ZoneRunAnswer,
        status=202,
        body=ZonesBody,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "GET",
        "/zones/{id}",
        "Show a zone: its records as they should be, what each nameserver has confirmed and what it answers",
        _get,
        answer=ZoneDetail,
    ),
    Call(
        "GET",
        "/zones/{id}/records",
        "List a zone's own records",
        _records,
        answer=OwnRecordAnswer,
        query=lists.PageParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/zones/{id}/records",
        "Add a record; it stands instead of the template's of the same name and type",
        _add_record,
        answer=OwnRecordAnswer,
        status=201,
        body=NewRecord,
        once=Once(ZoneRecord, own_record_answer),
        problems=("refused",),
    ),
    Call("GET", "/zones/{id}/records/{record}", "Show a record of a zone's own", _record, answer=OwnRecordAnswer),
    Call(
        "PATCH",
        "/zones/{id}/records/{record}",
        "Change a record of a zone's own; what is left out stays",
        _edit_record,
        answer=OwnRecordAnswer,
        body=RecordChange,
        problems=("refused",),
    ),
    Call(
        "DELETE",
        "/zones/{id}/records/{record}",
        "Take a record of a zone's own away; the template's come back",
        _delete_record,
        answer=OwnRecordAnswer,
        problems=("refused",),
    ),
    Call(
        "PUT",
        "/zones/{id}/template",
        "Choose the template of one zone",
        _template,
        answer=ZoneDetail,
        status=202,
        body=TemplateChoice,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/zones/{id}/redeploy",
        "Write a zone again on every nameserver",
        _redeploy,
        answer=ZoneDetail,
        status=202,
        body=Nothing,
        once=Once(Pipeline, _begun),
        problems=("refused",),
    ),
    Call(
        "POST",
        "/zones/{id}/check",
        "Ask all nameservers of a zone, within seconds",
        _check,
        answer=ZoneDetail,
        status=202,
        body=Nothing,
        once=logged("zone.check", _asked),
    ),
    Call(
        "POST",
        "/zones/{id}/import",
        "Take over the records of a zone file, or only show which",
        _import,
        answer=ImportAnswer,
        body=ImportBody,
        once=AFTERWARDS,
        largest=ESCAPED * MOST_BYTES,
        problems=("refused",),
    ),
    Call(
        "GET",
        "/zones/{id}/export",
        "Download a zone as a zone file",
        _export,
        text=("text/dns",),
        problems=("refused",),
    ),
)
