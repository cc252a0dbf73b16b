"""``group config``, ``group files`` and ``group apply``: what a group wants of its servers, and bringing it there."""

from __future__ import annotations

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
    out_json,
    out_list,
    out_table,
    when,
)
from controller.cli.groups import GroupKey, group_app
from controller.cli.pipelines import Wait, started

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.store.models import ServerGroup

__all__ = ["group_app"]

config_app = new_group("Panel settings that a group manages.")
files_app = new_group("Standard files of a group's web servers.")
group_app.add_typer(config_app, name="config")
group_app.add_typer(files_app, name="files")

FileName = Annotated[str, typer.Argument(metavar="FILE", help="For instance error_404, index or suspended.")]


@group_app.command("apply")
def apply(
    key: GroupKey,
    kind: Annotated[str, typer.Option(help="config, files or status.")] = "config",
    scope: Annotated[str, typer.Option(help="Of settings: all, web, mail or dns.")] = "all",
    check: Annotated[
        bool, typer.Option("--check", help="Only show what would change on which server; waits for it.")
    ] = False,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Print what comes out, to the end; exit code 1 when it fails.",
            show_default="with --check",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Push settings or standard files to the servers of a group, one after another; or look at them all."""
    from controller.operations import group_runs

    run = group_runs.preview if check else group_runs.apply
    with opened() as fleet:
        started(fleet, run(fleet, actor(), key, kind, scope), check if wait is None else wait, as_json)


@config_app.command("keys")
def list_keys(
    tier: Annotated[str, typer.Option(help="Only those of all, web, mail or dns servers.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the settings of panels: what they may be, and what they are for."""
    from controller.domain.config_keys import KEYS
    from controller.web.api.group_answers import config_key_answer

    keys = [config_key_answer(entry) for entry in KEYS.values() if tier in ("", entry.tier)]
    out_list(
        as_json,
        keys,
        ("SETTING", "TIER", "TYPE", "ALLOWED", "WHAT IT IS"),
        [
            (
                key.key,
                key.tier.value,
                key.type.value if key.managed else "read only",
                _allowed(list(key.allowed or {}), key.minimum, key.maximum if key.type.value == "number" else None),
                key.title,
            )
            for key in keys
        ],
    )


def _allowed(choices: list[str], minimum: int | None, maximum: int | None) -> str:
    if choices:
        text = ",".join(choices)
        return text if len(text) <= 40 else f"{text[:39]}…"
    return f"{minimum} to {maximum}" if maximum is not None else ""


@config_app.command("get")
def get_config(key: GroupKey, as_json: AsJson = False) -> None:
    """Print the settings that a group manages."""
    from controller.domain.config_keys import Tier
    from controller.web.api.group_answers import config_answer

    with opened() as fleet:
        config = config_answer(_find(fleet, key))
    if as_json:
        out_json(config)
        return
    rows = [(tier.value, name, value) for tier in Tier for name, value in getattr(config, tier.value).items()]
    out_table(("TIER", "SETTING", "VALUE"), rows)


@config_app.command("set")
def set_config(
    key: GroupKey,
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="An empty value: not managed any more.")],
    as_json: AsJson = False,
) -> None:
    """Change settings of one tier, all of them or none; nothing reaches a server before it is applied."""
    from controller.domain.config_keys import KEYS
    from controller.operations import group_config
    from controller.web.api.group_answers import config_answer

    values: dict[str, str] = {}
    for text in changes:
        name, equals, value = text.partition("=")
        if not equals or name not in KEYS:
            raise BadInput(f"{text!r} does not begin with a setting and =: 'group config keys' lists them")
        values[name] = value
    tiers = {KEYS[name].tier for name in values}
    if len(tiers) > 1:
        raise BadInput(f"change one tier at a time, not {' and '.join(sorted(tiers))}")
    with opened() as fleet:
        group = group_config.set_config(fleet, actor(), key, tiers.pop(), values)
    if as_json:
        out_json(config_answer(group))
    else:
        out(f"{len(values)} settings of {group.name} changed; 'group apply' brings them to its servers")


@files_app.command("list")
def list_files(key: GroupKey, as_json: AsJson = False) -> None:
    """List the standard files."""
    from controller.web.api.group_answers import file_summaries

    with opened() as fleet:
        group = _find(fleet, key)
        with fleet.database.read() as session:
            files = file_summaries(session, group.id)
    out_list(
        as_json,
        files,
        ("FILE", "TITLE", "VERSION", "BYTES", "SINCE", "BY", "NOT APPLIED YET"),
        [
            (
                one.name,
                one.title,
                f"{one.origin} from {one.server}" if one.server else one.origin,
                one.size,
                when(one.updated_at),
                one.updated_by,
                ", ".join(one.not_applied),
            )
            for one in files
        ],
    )


@files_app.command("show")
def show_file(key: GroupKey, name: FileName, as_json: AsJson = False) -> None:
    """Print the group's own version of a standard file."""
    from controller.web.api.group_answers import file_answer

    _known(name)
    with opened() as fleet:
        group = _find(fleet, key)
        with fleet.database.read() as session:
            file = file_answer(session, group.id, name)
    if as_json:
        out_json(file)
    elif file.content is not None:
        out(file.content.removesuffix("\n"))


@files_app.command("set")
def override_file(
    key: GroupKey,
    name: FileName,
    path: Annotated[Path, typer.Argument(help="File with the text; - is standard input.")],
    as_json: AsJson = False,
) -> None:
    """Give the group its own version; nothing reaches a server before it is applied."""
    from controller.operations import standard_files
    from controller.web.api.group_answers import file_answer

    content = file_text(path)
    with opened() as fleet:
        row = standard_files.override(fleet, actor(), key, name, content)
        with fleet.database.read() as session:
            answer = file_answer(session, row.group_id, name)
    if as_json:
        out_json(answer)
    else:
        out(f"{name} is the group's own now; 'group apply --kind files' brings it to its servers")


@files_app.command("reset")
def reset_file(key: GroupKey, name: FileName, as_json: AsJson = False) -> None:
    """Back to the panel's own file, once it is applied."""
    from controller.operations import standard_files
    from controller.web.api.group_answers import file_answer

    with opened() as fleet:
        group = standard_files.reset(fleet, actor(), key, name)
        with fleet.database.read() as session:
            answer = file_answer(session, group.id, name)
    if as_json:
        out_json(answer)
    else:
        out(f"{name} is the panel's own again; 'group apply --kind files' brings it to its servers")


@files_app.command("pull")
def pull_file(
    key: GroupKey,
    name: FileName,
    server: Annotated[str, typer.Argument(help="A web server.")],
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Take over the version that a server has."""
    from controller.operations import standard_files

    with opened() as fleet:
        started(fleet, standard_files.pull(fleet, actor(), key, name, server), wait, as_json)


def _known(name: str) -> None:
    from controller.domain.standard_files import STANDARD_FILES

    if name not in STANDARD_FILES:
        raise BadInput(f"FILE: must be one of {', '.join(STANDARD_FILES)}")


def _find(fleet: Fleet, key: str) -> ServerGroup:
    from controller.operations.records import must
    from controller.store.queries import find_group

    with fleet.database.read() as session:
        return must(find_group(session, key), "group", key)
