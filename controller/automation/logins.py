"""Logins of servers for runs by hand: opened when a task connects."""

from __future__ import annotations

from controller.automation.installation import NoInstallation, private_file, rows, vault
from controller.store.plain import Query
from controller.store.vault import VaultError

SEALED = "SELECT name, ssh_password, ssh_private_key FROM servers WHERE id = ?"


def login(server_id: int, kind: str) -> str:
    """The ``password``, or the path of a ``private_key_file`` that goes with the run.

    Raises NoInstallation when there is none, or it cannot be had.
    """
    (found,) = rows(Query(SEALED, (server_id,)))
    if not found:
        raise NoInstallation(f"there is no server {server_id} any more")
    name, password, private_key = found[0]
    sealed = password if kind == "password" else private_key
    if not sealed:
        raise NoInstallation(f"no {kind.removesuffix('_file').replace('_', ' ')} is stored for {name}")
    try:
        secret = vault().unseal(sealed)
    except VaultError as problem:
        raise NoInstallation(f"the login of {name}: {problem}") from None
    return secret if kind == "password" else str(private_file(f"key-{server_id}", f"{secret.rstrip()}\n"))
