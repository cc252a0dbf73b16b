# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Restart a service of the server, and see that it runs."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_converge import Work
from ansible.module_utils.hestia_info import list_services
from ansible.module_utils.hestia_panel import Panel, PanelError

OPTIONS: dict[str, dict[str, Any]] = {"name": {"type": "str", "required": True}}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,64}")
# Services whose unit has another name than the one that the panel shows.
_UNITS = {"web-terminal": "hestia-web-terminal"}
_SECONDS = 15.0


def prepare(panel: Panel, params: dict[str, Any]) -> Work:
    name = check.text("name", params["name"])
    if not _NAME.fullmatch(name):
        raise check.bad("name", f"{name!r} is not a name of a service")
    return lambda: restart(panel, name)


def restart(panel: Panel, name: str) -> dict[str, Any]:
    """Restart it, running or not; the module's result. A service that does not run afterwards is an error."""
    states = _states(panel)
    if name not in states:
        raise check.bad("name", f"the panel shows no service {name}; it shows {', '.join(sorted(states))}")
    before = states[name]
    if not panel.check_mode:
        # Without "yes" the panel reloads what can be reloaded, which does not help a service that hangs.
        panel.must("v-restart-service", _UNITS.get(name, name), "yes")
        states = _wait(panel, name)
    return {
        "changed": True,
        "facts": {"services": states},
        "actions": panel.actions,
        "repaired": panel.repaired,
        "diff": {
            "before": {"service": name, "state": before},
            "after": {"service": name, "state": "running", "restarted": True},
        },
    }


def _states(panel: Panel) -> dict[str, str]:
    states = {service["name"]: service["state"] for service in list_services(panel)}
    if not states:
        raise PanelError("the panel does not say which services the server has", error_class="inconsistent")
    return states


def _wait(panel: Panel, name: str) -> dict[str, str]:
    deadline = time.monotonic() + _SECONDS
    while (states := _states(panel)).get(name) != "running":
        if time.monotonic() > deadline:
            raise PanelError(f"{name} was restarted and does not run", error_class="restart_failed")
        time.sleep(0.5)
    return states
