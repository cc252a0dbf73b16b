"""The fleet as an Ansible inventory."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from controller.automation.inventory import host_variables
from controller.settings import Settings
from controller.store.models import Server


def group_name(kind: str, word: str) -> str:
    """A name Ansible takes for a group: letters, digits and underscores (``group_web_hosting``)."""
    return re.sub(r"[^a-z0-9_]+", "_", f"{kind}_{word}".lower()).strip("_")


def fleet_inventory(session: Session, settings: Settings) -> dict[str, Any]:
    """Inventory in the YAML plugin's shape: groups by capability, server group, driver and status.

    Host variables are those that the controller's own runs use, without secrets.
    """
    query = select(Server).options(selectinload(Server.group), selectinload(Server.dns_groups)).order_by(Server.name)
    hosts: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for server in session.scalars(query):
        hosts[server.name] = host_variables(server, settings.server_python)
        names = [
            *(group_name("capability", capability.value) for capability in server.capabilities),
            group_name("driver", server.driver.value),
            group_name("status", server.status.value),
            *(group_name("group", group.name) for group in [server.group, *server.dns_groups] if group is not None),
        ]
        for name in names:
            groups.setdefault(name, {"hosts": {}})["hosts"][server.name] = {}
    return {"all": {"hosts": hosts, "children": groups}}
