"""``group``: server groups, their variables, servers and nameservers."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    actor,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    pairs,
    when,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.web.api.group_answers import GroupAnswer

group_app = new_group("Server groups.")

GroupKey = Annotated[str, typer.Argument(metavar="GROUP", help="Id or name.")]


@group_app.command("create")
def create_group(
    name: Annotated[str, typer.Argument(help="Name of the group.")],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    variable: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for zone templates, for instance ns1=ns1.example.net.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a server group."""
    from controller.operations import groups

    variables = {name: str(value) for name, value in pairs(variable or [], "--variable").items()}
    with opened() as fleet:
        made = groups.create(fleet, actor(), name=name, description=description, variables=variables)
        group = find_answer(fleet, made.id)
    _said(group, "created", as_json)


@group_app.command("list")
def list_groups(as_json: AsJson = False) -> None:
    """List server groups."""
    from sqlalchemy import select

    from controller.store.models import ServerGroup
    from controller.web.api.group_answers import group_answer

    with opened() as fleet, fleet.database.read() as session:
        rows = session.scalars(select(ServerGroup).order_by(ServerGroup.name))
        groups = [group_answer(session, group) for group in rows]
    out_list(
        as_json,
        groups,
        ("ID", "NAME", "SERVERS", "DNS SERVERS"),
        [
            (
                group.id,
                group.name,
                ",".join(server.name for server in group.servers),
                ",".join(server.name for server in group.dns_servers),
            )
            for group in groups
        ],
    )


@group_app.command("show")
def show_group(key: GroupKey, as_json: AsJson = False) -> None:
    """Show a server group."""
    with opened() as fleet:
        group = find_answer(fleet, key)
    if as_json:
        out_json(group)
        return
    out_fields(
        {
            "id": group.id,
            "name": group.name,
            "description": group.description,
            "servers": ", ".join(server.name for server in group.servers),
            "nameservers": ", ".join(server.name for server in group.dns_servers),
            "zone template": group.zone_template.name if group.zone_template else "",
            "TTL of zones": group.zone_ttl,
            "since": when(group.created_at),
        }
        | {f"  {name}": value for name, value in group.variables.items()}
    )


@group_app.command("edit")
def edit_group(
    key: GroupKey,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    zone_template: Annotated[str | None, typer.Option(help="For its zones; empty: no choice.")] = None,
    zone_ttl: Annotated[int | None, typer.Option(help="TTL of its zones, seconds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a server group; what is not named stays."""
    from controller.operations import groups
    from controller.operations.records import must
    from controller.store.queries import find_group

    given = {"name": name, "description": description, "zone_template": zone_template, "zone_ttl": zone_ttl}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise BadInput("nothing to change: name at least one option")
    with opened() as fleet:
        with fleet.database.read() as session:
            group = must(find_group(session, key), "group", key)
        whole: dict[str, Any] = {
            "name": group.name,
            "description": group.description,
            "zone_template": group.zone_template_id,
            "zone_ttl": group.zone_ttl,
        } | changes
        answer = find_answer(fleet, groups.edit(fleet, actor(), group.id, **whole).id)
    _said(answer, "changed", as_json)


@group_app.command("delete")
def delete_group(key: GroupKey, as_json: AsJson = False) -> None:
    """Remove a group that no server and no product belongs to."""
    from controller.operations import groups

    with opened() as fleet:
        group = find_answer(fleet, key)
        groups.delete_group(fleet, actor(), group.id)
    _said(group, "removed", as_json)


@group_app.command("variables")
def set_variables(
    key: GroupKey,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="An empty value removes the variable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a group's variables, or change some of them."""
    from controller.operations import groups
    from controller.operations.records import counted
    from controller.web.api.group_answers import VariablesAnswer

    changes = {name: str(value) for name, value in pairs(values or [], "variables").items()}
    changed: list[str] = []
    zones = 0
    with opened() as fleet:
        group = find_answer(fleet, key)
        if changes:
            whole = {**group.variables, **changes}
            saved = groups.set_variables(
                fleet, actor(), group.id, {name: value for name, value in whole.items() if value}
            )
            changed, zones = saved.changed, saved.zones
            group = find_answer(fleet, group.id)
    if as_json:
        out_json(VariablesAnswer(**dict(group), changed=changed, zones=zones))
        return
    if group.variables:
        out_fields(group.variables)
    if zones:
        named = " ".join(f"--variable {name}" for name in changed)
        verb, have = ("uses", "has") if zones == 1 else ("use", "have")
        out(f"\n{counted(zones, 'zone')} {verb} what changed and {have} it once redeployed:")
        out(f"hestia-fleet group redeploy {shlex.quote(group.name)} {named}")


@group_app.command("redeploy")
def redeploy(
    key: GroupKey,
    variable: Annotated[
        list[str] | None, typer.Option(help="Only zones whose templates this is in.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the zones of a group up to its variables, template and TTL."""
    from controller.operations import group_zones
    from controller.operations.records import counted
    from controller.web.api.zone_runs import zone_run_answer

    with opened() as fleet:
        run = group_zones.redeploy(fleet, actor(), key, variable or None)
    if as_json:
        out_json(zone_run_answer(run))
    else:
        out(f"{counted(run.total, 'zone')} {'is' if run.total == 1 else 'are'} written again, a few at a time")


@group_app.command("dns")
def set_nameservers(
    key: GroupKey,
    servers: Annotated[list[str] | None, typer.Argument(metavar="[SERVER]...", help="The whole list.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Detach all.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a group's nameservers, or set them: its zones go to new ones and leave those left out."""
    from controller.operations import groups

    if servers and none:
        raise BadInput("--none and names do not go together")
    with opened() as fleet:
        group = find_answer(fleet, key)
        if servers or none:
            groups.attach_dns(fleet, actor(), group.id, servers or [])
            group = find_answer(fleet, group.id)
    if as_json:
        out_json(group)
        return
    for server in group.dns_servers:
        out(server.name)


@group_app.command("add-server")
def add_server(
    key: GroupKey,
    server: Annotated[str, typer.Argument(help="A web or mail server.")],
    as_json: AsJson = False,
) -> None:
    """Take a web or mail server into a group."""
    from controller.operations import groups

    with opened() as fleet:
        group = find_answer(fleet, groups.add_server(fleet, actor(), key, server).id)
    _said(group, f"has {server} now", as_json)


@group_app.command("remove-server")
def remove_server(
    key: GroupKey,
    server: Annotated[str, typer.Argument(help="One of its servers.")],
    as_json: AsJson = False,
) -> None:
    """Take a server out of a group; what lives on it goes on."""
    from controller.operations import groups

    with opened() as fleet:
        group = find_answer(fleet, groups.remove_server(fleet, actor(), key, server).id)
    _said(group, f"has {server} no more", as_json)


def find_answer(fleet: Fleet, key: int | str) -> GroupAnswer:
    """A group by id or name. Raises NotFound."""
    from controller.operations.records import must
    from controller.store.queries import find_group
    from controller.web.api.group_answers import group_answer

    with fleet.database.read() as session:
        return group_answer(session, must(find_group(session, key), "group", key))


def _said(group: GroupAnswer, what: str, as_json: bool) -> None:
    if as_json:
        out_json(group)
    else:
        out(f"Group {group.name} {what}")
