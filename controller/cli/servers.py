"""``server`` and ``group``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    pairs,
    password_from,
    when,
    words,
)

server_app = new_group("Servers of the fleet.")
group_app = new_group("Server groups.")

ServerKey = Annotated[str, typer.Argument(metavar="SERVER", help="Id or name.")]


@server_app.command("add")
def add_server(
    name: Annotated[str, typer.Argument(help="Name in the fleet, for instance web01.")],
    address: Annotated[str, typer.Option(help="IP address or host name.")],
    capability: Annotated[list[str], typer.Option(help="web, mail or dns; several times or comma-separated.")],
    port: Annotated[int, typer.Option(help="SSH port.")] = 22,
    driver: Annotated[str, typer.Option(help="How the server is managed.")] = "hestiacp",
    group: Annotated[str, typer.Option(help="Server group to join (DNS: to be attached to).")] = "",
    user: Annotated[str, typer.Option(help="SSH user.")] = "root",
    become: Annotated[
        bool | None, typer.Option("--become/--no-become", help="Take sudo.", show_default="unless root")
    ] = None,
    private_key_file: Annotated[
        Path | None, typer.Option(help="File with the SSH private key; - is standard input.", show_default=False)
    ] = None,
    password_stdin: PasswordFromStdin = False,
    fingerprint: Annotated[str, typer.Option(help="SHA256:... that the server's host key must have.")] = "",
    capacity: Annotated[int, typer.Option(help="Most services; 0 means no limit.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Add a server, pin its SSH host key and look at it."""
    from controller.operations import servers
    from controller.store.queries import find_server
    from controller.web.api.represent import server_answer

    if private_key_file and password_stdin:
        raise BadInput("give a password or a private key, not both")
    key = file_text(private_key_file) if private_key_file else None
    password = None if key else password_from(password_stdin, f"SSH password of {user}@{address}")
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
            ssh_password=password,
            ssh_private_key=key,
            ssh_become=become,
            host_key_fingerprint=fingerprint or None,
            capacity=capacity,
        )
        with fleet.database.read() as session:
            server = find_server(session, added.id)
            assert server is not None
            answer = server_answer(server)
    if as_json:
        out_json(answer)
    else:
        out(f"Server {answer.name} added; host key {answer.host_key.fingerprint}")


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


@server_app.command("list")
def list_servers(as_json: AsJson = False) -> None:
    """List servers."""
    from sqlalchemy import select

    from controller.store.models import Server
    from controller.web.api.represent import server_answer

    with opened() as fleet, fleet.database.read() as session:
        servers = [server_answer(server) for server in session.scalars(select(Server).order_by(Server.name))]
    out_list(
        as_json,
        servers,
        ("NAME", "ADDRESS", "PORT", "CAPABILITIES", "GROUP", "STATUS", "CHECKED", "PROBLEM"),
        [
            (
                server.name,
                server.address,
                server.port,
                ",".join(server.capabilities),
                ",".join([server.group.name] if server.group else [group.name for group in server.attached_to]),
                server.status.value,
                when(server.checked_at),
                server.problem,
            )
            for server in servers
        ],
    )


@server_app.command("show")
def show_server(key: ServerKey, as_json: AsJson = False) -> None:
    """Show a server; never its credentials."""
    from controller.operations.records import must
    from controller.store.queries import find_server
    from controller.web.api.represent import server_answer

    with opened() as fleet, fleet.database.read() as session:
        server = server_answer(must(find_server(session, key), "server", key))
    if as_json:
        out_json(server)
        return
    out_fields(
        {
            "name": server.name,
            "address": f"{server.address} port {server.port}",
            "driver": server.driver.value,
            "status": server.status.value,
            "capabilities": ", ".join(server.capabilities),
            "group": server.group.name if server.group else "",
            "attached to": ", ".join(group.name for group in server.attached_to),
            "capacity": server.capacity or "no limit",
            "SSH login": f"{server.ssh.user} by {server.ssh.method.replace('_', ' ')}",
            "host key": f"{server.host_key.type} {server.host_key.fingerprint}",
            "host name": server.hostname,
            "checked": when(server.checked_at),
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
    from controller.store.models import ServerGroup
    from controller.web.api.represent import group_answer

    variables = {name: str(value) for name, value in pairs(variable or [], "--variable").items()}
    with opened() as fleet:
        group = groups.create(fleet, actor(), name=name, description=description, variables=variables)
        if not as_json:
            out(f"Group {group.name} created")
            return
        with fleet.database.read() as session:
            out_json(group_answer(session.get_one(ServerGroup, group.id)))


@group_app.command("list")
def list_groups(as_json: AsJson = False) -> None:
    """List server groups."""
    from sqlalchemy import select

    from controller.store.models import ServerGroup
    from controller.web.api.represent import group_answer

    with opened() as fleet, fleet.database.read() as session:
        groups = [group_answer(group) for group in session.scalars(select(ServerGroup).order_by(ServerGroup.name))]
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
