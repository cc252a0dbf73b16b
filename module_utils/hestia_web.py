# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A web domain: its record, its folder, and what the web servers and PHP read about it."""

from __future__ import annotations

import glob
import os
import shutil
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_file, read_text
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_logs import logs_of, remove_logs
from ansible.module_utils.hestia_panel import Panel, PanelError, exists

_ASIDE = ".hestia-fleet-"
_SUSPEND_ROOT = "/data/templates/web/suspend"


OPTIONS: dict[str, dict[str, Any]] = {
    "user": {"type": "str", "required": True},
    "domain": {"type": "str", "required": True},
    "ip": {"type": "str"},
    "aliases": {"type": "list", "elements": "str"},
    "backend_template": {"type": "str"},
    "proxy_template": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "suspended", "absent"], "default": "present"},
}
"""The argument spec of module hestia_web_domain."""


@dataclass
class WebState:
    """What is there of a web domain."""

    record: dict[str, str] = field(default_factory=dict)
    records: int = 0
    owner: str = ""
    """Another account that has the domain, or has it as an alias."""
    user_suspended: bool = False
    missing: list[str] = field(default_factory=list)
    """Files that a complete domain has and that are not there."""
    leftovers: list[str] = field(default_factory=list)
    """Files of the domain that are there although there is no record."""
    aside: list[str] = field(default_factory=list)
    """Folders with content that was moved out of the way of the panel and belongs into this domain."""
    logs: list[str] = field(default_factory=list)
    """Logs of a domain that is to be gone and is."""
    shows_suspension: bool = False
    counted: bool = True

    @property
    def suspended(self) -> bool:
        return self.record.get("SUSPENDED") == "yes"

    @property
    def aliases(self) -> list[str]:
        return [name for name in self.record.get("ALIAS", "").split(",") if name]


class WebDomain(Subject[WebState]):
    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.user = check.user("user", params["user"])
        self.domain = check.domain("domain", params["domain"])
        self.state = params["state"]
        self.ip = check.ipv4("ip", params["ip"]) if params["ip"] else None
        aliases = params["aliases"]
        self.aliases = None if aliases is None else sorted({check.alias("aliases", name) for name in aliases})
        self.backend = (
            check.template("backend_template", params["backend_template"]) if params["backend_template"] else None
        )
        self.proxy = check.template("proxy_template", params["proxy_template"]) if params["proxy_template"] else None
        self._counted = False
        self.owes = ("web", "proxy", f"counters:{self.user}")

    # Look

    def look(self) -> WebState:
        conf = self.panel.user_conf(self.user)
        if not conf and self.state != "absent":
            self.panel.require_user(self.user)
        lines = [line for line in self.panel.records(self.user, "web") if line.get("DOMAIN") == self.domain]
        state = WebState(
            record=lines[0] if lines else {},
            records=len(lines),
            owner=self._other_owner(),
            user_suspended=conf.get("SUSPENDED") == "yes",
            aside=glob.glob(glob.escape(self._folder + _ASIDE) + "*"),
        )
        files = self._files(state.record)
        if state.record:
            state.missing = [path for path in files if not os.path.exists(path)]
        else:
            places = [self._folder, self._conf_folder, *files]
            state.leftovers = [path for path in places if exists(path) and self._is_ours(path)]
            state.logs = logs_of(self.panel, self.domain) if self.state == "absent" else []
        vhosts = [self._vhost(system) for system in self._systems()]
        state.shows_suspension = any(_SUSPEND_ROOT in read_text(path) for path in vhosts)
        if conf:
            state.counted = conf.get("U_WEB_DOMAINS", "0") == str(len(self.panel.records(self.user, "web")))
        return state

    def _other_owner(self) -> str:
        for user in self.panel.users():
            if user == self.user:
                continue
            for line in self.panel.records(user, "web"):
                if line.get("DOMAIN") == self.domain or self.domain in line.get("ALIAS", "").split(","):
                    return user
        return ""

    def _systems(self) -> list[str]:
        systems = [self.panel.system("WEB_SYSTEM"), self.panel.system("PROXY_SYSTEM")]
        return [name for name in systems if name and name != "remote"]

    @property
    def _folder(self) -> str:
        return self.panel.home(self.user, "web", self.domain)

    @property
    def _conf_folder(self) -> str:
        return self.panel.home(self.user, "conf", "web", self.domain)

    def _vhost(self, system: str, suffix: str = "conf") -> str:
        return os.path.join(self._conf_folder, f"{system}.{suffix}")

    def _link(self, system: str, suffix: str = "conf") -> str:
        return self.panel.path("etc", system, "conf.d", "domains", f"{self.domain}.{suffix}")

    def _pools(self) -> list[str]:
        return glob.glob(self.panel.path("etc", "php", "*", "fpm", "pool.d", f"{glob.escape(self.domain)}.conf"))

    def _files(self, record: dict[str, str]) -> list[str]:
        """What a domain with this record has on the disk; without one, what one may have left."""
        suffixes = ["conf"] if record and record.get("SSL") != "yes" else ["conf", "ssl.conf"]
        files = [self._folder] if record else []
        for system in self._systems():
            if record and system == self.panel.system("PROXY_SYSTEM") and not record.get("PROXY"):
                continue
            for suffix in suffixes:
                files += [self._vhost(system, suffix), self._link(system, suffix)]
        pools = self._pools()
        if not record:
            files += pools
        elif self.panel.system("WEB_BACKEND") == "php-fpm" and self.panel.conf.get("WEB_BACKEND_POOL") != "user":
            any_pool = os.path.dirname((glob.glob(self.panel.path("etc", "php", "*", "fpm", "pool.d")) or [""])[0])
            if any_pool and not pools:
                files.append(os.path.join(any_pool, "pool.d", f"{self.domain}.conf"))
        return files

    def _is_ours(self, path: str) -> bool:
        """Whether a file of the domain belongs to this account and not to another one that has the domain."""
        if path in (self._folder, self._conf_folder) or path.startswith(self._conf_folder + "/"):
            return True
        if os.path.islink(path):
            return os.readlink(path).startswith(self._conf_folder + "/")
        return f"/{self.user}/" in read_text(path)

    # Decide

    def next_step(self, state: WebState) -> Optional[Step]:
        if self.state == "absent":
            return self._next_to_absence(state)
        if not state.record:
            return self._next_to_existence(state)
        if state.records > 1:
            raise PanelError(
                f"web.conf of {self.user} lists {self.domain} {state.records} times", error_class="inconsistent"
            )
        if state.user_suspended:
            # Nothing of a suspended account can be changed, and its domains wait with it.
            return None
        if state.missing or state.suspended != state.shows_suspension:
            what = "missing " + ", ".join(sorted({os.path.basename(path) for path in state.missing}))
            return Step("rebuild domain", self._rebuild, what if state.missing else "virtual host with the wrong page")
        for aside in state.aside:
            return Step(f"restore {aside}", lambda aside=aside: self._restore(aside))
        return self._next_to_suspension(state) or self._next_to_values(state) or self._next_to_counters(state)

    def _next_to_existence(self, state: WebState) -> Optional[Step]:
        if state.owner:
            raise PanelError(f"{self.domain} belongs to account {state.owner}", error_class="refused")
        if state.leftovers and not state.user_suspended:
            return Step("clear leftovers", lambda: self._clear(state, keep=True), "half-made web domain", tries=1)
        return Step("add domain", self._add)

    def _next_to_suspension(self, state: WebState) -> Optional[Step]:
        wanted = self.state == "suspended"
        if state.suspended == wanted:
            return None
        command = "v-suspend-web-domain" if wanted else "v-unsuspend-web-domain"
        return Step(command, lambda: self._change(command))

    def _next_to_values(self, state: WebState) -> Optional[Step]:
        if state.suspended:
            return None
        record = state.record
        if self.ip and self._local_ip(record.get("IP", "")) != self._local_ip(self.ip):
            return Step("change ip", lambda: self._change("v-change-web-domain-ip", self.ip))
        if self.backend and self.panel.system("WEB_BACKEND") and record.get("BACKEND") != self.backend:
            return Step("change backend", lambda: self._change("v-change-web-domain-backend-tpl", self.backend))
        if self.proxy and self.panel.system("PROXY_SYSTEM") and record.get("PROXY") != self.proxy:
            extensions = record.get("PROXY_EXT", "")
            return Step("change proxy", lambda: self._change("v-change-web-domain-proxy-tpl", self.proxy, extensions))
        if self.aliases is not None:
            return self._next_to_aliases(state)
        return None

    def _next_to_aliases(self, state: WebState) -> Optional[Step]:
        wanted = set(self.aliases or []) | self._own_aliases(state)
        for name in state.aliases:
            if name not in wanted:
                return Step(f"delete alias {name}", lambda name=name: self._change("v-delete-web-domain-alias", name))
        for name in sorted(wanted - set(state.aliases)):
            return Step(f"add alias {name}", lambda name=name: self._change("v-add-web-domain-alias", name))
        return None

    def _own_aliases(self, state: WebState) -> set[str]:
        """The alias that the panel itself gives to domains on an address that has a name."""
        name = self._address(state.record.get("IP", "")).get("NAME", "")
        alias = f"{self.domain.replace('.', '-')}.{name}"
        return {alias} & set(state.aliases) if name else set()

    def _count(self) -> None:
        # Once: should the panel count in another way than we do, it is right.
        self._counted = True
        self.panel.update_counters(self.user)

    def _next_to_counters(self, state: WebState) -> Optional[Step]:
        if state.counted or self._counted:
            return None
        return Step("count", self._count, "counters")

    def _next_to_absence(self, state: WebState) -> Optional[Step]:
        if state.record:
            return Step("delete domain", lambda: self._change("v-delete-web-domain"), tries=3)
        if state.leftovers:
            return Step("clear leftovers", lambda: self._clear(state, keep=False), "half-deleted web domain")
        if state.logs:
            return Step("remove logs", lambda: remove_logs(state.logs))
        return self._next_to_counters(state) if self.panel.user_conf(self.user) else None

    # Act

    def _add(self) -> None:
        ip = self.ip or self._shared_ip()
        aliases = [] if self.aliases is None else [",".join(self.aliases) or "none"]
        self.panel.must(
            "v-add-web-domain", self.user, self.domain, ip, self.panel.reload_argument(), *aliases, owes=self.owes
        )

    def _rebuild(self) -> None:
        self.panel.must("v-rebuild-web-domain", self.user, self.domain, self.panel.reload_argument(), owes=self.owes)

    def _change(self, command: str, *values: Optional[str]) -> None:
        line = [self.user, self.domain, *(value or "" for value in values), self.panel.reload_argument()]
        self.panel.must(command, *line, owes=self.owes)

    def _clear(self, state: WebState, keep: bool) -> None:
        """Remove what a killed command left. `keep`: content of the folder that is not the panel's goes aside."""
        self.panel.pending |= set(self.owes)
        for path in state.leftovers:
            if path == self._folder and keep and not self._is_skeleton(path):
                aside = f"{path}{_ASIDE}{time.strftime('%Y%m%d%H%M%S')}"
                os.rename(path, aside)
                self.panel.repair(f"moved {path} to {aside}")
            elif os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif exists(path):
                os.unlink(path)

    def _is_skeleton(self, folder: str) -> bool:
        """Whether a domain's folder holds nothing but what the panel puts into a new one."""
        if os.path.islink(folder) or not os.path.isdir(folder):
            return False
        skeleton = self.panel.data("templates", "web", "skel")
        for place, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(place, name)
                inside = os.path.relpath(path, folder)
                if inside.startswith("logs" + os.sep) and os.path.islink(path):
                    continue
                text = read_text(path)
                original = read_text(os.path.join(skeleton, inside))
                if text not in ("", original, original.replace("%domain%", self.domain)):
                    return False
        return True

    def _restore(self, aside: str) -> None:
        """Move content that was put aside into the new folder; what the panel put there gives way."""
        _merge(aside, self._folder)
        shutil.rmtree(aside)
        self.panel.repair(f"moved the content of {os.path.basename(aside)} back")

    @property
    def _public(self) -> str:
        return os.path.join(self._folder, "public_html")

    # Addresses

    def _address(self, ip: str) -> dict[str, str]:
        return read_file(self.panel.data("ips", self._local_ip(ip)))

    def _addresses(self) -> dict[str, dict[str, str]]:
        folder = self.panel.data("ips")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return {name: read_file(os.path.join(folder, name)) for name in names}

    def _local_ip(self, ip: str) -> str:
        """The address on the interface for a public one behind NAT."""
        addresses = self._addresses()
        if ip in addresses:
            return ip
        return next((name for name, values in addresses.items() if ip and values.get("NAT") == ip), ip)

    def _shared_ip(self) -> str:
        for name, values in self._addresses().items():
            if values.get("STATUS") == "shared":
                return name
        raise PanelError("the panel has no shared IP address", error_class="not_found")

    # Report

    def describe(self, state: WebState) -> dict[str, Any]:
        if not state.record:
            return {"half made": state.leftovers} if state.leftovers else {}
        record = state.record
        shown = {
            "domain": self.domain,
            "user": self.user,
            "state": "suspended" if state.suspended else "active",
            "ip": record.get("IP", ""),
            "aliases": sorted(state.aliases),
            "backend_template": record.get("BACKEND", ""),
            "proxy_template": record.get("PROXY", ""),
        }
        return {**shown, "missing": state.missing} if state.missing else shown

    def wanted(self, state: WebState) -> dict[str, Any]:
        if self.state == "absent":
            return {}
        record = state.record
        default = ["www." + self.domain] if self.domain.count(".") == 1 else []
        current = sorted(state.aliases) if record else default
        return {
            "domain": self.domain,
            "user": self.user,
            "state": "suspended" if self.state == "suspended" else "active",
            "ip": self.ip or record.get("IP") or self._shared_ip(),
            "aliases": current if self.aliases is None else self.aliases,
            "backend_template": self.backend or record.get("BACKEND", ""),
            "proxy_template": self.proxy or record.get("PROXY", ""),
        }

    def facts(self, state: WebState) -> dict[str, Any]:
        if self.state == "absent":
            return {}
        ip = state.record.get("IP") or self.ip or self._shared_ip()
        return {"ip": self._address(ip).get("NAT") or ip, "document_root": self.panel.shown(self._public) + "/"}


def _merge(source: str, target: str) -> None:
    """Move what is in one folder into another, owners and times kept; the panel's links to its logs stay behind."""
    for name in os.listdir(source):
        old, new = os.path.join(source, name), os.path.join(target, name)
        if os.path.islink(old) and os.path.basename(source) == "logs":
            continue
        if os.path.isdir(old) and not os.path.islink(old) and os.path.isdir(new):
            _merge(old, new)
        else:
            os.replace(old, new)
