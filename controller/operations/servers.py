"""Servers: add, check."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.automation.hostkeys import HostKey
from controller.domain.words import Capability, Driver, TaskStatus
from controller.engine import breaker, lifecycle, zone_rollout
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK
from controller.engine.rows import take_task
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit, must, note
from controller.operations.server_fields import (
    CAPACITY_MAX,
    TIMEOUT_MAX,
    check_api,
    check_capabilities,
    check_login,
    clean_private_key,
    refuse_second_entry,
    scan_host_key,
)
from controller.store.models import Server, Task
from controller.store.queries import find_group, find_server
from controller.store.task_queries import next_check


def add(
    fleet: Fleet,
    actor: str,
    *,
    name: str,
    address: str,
    port: int = 22,
    driver: str = Driver.HESTIACP,
    capabilities: Sequence[str],
    group: int | str | None = None,
    ssh_user: str = "root",
    ssh_password: str | None = None,
    ssh_private_key: str | None = None,
    ssh_become: bool | None = None,
    host_key_fingerprint: str | None = None,
    capacity: int = 0,
    hostname: str = "",
    api_url: str = "",
    api_key: str | None = None,
    api_server_id: str = "localhost",
    dns_address: str = "",
    dns_port: int = 53,
    command_timeout: int = 0,
    scan: Callable[[str, int], HostKey] = scan_host_key,
) -> Server:
    """Add a server, pin its host key, join it to a group and look at it at once.

    ``group`` takes a web or mail server into the group and attaches a DNS server to it; ``ssh_become`` says
    whether the login takes sudo (default: unless it is root). A PowerDNS server has an API instead of SSH, and its
    ``hostname`` is its public name as nameserver. ``command_timeout`` in seconds, 0: as everywhere. ``scan`` asks it
    for its host key once all else is right.
    Raises Invalid (also when the server does not answer or shows another key) and Conflict.
    """
    fields = Fields()
    name = fields.name("name", name, maximum=63)
    address = fields.host("address", address)
    driver = fields.choice("driver", driver, tuple(Driver))
    has_api = driver == Driver.POWERDNS
    wanted = check_capabilities(fields, driver, capabilities)
    capacity = fields.integer("capacity", capacity, 0, CAPACITY_MAX)
    hostname = fields.hostname("hostname", hostname, required=has_api)
    dns_address = fields.host("dns.address", dns_address, required=False)
    dns_port = fields.integer("dns.port", dns_port, 1, 65535)
    command_timeout = fields.integer("command_timeout", command_timeout, 0, TIMEOUT_MAX)
    if has_api:
        api_url = check_api(fields, api_url, api_key or "", api_server_id)
    else:
        port = fields.integer("port", port, 1, 65535)
        check_login(fields, ssh_user, ssh_password, ssh_private_key)
    with fleet.database.read() as session:
        joined = find_group(session, group) if group not in (None, "") else None
        if group not in (None, "") and joined is None:
            fields.problem("group", f"there is no group {str(group)[:100]}")
        if not fields.wrong("name") and find_server(session, name) is not None:
            fields.refusal("name", Conflict(f"there is a server {name} already", field="name"))
    fields.finish()
    key = None if has_api else scan(address, port)
    if key is not None and host_key_fingerprint and host_key_fingerprint.strip() != key.fingerprint:
        fields.problem("host_key_fingerprint", f"the server shows {key.fingerprint}, not this one")
        fields.finish()
    with fleet.database.write() as session:
        server = Server(
            name=name,
            driver=Driver(driver),
            address=address,
            port=22 if has_api else port,
            can_web=Capability.WEB in wanted,
            can_mail=Capability.MAIL in wanted,
            can_dns=Capability.DNS in wanted,
            capacity=capacity,
            ssh_user="" if has_api else ssh_user,
            become=not has_api and (ssh_user != "root" if ssh_become is None else ssh_become),
            ssh_password=fleet.vault.seal(ssh_password) if ssh_password and not has_api else None,
            ssh_private_key=(
                fleet.vault.seal(clean_private_key(ssh_private_key)) if ssh_private_key and not has_api else None
            ),
            host_key=key.line if key is not None else "",
            hostname=hostname,
            api_url=api_url if has_api else "",
            api_key=fleet.vault.seal(api_key) if has_api and api_key else None,
            api_server_id=api_server_id,
            dns_address=dns_address,
            dns_port=dns_port,
            command_timeout=command_timeout,
        )
        session.add(server)
        if joined is not None:
            home = must(find_group(session, joined.id), "group", joined.id)
            if server.can_web or server.can_mail:
                server.group = home
            if server.can_dns:
                home.dns_servers.append(server)
                session.flush()
                zone_rollout.missing_zones(session, server)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a server {name} already", field="name") from None
        refuse_second_entry(session, server)
        note(session, "server.added", f"Server {name} added", actor=actor, server_id=server.id)
        audit(
            session,
            actor,
            "server.add",
            name,
            message=f"{address}, port {port}, host key {key.fingerprint}" if key is not None else api_url,
            server_id=server.id,
            address=address,
            port=server.port,
            fingerprint=key.fingerprint if key is not None else "",
        )
        _, ready = queue_check(session, actor, server)
    fleet.wake(ready)
    return server


def check(fleet: Fleet, actor: str, key: int | str) -> Task:
    """Look at a server now: what it is, has and runs. Raises NotFound."""
    with fleet.database.write() as session:
        server = must(find_server(session, key), "server", key)
        task, ready = queue_check(session, actor, server)
        audit(session, actor, "server.check", server.name, server_id=server.id, task_id=task.id)
    fleet.wake(ready)
    return task


def queue_check(session: Session, actor: str, server: Server) -> tuple[Task, Ready]:
    """A new check, or the one that is on its way anyway, now."""
    waiting = next_check(session, server.id)
    if waiting is None:
        task = breaker.new_check(session, server, actor=actor, priority=CUSTOMER_CLICK)
        return task, [(task.id, task.priority)]
    task = must(take_task(session, waiting.id), "task", waiting.id)
    return task, lifecycle.queue_again(session, task) if task.status is TaskStatus.QUEUED else []
