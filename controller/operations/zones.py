"""Zones of services: their own records, their template, redeployment, import and export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from controller.automation.zone_wishes import WantedZone, own_record, wanted_zone
from controller.domain.problems import Problem
from controller.domain.zone_files import ZoneImport, format_zone_file, parse_zone_file
from controller.domain.zone_records import check_nameservers
from controller.domain.zones import check_record, check_records
from controller.engine import zone_rollout
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK
from controller.engine.rows import take
from controller.engine.zone_work import SETTLED, copies, zone_changed
from controller.operations.errors import Invalid, NotFound, Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.operations.server_changes import template_id
from controller.store.base import utcnow
from controller.store.models import Pipeline, Service
from controller.store.portions import portions
from controller.store.queries import find_service, is_id
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone, ZoneRecord

Key = int | str
RECORDS_MAX = 2000
"""Own records of one zone."""


def find(session: Session, key: Key) -> Zone:
    """By its id or domain, or NotFound."""
    text = str(key)
    if is_id(text):
        return must(session.get(Zone, int(text)), "zone", key)
    service = must(find_service(session, text.lower().rstrip(".")), "zone", key)
    return must(session.scalars(select(Zone).where(Zone.service_id == service.id)).first(), "zone", key)


def wanted(session: Session, zone: Zone) -> WantedZone:
    """The zone as it shall be on every nameserver."""
    return wanted_zone(session, zone.service)


def add_record(
    fleet: Fleet,
    actor: str,
    key: Key,
    *,
    name: str,
    type: str,
    value: str,
    priority: int | str | None = None,
    ttl: int | str | None = None,
) -> ZoneRecord:
    """A record of the zone's own; it stands instead of the template's of the same name and type.

    Raises NotFound, Invalid (fields ``name``, ``type``, ``value``, ``priority``, ``ttl``), Refused.
    """
    made: list[ZoneRecord] = []

    def change(session: Session, zone: Zone) -> str:
        record = _checked(zone, name, type, value, priority, ttl)
        _refuse_conflicts(zone, [record])
        made.append(_row(zone, record, "staff"))
        session.add(made[0])
        return f"added {_words(record)}"

    _change(fleet, actor, key, "zone.record", change)
    return made[0]


def edit_record(
    fleet: Fleet,
    actor: str,
    key: Key,
    record_id: int,
    *,
    name: str,
    type: str,
    value: str,
    priority: int | str | None = None,
    ttl: int | str | None = None,
) -> ZoneRecord:
    """Change one of the zone's own records. Raises NotFound, Invalid, Refused."""
    made: list[ZoneRecord] = []

    def change(session: Session, zone: Zone) -> str:
        row = _own(zone, record_id)
        before = _words(own_record(row))
        record = _checked(zone, name, type, value, priority, ttl)
        _refuse_conflicts(zone, [record], besides=row.id)
        row.name, row.type, row.value = record["name"], record["type"], record["value"]
        row.priority, row.ttl, row.origin = record.get("priority"), record.get("ttl"), "staff"
        made.append(row)
        return f"{before} -> {_words(record)}"

    _change(fleet, actor, key, "zone.record", change)
    return made[0]


def delete_record(fleet: Fleet, actor: str, key: Key, record_id: int) -> None:
    """Take one of the zone's own records away; the template's of its name and type come back.

    Raises NotFound, Refused.
    """

    def change(session: Session, zone: Zone) -> str:
        row = _own(zone, record_id)
        words = _words(own_record(row))
        zone.own_records.remove(row)
        return f"removed {words}"

    _change(fleet, actor, key, "zone.record", change)


def choose_template(fleet: Fleet, actor: str, key: Key, template: Key | None) -> Pipeline | None:
    """The template of this zone alone; None: as its product, server or group say. Raises NotFound, Invalid."""

    def change(session: Session, zone: Zone) -> str:
        fields = Fields()
        zone.template_id = template_id(session, fields, template)
        fields.finish()
        session.flush()
        return f"template {wanted_zone(session, zone.service).template}"

    return _change(fleet, actor, key, "zone.template", change)


def redeploy(fleet: Fleet, actor: str, key: Key) -> Pipeline | None:
    """Bring the zone to every nameserver again; None when that is under way already. Raises NotFound, Refused."""
    return _change(fleet, actor, key, "zone.redeploy", lambda _session, _zone: "")


def redeploy_many(fleet: Fleet, actor: str, keys: Iterable[Key]) -> LongRun:
    """The same for several zones, a few at a time. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        ids = _ids(session, keys)
        words = f"{len(ids)} zone{'' if len(ids) == 1 else 's'}"
        run = zone_rollout.start(session, actor, f"Redeploy of {words}", "redeploy", zone_ids=ids)
        if run is None:
            raise Refused("none of these zones can be redeployed now")
        audit(session, actor, "zone.redeploy", words)
    return run


def _ids(session: Session, keys: Iterable[Key]) -> list[int]:
    """Ids of zones; ids among the keys are looked up many at once."""
    given = list(keys)
    numbers = sorted({int(key) for key in given if is_id(str(key))})
    known: set[int] = set()
    for some in portions(numbers):
        known |= set(session.scalars(select(Zone.id).where(Zone.id.in_(some))))
    missing = next((number for number in numbers if number not in known), None)
    if missing is not None:
        raise NotFound("zone", missing)
    return sorted(known | {find(session, key).id for key in given if not is_id(str(key))})


def check_now(fleet: Fleet, actor: str, key: Key) -> Zone:
    """Have all its nameservers asked for the zone within a second or two. Raises NotFound."""
    with fleet.database.write() as session:
        zone = find(session, key)
        zone.check_due_at = utcnow()
        audit(session, actor, "zone.check", zone.domain, service_id=zone.service_id)
    return zone


def preview_import(session: Session, zone: Zone, text: str) -> ZoneImport:
    """What an import would take over, what it would skip and why, and what is wrong with it."""
    return parse_zone_file(text, zone.domain, wanted(session, zone).ttl)


def import_records(fleet: Fleet, actor: str, key: Key, text: str, *, replace: bool = False) -> Pipeline | None:
    """Take the records of a zone file as the zone's own: beside those it has (of the same name and type instead of
    them), or with ``replace`` instead of all of them.

    Raises NotFound, Invalid (fields ``line N`` or ``file``), Refused.
    """
    with fleet.database.read() as session:
        zone = find(session, key)
        domain, ttl = zone.domain, wanted(session, zone).ttl
    # Thousands of records take a second: nobody who writes has to wait for that.
    found = parse_zone_file(text, domain, ttl)
    if found.problems:
        raise Invalid(found.problems)
    if not found.records:
        raise Invalid([Problem("file", "holds no record that could be taken over")])

    def change(session: Session, zone: Zone) -> str:
        sets = {(record["name"], record["type"]) for record in found.records}
        gone = [row.id for row in zone.own_records if replace or (row.name, row.type) in sets]
        session.execute(delete(ZoneRecord).where(ZoneRecord.id.in_(gone)))
        session.expire(zone, ["own_records"])
        _refuse_conflicts(zone, found.records)
        session.add_all(_row(zone, record, "import") for record in found.records)
        return f"{len(found.records)} records imported, {len(gone)} of its own replaced"

    return _change(fleet, actor, key, "zone.import", change)


def export(session: Session, zone: Zone) -> str:
    """The zone as a zone file, as it shall be now. Raises Refused while that is not known."""
    found = wanted(session, zone)
    if found.missing:
        raise Refused(found.missing)
    serials = [answer.serial for answer in zone.answers if answer.serial]
    return format_zone_file(zone.domain, found.records, found.ttl, found.soa, max(serials, default=1))


def _change(fleet: Fleet, actor: str, key: Key, action: str, change: Callable[[Session, Zone], str]) -> Pipeline | None:
    with fleet.database.write() as session:
        zone = find(session, key)
        service = zone.service
        take(session, Service, service.id)
        if service.status not in SETTLED:
            raise Refused(f"{zone.domain} is {service.status.value}; its zone cannot be changed now")
        if not copies(service):
            raise Refused(f"no nameserver serves {zone.domain}")
        words = change(session, zone)
        session.flush()
        session.expire(zone, ["own_records"])
        if problems := check_nameservers(wanted(session, zone).records, zone.domain):
            raise Refused(f"this cannot be published: {'; '.join(problems)}")
        ready: Ready
        pipeline, ready = zone_changed(session, service, actor, priority=CUSTOMER_CLICK)
        audit(session, actor, action, zone.domain, message=words, service_id=service.id)
    fleet.wake(ready)
    return pipeline


def _checked(zone: Zone, name: Any, kind: Any, value: Any, priority: Any, ttl: Any) -> dict[str, Any]:
    fields = Fields()
    for field, text in (("name", name), ("type", kind), ("value", value)):
        if not isinstance(text, str):
            fields.problem(field, "must be text")
    fields.finish()
    record, problems = check_record(name.strip(), kind, value, priority, ttl, zone.domain)
    if problems:
        raise Invalid(problems)
    return record


def _refuse_conflicts(zone: Zone, records: Sequence[Mapping[str, Any]], besides: int | None = None) -> None:
    """Own records that cannot stand together; the template's give way to them."""
    others = [own_record(row) for row in zone.own_records if row.id != besides]
    if len(others) + len(records) > RECORDS_MAX:
        raise Refused(f"a zone has at most {RECORDS_MAX} records of its own")
    problems = check_records([*others, *records])
    mine = [
        Problem(problem.field.rpartition(".")[2] or problem.field, problem.reason)
        for problem in problems
        if int(problem.field.split(".")[1]) >= len(others)
    ] or [Problem("name", problem.reason) for problem in problems]
    if mine:
        raise Invalid(mine)


def _own(zone: Zone, record_id: int) -> ZoneRecord:
    found = next((row for row in zone.own_records if row.id == record_id), None)
    if found is None:
        raise NotFound("record", record_id)
    return found


def _row(zone: Zone, record: Mapping[str, Any], origin: str) -> ZoneRecord:
    return ZoneRecord(
        zone_id=zone.id,
        name=record["name"],
        type=record["type"],
        value=record["value"],
        priority=record.get("priority"),
        ttl=record.get("ttl"),
        origin=origin,
    )


def _words(record: Mapping[str, Any]) -> str:
    preference = f"{record['priority']} " if record.get("priority") is not None else ""
    return f"{record['name']} {record['type']} {preference}{record['value'][:200]}"
