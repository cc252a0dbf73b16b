"""How the controller gets into a server: its pinned host key and its login."""

from __future__ import annotations

from sqlalchemy.orm import Session

from controller.automation.hostkeys import HostKey
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.rows import take
from controller.operations.fields import Fields
from controller.operations.records import audit, must, note
from controller.operations.server_fields import UNIX_USER, check_credentials, clean_private_key, scan_host_key
from controller.operations.servers import queue_check
from controller.store.models import Server
from controller.store.queries import find_server

Key = int | str


def accept_host_key(fleet: Fleet, actor: str, key: Key, fingerprint: str) -> Server:
    """Pin the host key that the server shows now, which must have this fingerprint, and look at the server.

    Raises NotFound, Invalid (the server does not answer, or shows yet another key).
    """
    with fleet.database.read() as session:
        server = must(find_server(session, key), "server", key)
    shown = scan_host_key(server.address, server.port)
    if fingerprint.strip() != shown.fingerprint:
        fields = Fields()
        fields.problem("fingerprint", f"the server shows {shown.fingerprint}, not this one")
        fields.finish()
    with fleet.database.write() as session:
        server, ready = _changed(session, server.id, actor)
        before = HostKey(server.host_key).fingerprint
        server.host_key = shown.line
        words = f"{before} -> {shown.fingerprint}"
        note(session, "server.host-key", f"Host key accepted: {words}", actor=actor, server_id=server.id)
        audit(session, actor, "server.host-key", server.name, message=words, server_id=server.id)
    fleet.wake(ready)
    return server


def change_login(
    fleet: Fleet,
    actor: str,
    key: Key,
    *,
    ssh_user: str,
    ssh_password: str | None = None,
    ssh_private_key: str | None = None,
    ssh_become: bool | None = None,
) -> Server:
    """Sign in with another user, password or private key from now on, and look at the server.

    Without a new password or key the old one is kept. Raises NotFound, Invalid.
    """
    fields = Fields()
    if not UNIX_USER.fullmatch(str(ssh_user)):
        fields.problem("ssh.user", "must be a Unix user name")
    if ssh_password or ssh_private_key:
        check_credentials(fields, ssh_password, ssh_private_key)
    fields.finish()
    with fleet.database.write() as session:
        server, ready = _changed(session, must(find_server(session, key), "server", key).id, actor)
        server.ssh_user = ssh_user
        server.become = ssh_user != "root" if ssh_become is None else ssh_become
        if ssh_password or ssh_private_key:
            server.ssh_password = fleet.vault.seal(ssh_password) if ssh_password else None
            server.ssh_private_key = fleet.vault.seal(clean_private_key(ssh_private_key)) if ssh_private_key else None
        note(session, "server.login", "SSH login changed", actor=actor, server_id=server.id)
        audit(session, actor, "server.login", server.name, message=f"user {ssh_user}", server_id=server.id)
    fleet.wake(ready)
    return server


def _changed(session: Session, server_id: int, actor: str) -> tuple[Server, Ready]:
    server = must(take(session, Server, server_id), "server", server_id)
    return server, queue_check(session, actor, server)[1]
