# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings of the panel: lines of hestia.conf, and what some of them stand for."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_settings
from ansible.module_utils.hestia_config_order import first_of, unfit
from ansible.module_utils.hestia_config_ways import Way, all_ways
from ansible.module_utils.hestia_converge import Step
from ansible.module_utils.hestia_failures import Many
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
# A command that was killed may have done its work; the second time it is what it is.
_TRIES = 2
# Settings count their own tries.
_ANY = 25


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


class Settings(Many[ConfigState]):
    """All wanted settings of a server. One that the panel refuses keeps no other from being set."""

    words = "settings could not be set"

    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        ways = all_ways(panel)
        self.settings = [_checked(entry, ways) for entry in params["settings"]]
        self.values = {setting.key: setting.value for setting in self.settings}
        if len(self.values) < len(self.settings):
            keys = Counter(setting.key for setting in self.settings)
            raise check.bad(f"settings.{keys.most_common(1)[0][0]}", "is given more than once")
        self._tried: Counter[str] = Counter()
        self._trouble: dict[str, PanelError] = {}
        """What came of the last try of a setting that may be right all the same, or another time."""

    def look(self) -> ConfigState:
        if self.panel.check_mode:
            self.panel.read_unfinished()
        self.panel.forget_conf()
        conf = read_settings(self.panel.conf_path)
        words = {setting.key: _differs(setting, conf) for setting in self.settings}
        return self.seen(ConfigState(conf, {key: word for key, word in words.items() if word}))

    def next_step(self, state: ConfigState) -> Optional[Step]:
        wrong = {setting.key: setting for setting in self.settings if not self._right(setting, state)}
        if self.panel.check_mode:
            return Step("set values", lambda: None) if wrong else None
        self._forget(self.values.keys() - wrong.keys())
        for key in wrong:
            if self._tried[key] >= _TRIES and key not in self.failures:
                self.failures.add(key, self._trouble.get(key) or _in_vain())
        left = [setting for key, setting in wrong.items() if key not in self.failures]
        ready = [setting for setting in left if not self._held_up(setting, wrong)]
        plain = [setting for setting in ready if setting.way is None]
        if plain:
            return Step("set values", partial(self._set, plain, state), tries=_ANY)
        if ready:
            return self._step(ready[0], state)
        return Step("leave the others", partial(self._leave, left, wrong), tries=_ANY) if left else None

    def _forget(self, right: Set[str]) -> None:
        """Drop from the lock's note what a command that was killed had done to the end."""
        done = {word for word in self.panel.unfinished if word.partition(" ")[0] in right}
        if done:
            self.panel.finish(done)

    def _held_up(self, setting: Setting, wrong: dict[str, Setting]) -> list[str]:
        """Settings that have to be right before this one is touched, and are not."""
        first = first_of(setting.key, self.values)
        if setting.way is not None:
            first += setting.way.waits_for(setting.value)
        return [key for key in first if key in wrong]

    def _leave(self, settings: list[Setting], wrong: dict[str, Setting]) -> None:
        """Give up those that wait for what has failed, or, when there is none, for each other."""
        causes = {setting.key: self._held_up(setting, wrong)[0] for setting in settings}
        waiting = {key: cause for key, cause in causes.items() if cause in self.failures} or causes
        for key, cause in waiting.items():
            kind = self.failures[cause].error_class if cause in self.failures else "refused"
            self.failures.add(key, PanelError(f"not tried, because {cause} has to be set first", error_class=kind))

    def describe(self, state: ConfigState) -> dict[str, Any]:
        return {setting.key: _shown(setting, state) for setting in self.settings}

    def wanted(self, state: ConfigState) -> dict[str, Any]:
        return {setting.key: setting.value for setting in self.settings}

    def facts(self, state: ConfigState) -> dict[str, Any]:
        found = {"settings": self.describe(state)}
        if self.failures:
            found["asked"] = {key: value for key, value in self.values.items() if key in self.failures}
        return found

    @staticmethod
    def _right(setting: Setting, state: ConfigState) -> bool:
        return state.conf.get(setting.key) == setting.value and setting.key not in state.differing

    def _set(self, settings: list[Setting], state: ConfigState) -> None:
        for setting in settings:
            self._try(setting.key, partial(self._write, setting, state))

    def _write(self, setting: Setting, state: ConfigState) -> None:
        reason = unfit(setting.key, setting.value, state.conf)
        if reason:
            raise PanelError(reason, error_class="refused")
        self.panel.must("v-change-sys-config-value", setting.key, setting.value)

    def _step(self, setting: Setting, state: ConfigState) -> Step:
        key, way = setting.key, setting.way
        assert way is not None
        # With the right label something was left behind, or the label was changed alone.
        alone = state.conf.get(key) == setting.value
        repair = f"what {key} stands for" if alone else ""
        act = partial(self._try, key, partial(way.apply, key, setting.value, state.conf))
        return Step(f"set {key}", act, repair, tries=_ANY)

    def _try(self, key: str, act: Callable[[], Any]) -> None:
        """Act for one setting. What ends all is raised; any other failure is this setting's own."""
        self._tried[key] += 1
        try:
            with self._conf_kept():
                act()
        except (PanelError, OSError) as problem:
            if isinstance(problem, PanelError) and problem.half_done:
                self._trouble[key] = problem
            else:
                self.failures.add(key, problem)

    @contextlib.contextmanager
    def _conf_kept(self) -> Iterator[None]:
        """A second name of the present hestia.conf, which needs no room: a full disk makes the panel empty the file."""
        os.link(self.panel.conf_path, self.panel.conf_kept)
        try:
            yield
        finally:
            damaged = self.panel.conf_damaged(now=True)
            self.panel.put_conf_back(now=True)
        if damaged:
            raise PanelError("hestia.conf could not be written: is the disk full?", error_class="no_room")


def _differs(setting: Setting, conf: dict[str, str]) -> str:
    try:
        return setting.way.differs(setting.key, setting.value, conf) if setting.way is not None else ""
    except OSError as error:
        # What is there cannot be read, a folder in the place of a file: that is this setting's trouble.
        return f"{error}"


def _in_vain() -> PanelError:
    return PanelError("done, but it is still not as wanted", error_class="inconsistent")


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
