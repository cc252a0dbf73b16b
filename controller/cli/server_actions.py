"""``server``: look before adding, what is on a server, and what is done there at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    PasswordFromStdin,
    actor,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    out_table,
    when,
    words,
)
from controller.cli.pipelines import Wait, started
from controller.cli.servers import (
    POWERDNS,
    ApiKeyFile,
    ApiServerId,
    ApiUrl,
    Become,
    PrivateKeyFile,
    ServerKey,
    api_key,
    login,
    server_app,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.store.models import Pipeline

__all__ = ["server_app"]

COLUMNS = {
    "packages": ("name", "WEB_DOMAINS", "MAIL_DOMAINS", "DNS_DOMAINS", "DATABASES", "DISK_QUOTA", "BANDWIDTH"),
    "addresses": ("ip", "nat", "owner", "status", "interface", "web_domains"),
    "services": ("name", "what", "state", "cpu", "memory_mb", "minutes"),
    "users": ("name", "package", "suspended", "disk", "quota", "bandwidth", "service"),
}


@server_app.command("look")
def look(
    address: Annotated[str, typer.Argument(help="IP address or host name; not for powerdns.")] = "",
    driver: Annotated[str, typer.Option(help="hestiacp or powerdns.")] = "hestiacp",
    port: Annotated[int, typer.Option(help="SSH port.")] = 22,
    user: Annotated[str, typer.Option(help="SSH user.")] = "root",
    become: Become = None,
    private_key_file: PrivateKeyFile = None,
    password_stdin: PasswordFromStdin = False,
    api_url: ApiUrl = "",
    api_key_file: ApiKeyFile = None,
    api_server_id: ApiServerId = "localhost",
    as_json: AsJson = False,
) -> None:
    """Connect to a server that is not added yet and tell what is there; nothing is stored. Exit code 1 if it fails."""
    from controller.operations import server_look
    from controller.web.api.server_answers import look_answer

    if driver not in ("hestiacp", POWERDNS):
        raise BadInput("--driver: must be hestiacp or powerdns")
    with opened() as fleet:
        if driver == POWERDNS:
            key = api_key(api_key_file, api_url)
            found = server_look.look_powerdns(fleet, api_url=api_url, api_key=key, api_server_id=api_server_id)
        else:
            secrets = login(user, address, private_key_file, password_stdin)
            found = server_look.look(fleet, address=address, port=port, ssh_user=user, ssh_become=become, **secrets)
    answer = look_answer(found)
    if as_json:
        out_json(answer)
    else:
        out_fields(
            {
                "host key": f"{answer.host_key.type} {answer.host_key.fingerprint}" if answer.host_key else "none",
                "problem": answer.problem,
            }
            | {f"  {name}": value for name, value in answer.facts.items() if isinstance(value, str | int | float)}
        )
        for sentence in answer.missing:
            out(f"missing: {sentence}")
    if not answer.ok:
        raise typer.Exit(1)


@server_app.command("scan")
def scan_server(
    address: Annotated[str, typer.Argument(help="IP address or host name.")],
    port: Annotated[int, typer.Option(help="SSH port.")] = 22,
    as_json: AsJson = False,
) -> None:
    """Print the SSH host key that a server shows now."""
    from controller.operations.server_fields import scan_host_key

    key = scan_host_key(address, port)
    if as_json:
        out_json({"type": key.line.split(" ")[0], "key": key.line, "fingerprint": key.fingerprint})
    else:
        out(key.fingerprint)


@server_app.command("refresh")
def refresh(key: ServerKey, wait: Wait = False, as_json: AsJson = False) -> None:
    """Look at a server and collect the usage of its accounts, now."""
    from controller.operations import server_actions

    _run(lambda fleet, who: server_actions.refresh(fleet, who, key), wait, as_json)


@server_app.command("recount")
def recount(key: ServerKey, wait: Wait = False, as_json: AsJson = False) -> None:
    """Let the panel count disk and traffic anew, then collect them."""
    from controller.operations import server_actions

    _run(lambda fleet, who: server_actions.recount(fleet, who, key), wait, as_json)


@server_app.command("restart")
def restart(
    key: ServerKey,
    service: Annotated[str, typer.Argument(help="A program as the panel lists it, for instance nginx.")],
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Restart a program of a server."""
    from controller.operations import server_actions

    _run(lambda fleet, who: server_actions.restart_service(fleet, who, key, service), wait, as_json)


@server_app.command("rebuild")
def rebuild(
    key: ServerKey,
    what: Annotated[str, typer.Argument(help="users, web, mail or dns.")],
    user: Annotated[list[str] | None, typer.Option(help="Only this account; several times or comma-separated.")] = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Let the panel write anew what it keeps for accounts."""
    from controller.operations import server_actions

    _run(lambda fleet, who: server_actions.rebuild(fleet, who, key, what, words(user or [])), wait, as_json)


@server_app.command("apply")
def apply_config(
    key: ServerKey,
    scope: Annotated[str, typer.Option(help="all, web, mail or dns.")] = "all",
    check: Annotated[bool, typer.Option("--check", help="Only show what would change.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Bring the panel's settings in line with what the server's groups want."""
    from controller.operations import server_actions

    _run(lambda fleet, who: server_actions.apply_config(fleet, who, key, scope, check=check), wait, as_json)


@server_app.command("config")
def show_config(
    key: ServerKey,
    everything: Annotated[bool, typer.Option("--all", help="Also settings that are not managed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the panel's settings should be and are."""
    from controller.operations.records import must
    from controller.store.queries import find_server
    from controller.web.api.server_views import config_answer

    with opened() as fleet, fleet.database.read() as session:
        found = config_answer(session, must(find_server(session, key), "server", key))
    if as_json:
        out_json(found)
        return
    state = {True: "as wanted", False: "differs", None: "not known"}
    rows = [
        (
            line.key,
            line.tier,
            line.wanted,
            line.has,
            f"refused: {line.refused}" if line.refused else state[line.matches],
        )
        for line in found.managed
    ]
    if everything:
        managed = {line.key for line in found.managed}
        rows += [(name, "", "", value, "not managed") for name, value in found.panel.items() if name not in managed]
    out_table(("SETTING", "TIER", "WANTED", "HAS", "STATE"), rows)


@server_app.command("view")
def show_view(
    key: ServerKey,
    kind: Annotated[str, typer.Argument(help="packages, addresses, services or users.")],
    as_json: AsJson = False,
) -> None:
    """List what the panel has, as it was last collected."""
    from controller.operations.records import must
    from controller.store.queries import find_server
    from controller.web.api.server_views import view_items

    if kind not in COLUMNS:
        raise BadInput(f"KIND: must be one of {', '.join(COLUMNS)}")
    with opened() as fleet, fleet.database.read() as session:
        items = view_items(session, must(find_server(session, key), "server", key), kind)
    rows = []
    for item in items:
        row = item.model_dump()
        row["service"] = (row.get("service") or {}).get("name", "")
        rows.append([row.get(column) for column in COLUMNS[kind]])
    out_list(as_json, items, [column.upper() for column in COLUMNS[kind]], rows)


@server_app.command("history")
def show_history(
    key: ServerKey,
    hours: Annotated[int, typer.Option(min=1, max=720, help="How far back.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Show a server's figures over time."""
    from controller.operations.records import must
    from controller.store.base import utcnow
    from controller.store.queries import find_server
    from controller.web.api.server_views import history_answer

    with opened() as fleet, fleet.database.read() as session:
        found = history_answer(session, must(find_server(session, key), "server", key), hours, utcnow())
    if as_json:
        out_json(found)
        return
    out_table(
        ("TIME", "LOAD", "CPU %", "MEMORY %", "DISK %", "ACCOUNTS"),
        [(when(point.at), point.load, point.cpu, point.memory, point.disk, point.accounts) for point in found.points],
    )


def _run(operation: Callable[[Fleet, str], Pipeline], wait: bool, as_json: bool) -> None:
    with opened() as fleet:
        started(fleet, operation(fleet, actor()), wait, as_json)
