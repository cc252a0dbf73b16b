"""Servers: add, check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.automation.hostkeys import HostKey, HostKeyError, scan
from controller.domain.words import Capability, Driver, TaskStatus
from controller.engine import breaker, lifecycle
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK
from controller.engine.rows import take_task
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.operations.records import audit, must, note
from controller.store.models import Server, Task
from controller.store.queries import find_group, find_server
from controller.store.task_queries import next_check

UNIX_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")


def scan_host_key(address: str, port: int) -> HostKey:
    """The host key a server shows now, for staff to confirm. Raises Invalid naming the field."""
    fields = Fields()
    fields.host("address", address)
    fields.integer("port", port, 1, 65535)
    fields.finish()
    try:
        return scan(address, port)
    except HostKeyError as problem:
        fields.problem("address", str(problem))
        fields.finish()
        raise AssertionError("unreachable") from problem


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
) -> Server:
    """Add a server, pin its host key, join it to a group and look at it at once.

    ``group`` takes a web or mail server into the group and attaches a DNS server to it; ``ssh_become`` says
    whether the login takes sudo (default: unless it is root).
    Raises Invalid (also when the server does not answer or shows another key) and Conflict.
    """
    fields = Fields()
    name = fields.name("name", name, maximum=63)
    address = fields.host("address", address)
    port = fields.integer("port", port, 1, 65535)
    driver = fields.choice("driver", driver, (Driver.HESTIACP,))
    wanted = _capabilities(fields, capabilities)
    capacity = fields.integer("capacity", capacity, 0, 1_000_000)
    if not UNIX_USER.fullmatch(str(ssh_user)):
        fields.problem("ssh.user", "must be a Unix user name")
    check_credentials(fields, ssh_password, ssh_private_key)
    with fleet.database.read() as session:
        joined = find_group(session, group) if group not in (None, "") else None
        if group not in (None, "") and joined is None:
            fields.problem("group", f"there is no group {group}")
        if find_server(session, name) is not None:
            raise Conflict(f"there is a server {name} already", field="name")
    fields.finish()
    key = scan_host_key(address, port)
    if host_key_fingerprint and host_key_fingerprint.strip() != key.fingerprint:
        fields.problem("host_key_fingerprint", f"the server shows {key.fingerprint}, not this one")
        fields.finish()
    with fleet.database.write() as session:
        server = Server(
            name=name,
            driver=Driver(driver),
            address=address,
            port=port,
            can_web=Capability.WEB in wanted,
            can_mail=Capability.MAIL in wanted,
            can_dns=Capability.DNS in wanted,
            capacity=capacity,
            ssh_user=ssh_user,
            become=ssh_user != "root" if ssh_become is None else ssh_become,
            ssh_password=fleet.vault.seal(ssh_password) if ssh_password else None,
            ssh_private_key=fleet.vault.seal(clean_private_key(ssh_private_key)) if ssh_private_key else None,
            host_key=key.line,
        )
        session.add(server)
        if joined is not None:
            home = must(find_group(session, joined.id), "group", joined.id)
            if server.can_web or server.can_mail:
                server.group = home
            if server.can_dns:
                home.dns_servers.append(server)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict(f"there is a server {name} already", field="name") from None
        note(session, "server.added", f"Server {name} added", actor=actor, server_id=server.id)
        audit(
            session,
            actor,
            "server.add",
            name,
            message=f"{address}, port {port}, host key {key.fingerprint}",
            server_id=server.id,
            address=address,
            port=port,
            fingerprint=key.fingerprint,
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


def _capabilities(fields: Fields, value: Any) -> set[Capability]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        fields.problem("capabilities", "must be a list of web, mail, dns with at least one of them")
        return set()
    unknown = [str(word) for word in value if word not in set(Capability)]
    if unknown:
        fields.problem("capabilities", f"unknown: {', '.join(unknown)}; known are web, mail, dns")
        return set()
    return {Capability(word) for word in value}


def check_credentials(fields: Fields, password: str | None, private_key: str | None) -> None:
    """A password or a usable private key, else a problem."""
    if not password and not private_key:
        fields.problem("ssh", "a password or a private_key is needed")
    if password and "\n" in password:
        fields.problem("ssh.password", "must be one line")
    if private_key:
        try:
            load_ssh_private_key(clean_private_key(private_key).encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            fields.problem("ssh.private_key", "must be an OpenSSH private key without a passphrase")


def clean_private_key(private_key: str) -> str:
    """As OpenSSH wants it: Unix lines, one at the end."""
    return private_key.strip().replace("\r\n", "\n") + "\n"
