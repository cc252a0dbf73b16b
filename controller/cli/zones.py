"""``zone``: DNS zones of services, their records, import and export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    actor,
    file_text,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    out_table,
    when,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.web.api.zone_answers import OwnRecordAnswer, ZoneDetail

zone_app = new_group("DNS zones of services.")
records_app = new_group("Records of a zone's own.")
zone_app.add_typer(records_app, name="records")

ZoneKey = Annotated[str, typer.Argument(metavar="ZONE", help="Domain or id.")]
RecordId = Annotated[int, typer.Argument(metavar="RECORD", min=1, max=2**62, help="Id; 'zone records list' tells it.")]
STATES = ("agrees", "differs", "unasked", "waiting")
PREFERRED = ("MX", "SRV")


@zone_app.command("list")
def list_zones(
    state: Annotated[str, typer.Option(help="Only zones in this state: agrees, differs, unasked or waiting.")] = "",
    search: Annotated[str, typer.Option(help="Part of the domain.")] = "",
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Zones on a page.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List zones."""
    from controller.store.zone_queries import ZoneFilter, zone_page
    from controller.web.api.zone_answers import summaries

    if state and state not in STATES:
        raise BadInput(f"--state: must be one of {', '.join(STATES)}")
    with opened() as fleet, fleet.database.read() as session:
        found = zone_page(session, ZoneFilter(search=search, state=state), page=page, per_page=per_page)
        zones = summaries(session, found.items) if found.page == page else []
    out_list(
        as_json,
        zones,
        ("ID", "DOMAIN", "SERVICE", "STATUS", "NAMESERVERS", "UP TO DATE", "AGREES", "ASKED"),
        [
            (
                zone.id,
                zone.domain_unicode,
                zone.service_id,
                zone.status.value,
                zone.nameservers,
                _yes(zone.up_to_date),
                _yes(zone.agrees),
                when(zone.checked_at),
            )
            for zone in zones
        ],
    )


@zone_app.command("show")
def show_zone(key: ZoneKey, as_json: AsJson = False) -> None:
    """Show a zone's records as they should be, and what each nameserver has confirmed and answers."""
    with opened() as fleet:
        zone = _answer(fleet, key)
    if as_json:
        out_json(zone)
        return
    out_fields(
        {
            "domain": zone.domain_unicode,
            "template": zone.template,
            "primary": zone.soa,
            "TTL": zone.ttl,
            "serial": zone.serial,
            "not ready": zone.not_ready,
            "asked": when(zone.checked_at),
        }
    )
    out()
    out_table(
        ("NAME", "TYPE", "PRIORITY", "VALUE", "TTL", "FROM"),
        [(one.name, one.type, one.priority, one.value, one.ttl, one.origin) for one in zone.records],
    )
    out()
    out_table(
        ("SERVER", "STATE", "CONFIRMED", "SERIAL", "RECORDS", "ASKED", "ANSWERED SERIAL"),
        [
            (
                copy.server,
                copy.state.value,
                when(copy.applied_at),
                copy.serial,
                copy.records,
                when(copy.answer.at) if copy.answer else "",
                copy.answer.serial if copy.answer else "",
            )
            for copy in zone.servers
        ],
    )
    for problem in zone.problems:
        out(problem)


@zone_app.command("redeploy")
def redeploy(
    keys: Annotated[list[str], typer.Argument(metavar="ZONE...", help="Domains or ids.")], as_json: AsJson = False
) -> None:
    """Write zones again on every nameserver."""
    from controller.operations import zones
    from controller.web.api.zone_runs import zone_run_answer

    with opened() as fleet:
        if len(keys) > 1:
            run = zones.redeploy_many(fleet, actor(), keys)
            if as_json:
                out_json(zone_run_answer(run))
            else:
                out(f"{run.total} zones are written again, a few at a time")
            return
        zones.redeploy(fleet, actor(), keys[0])
        _said(fleet, keys[0], "is written again", as_json)


@zone_app.command("check")
def check(key: ZoneKey, as_json: AsJson = False) -> None:
    """Have all nameservers of a zone asked, within seconds."""
    from controller.operations import zones

    with opened() as fleet:
        zones.check_now(fleet, actor(), key)
        _said(fleet, key, "is asked for", as_json)


@zone_app.command("template")
def choose_template(
    key: ZoneKey,
    template: Annotated[str, typer.Argument(help="Id or name; without it: as product, server or group say.")] = "",
    as_json: AsJson = False,
) -> None:
    """Choose the template of one zone."""
    from controller.operations import zones

    with opened() as fleet:
        zones.choose_template(fleet, actor(), key, template or None)
        _said(fleet, key, f"is made of template {_answer(fleet, key).template}", as_json)


@zone_app.command("import")
def import_zone(
    key: ZoneKey,
    path: Annotated[Path, typer.Argument(help="Zone file; - is standard input.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="All of the zone's own records, not only those of the same name and type.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would be taken over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over the records of a zone file as the zone's own."""
    from controller.operations import zones
    from controller.store.zone_models import Zone
    from controller.web.api.zone_answers import import_answer
    from controller.web.api.zone_bodies import ImportBody

    text = file_text(path)
    with opened() as fleet:
        with fleet.database.read() as session:
            zone = zones.find(session, key)
            found = zones.preview_import(session, zone, text)
        if not preview:
            zones.import_records(fleet, actor(), zone.id, text, replace=replace)
        with fleet.database.read() as session:
            body = ImportBody(text=text, replace=replace, preview=preview)
            answer = import_answer(session, session.get_one(Zone, zone.id), found, body)
    if as_json:
        out_json(answer)
        return
    for record in answer.records:
        out(f"{record.name}  {record.type}  {'' if record.priority is None else f'{record.priority} '}{record.value}")
    for skipped in answer.skipped:
        out(f"left out: {skipped.what}: {skipped.reason}")
    for problem in answer.problems:
        out(f"wrong: {problem.line}: {problem.reason}")
    out(f"{len(answer.records)} records {'would be taken over' if preview else 'taken over'}")


@zone_app.command("export")
def export_zone(key: ZoneKey) -> None:
    """Print a zone as a zone file."""
    from controller.operations import zones

    with opened() as fleet, fleet.database.read() as session:
        sys.stdout.write(zones.export(session, zones.find(session, key)))


@records_app.command("list")
def list_records(key: ZoneKey, as_json: AsJson = False) -> None:
    """List the records that are a zone's own."""
    from controller.operations import zones
    from controller.web.api.zone_answers import own_record_answer

    with opened() as fleet, fleet.database.read() as session:
        records = [own_record_answer(session, row) for row in zones.find(session, key).own_records]
    out_list(
        as_json,
        records,
        ("ID", "NAME", "TYPE", "PRIORITY", "VALUE", "TTL", "FROM"),
        [(one.id, one.name, one.type, one.priority, one.value, one.ttl, one.origin) for one in records],
    )


@records_app.command("add")
def add_record(
    key: ZoneKey,
    name: Annotated[str, typer.Argument(help="Relative to the zone; @ is the zone itself.")],
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="A, AAAA, CNAME, MX, TXT, NS, SRV, CAA, TLSA, PTR, DS.")],
    value: Annotated[str, typer.Argument(help="Without the priority.")],
    priority: Annotated[int | None, typer.Option(help="Of MX and SRV.")] = None,
    ttl: Annotated[int | None, typer.Option(help="Seconds.", show_default="the zone's")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a record; it stands instead of the template's of the same name and type."""
    from controller.operations import zones

    with opened() as fleet:
        row = zones.add_record(fleet, actor(), key, name=name, type=kind, value=value, priority=priority, ttl=ttl)
        _said_record(fleet, row.id, "added", as_json)


@records_app.command("edit")
def edit_record(
    key: ZoneKey,
    number: RecordId,
    name: Annotated[str | None, typer.Option(help="Relative to the zone; @ is the zone itself.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Type.")] = None,
    value: Annotated[str | None, typer.Option(help="Without the priority.")] = None,
    priority: Annotated[int | None, typer.Option(help="Of MX and SRV.")] = None,
    ttl: Annotated[int | None, typer.Option(help="Seconds; 0: the zone's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a record of a zone's own; what is not named stays."""
    from controller.operations import zones
    from controller.operations.errors import NotFound
    from controller.web.api.zone_answers import vars_of

    given = {"name": name, "type": kind, "value": value, "priority": priority, "ttl": ttl}
    changes = {field: text for field, text in given.items() if text is not None}
    if not changes:
        raise BadInput("nothing to change: name at least one option")
    with opened() as fleet:
        with fleet.database.read() as session:
            zone = zones.find(session, key)
            row = next((one for one in zone.own_records if one.id == number), None)
            if row is None:
                raise NotFound("record", number)
            whole = vars_of(row) | changes
        if priority is None and str(whole["type"]).upper() not in PREFERRED:
            whole["priority"] = None
        zones.edit_record(fleet, actor(), zone.id, number, **whole | {"ttl": whole["ttl"] or None})
        _said_record(fleet, number, "changed", as_json)


@records_app.command("delete")
def delete_record(key: ZoneKey, number: RecordId, as_json: AsJson = False) -> None:
    """Take a record of a zone's own away; the template's come back."""
    from controller.operations import zones

    with opened() as fleet:
        zones.delete_record(fleet, actor(), key, number)
        _said(fleet, key, f"has record {number} no more", as_json)


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _answer(fleet: Fleet, key: int | str) -> ZoneDetail:
    from controller.operations import zones
    from controller.web.api.zone_answers import zone_detail

    with fleet.database.read() as session:
        return zone_detail(session, zones.find(session, key))


def _said(fleet: Fleet, key: str, what: str, as_json: bool) -> None:
    zone = _answer(fleet, key)
    if as_json:
        out_json(zone)
    else:
        out(f"Zone {zone.domain_unicode} {what}")


def _said_record(fleet: Fleet, number: int, what: str, as_json: bool) -> None:
    from controller.store.zone_models import ZoneRecord
    from controller.web.api.zone_answers import own_record_answer

    with fleet.database.read() as session:
        record: OwnRecordAnswer = own_record_answer(session, session.get_one(ZoneRecord, number))
    if as_json:
        out_json(record)
    else:
        out(f"Record {record.id} {what}: {record.name} {record.type} {record.value}")
