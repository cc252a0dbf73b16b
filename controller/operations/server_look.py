"""A first look at a server before it is added: who answers, what is there, what is missing."""

from __future__ import annotations

import os
import sys
import uuid
from dataclasses import dataclass, field
from typing import Any

from controller.automation.hostkeys import HostKey
from controller.automation.runner import Job, Outcome, run
from controller.domain.failures import CLASS_WORDS, ErrorClass
from controller.engine.fleet import Fleet
from controller.engine.reconcile import LOOK
from controller.operations.fields import Fields
from controller.operations.server_fields import check_api, check_login, clean_private_key, scan_host_key

SECONDS = 60.0


@dataclass(frozen=True)
class ServerLook:
    """What was found."""

    key: HostKey | None
    """Its SSH host key; None for a server without SSH."""
    ok: bool
    facts: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """What it takes before it can be managed, in words; what is there can be added all the same."""
    problem: str = ""
    """Why nothing could be found out."""


def look(
    fleet: Fleet,
    *,
    address: str,
    port: int = 22,
    ssh_user: str = "root",
    ssh_password: str | None = None,
    ssh_private_key: str | None = None,
    ssh_become: bool | None = None,
) -> ServerLook:
    """Connect to a HestiaCP server and look at it; nothing is stored.

    Raises Invalid when an input is wrong or nothing answers at the address.
    """
    check_way_in(
        address=address, port=port, ssh_user=ssh_user, ssh_password=ssh_password, ssh_private_key=ssh_private_key
    )
    key = scan_host_key(address, port)
    host: dict[str, Any] = {
        "ansible_host": address,
        "ansible_port": port,
        "ansible_user": ssh_user,
        "ansible_python_interpreter": fleet.settings.server_python,
    }
    if (ssh_user != "root") if ssh_become is None else ssh_become:
        host["ansible_become"] = True
    return _look(
        fleet,
        key,
        role="hestia_server",
        host=host,
        host_key=key.line,
        variables={},
        password=ssh_password or None,
        private_key=clean_private_key(ssh_private_key) if ssh_private_key else None,
    )


def check_way_in(
    *, address: str, port: int, ssh_user: str, ssh_password: str | None, ssh_private_key: str | None
) -> None:
    """Whether it could be tried at all. Raises Invalid."""
    fields = Fields()
    fields.host("address", address)
    fields.integer("port", port, 1, 65535)
    check_login(fields, ssh_user, ssh_password, ssh_private_key)
    fields.finish()


def look_powerdns(fleet: Fleet, *, api_url: str, api_key: str, api_server_id: str = "localhost") -> ServerLook:
    """Ask a PowerDNS server's API what it is; nothing is stored. Raises Invalid."""
    fields = Fields()
    check_api(fields, api_url, api_key, api_server_id)
    fields.finish()
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    variables = {"powerdns_api_url": api_url, "powerdns_api_key": api_key, "powerdns_server_id": api_server_id}
    return _look(fleet, None, role="powerdns", host=host, host_key="", variables=variables)


def _look(fleet: Fleet, key: HostKey | None, **job: Any) -> ServerLook:
    name = f"{LOOK}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    outcome = run(
        Job(name=name, entry="status", host_name="server", timeout=SECONDS, lease=SECONDS + 10, **job),
        fleet.settings.run_dir,
        lambda _event: None,
        lambda: False,
    )
    if not outcome.ok:
        return ServerLook(key, ok=False, problem=_words(outcome))
    facts = {name: value for name, value in outcome.facts.items() if name != "views"}
    return ServerLook(key, ok=True, facts=facts, missing=list(facts.get("missing") or []))


def _words(outcome: Outcome) -> str:
    kind = outcome.error_class or ErrorClass.INTERNAL
    title = CLASS_WORDS[kind][0] if kind in CLASS_WORDS else "It could not be looked at"
    return f"{title}: {outcome.error}" if outcome.error else title
