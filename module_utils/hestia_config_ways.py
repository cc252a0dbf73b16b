# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings of the panel that stand for something it has built: how to see that thing, and how to change it.

The line in hestia.conf is only its label. A way looks at both, so that a label that was changed alone is noticed.
"""

from __future__ import annotations

import os
import re
from typing import Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_text, replace_text
from ansible.module_utils.hestia_logs import logs_of, remove_logs
from ansible.module_utils.hestia_panel import Panel, PanelError

Conf = dict[str, str]

# What the panel says of a restart that failed; the commands around it end with 0 all the same.
_RESTART_FAILED = re.compile(r"Restart of (\S+) failed")


class Way:
    """One way of applying a setting."""

    keys: tuple[str, ...] = ()
    pattern = ""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel

    def check(self, key: str, value: str) -> None:
        if not re.fullmatch(self.pattern, value):
            raise check.bad(f"settings.{key}", f"{value!r} is not a value it can have")

    def differs(self, key: str, value: str, conf: Conf) -> str:
        """What is there instead of what the value stands for, in words; "" when that is as wanted."""
        return ""

    def waits_for(self, value: str) -> tuple[str, ...]:
        """Settings whose present thing is in the way of this value."""
        return ()

    def apply(self, key: str, value: str, conf: Conf) -> None:
        """Make it so, label and thing."""
        raise NotImplementedError

    def _label(self, key: str, value: str, conf: Conf) -> None:
        if conf.get(key) != value:
            self.panel.must("v-change-sys-config-value", key, value)


class Language(Way):
    """The language of whoever has not chosen one."""

    keys = ("LANGUAGE",)
    pattern = r"[a-z]{2}(?:-[a-z]{2})?"

    def apply(self, key: str, value: str, conf: Conf) -> None:
        self.panel.must("v-change-sys-language", value, "no")


class Api(Way):
    """Who may use the API; its page can be switched off as a whole."""

    keys = ("API", "API_SYSTEM")
    pattern = r"yes|no|[0-2]"

    def check(self, key: str, value: str) -> None:
        super().check(key, value)
        if (key == "API") != (value in ("yes", "no")):
            raise check.bad(f"settings.{key}", f"{value!r} is not a value it can have")

    def differs(self, key: str, value: str, conf: Conf) -> str:
        if value in ("no", "0"):
            return ""
        page = read_text(os.path.join(self.panel.home_dir, "web", "api", "index.php"))
        closed = not page or re.search(r'^\s*die\("Error: Disabled"\);', page, re.MULTILINE)
        return "the API page is off" if closed else ""

    def apply(self, key: str, value: str, conf: Conf) -> None:
        if self.differs(key, value, conf):
            self.panel.must("v-change-sys-api", "enable")
        self._label(key, value, conf)


class PanelPort(Way):
    """The port of the panel's own web server."""

    keys = ("BACKEND_PORT",)
    pattern = r"[1-9][0-9]{3,4}"

    def check(self, key: str, value: str) -> None:
        super().check(key, value)
        check.number(f"settings.{key}", int(value), 1024, 65535)

    def differs(self, key: str, value: str, conf: Conf) -> str:
        port = self._listens()
        if port not in ("", value):
            return f"the panel listens on {port}"
        return "not restarted" if key in self.panel.unfinished else ""

    def apply(self, key: str, value: str, conf: Conf) -> None:
        port = self._listens()
        if port == value:
            # Its own command leaves everything as it is when the web server's configuration has the port already.
            self._label(key, value, conf)
            if key in self.panel.unfinished:
                self.panel.must("v-restart-service", "hestia")
                self.panel.finish({key})
        elif _RESTART_FAILED.search(self.panel.must_end({key}, "v-change-sys-port", value).output) and port:
            # Nobody could log in to the panel any more.
            self.panel.must_end({key}, "v-change-sys-port", port)
            raise PanelError(
                f"the panel's web server does not start with port {value}; it is back on {port}",
                error_class="refused",
            )

    def _listens(self) -> str:
        text = read_text(os.path.join(self.panel.home_dir, "nginx", "conf", "nginx.conf"))
        first = next((line for line in text.splitlines() if "listen" in line), "")
        found = re.search(r"listen[^0-9]*([0-9]+)[ \t]*ssl;", first)
        return found.group(1) if found else ""


class DatabaseAlias(Way):
    """The path under which the web servers show phpMyAdmin or phpPgAdmin."""

    pattern = r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*"
    _SERVED = {"apache2": r"^\s*Alias\s+/(\S+)", "nginx": r"^\s*location\s+/(\S+)\s*\{"}

    def __init__(self, panel: Panel, tool: str, key: str, include: str) -> None:
        super().__init__(panel)
        self.keys = (key,)
        self._tool = tool
        self._include = include
        self.other: Optional[DatabaseAlias] = None
        """The other tool, whose path is beside this one."""
        self._seen: dict[str, str] = {}
        """The servers that show it, and the path under which they do."""

    def differs(self, key: str, value: str, conf: Conf) -> str:
        wrong = []
        for server, pattern in self._SERVED.items():
            path = self._path(server)
            if not os.path.exists(path):
                if self._word(server) in self.panel.unfinished:
                    self._seen.setdefault(server, "")
                if server in self._seen:
                    wrong.append(f"{server} has lost it")
                continue
            found = re.search(pattern, read_text(path), re.MULTILINE)
            self._seen[server] = found.group(1) if found else ""
            if not found or found.group(1) != value:
                wrong.append(f"{server} has it under /{found.group(1)}" if found else f"{server} has it nowhere")
        return ", ".join(wrong)

    def waits_for(self, value: str) -> tuple[str, ...]:
        return self.other.keys if self.other is not None and value in self.other._seen.values() else ()

    def apply(self, key: str, value: str, conf: Conf) -> None:
        for server in self._seen:
            # The command writes anew what it finds, and a killed one may have removed it just before, also under a
            # module that is gone.
            with open(self._path(server), "a", encoding="utf-8"):
                pass
        before = next((path for path in self._seen.values() if re.fullmatch(self.pattern, path)), self._include[:-4])
        failed = self._change(value)
        if failed and before != value and not self._change(before):
            # A path that a site's template or the other tool has already: the server would not come up again.
            raise PanelError(
                f"{failed.group(1)} does not start with the path /{value}; it is back on /{before}",
                error_class="refused",
            )
        if failed:
            # The command itself owes nothing any more, and the path may be the right one.
            self.panel.owe("web", "proxy")
            raise PanelError(f"{failed.group(1)} could not be restarted", error_class="restart_failed")

    def _change(self, path: str) -> Optional[re.Match[str]]:
        """Returns what failed to restart."""
        words = {self._word(server) for server in self._seen}
        done = self.panel.must_end(words, "v-change-sys-db-alias", self._tool, path, owes=("web", "proxy"))
        return _RESTART_FAILED.search(done.output)

    def _word(self, server: str) -> str:
        return f"{self.keys[0]} {server}"

    def _path(self, server: str) -> str:
        return self.panel.path("etc", server, "conf.d", self._include)


class Cgroups(Way):
    """Whether the processor and memory limits of packages are enforced."""

    keys = ("RESOURCES_LIMIT",)
    pattern = r"yes|no"

    def differs(self, key: str, value: str, conf: Conf) -> str:
        return "not for every account" if key in self.panel.unfinished else ""

    def apply(self, key: str, value: str, conf: Conf) -> None:
        self.panel.must_end({key}, "v-add-sys-cgroups" if value == "yes" else "v-delete-sys-cgroups")


class WebmailAlias(Way):
    """The name of webmail below every mail domain.

    The panel's own v-change-sys-webmail gives every domain the last webmail client there is, also those that had
    another one or none, reloads the web servers once per domain, and leaves domains without webmail when it is killed.
    So the domains are taken one by one, each with the client it has, and the servers are reloaded once.
    """

    keys = ("WEBMAIL_ALIAS",)
    pattern = r"(?!www$)[a-z0-9]+(?:-[a-z0-9]+)*"
    _LINK = re.compile(r"/home/[^/]+/conf/mail/([^/]+)/[^/]+?(\.ssl)?\.conf$")
    _INCLUDE = re.compile(r"^(IncludeOptional conf\.d/domains/)([A-Za-z0-9-]+)(\.\*\.conf)$", re.MULTILINE)

    def differs(self, key: str, value: str, conf: Conf) -> str:
        if not self._servers(conf):
            return ""
        wrong = []
        missing, stale = self._missing(value, conf), self._stale(value, conf)
        if missing:
            wrong.append(f"{len(missing)} mail domains have it under another name")
        if stale:
            wrong.append(f"{len(stale)} old names are left")
        if self._include() not in ("", value):
            wrong.append(f"apache2 reads {self._include()}.* first")
        return ", ".join(wrong)

    def apply(self, key: str, value: str, conf: Conf) -> None:
        self._label(key, value, conf)
        servers = self._servers(conf)
        if not servers:
            return
        missing = self._missing(value, conf)
        self.panel.owe("web", "proxy")
        failures = {domain: error for user, domain, client in missing for error in self._build(user, domain, client)}
        for link in self._stale(value, conf):
            if self._domain(link) in failures:
                # Webmail under its former name is better than none.
                continue
            host = os.path.basename(link)[: -len(".conf")]
            remove_logs(logs_of(self.panel, host[: -len(".ssl")] if host.endswith(".ssl") else host))
            os.unlink(link)
        if self._include() not in ("", value):
            path = self.panel.path("etc", "apache2", "apache2.conf")
            replace_text(path, self._INCLUDE.sub(rf"\g<1>{value}\g<3>", read_text(path)))
        zones = [user for user, domain, _ in missing if self.panel.record(user, "dns", domain)]
        self.panel.reload("web", "proxy", *(["dns"] if zones else []))
        for domain, error in failures.items():
            more = f" (and {len(failures) - 1} more domains)" if len(failures) > 1 else ""
            raise PanelError(
                f"{domain}{more}: {error.message}",
                error_class=error.error_class,
                command=error.command,
                exit_code=error.exit_code,
                output=error.output,
            )

    def _build(self, user: str, domain: str, client: str) -> list[PanelError]:
        # One domain that cannot be built must not keep the others from it.
        done = self.panel.run("v-add-mail-domain-webmail", user, domain, client, "no", "yes")
        return [done.error()] if done.code else []

    def _domain(self, link: str) -> str:
        """The mail domain that a link is for."""
        target = self._LINK.search(os.readlink(link))
        return target.group(1) if target else ""

    @staticmethod
    def _servers(conf: Conf) -> list[str]:
        if conf.get("IMAP_SYSTEM", "") in ("", "no"):
            return []
        return [name for name in (conf.get("WEB_SYSTEM", ""), conf.get("PROXY_SYSTEM", "")) if name not in ("", "no")]

    def _missing(self, value: str, conf: Conf) -> list[tuple[str, str, str]]:
        """Domains with webmail that the web servers do not know under this name: user, domain, client."""
        found = []
        for user in self.panel.users():
            if self.panel.user_conf(user).get("SUSPENDED") == "yes":
                continue
            for record in self.panel.records(user, "mail"):
                domain, client = record.get("DOMAIN", ""), record.get("WEBMAIL", "")
                if not client or record.get("SUSPENDED") == "yes":
                    continue
                links = [self._domains(server, f"{value}.{domain}.conf") for server in self._servers(conf)]
                if not all(f"{value}." in read_text(link) for link in links):
                    found.append((user, domain, client))
        return found

    def _stale(self, value: str, conf: Conf) -> list[str]:
        """Links to a mail domain's virtual host under another name."""
        found = []
        for server in self._servers(conf):
            folder = self._domains(server)
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
                path = os.path.join(folder, name)
                target = self._LINK.search(os.readlink(path)) if os.path.islink(path) else None
                if target and name != f"{value}.{target.group(1)}{target.group(2) or ''}.conf":
                    found.append(path)
        return found

    def _include(self) -> str:
        """The name that apache2 reads before all others, "" when it has no such line."""
        found = self._INCLUDE.search(read_text(self.panel.path("etc", "apache2", "apache2.conf")))
        return found.group(2) if found else ""

    def _domains(self, server: str, *parts: str) -> str:
        return self.panel.path("etc", server, "conf.d", "domains", *parts)


def all_ways(panel: Panel) -> dict[str, Way]:
    """By the word the caller uses."""
    pma = DatabaseAlias(panel, "pma", "DB_PMA_ALIAS", "phpmyadmin.inc")
    pga = DatabaseAlias(panel, "pga", "DB_PGA_ALIAS", "phppgadmin.inc")
    pma.other, pga.other = pga, pma
    return {
        "language": Language(panel),
        "api": Api(panel),
        "panel_port": PanelPort(panel),
        "pma_alias": pma,
        "pga_alias": pga,
        "cgroups": Cgroups(panel),
        "webmail_alias": WebmailAlias(panel),
    }
