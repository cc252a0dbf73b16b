"""``server``: add, show, change, take in and out of use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    PasswordFromStdin,
    actor,
    file_text,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    password_from,
    when,
    words,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.web.api.server_answers import ServerAnswer

server_app = new_group("Servers of the fleet.")

ServerKey = Annotated[str, typer.Argument(metavar="SERVER", help="Id or name.")]
PrivateKeyFile = Annotated[
    Path | None, typer.Option(help="File with the SSH private key; - is standard input.", show_default=False)
]
Become = Annotated[bool | None, typer.Option("--become/--no-become", help="Take sudo.", show_default="unless root")]
ApiUrl = Annotated[str, typer.Option(help="PowerDNS: address of its HTTP API.")]
ApiKeyFile = Annotated[
    Path | None, typer.Option(help="PowerDNS: file with the key of its API; - is standard input.", show_default=False)
]
ApiServerId = Annotated[str, typer.Option(help="PowerDNS: its own id of the server.")]
POWERDNS = "powerdns"


def login(user: str, where: str, key_file: Path | None, from_stdin: bool) -> dict[str, str | None]:
    """Password or private key, from a file, standard input or the terminal."""
    if key_file and from_stdin:
        raise BadInput("give a password or a private key, not both")
    if key_file:
        return {"ssh_private_key": file_text(key_file), "ssh_password": None}
    return {"ssh_password": password_from(from_stdin, f"SSH password of {user}@{where}"), "ssh_private_key": None}


def api_key(path: Path | None, url: str) -> str:
    """The key of an API, from a file or the terminal."""
    return file_text(path).strip() if path else password_from(False, f"Key of the API at {url}")


@server_app.command("add")
def add_server(
    name: Annotated[str, typer.Argument(help="Name in the fleet, for instance web01.")],
    address: Annotated[str, typer.Option(help="IP address or host name.")],
    capability: Annotated[list[str], typer.Option(help="web, mail or dns; several times or comma-separated.")],
    port: Annotated[int, typer.Option(help="SSH port.")] = 22,
    driver: Annotated[str, typer.Option(help="hestiacp or powerdns.")] = "hestiacp",
    group: Annotated[str, typer.Option(help="Server group to join (DNS: to be attached to).")] = "",
    user: Annotated[str, typer.Option(help="SSH user.")] = "root",
    become: Become = None,
    private_key_file: PrivateKeyFile = None,
    password_stdin: PasswordFromStdin = False,
    fingerprint: Annotated[str, typer.Option(help="SHA256:... that the server's host key must have.")] = "",
    capacity: Annotated[int, typer.Option(help="Most services; 0 means no limit.")] = 0,
    hostname: Annotated[str, typer.Option(help="PowerDNS: its public name as nameserver.")] = "",
    api_url: ApiUrl = "",
    api_key_file: ApiKeyFile = None,
    api_server_id: ApiServerId = "localhost",
    dns_address: Annotated[str, typer.Option(help="Where its nameserver is asked.", show_default="its address")] = "",
    dns_port: Annotated[int, typer.Option(help="Port of its nameserver.")] = 53,
    command_timeout: Annotated[int, typer.Option(help="Longest run in seconds; 0: as everywhere.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Add a server, pin its SSH host key and look at it."""
    from controller.operations import servers

    secrets: dict[str, Any] = (
        {"api_key": api_key(api_key_file, api_url)}
        if driver == POWERDNS
        else login(user, address, private_key_file, password_stdin)
    )
    with opened() as fleet:
        added = servers.add(
            fleet,
            actor(),
            name=name,
            address=address,
            port=port,
            driver=driver,
            capabilities=words(capability),
            group=group or None,
            ssh_user=user,
            ssh_become=become,
            host_key_fingerprint=fingerprint or None,
            capacity=capacity,
            hostname=hostname,
            api_url=api_url,
            api_server_id=api_server_id,
            dns_address=dns_address,
            dns_port=dns_port,
            command_timeout=command_timeout,
            **secrets,
        )
        answer = find_answer(fleet, added.id)
    tail = f"; host key {answer.host_key.fingerprint}" if answer.host_key else ""
    _said(answer, f"added{tail}", as_json)


@server_app.command("edit")
def edit_server(
    key: ServerKey,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    address: Annotated[str | None, typer.Option(help="IP address or host name.")] = None,
    port: Annotated[int | None, typer.Option(help="SSH port.")] = None,
    capability: Annotated[list[str] | None, typer.Option(help="All of them: web, mail, dns.")] = None,
    closed_for: Annotated[
        list[str] | None, typer.Option(help="Roles of which it takes no new services; none: it takes all.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Server group; empty: none.")] = None,
    capacity: Annotated[int | None, typer.Option(help="Most services; 0 means no limit.")] = None,
    hostname: Annotated[str | None, typer.Option(help="PowerDNS: its public name as nameserver.")] = None,
    dns_address: Annotated[str | None, typer.Option(help="Where its nameserver is asked; empty: its address.")] = None,
    dns_port: Annotated[int | None, typer.Option(help="Port of its nameserver.")] = None,
    command_timeout: Annotated[int | None, typer.Option(help="Longest run in seconds; 0: as everywhere.")] = None,
    zone_template: Annotated[str | None, typer.Option(help="For zones of websites on it; empty: no choice.")] = None,
    api_url: Annotated[str | None, typer.Option(help="PowerDNS: address of its HTTP API.")] = None,
    api_key_file: ApiKeyFile = None,
    api_server_id: Annotated[str | None, typer.Option(help="PowerDNS: its own id of the server.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a server; what is not named stays."""
    from controller.operations import server_changes

    given: dict[str, Any] = {
        "name": name,
        "address": address,
        "port": port,
        "capabilities": words(capability) if capability is not None else None,
        "closed_roles": [word for word in words(closed_for) if word != "none"] if closed_for is not None else None,
        "group": group,
        "capacity": capacity,
        "hostname": hostname,
        "dns_address": dns_address,
        "dns_port": dns_port,
        "command_timeout": command_timeout,
        "zone_template": zone_template,
        "api_url": api_url,
        "api_key": file_text(api_key_file).strip() if api_key_file else None,
        "api_server_id": api_server_id,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise BadInput("nothing to change: name at least one option")
    with opened() as fleet:
        if {"api_url", "api_key", "api_server_id"} & set(changes) and find_answer(fleet, key).driver != POWERDNS:
            raise BadInput("only a PowerDNS server has an API")
        answer = find_answer(fleet, server_changes.edit(fleet, actor(), key, **changes).id)
    _said(answer, "changed", as_json)


@server_app.command("login")
def change_login(
    key: ServerKey,
    user: Annotated[str, typer.Option(help="SSH user.")] = "root",
    become: Become = None,
    private_key_file: PrivateKeyFile = None,
    password_stdin: PasswordFromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Sign in with another user, password or private key from now on."""
    from controller.operations import server_doors

    with opened() as fleet:
        _refuse_powerdns(fleet, key)
        secrets = login(user, key, private_key_file, password_stdin)
        changed = server_doors.change_login(fleet, actor(), key, ssh_user=user, ssh_become=become, **secrets)
        answer = find_answer(fleet, changed.id)
    _said(answer, f"is signed in to as {user} from now on", as_json)


@server_app.command("status")
def set_status(
    key: ServerKey,
    status: Annotated[str, typer.Argument(help="active, closed, maintenance or disabled.")],
    as_json: AsJson = False,
) -> None:
    """Take a server in or out of use; what it missed is done when it is back."""
    from controller.operations import server_changes

    with opened() as fleet:
        answer = find_answer(fleet, server_changes.set_status(fleet, actor(), key, status).id)
    _said(answer, f"is {server_changes.STATUS_WORDS[answer.status]}", as_json)


@server_app.command("lost")
def lost_server(key: ServerKey, as_json: AsJson = False) -> None:
    """Give up a server that is out of use for good: what was still to be removed from it counts as gone."""
    from controller.operations import server_loss

    with opened() as fleet:
        answer = find_answer(fleet, server_loss.give_up(fleet, actor(), key).id)
    _said(answer, "is given up and can be deleted", as_json)


@server_app.command("delete")
def delete_server(key: ServerKey, as_json: AsJson = False) -> None:
    """Remove a server that nothing lives on."""
    from controller.operations import server_changes

    with opened() as fleet:
        answer = find_answer(fleet, key)
        server_changes.delete_server(fleet, actor(), answer.id)
    _said(answer, "removed", as_json)


@server_app.command("list")
def list_servers(
    trouble: Annotated[bool, typer.Option("--trouble", help="Only servers with a problem.")] = False,
    as_json: AsJson = False,
) -> None:
    """List servers."""
    from sqlalchemy import select

    from controller.store.models import Server
    from controller.store.server_queries import in_trouble
    from controller.web.api.server_answers import server_answers

    query = select(Server).order_by(Server.name)
    with opened() as fleet, fleet.database.read() as session:
        servers = server_answers(session, session.scalars(query.where(in_trouble()) if trouble else query).all())
    out_list(
        as_json,
        servers,
        ("NAME", "ADDRESS", "PORT", "CAPABILITIES", "GROUP", "STATUS", "SERVICES", "CHECKED", "PROBLEM"),
        [
            (
                server.name,
                server.address,
                server.port,
                ",".join(server.capabilities),
                ",".join([server.group.name] if server.group else [group.name for group in server.attached_to]),
                server.status.value,
                f"{server.services}/{server.capacity}" if server.capacity else server.services,
                when(server.checked_at),
                server.problem,
            )
            for server in servers
        ],
    )


@server_app.command("show")
def show_server(key: ServerKey, as_json: AsJson = False) -> None:
    """Show a server; never its credentials."""
    with opened() as fleet:
        server = find_answer(fleet, key)
    if as_json:
        out_json(server)
        return
    ssh, host_key, api = server.ssh, server.host_key, server.api
    out_fields(
        {
            "name": server.name,
            "address": f"{server.address} port {server.port}" if ssh else server.address,
            "driver": server.driver.value,
            "status": server.status.value,
            "capabilities": ", ".join(server.capabilities),
            "closed for": ", ".join(server.closed_roles),
            "group": server.group.name if server.group else "",
            "attached to": ", ".join(group.name for group in server.attached_to),
            "services": f"{server.services} of {server.capacity or 'no limit'}",
            "SSH login": f"{ssh.user} by {ssh.method.replace('_', ' ')}" if ssh else "",
            "host key": f"{host_key.type} {host_key.fingerprint}" if host_key else "",
            "API": f"{api.url} server {api.server_id}" if api else "",
            "asked for zones at": f"{server.dns.address or server.address} port {server.dns.port}",
            "zone template": server.zone_template.name if server.zone_template else "",
            "longest run": f"{server.command_timeout} s" if server.command_timeout else "as everywhere",
            "host name": server.hostname,
            "checked": when(server.checked_at),
            "usage collected": when(server.usage_at),
            "problem": server.problem,
        }
        | {f"  {name}": value for name, value in server.facts.items() if isinstance(value, str | int | float)}
    )


@server_app.command("check")
def check_server(key: ServerKey, as_json: AsJson = False) -> None:
    """Queue a look at a server."""
    from controller.operations import servers
    from controller.store.models import Task
    from controller.web.api.task_answers import task_answer

    with opened() as fleet:
        task = servers.check(fleet, actor(), key)
        if not as_json:
            out(f"Task {task.id} is queued")
            return
        with fleet.database.read() as session:
            out_json(task_answer(session, session.get_one(Task, task.id)))


@server_app.command("host-key")
def host_key(
    key: ServerKey,
    accept: Annotated[str, typer.Option(help="SHA256:... of the key to pin from now on.", show_default=False)] = "",
    as_json: AsJson = False,
) -> None:
    """Show the pinned host key and the one the server shows now, or accept that one."""
    from controller.automation.hostkeys import HostKey
    from controller.operations import server_doors
    from controller.operations.records import must
    from controller.operations.server_fields import scan_host_key
    from controller.store.queries import find_server

    with opened() as fleet:
        _refuse_powerdns(fleet, key)
        if accept:
            server_doors.accept_host_key(fleet, actor(), key, accept)
        with fleet.database.read() as session:
            server = must(find_server(session, key), "server", key)
        found = {
            "server": server.name,
            "pinned": HostKey(server.host_key).fingerprint,
            "shown": scan_host_key(server.address, server.port).fingerprint,
        }
    if as_json:
        out_json(found)
    else:
        out_fields(found | {"same": "yes" if found["pinned"] == found["shown"] else "no"})


def find_answer(fleet: Fleet, key: int | str) -> ServerAnswer:
    """A server by id or name. Raises NotFound."""
    from controller.operations.records import must
    from controller.store.queries import find_server
    from controller.web.api.server_answers import server_answer

    with fleet.database.read() as session:
        return server_answer(session, must(find_server(session, key), "server", key))


def _refuse_powerdns(fleet: Fleet, key: str) -> None:
    if find_answer(fleet, key).driver == POWERDNS:
        raise BadInput("a PowerDNS server has no SSH: its API is changed with server edit")


def _said(server: ServerAnswer, what: str, as_json: bool) -> None:
    if as_json:
        out_json(server)
    else:
        out(f"Server {server.name} {what}")
