# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An account of the panel: its system user, its package and limits, whether it is suspended."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import stat
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_file, read_text, replace_text
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_packages import LIMITS
from ansible.module_utils.hestia_panel import Panel, PanelError, exists

# Limits that the panel copies from the package into the user's own file.
_COPIED = (*LIMITS, "NS")
# In the order of the panel: giving a mail domain its webmail back adds a record to the zone.
_KINDS = ("web", "dns", "mail")


OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "email": {"type": "str"},
    "full_name": {"type": "str"},
    "package": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "suspended", "absent"], "default": "present"},
}
"""The argument spec of module hestia_user."""


@dataclass
class Account:
    """What is there of an account. `conf` is {} unless the panel has written it to its end."""

    conf: dict[str, str] = field(default_factory=dict)
    system_user: list[str] = field(default_factory=list)
    data: bool = False
    home: bool = False
    jailed: Optional[bool] = None
    """Whether sshd locks the user into its home; None when the panel keeps no jail."""
    package: dict[str, str] = field(default_factory=dict)
    counted: bool = True
    """Whether the administrator's number of users is right."""
    zones: dict[str, int] = field(default_factory=dict)
    """Lines in named.conf of each zone whose number of lines is wrong."""
    suspended: dict[str, list[str]] = field(default_factory=dict)
    active: dict[str, list[str]] = field(default_factory=dict)
    traces: list[str] = field(default_factory=list)
    """Files outside the home that still name a user who is not there any more."""

    @property
    def complete(self) -> bool:
        return bool(self.conf and self.system_user and self.home)

    @property
    def is_suspended(self) -> bool:
        return self.conf.get("SUSPENDED") == "yes"


class User(Subject[Account]):
    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.name = check.user("name", params["name"])
        self.state = params["state"]
        self.email = check.email("email", params["email"]) if params["email"] else None
        self.full_name = check.person("full_name", params["full_name"]) if params["full_name"] is not None else None
        self.package = check.package("package", params["package"]) if params["package"] else None
        self.password = check.password("password", params["password"]) if params["password"] is not None else None
        if self.name in ("root", "admin", panel.root_user):
            raise PanelError(f"account {self.name} belongs to the server itself", error_class="refused")
        self._cure_objects = False
        self._counted = False

    # Look

    def look(self) -> Account:
        panel, name = self.panel, self.name
        account = Account(
            system_user=self._passwd(),
            data=exists(panel.user_data(name)),
            home=exists(panel.home(name)),
            package=read_file(panel.data("packages", f"{self.package}.pkg")) if self.package else {},
        )
        conf = panel.user_conf(name)
        if "DATE" in conf:
            account.conf = conf
            self._look_at_objects(account)
        account.counted = self._counted or self._users_are_counted()
        account.jailed = self._jailed()
        if not account.data and not account.system_user:
            account.traces = self._traces()
        return account

    def _users_are_counted(self) -> bool:
        """Whether the administrator's counters hold: deleting a user lowers that of suspended ones in any case."""
        listed = self.panel.listed_users()
        suspended = sum(self.panel.user_conf(user).get("SUSPENDED") == "yes" for user in listed)
        root = self.panel.user_conf(self.panel.root_user)
        return root.get("U_USERS") == str(len(listed)) and root.get("SUSPENDED_USERS", "0") == str(suspended)

    def _look_at_objects(self, account: Account) -> None:
        for kind in _KINDS:
            lines = self.panel.records(self.name, kind)
            account.suspended[kind] = [line["DOMAIN"] for line in lines if line.get("SUSPENDED") == "yes"]
            account.active[kind] = [line["DOMAIN"] for line in lines if line.get("SUSPENDED") != "yes"]
        expected = dict.fromkeys(account.suspended["dns"], 0) | dict.fromkeys(account.active["dns"], 1)
        there = self._zone_lines(list(expected)) if self.panel.system("DNS_SYSTEM") else {}
        account.zones = {zone: lines for zone, lines in there.items() if lines != expected[zone]}

    def _zone_lines(self, zones: list[str]) -> dict[str, int]:
        """Lines of named.conf for each zone, {} when there is no such file."""
        named = read_text(named_conf(self.panel))
        return {zone: named.count(f'/{self.name}/conf/dns/{zone}.db"') for zone in zones} if named else {}

    def _passwd(self) -> list[str]:
        return next((fields for fields in self._passwd_lines() if fields[0] == self.name), [])

    def _passwd_lines(self) -> list[list[str]]:
        lines = read_text(self.panel.path("etc", "passwd")).splitlines()
        return [fields for fields in (line.split(":") for line in lines) if len(fields) >= 7]

    def _jailed(self) -> Optional[bool]:
        jailed = self._jailed_users()
        return None if jailed is None else self.name in jailed

    def _jailed_users(self) -> Optional[frozenset[str]]:
        match = re.search(r"^# Hestia SFTP Chroot\nMatch User (.*)$", read_text(self._sshd), re.MULTILINE)
        return frozenset(match.group(1).split(",")) if match else None

    @property
    def _sshd(self) -> str:
        return self.panel.path("etc", "ssh", "sshd_config")

    def _traces(self) -> list[str]:
        """Server configuration left behind by a deletion that stopped half way; some of it stops the services."""
        home = self.panel.home(self.name) + "/"
        found = []
        for pattern in ("etc/nginx/conf.d/domains/*", "etc/apache2/conf.d/domains/*", "etc/exim4/domains/*"):
            for path in glob.glob(self.panel.path(pattern)):
                if os.path.islink(path) and os.readlink(path).startswith(home):
                    found.append(path)
        for path in glob.glob(self.panel.path("etc/php/*/fpm/pool.d/*.conf")):
            if re.search(rf"^user\s*=\s*{re.escape(self.name)}\s*$", read_text(path), re.MULTILINE):
                found.append(path)
        if f"/{self.name}/conf/dns/" in read_text(named_conf(self.panel)):
            found.append(named_conf(self.panel))
        return sorted(found)

    # Decide

    def next_step(self, state: Account) -> Optional[Step]:
        if self.state == "absent":
            return self._next_to_absence(state)
        return self._next_to_existence(state) or self._next_to_limits(state) or self._next_to_suspension(state)

    def _next_to_existence(self, state: Account) -> Optional[Step]:
        if state.complete:
            if state.jailed is False and state.conf.get("SHELL") in ("nologin", "rssh") and not state.is_suspended:
                return Step("jail", lambda: self.panel.must("v-add-user-sftp-jail", self.name), repair="SFTP jail")
            if not state.counted:
                return Step("count users", self._count_users, repair="counters")
            return None
        if state.conf and not state.is_suspended:
            # The panel makes system user and home again from its own data.
            return Step(
                "rebuild user",
                lambda: self.panel.must("v-rebuild-user", self.name, "yes"),
                "system user of the account",
            )
        if state.conf:
            raise PanelError(
                f"account {self.name} is suspended and its system user is missing", error_class="inconsistent"
            )
        if state.data:
            return Step("delete half-made account", self._delete, "half-made account", tries=4)
        if state.system_user:
            return Step("delete system user", self._remove_system_user, "system user without an account")
        if state.home:
            return Step("clear home", self._clear_home, "home folder without an account")
        return Step("add user", self._add)

    def _next_to_limits(self, state: Account) -> Optional[Step]:
        conf = state.conf
        if self.package and not state.package:
            raise PanelError(f"there is no package {self.package} on this server", error_class="not_found")
        if self.package and (conf.get("PACKAGE") != self.package or self._limits_differ(state)):
            return Step("change package", lambda: self.panel.must("v-change-user-package", self.name, self.package))
        if self.email and conf.get("CONTACT") != self.email:
            return Step("change contact", lambda: self.panel.must("v-change-user-contact", self.name, self.email))
        if self.full_name is not None and conf.get("NAME", "") != self.full_name:
            return Step("change name", lambda: self.panel.must("v-change-user-name", self.name, self.full_name))
        return None

    def _limits_differ(self, state: Account) -> bool:
        return any(
            key in state.package and key in state.conf and state.package[key] != state.conf[key] for key in _COPIED
        )

    def _next_to_suspension(self, state: Account) -> Optional[Step]:
        suspend = self.state == "suspended"
        if suspend != state.is_suspended:
            return Step("suspend user" if suspend else "unsuspend user", lambda: self._set_suspended(suspend))
        interrupted = self.panel.was_interrupted("v-unsuspend-user", self.name)
        left = state.active if suspend else (state.suspended if self._cure_objects or interrupted else {})
        for kind in _KINDS:
            for domain in left.get(kind, []):
                verb = "suspend" if suspend else "unsuspend"
                return Step(
                    f"{verb} {kind} domain {domain}",
                    lambda verb=verb, kind=kind, domain=domain: self._set_object(verb, kind, domain),
                    repair=f"{kind} domain {domain} was not {verb}ed",
                )
        for zone, lines in state.zones.items():
            return Step(
                f"publish zone {zone}",
                lambda zone=zone: self._republish(zone, suspend),
                f"named.conf named zone {zone} {lines} times",
            )
        return None

    def _next_to_absence(self, state: Account) -> Optional[Step]:
        if state.data:
            return Step("delete user", self._delete, tries=4)
        if state.system_user:
            return Step("delete system user", self._remove_system_user, "system user without an account")
        if state.home:
            return Step("delete home", self._delete_home, "home folder without an account")
        if state.traces:
            return Step(
                "delete traces", lambda: self._delete_traces(state.traces), "configuration of a deleted account"
            )
        if not state.counted:
            return Step("count users", self._count_users, repair="counters")
        return None

    # Act

    def _add(self) -> None:
        if self.password is None:
            raise check.bad("password", "is needed because the account does not exist yet")
        if not self.email:
            raise check.bad("email", "is needed because the account does not exist yet")
        package = self.package or "default"
        with self.panel.temporary_file(self.password + "\n") as secret:
            line = [self.name, secret, self.email, package]
            if self.full_name:
                line.append(self.full_name)
            self.panel.must("v-add-user", *line, owes=(f"counters:{self.name}",))

    def _delete(self) -> None:
        self.panel.must("v-delete-user", self.name, accept=(3,), owes=("web", "proxy", "dns", f"counters:{self.name}"))

    def _set_suspended(self, suspend: bool) -> None:
        command = "v-suspend-user" if suspend else "v-unsuspend-user"
        self._cure_objects = True
        owes = ("web", "proxy", "dns", f"counters:{self.name}")
        ended = self.panel.run(command, self.name, owes=owes)
        if ended.code == 20 and suspend:
            # The panel marks the user only after the reloads, so a failing one leaves it half suspended.
            ended = self.panel.run(command, self.name, "no", owes=owes)
        if ended.code:
            raise ended.error()

    def _set_object(self, verb: str, kind: str, domain: str) -> None:
        reloads = {"web": ("web", "proxy"), "dns": ("dns",), "mail": ("web", "proxy")}[kind]
        owes = (*reloads, f"counters:{self.name}")
        self.panel.must(f"v-{verb}-{kind}-domain", self.name, domain, owes=owes)
        if kind == "dns":
            self.panel.reload("dns")

    def _republish(self, zone: str, suspend: bool) -> None:
        if suspend:
            path = named_conf(self.panel)
            kept = [
                line for line in read_text(path).splitlines(True) if f'/{self.name}/conf/dns/{zone}.db"' not in line
            ]
            replace_text(path, "".join(kept))
            self.panel.reload("dns")
        else:
            self.panel.must("v-rebuild-dns-domain", self.name, zone, "", "no", owes=("dns", f"counters:{self.name}"))
            self.panel.must("v-update-user-counters", self.name)

    def _count_users(self) -> None:
        # Once: should the panel count in another way than we do, it is right.
        self._counted = True
        self.panel.must("v-update-user-counters", self.panel.root_user)

    def _remove_system_user(self) -> None:
        """Remove a system user that v-add-user or v-delete-user left; never one that is somebody else's."""
        fields = self._passwd()
        ours = (
            fields[5] in (self.panel.home(self.name), f"/home/{self.name}")
            and fields[2].isdigit()
            and int(fields[2]) >= 1000
        )
        panel_wrote_it = re.fullmatch(r"[^@\s]+@[^@\s]+", fields[4]) is not None or not exists(fields[5])
        if not ours or not (panel_wrote_it or self.panel.prefix):
            raise PanelError(
                f"the server has a system user {self.name} that is not an account of the panel", error_class="refused"
            )
        if self.panel.prefix:
            for name in ("passwd", "shadow", "group", "gshadow"):
                _drop_lines(self.panel.path("etc", name), rf"^{re.escape(self.name)}:")
            return
        self.panel.actions.append("userdel")
        self.panel.tool("userdel", "-f", self.name)
        self.panel.tool("groupdel", self.name)

    def _clear_home(self) -> None:
        """Make room for the home of a new account: an untouched one goes, any other is moved aside."""
        home = self.panel.home(self.name)
        self._unlock(home)
        if _is_fresh_home(home):
            _delete_tree(home)
            return
        aside = f"{home}.hestia-fleet-{time.strftime('%Y%m%d%H%M%S')}"
        os.rename(home, aside)
        self.panel.repair(f"moved {home} to {aside}")

    def _delete_home(self) -> None:
        home = self.panel.home(self.name)
        self._unlock(home)
        _delete_tree(home)

    def _unlock(self, home: str) -> None:
        if not self.panel.prefix:
            self.panel.tool("chattr", "-i", os.path.join(home, "conf"))

    def _delete_traces(self, traces: list[str]) -> None:
        for path in traces:
            if path == named_conf(self.panel):
                _drop_lines(path, rf"/{re.escape(self.name)}/conf/dns/")
                self.panel.reload("dns")
            else:
                os.unlink(path)
        self.panel.reload("web", "proxy")

    # Report

    def describe(self, state: Account) -> dict[str, Any]:
        if not (state.data or state.system_user or state.home):
            return {}
        if not state.complete:
            parts = {"account data": state.data, "system user": bool(state.system_user), "home": state.home}
            return {"user": self.name, "half made": [name for name, there in parts.items() if there]}
        conf = state.conf
        return {
            "user": self.name,
            "state": "suspended" if state.is_suspended else "active",
            "email": conf.get("CONTACT", ""),
            "full_name": conf.get("NAME", ""),
            "package": conf.get("PACKAGE", ""),
            "limits": {key: conf[key] for key in _COPIED if key in conf},
        }

    def wanted(self, state: Account) -> dict[str, Any]:
        if self.state == "absent":
            return {}
        conf = state.conf
        limits = {key: conf[key] for key in _COPIED if key in conf}
        limits.update({key: state.package[key] for key in _COPIED if key in state.package})
        return {
            "user": self.name,
            "state": "suspended" if self.state == "suspended" else "active",
            "email": self.email or conf.get("CONTACT", ""),
            "full_name": conf.get("NAME", "") if self.full_name is None else self.full_name,
            "package": self.package or conf.get("PACKAGE", "default"),
            "limits": limits,
        }

    def facts(self, state: Account) -> dict[str, Any]:
        return {} if self.state == "absent" else {"home": self.panel.shown(self.panel.home(self.name))}


def named_conf(panel: Panel) -> str:
    """The file in which the panel lists its zones."""
    for path in (panel.path("etc", "bind", "named.conf"), panel.path("etc", "named.conf")):
        if os.path.exists(path):
            return path
    return panel.path("etc", "bind", "named.conf")


def _drop_lines(path: str, pattern: str) -> None:
    lines = read_text(path).splitlines(True)
    kept = [line for line in lines if not re.search(pattern, line)]
    if kept != lines:
        replace_text(path, "".join(kept))


def _is_fresh_home(home: str) -> bool:
    """Whether a home holds nothing but what useradd and the panel put there: dot files of /etc/skel, empty folders."""
    if os.path.islink(home) or not os.path.isdir(home):
        return False
    skeleton = set(os.listdir("/etc/skel")) if os.path.isdir("/etc/skel") else set()
    for folder, _, files in os.walk(home):
        top = folder == home
        if any(not (top and (name in skeleton or name.startswith(".bash") or name == ".profile")) for name in files):
            return False
    return True


def _delete_tree(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    shutil.rmtree(path, onerror=_make_writable)


def _make_writable(function: Any, path: str, _: Any) -> None:
    """Second try of rmtree for a folder without write permission (a sandbox is not run by root)."""
    with contextlib.suppress(FileNotFoundError):
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
        function(path)
