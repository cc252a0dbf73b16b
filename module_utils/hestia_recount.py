# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Let the panel count disk and traffic of its accounts anew, by its own commands.

The panel counts traffic by emptying a log of bytes: what is less than a MB would be lost with every count, so it goes
back into the log. On the first day of a month each count starts at zero again, so none is made on it.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.module_utils.hestia_accounts import checked_names, chosen, for_each
from ansible.module_utils.hestia_conf import read_text, replace_text
from ansible.module_utils.hestia_converge import Work
from ansible.module_utils.hestia_panel import Panel
from ansible.module_utils.hestia_usage import usage

OPTIONS: dict[str, dict[str, Any]] = {"users": {"type": "list", "elements": "str", "default": []}}

_COUNTED = ("U_DISK", "U_DISK_DIRS", "U_DISK_WEB", "U_DISK_MAIL", "U_DISK_DB", "U_BANDWIDTH")
_MB = 1024 * 1024


def prepare(panel: Panel, params: dict[str, Any]) -> Work:
    names = checked_names(params)
    return lambda: recount(panel, names)


def recount(panel: Panel, names: list[str]) -> dict[str, Any]:
    """Count anew for the named or for all accounts; the module's result, with the usage of all."""
    names = chosen(panel, names)
    old = usage(panel)
    if panel.check_mode:
        # What will have changed is known only when it is counted.
        after = {"counted anew": names}
        return _result(panel, old, bool(names), {"before": {}, "after": after if names else {}})
    traffic = time.strftime("%d") != "01"
    for_each(names, lambda name: _count(panel, name, traffic))
    new = usage(panel)
    before, after = _by_name(old), _by_name(new)
    different = [name for name in after if before.get(name) != after[name]]
    diff = {
        "before": {name: before.get(name, {}) for name in different},
        "after": {name: after[name] for name in different},
    }
    return _result(panel, new, bool(different), diff)


def _result(panel: Panel, facts: dict[str, Any], changed: bool, diff: dict[str, Any]) -> dict[str, Any]:
    actions = list(dict.fromkeys(panel.actions))
    return {"changed": changed, "facts": facts, "actions": actions, "repaired": panel.repaired, "diff": diff}


def _by_name(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What counting may change of each account."""
    keys = ("disk", "disk_web", "disk_mail", "disk_db", "bandwidth", "domains")
    return {user["name"]: {key: user[key] for key in keys} for user in facts["users"]}


def _count(panel: Panel, user: str, traffic: bool) -> None:
    _restore_counters(panel, user)
    sites = panel.records(user, "web") if panel.system("WEB_SYSTEM") not in ("", "remote") else []
    if sites:
        panel.must("v-update-web-domains-disk", user)
    if panel.system("MAIL_SYSTEM") not in ("", "remote") and panel.records(user, "mail"):
        panel.must("v-update-mail-domains-disk", user)
    if panel.system("DB_SYSTEM") and panel.records(user, "db"):
        panel.must("v-update-databases-disk", user)
    # Also sums up what the ones before it have found.
    panel.must("v-update-user-disk", user)
    if sites and traffic:
        _count_traffic(panel, user, [site for site in sites if site.get("SUSPENDED") == "no"])


def _count_traffic(panel: Panel, user: str, sites: list[dict[str, str]]) -> None:
    rests = {path: _bytes(path) % _MB for path in (_log(panel, site.get("DOMAIN", "")) for site in sites)}
    panel.must("v-update-web-domains-traff", user)
    for path, rest in rests.items():
        if rest and os.path.isfile(path):
            # The web server appends to it all the time.
            with open(path, "a", encoding="ascii") as log:
                log.write(f"{rest}\n")


def _log(panel: Panel, domain: str) -> str:
    return panel.path("var", "log", panel.system("WEB_SYSTEM"), "domains", f"{domain}.bytes")


def _bytes(path: str) -> int:
    try:
        with open(path, "rb") as log:
            return sum(int(line) for line in log if line.strip().isdigit())
    except FileNotFoundError:
        return 0


def _restore_counters(panel: Panel, user: str) -> None:
    """Put back counters that a killed command has taken out of user.conf: the panel never writes a new one."""
    conf = panel.user_conf(user)
    lost = [key for key in _COUNTED if key not in conf]
    if lost:
        path = panel.user_data(user, "user.conf")
        text = read_text(path)
        replace_text(path, text + ("" if text.endswith("\n") else "\n") + "".join(f"{key}='0'\n" for key in lost))
        panel.repair(f"counters of {user}")
