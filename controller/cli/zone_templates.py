"""``zone-template``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from controller.web.api.zone_template_answers import ZoneTemplateAnswer

template_app = new_group("Zone templates: records with placeholders that zones are made of.")

TemplateKey = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Id or name, or built-in.")]
RecordsFile = Annotated[
    Path | None,
    typer.Option(
        help='JSON: a list of {"name", "type", "value"} with "priority" and "ttl" if wanted, or what show --json '
        "prints; - is standard input.",
        show_default=False,
    ),
]


@template_app.command("list")
def list_templates(as_json: AsJson = False) -> None:
    """List zone templates, the built-in one first."""
    from controller.web.api.zone_template_calls import all_templates

    with opened() as fleet, fleet.database.read() as session:
        templates = all_templates(session)
    out_list(
        as_json,
        templates,
        ("ID", "NAME", "RECORDS", "ZONES", "DEFAULT", "CHANGED"),
        [
            (one.id, one.name, one.lines, one.zones, "yes" if one.is_default else "", when(one.updated_at))
            for one in templates
        ],
    )


@template_app.command("show")
def show_template(key: TemplateKey, as_json: AsJson = False) -> None:
    """Show a zone template."""
    with opened() as fleet:
        template = _answer(fleet, key)
    if as_json:
        out_json(template)
        return
    out_fields(
        {
            "name": template.name,
            "description": template.description,
            "default": "yes" if template.is_default else "no",
            "zones": template.zones,
            "changed": when(template.updated_at),
        }
    )
    out()
    out_table(
        ("NAME", "TYPE", "PRIORITY", "VALUE", "TTL"),
        [(one.name, one.type, one.priority, one.value, one.ttl) for one in template.records],
    )


@template_app.command("create")
def create_template(
    name: Annotated[str, typer.Argument(help="Name of the template.")],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    records_file: RecordsFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a zone template; without records it begins as the built-in one."""
    from controller.operations import zone_templates

    records = zone_templates.built_in() if records_file is None else _records(records_file)
    with opened() as fleet:
        made = zone_templates.create(fleet, actor(), name=name, description=description, records=records)
        _said(_answer(fleet, str(made.id)), "created", as_json)


@template_app.command("edit")
def edit_template(
    key: TemplateKey,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    records_file: RecordsFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a zone template; zones follow when they are redeployed."""
    from controller.operations import zone_templates

    given = {"name": name, "description": description, "records": _records(records_file) if records_file else None}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise BadInput("nothing to change: name at least one option")
    with opened() as fleet:
        with fleet.database.read() as session:
            template = zone_templates.find(session, key)
        whole: dict[str, Any] = {
            "name": template.name,
            "description": template.description,
            "records": template.records,
        } | changes
        zone_templates.edit(fleet, actor(), template.id, **whole)
        _said(_answer(fleet, str(template.id)), "changed", as_json)


@template_app.command("delete")
def delete_template(key: TemplateKey, as_json: AsJson = False) -> None:
    """Remove a zone template that nobody chose."""
    from controller.operations import zone_templates

    with opened() as fleet:
        template = _answer(fleet, key)
        zone_templates.delete_template(fleet, actor(), key)
    _said(template, "removed", as_json)


@template_app.command("default")
def set_default(key: TemplateKey, as_json: AsJson = False) -> None:
    """Use a template for zones for which nobody chose one."""
    from controller.operations import zone_templates

    with opened() as fleet:
        zone_templates.set_default(fleet, actor(), _own(key))
        _said(_answer(fleet, key), "is the default", as_json)


@template_app.command("redeploy")
def redeploy(key: TemplateKey, as_json: AsJson = False) -> None:
    """Bring every zone that uses a template up to what it says now."""
    from controller.operations import zone_templates
    from controller.web.api.zone_runs import zone_run_answer

    with opened() as fleet:
        run = zone_templates.redeploy(fleet, actor(), _own(key))
    if as_json:
        out_json(zone_run_answer(run))
    else:
        out(f"{run.total} zones are written again, a few at a time")


@template_app.command("placeholders")
def placeholders(as_json: AsJson = False) -> None:
    """List what can stand in zone templates, and what it becomes."""
    from controller.web.api.zone_template_answers import PlaceholderAnswer
    from controller.web.placeholders import explained

    found = [PlaceholderAnswer(name=name, explanation=text) for name, text in explained()]
    out_list(as_json, found, ("PLACEHOLDER", "WHAT IT IS"), [(one.name, one.explanation) for one in found])


def _own(key: str) -> str | None:
    from controller.web.api.zone_template_answers import BUILT_IN

    return None if key == BUILT_IN else key


def _records(path: Path) -> list[dict[str, Any]]:
    """Lines of a template from a JSON file. Raises BadInput."""
    try:
        found = json.loads(file_text(path))
    except ValueError as problem:
        raise BadInput(f"{path} is not JSON: {problem}") from None
    records = found.get("records") if isinstance(found, dict) else found
    if not isinstance(records, list) or not all(isinstance(line, dict) for line in records):
        raise BadInput(f"{path} does not hold a list of records")
    return records


def _answer(fleet: Fleet, key: str) -> ZoneTemplateAnswer:
    from controller.web.api.zone_template_calls import find, in_full

    with fleet.database.read() as session:
        return in_full(session, find(session, key))


def _said(template: ZoneTemplateAnswer, what: str, as_json: bool) -> None:
    if as_json:
        out_json(template)
    else:
        out(f"Zone template {template.name} {what}")
