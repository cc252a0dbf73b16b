# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Restart a service of the server, and see that it runs."""

from __future__ import annotations

import os
import re
import shutil
import time
from typing import Any

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_converge import Work
from ansible.module_utils.hestia_info import list_services
from ansible.module_utils.hestia_panel import TOOL_PATH, Panel, PanelError

OPTIONS: dict[str, dict[str, Any]] = {"name": {"type": "str", "required": True}}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,64}")
# Services whose unit has another name than the one that the panel shows.
_UNITS = {"web-terminal": "hestia-web-terminal"}
# How programs check their configuration, and where it is; {0} is what the name holds.
_CHECKS = {
    "nginx": ("etc/nginx/nginx.conf", "nginx -t -c"),
    "apache2": ("etc/apache2/apache2.conf", "apache2ctl -t -f"),
    "(?:bind9|named)": ("etc/bind/named.conf", "named-checkconf"),
    "sshd?": ("etc/ssh/sshd_config", "sshd -t -f"),
    r"php([0-9.]+)-fpm": ("etc/php/{0}/fpm/php-fpm.conf", "php-fpm{0} -t -y"),
}
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
    if before == "running":
        _check_configuration(panel, name)
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


def _check_configuration(panel: Panel, name: str) -> None:
    """Fail when the service would not come up again, where it can be known: what runs goes on running."""
    for pattern, (path, command) in _CHECKS.items():
        found = re.fullmatch(pattern, name)
        if not found:
            continue
        path, (tool, *arguments) = panel.path(path.format(*found.groups())), command.format(*found.groups()).split()
        # Below a prefix the machine's own web server and SSH would be asked about files that are not theirs.
        foreign = panel.prefix and tool != "named-checkconf"
        if foreign or not os.path.exists(path) or not shutil.which(tool, path=TOOL_PATH):
            return
        checked = panel.tool(tool, *arguments, path)
        if checked.returncode:
            said = [line for line in (checked.stderr + checked.stdout).splitlines() if line.strip()]
            wrong = next((line for line in said if not line.startswith("AH00558")), "it does not say why")
            raise PanelError(
                f"{name} would not start again, so it was left as it is: {wrong.strip()}",
                error_class="refused",
            )


def _wait(panel: Panel, name: str) -> dict[str, str]:
    deadline = time.monotonic() + _SECONDS
    while (states := _states(panel)).get(name) != "running":
        if time.monotonic() > deadline:
            raise PanelError(f"{name} was restarted and does not run", error_class="restart_failed")
        time.sleep(0.5)
    return states
