"""Modules that work on a stand-in server here, without ssh and Ansible around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.hestia_converge import converge
from ansible.module_utils.hestia_panel import Panel

from controller.sandbox.panel.records import parse_conf
from controller.sandbox.server import SandboxServer


def run(
    subject: Callable[..., Any], check: bool = False, command_timeout: float = 60.0, **params: Any
) -> dict[str, Any]:
    """As the module does it."""
    panel = Panel(check_mode=check, command_timeout=command_timeout)
    work = subject(panel, params)
    panel.require_access()
    if check:
        return converge(work)
    with panel.locked(5):
        return converge(work)


def twice(subject: Callable[..., Any], **params: Any) -> dict[str, Any]:
    """Done, and then there is nothing left to do."""
    first = run(subject, **params)
    again = run(subject, **params)
    assert not again["changed"]
    assert again["actions"] == []
    return first


def wish(key: str, value: str, how: str = "value") -> dict[str, str]:
    return {"key": key, "value": value, "how": how}


def conf(server: SandboxServer) -> dict[str, str]:
    return parse_conf((server.hestia / "conf/hestia.conf").read_text())


def do(server: SandboxServer, *line: str) -> None:
    done = server.panel(*line)
    assert done.returncode == 0, done.stdout
