# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings of the panel: lines of hestia.conf, and what some of them stand for."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_file
from ansible.module_utils.hestia_config_ways import Way, all_ways
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_panel import Panel, PanelError

OPTIONS: dict[str, Any] = {
    "settings": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "key": {"type": "str", "required": True},
            "value": {"type": "str", "required": True},
            "how": {"type": "str", "default": "value"},
        },
    },
}
# What is installed, and what is made together with a password or by hand. Another value here would be a wrong label.
FACTS = frozenset(
    """ANTISPAM_SYSTEM ANTIVIRUS_SYSTEM BACKUP BACKUP_INCREMENTAL BACKUP_SYSTEM CRON_SYSTEM DB_SYSTEM DEMO_MODE
    DISK_QUOTA DNS_CLUSTER DNS_SYSTEM FILE_MANAGER FIREWALL_EXTENSION FIREWALL_SYSTEM FTP_SYSTEM IMAP_SYSTEM MAIL_SYSTEM
    PHPMYADMIN_KEY PLUGIN_FILE_MANAGER PROXY_PORT PROXY_SSL_PORT PROXY_SYSTEM RELEASE_BRANCH REPOSITORY ROOT_USER
    SERVER_SMTP_ADDR SERVER_SMTP_HOST SERVER_SMTP_PASSWD SERVER_SMTP_PORT SERVER_SMTP_SECURITY SERVER_SMTP_USER
    SMTP_RELAY SMTP_RELAY_HOST SMTP_RELAY_PORT SMTP_RELAY_USER STATS_SYSTEM UPDATE_AVAILABLE USE_SERVER_SMTP VERSION
    WEBMAIL_SYSTEM WEB_BACKEND WEB_PORT WEB_RGROUPS WEB_SSL WEB_SSL_PORT WEB_SYSTEM WEB_TERMINAL
    WEB_TERMINAL_PORT""".split()
)
_KEY = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
# The panel refuses quotes and pipes; it writes the line with sed, to which & and \ mean something.
_REFUSED = "'\"|&\\"


@dataclass
class Setting:
    """One wanted setting; `way` is None when the line is all there is."""

    key: str
    value: str
    way: Optional[Way]


@dataclass
class ConfigState:
    """hestia.conf, and by key what is not as its value says."""

    conf: dict[str, str]
    differing: dict[str, str]


class Settings(Subject[ConfigState]):
    """All wanted settings of a server."""

    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        ways = all_ways(panel)
        self.settings = [_checked(entry, ways) for entry in params["settings"]]
        keys = [setting.key for setting in self.settings]
        for key in keys:
            if keys.count(key) > 1:
                raise check.bad(f"settings.{key}", "is given more than once")

    def look(self) -> ConfigState:
        if not self.panel.check_mode:
            self._take_back()
        self.panel.forget_conf()
        conf = read_file(self.panel.conf_path)
        words = {
            setting.key: setting.way.differs(setting.key, setting.value, conf)
            for setting in self.settings
            if setting.way is not None
        }
        return ConfigState(conf, {key: word for key, word in words.items() if word})

    def next_step(self, state: ConfigState) -> Optional[Step]:
        wrong = [setting for setting in self.settings if not self._right(setting, state)]
        plain = [setting for setting in wrong if setting.way is None]
        if plain:
            return Step("set values", lambda: self._set(plain))
        for setting in wrong:
            return self._step(setting, state)
        return None

    def describe(self, state: ConfigState) -> dict[str, Any]:
        return {setting.key: _shown(setting, state) for setting in self.settings}

    def wanted(self, state: ConfigState) -> dict[str, Any]:
        return {setting.key: setting.value for setting in self.settings}

    def facts(self, state: ConfigState) -> dict[str, Any]:
        return {"settings": self.describe(state)}

    @staticmethod
    def _right(setting: Setting, state: ConfigState) -> bool:
        return state.conf.get(setting.key) == setting.value and setting.key not in state.differing

    def _set(self, settings: list[Setting]) -> None:
        with self._conf_kept():
            for setting in settings:
                self.panel.must("v-change-sys-config-value", setting.key, setting.value)

    def _step(self, setting: Setting, state: ConfigState) -> Step:
        key, way = setting.key, setting.way
        assert way is not None

        def act() -> None:
            with self._conf_kept():
                way.apply(key, setting.value, state.conf)

        # With the right label something was left behind, or the label was changed alone.
        alone = state.conf.get(key) == setting.value
        repair = f"what {key} stands for" if alone else ""
        return Step(f"set {key}", act, repair)

    @contextlib.contextmanager
    def _conf_kept(self) -> Iterator[None]:
        """A second name of the present hestia.conf, which needs no room: a full disk makes the panel empty the file."""
        os.link(self.panel.conf_path, self._kept)
        try:
            yield
        finally:
            damaged = self._damaged()
            self._take_back()
        if damaged:
            raise PanelError("hestia.conf could not be written: is the disk full?", error_class="no_room")

    @property
    def _kept(self) -> str:
        return f"{self.panel.conf_path}.hestia-fleet"

    def _damaged(self) -> bool:
        return not read_file(self._kept).keys() <= read_file(self.panel.conf_path).keys()

    def _take_back(self) -> None:
        """Put the kept hestia.conf back if the present one has lost lines; also when a predecessor was killed."""
        if not os.path.exists(self._kept):
            return
        if self._damaged():
            os.replace(self._kept, self.panel.conf_path)
            self.panel.repair("hestia.conf")
        else:
            os.unlink(self._kept)


def _shown(setting: Setting, state: ConfigState) -> str:
    """The value; when it is as wanted but what it stands for is not, that too."""
    label = state.conf.get(setting.key, "")
    words = state.differing.get(setting.key)
    return f"{label} ({words})" if words and label == setting.value else label


def _checked(entry: dict[str, Any], ways: dict[str, Way]) -> Setting:
    key, value, how = entry["key"], entry["value"], entry["how"]
    where = f"settings.{key}"
    if not _KEY.fullmatch(key):
        raise check.bad("settings", f"{key!r} is not a setting of the panel")
    if not check.text(where, value) or len(value) > 2000:
        raise check.bad(where, "must have 1 to 2000 characters")
    if any(mark in value for mark in _REFUSED):
        raise check.bad(where, f"must not hold any of {' '.join(_REFUSED)}")
    if how == "read_only" or key in FACTS:
        raise check.bad(where, "tells what the server has and cannot be set")
    if how != "value" and how not in ways:
        raise check.bad(where, f"there is no way {how!r} of applying it")
    own = next((word for word, way in ways.items() if key in way.keys), "value")
    if how != own:
        raise check.bad(where, f"is applied as {own!r}, not as {how!r}")
    if how == "value":
        return Setting(key, value, None)
    ways[how].check(key, value)
    return Setting(key, value, ways[how])
