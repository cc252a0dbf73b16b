"""The fleet as an Ansible inventory: one source of groups and host variables for all who ask."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.automation.hostkeys import known_hosts_line
from controller.automation.installation import rows
from controller.automation.inventory import host_variables
from controller.domain.words import Capability, Driver
from controller.store.plain import Query

NAMESPACE = "hestia_fleet"
"""Host variable that holds what the controller knows about a server."""

SERVERS = Query(
    "SELECT id, name, driver, status, address, port, can_web, can_mail, can_dns, group_id, hostname, ssh_user, become, "
    "host_key, ssh_password IS NOT NULL, ssh_private_key IS NOT NULL FROM servers"
)
GROUPS = Query("SELECT id, name FROM server_groups ORDER BY id")
ATTACHED = Query("SELECT server_id, group_id FROM group_dns_servers ORDER BY group_id")


@dataclass
class ServerRow:
    """A server as the inventory needs it."""

    id: int
    name: str
    driver: Driver
    status: str
    address: str
    port: int
    capabilities: list[str]
    hostname: str
    ssh_user: str
    become: bool
    host_key: str
    login: list[str]
    group: str | None = None
    groups: list[str] = field(default_factory=list)
    """Its own group first, then those it is attached to as nameserver."""
    inventory_groups: list[str] = field(default_factory=list)
    """What these are called in the inventory."""


def group_name(kind: str, word: str) -> str:
    """A name Ansible takes for a group: letters, digits and underscores (``group_web_hosting``)."""
    return re.sub(r"[^a-z0-9_]+", "_", f"{kind}_{word}".lower()).strip("_")


def group_names(groups: Mapping[int, str]) -> dict[int, str]:
    """Names of server groups in the inventory by id, oldest first: one whose name is taken gets its id behind it."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for number, word in groups.items():
        name = group_name("group", word)
        found[number] = f"{name}_{number}" if name in taken else name
        while found[number] in taken:
            found[number] += f"_{number}"
        taken.add(found[number])
    return found


ALWAYS = tuple(
    group_name(kind, word) for kind, words in (("capability", Capability), ("driver", Driver)) for word in words
)
"""Groups that are there without any server, so that a play may name them."""


def fleet_hosts(python: str, statuses: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Servers by name, as plain data without secrets: ``variables``, ``groups`` and which kinds of ``login`` there are.

    python: the servers' interpreter. No statuses: all of them. Raises NoInstallation.
    """
    wanted = [server for server in _servers() if not statuses or server.status in statuses]
    return {server.name: _host(server, python) for server in sorted(wanted, key=lambda server: server.name)}


def _servers() -> list[ServerRow]:
    servers, groups, attached = rows(SERVERS, GROUPS, ATTACHED)
    names = {number: name for number, name in groups}  # noqa: C416
    called = group_names(names)
    of_server: dict[int, list[int]] = {}
    for server_id, group_id in attached:
        of_server.setdefault(server_id, []).append(group_id)
    found = []
    for (
        number,
        name,
        driver,
        status,
        address,
        port,
        *can,
        group_id,
        hostname,
        user,
        become,
        key,
        password,
        private,
    ) in servers:
        member_of = dict.fromkeys([*filter(None, [group_id]), *of_server.get(number, [])])
        found.append(
            ServerRow(
                id=number,
                name=name,
                driver=Driver(driver),
                status=status,
                address=address,
                port=port,
                capabilities=[word.value for word, able in zip(Capability, can, strict=True) if able],
                hostname=hostname,
                ssh_user=user,
                become=bool(become),
                host_key=key,
                login=[
                    kind for kind, there in (("password", password), ("private_key_file", private)) if there and key
                ],
                group=names.get(group_id),
                groups=[names[each] for each in member_of],
                inventory_groups=[called[each] for each in member_of],
            )
        )
    return found


def _host(server: ServerRow, python: str) -> dict[str, Any]:
    variables = host_variables(server, python)
    if server.host_key:
        variables["ansible_ssh_common_args"] = _pinned(server)
    variables[NAMESPACE] = {
        "id": server.id,
        "name": server.name,
        "group": server.group,
        "groups": server.groups,
        "capabilities": server.capabilities,
        "driver": server.driver.value,
        "status": server.status,
        "hostname": server.hostname,
    }
    names = [
        *(group_name("capability", capability) for capability in server.capabilities),
        group_name("driver", server.driver.value),
        group_name("status", server.status),
        *server.inventory_groups,
    ]
    return {"variables": variables, "groups": names, "login": server.login}


def _pinned(server: ServerRow) -> str:
    """Arguments for ssh: this host key and no other. A command that says it needs no file that could be out of date."""
    line = known_hosts_line(server.address, server.port, server.host_key).replace("%", "%%")
    return _ssh_arguments(
        f"KnownHostsCommand=/bin/echo {shlex.join(line.split())}",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
    )


def login_variables(host: Mapping[str, Any]) -> dict[str, str]:
    """Variables that look a server's login up when a task connects; templates of ours with nothing typed in them."""
    number = int(host["variables"][NAMESPACE]["id"])
    names = {"password": "ansible_password", "private_key_file": "ansible_ssh_private_key_file"}
    return {
        names[kind]: f"{{{{ lookup('hestia_fleet_login', '{kind}', server={number}) }}}}"
        for kind in names
        if kind in host["login"]
    }


def login_arguments(host: Mapping[str, Any]) -> dict[str, str]:
    """The pinned host key's arguments, and that no key of the person's own is offered."""
    if not host["login"]:
        return {}
    own = "IdentitiesOnly=yes" if "private_key_file" in host["login"] else "PubkeyAuthentication=no"
    arguments = f"{host['variables']['ansible_ssh_common_args']} {_ssh_arguments('IdentityAgent=none', own)}"
    return {"ansible_ssh_common_args": arguments}


def _ssh_arguments(*options: str) -> str:
    return shlex.join(part for option in options for part in ("-o", option))


def yaml_inventory(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same in the shape that Ansible's YAML inventory plugin reads."""
    groups: dict[str, dict[str, Any]] = {}
    for name, host in hosts.items():
        for group in host["groups"]:
            groups.setdefault(group, {"hosts": {}})["hosts"][name] = {}
    return {"all": {"hosts": {name: host["variables"] for name, host in hosts.items()}, "children": groups}}
