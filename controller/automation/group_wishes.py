"""What a server's groups want of it: panel settings and standard files."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.config_keys import for_scope
from controller.domain.standard_files import STANDARD_FILES
from controller.store.fleet_models import DEFAULT_FILE, StandardFile
from controller.store.models import Server, ServerGroup


def groups_of(server: Server) -> list[ServerGroup]:
    """Its own group first, then those it is attached to as nameserver, oldest first."""
    attached = sorted((group for group in server.dns_groups if group.id != server.group_id), key=lambda one: one.id)
    return ([server.group] if server.group is not None else []) + attached


def managed_config(server: Server) -> dict[str, str]:
    """Panel settings by key that its groups want; the first group that names a key decides."""
    wanted: dict[str, str] = {}
    for group in groups_of(server):
        for key, value in group.config.items():
            wanted.setdefault(key, str(value))
    return wanted


def server_settings(server: Server, scope: str) -> list[dict[str, str]]:
    """``{"key", "value", "how"}`` of what the server gets in a scope; never a key of a tier it does not host."""
    return for_scope(managed_config(server), server.capabilities, scope)


def server_files(session: Session, server: Server) -> dict[str, str | None]:
    """Text of every standard file of a web server, None for the panel's own."""
    files: dict[str, str | None] = dict.fromkeys(STANDARD_FILES)
    if server.group_id is not None:
        rows: Any = session.execute(
            select(StandardFile.name, StandardFile.content).where(
                StandardFile.group_id == server.group_id, StandardFile.origin != DEFAULT_FILE
            )
        )
        files |= {name: content for name, content in rows if name in files}
    return files
