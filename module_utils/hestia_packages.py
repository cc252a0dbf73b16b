# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A package: the limits the panel gives to its users."""

from __future__ import annotations

import re
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_file
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_panel import Panel, PanelError, exists

# In the order in which the panel writes them. What neither the caller nor the default package says gets this value.
DEFAULTS = {
    "WEB_TEMPLATE": "default",
    "PROXY_TEMPLATE": "default",
    "BACKEND_TEMPLATE": "default",
    "DNS_TEMPLATE": "default",
    "WEB_DOMAINS": "unlimited",
    "WEB_ALIASES": "unlimited",
    "DNS_DOMAINS": "unlimited",
    "DNS_RECORDS": "unlimited",
    "MAIL_DOMAINS": "unlimited",
    "MAIL_ACCOUNTS": "unlimited",
    "RATE_LIMIT": "200",
    "DATABASES": "unlimited",
    "CRON_JOBS": "unlimited",
    "DISK_QUOTA": "unlimited",
    "CPU_QUOTA": "unlimited",
    "CPU_QUOTA_PERIOD": "unlimited",
    "MEMORY_LIMIT": "unlimited",
    "SWAP_LIMIT": "unlimited",
    "BANDWIDTH": "unlimited",
    "NS": "",
    "SHELL": "nologin",
    "BACKUPS": "1",
    "BACKUPS_INCREMENTAL": "no",
}
LIMITS = tuple(key for key in DEFAULTS if not key.endswith("_TEMPLATE") and key not in ("NS", "SHELL"))
PROTECTED = ("default", "system")

_COUNT = re.compile(r"unlimited|[0-9]{1,9}")
_VALUES = {
    "RATE_LIMIT": re.compile(r"[0-9]{1,9}"),
    "CPU_QUOTA": re.compile(r"unlimited|[1-9][0-9]{0,5}%"),
    "CPU_QUOTA_PERIOD": re.compile(r"unlimited|[0-9]{1,6}(?:ms|s)"),
    "MEMORY_LIMIT": re.compile(r"unlimited|[0-9]{1,12}[KMGT]?"),
    "SWAP_LIMIT": re.compile(r"unlimited|[0-9]{1,12}[KMGT]?"),
    "BACKUPS_INCREMENTAL": re.compile(r"yes|no"),
    "SHELL": re.compile(r"[a-z][a-z0-9-]{0,30}"),
}


def check_limits(limits: dict[str, Any]) -> dict[str, str]:
    """The given limits as the panel writes them; an unknown key or a bad value is refused."""
    checked = {}
    for key, value in limits.items():
        words = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        if key not in DEFAULTS or key == "NS":
            raise check.bad("limits", f"{key!r} is not a limit of a package")
        rule = _VALUES.get(key, _COUNT)
        if key.endswith("_TEMPLATE"):
            check.template(f"limits.{key}", words)
        elif not rule.fullmatch(words):
            raise check.bad(f"limits.{key}", f"{words!r} is not a value the panel accepts")
        checked[key] = words
    return checked


OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "limits": {"type": "dict", "default": {}},
    "nameservers": {"type": "list", "elements": "str", "default": []},
}
"""The argument spec of module hestia_package."""


class Package(Subject[dict[str, str]]):
    """State: the package file's pairs, {} when there is none."""

    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.name = check.package("name", params["name"])
        self.limits = check_limits(params["limits"] or {})
        nameservers = [check.domain("nameservers", name.rstrip(".")) for name in params["nameservers"] or []]
        self.nameservers = ",".join(nameservers)
        self.absent = params["state"] == "absent"
        if self.absent and self.name in PROTECTED:
            raise PanelError(f"the panel needs its package {self.name}", error_class="refused")

    def look(self) -> dict[str, str]:
        return read_file(self._path)

    def next_step(self, state: dict[str, str]) -> Optional[Step]:
        if self.absent:
            if not exists(self._path):
                return None
            users = self._users()
            if users:
                raise PanelError(f"package {self.name} is used by {', '.join(users[:5])}", error_class="refused")
            return Step("delete package", lambda: self.panel.must("v-delete-user-package", self.name))
        if self._pairs(state) == self._wanted():
            return None
        return Step("write package", self._write)

    def describe(self, state: dict[str, str]) -> dict[str, Any]:
        return {"package": self.name, **self._pairs(state)} if state else {}

    def wanted(self, state: dict[str, str]) -> dict[str, Any]:
        return {} if self.absent else {"package": self.name, **self._wanted()}

    @property
    def _path(self) -> str:
        return self.panel.data("packages", f"{self.name}.pkg")

    def _pairs(self, state: dict[str, str]) -> dict[str, str]:
        return {key: state[key] for key in DEFAULTS if key in state}

    def _wanted(self) -> dict[str, str]:
        base = read_file(self.panel.data("packages", "default.pkg"))
        base.pop("SHELL", None)
        pairs = {key: base.get(key) or value for key, value in DEFAULTS.items()}
        pairs.update(self.limits)
        if self.nameservers:
            pairs["NS"] = self.nameservers
        return pairs

    def _write(self) -> None:
        lines = "".join(f"{key}='{value}'\n" for key, value in self._wanted().items())
        rewrite = ["yes"] if exists(self._path) else []
        with self.panel.temporary_file(lines, ".pkg") as file:
            self.panel.must("v-add-user-package", file, self.name, *rewrite)

    def _users(self) -> list[str]:
        return [user for user in self.panel.users() if self.panel.user_conf(user).get("PACKAGE") == self.name]
