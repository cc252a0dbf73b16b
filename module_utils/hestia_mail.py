# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail domain: its record, its DKIM key, and what exim, dovecot and the webmail read about it."""

from __future__ import annotations

import glob
import os
import shutil
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_file, read_text
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_logs import logs_of, remove_logs
from ansible.module_utils.hestia_panel import Panel, PanelError, exists

SELECTOR = "mail"
_EXIM_FILES = ("accounts", "aliases", "fwd_only", "limits", "passwd")
_ASIDE = ".hestia-fleet"


OPTIONS: dict[str, dict[str, Any]] = {
    "user": {"type": "str", "required": True},
    "domain": {"type": "str", "required": True},
    "dkim": {"type": "bool", "default": True},
    "dkim_bits": {"type": "int", "choices": [1024, 2048, 4096], "default": 2048},
    "antispam": {"type": "bool", "default": True},
    "antivirus": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "suspended", "absent"], "default": "present"},
}
"""The argument spec of module hestia_mail_domain."""


@dataclass
class MailState:
    record: dict[str, str] = field(default_factory=dict)
    records: int = 0
    owner: str = ""
    """Another account that has the domain."""
    user_suspended: bool = False
    missing: list[str] = field(default_factory=list)
    webmail_missing: bool = False
    leftovers: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    """Webmail's logs of a domain that is to be gone and is."""
    linked: bool = False
    """Whether exim knows the domain."""
    public_key: str = ""
    """The p= value that fits the stored private key; "" when there is no usable key."""
    public_file_fits: bool = False
    key_installed: bool = False
    counted: bool = True

    @property
    def suspended(self) -> bool:
        return self.record.get("SUSPENDED") == "yes"

    def on(self, key: str) -> bool:
        return self.record.get(key) == "yes"


class MailDomain(Subject[MailState]):
    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.user = check.user("user", params["user"])
        self.domain = check.domain("domain", params["domain"])
        self.state = params["state"]
        self.dkim = params["dkim"]
        self.bits = params["dkim_bits"]
        self.filters = {"antispam": params["antispam"], "antivirus": params["antivirus"]}
        self._counted = False
        self.owes = ("web", "proxy", f"counters:{self.user}")
        self._unsure = False
        """Whether a command on this domain was killed: then it may lack what else is a matter of choice."""
        self._broken_suspension = False

    # Look

    def look(self) -> MailState:
        conf = self.panel.user_conf(self.user)
        if not conf and self.state != "absent":
            self.panel.require_user(self.user)
        lines = [line for line in self.panel.records(self.user, "mail") if line.get("DOMAIN") == self.domain]
        state = MailState(
            record=lines[0] if lines else {},
            records=len(lines),
            owner=self._other_owner(),
            user_suspended=conf.get("SUSPENDED") == "yes",
            linked=os.path.islink(self._link) and os.readlink(self._link).rstrip("/") == self._conf_folder,
        )
        if conf:
            state.counted = conf.get("U_MAIL_DOMAINS", "0") == str(len(self.panel.records(self.user, "mail")))
        if state.record:
            self._look_at_files(state)
            self._look_at_key(state)
        else:
            state.leftovers = [path for path in self._traces() if exists(path)]
            state.logs = self._webmail_logs() if self.state == "absent" and not state.owner else []
        return state

    def _webmail_logs(self) -> list[str]:
        return logs_of(self.panel, f"{self.panel.conf.get('WEBMAIL_ALIAS') or 'webmail'}.{self.domain}")

    def _other_owner(self) -> str:
        for user in self.panel.users():
            if user != self.user and self.panel.record(user, "mail", self.domain):
                return user
        return ""

    @property
    def _conf_folder(self) -> str:
        return self.panel.home(self.user, "conf", "mail", self.domain)

    @property
    def _mail_folder(self) -> str:
        return self.panel.home(self.user, "mail", self.domain)

    @property
    def _link(self) -> str:
        return self.panel.path("etc", self.panel.system("MAIL_SYSTEM") or "exim4", "domains", self.domain)

    def _data(self, suffix: str) -> str:
        return self.panel.user_data(self.user, "mail", f"{self.domain}.{suffix}")

    def _look_at_files(self, state: MailState) -> None:
        files = [
            self._data("conf"),
            self._mail_folder,
            *(os.path.join(self._conf_folder, name) for name in _EXIM_FILES),
        ]
        state.missing = [path for path in files if not os.path.exists(path)]
        webmail, vhosts = state.record.get("WEBMAIL", ""), self._webmail_files()
        if webmail == "disabled" or state.suspended or not vhosts:
            return
        # Without a client in the record there are no virtual hosts, unless a command died on its way.
        died = self._unsure or not state.counted
        died = died or self.panel.was_interrupted("v-add-mail-domain", self.user, self.domain)
        there = [os.path.exists(path) for path in vhosts]
        state.webmail_missing = not all(there) if webmail else died or any(there)

    def _webmail_files(self) -> list[str]:
        if not (
            self.panel.system("IMAP_SYSTEM")
            and self.panel.system("WEB_SYSTEM")
            and self.panel.conf.get("WEBMAIL_ALIAS")
            and self.panel.conf.get("WEBMAIL_SYSTEM")
        ):
            return []
        names = f"{self.panel.conf['WEBMAIL_ALIAS']}.{self.domain}.conf"
        files = []
        for system in (self.panel.system("WEB_SYSTEM"), self.panel.system("PROXY_SYSTEM")):
            if system:
                files += [
                    os.path.join(self._conf_folder, f"{system}.conf"),
                    self.panel.path("etc", system, "conf.d", "domains", names),
                ]
        return files

    def _look_at_key(self, state: MailState) -> None:
        private = self._data("pem")
        if not state.on("DKIM") or not read_text(private):
            return
        state.public_key = self._public_key(private)
        if not state.public_key:
            return
        state.public_file_fits = _base64_body(read_text(self._data("pub"))) == state.public_key
        state.key_installed = read_text(os.path.join(self._conf_folder, "dkim.pem")) == read_text(private)

    def _public_key(self, private: str) -> str:
        """The p= value that fits a private key, "" when it is unusable."""
        shown = self.panel.tool("openssl", "pkey", "-pubout", "-in", private)
        return "" if shown.returncode else _base64_body(shown.stdout)

    def _traces(self) -> list[str]:
        """What may be left of a domain without a record. Its mail folder alone is no trace: the panel takes it over."""
        paths = [self._data(suffix) for suffix in ("conf", "pem", "pub")]
        paths += [self._conf_folder]
        if os.path.islink(self._link) and os.readlink(self._link).startswith(self._conf_folder):
            paths.append(self._link)
        alias = self.panel.conf.get("WEBMAIL_ALIAS") or "webmail"
        for path in glob.glob(
            self.panel.path("etc", "*", "conf.d", "domains", f"{alias}.{glob.escape(self.domain)}.*")
        ):
            if os.path.islink(path) and os.readlink(path).startswith(self._conf_folder + "/"):
                paths.append(path)
        if self.state == "absent":
            paths.append(self._mail_folder)
        return paths

    # Decide

    def next_step(self, state: MailState) -> Optional[Step]:
        if self.state == "absent":
            return self._next_to_absence(state)
        if not state.record:
            return self._next_to_existence(state)
        if state.records > 1:
            raise PanelError(
                f"mail.conf of {self.user} lists {self.domain} {state.records} times", error_class="inconsistent"
            )
        if state.user_suspended:
            return None
        return self._next_to_files(state) or self._next_to_suspension(state) or self._next_to_values(state)

    def _next_to_existence(self, state: MailState) -> Optional[Step]:
        if state.owner:
            raise PanelError(f"mail domain {self.domain} belongs to account {state.owner}", error_class="refused")
        if state.leftovers and not state.user_suspended:
            return Step("clear leftovers", lambda: self._clear(state, keep=True), "half-made mail domain", tries=1)
        return Step("add domain", self._add)

    def _next_to_files(self, state: MailState) -> Optional[Step]:
        if state.missing or state.linked == state.suspended:
            self._unsure = True
            what = ", ".join(sorted({os.path.basename(path) for path in state.missing})) or "exim's link to the domain"
            return Step("rebuild domain", self._rebuild, f"missing {what}" if not state.suspended else f"wrong {what}")
        if state.on("DKIM") and not state.public_key:
            return Step("replace DKIM key", self._replace_key, "unusable DKIM key")
        if state.on("DKIM") and not state.public_file_fits:
            return Step("write public DKIM key", self._write_public_key, "public DKIM key")
        if state.on("DKIM") and not state.key_installed:
            return Step("install DKIM key", self._rebuild, "DKIM key that exim did not have")
        if state.webmail_missing:
            webmail = state.record.get("WEBMAIL", "")
            return Step("add webmail", lambda: self._change("v-add-mail-domain-webmail", webmail, "yes"), "webmail")
        if exists(self._data("conf") + _ASIDE):
            return Step("restore mailboxes", self._restore)
        return None

    def _next_to_suspension(self, state: MailState) -> Optional[Step]:
        wanted = self.state == "suspended"
        if state.suspended == wanted and not self._broken_suspension:
            return None
        # A killed command may have marked the domain and not its mailboxes: then the way back and again.
        now = "v-suspend-mail-domain" if not state.suspended else "v-unsuspend-mail-domain"
        return Step(now, lambda: self._set_suspended(now), tries=3)

    def _next_to_values(self, state: MailState) -> Optional[Step]:
        if not state.suspended:
            if self.dkim and not state.on("DKIM"):
                return Step("add DKIM", lambda: self._change("v-add-mail-domain-dkim", str(self.bits)))
            if not self.dkim and state.on("DKIM"):
                return Step("delete DKIM", lambda: self._change("v-delete-mail-domain-dkim"))
            for name, wanted in self.filters.items():
                if self.panel.system(f"{name.upper()}_SYSTEM") and state.on(name.upper()) != wanted:
                    command = f"v-{'add' if wanted else 'delete'}-mail-domain-{name}"
                    return Step(command, lambda command=command: self._change(command))
        return self._next_to_counters(state)

    def _count(self) -> None:
        # Once: should the panel count in another way than we do, it is right.
        self._counted = True
        self.panel.update_counters(self.user)

    def _next_to_counters(self, state: MailState) -> Optional[Step]:
        if state.counted or self._counted:
            return None
        return Step("count", self._count, "counters")

    def _next_to_absence(self, state: MailState) -> Optional[Step]:
        if state.record:
            return Step("delete domain", lambda: self._change("v-delete-mail-domain"), tries=3)
        if state.leftovers:
            return Step("clear leftovers", lambda: self._clear(state, keep=False), "half-deleted mail domain")
        if state.logs:
            return Step("remove logs", lambda: remove_logs(state.logs))
        return self._next_to_counters(state) if self.panel.user_conf(self.user) else None

    # Act

    def _add(self) -> None:
        words = {True: "yes", False: "no"}
        line = [words[self.filters["antispam"]], words[self.filters["antivirus"]], words[self.dkim], str(self.bits)]
        self._change("v-add-mail-domain", *line, self.panel.reload_argument())

    def _change(self, command: str, *values: str) -> None:
        ended = self.panel.run(command, self.user, self.domain, *values, owes=self.owes)
        self._unsure = self._unsure or ended.half_done
        if ended.code:
            raise ended.error()

    def _set_suspended(self, command: str) -> None:
        ended = self.panel.run(command, self.user, self.domain, owes=self.owes)
        self._broken_suspension = ended.code < 0 or ended.code >= 128
        if ended.code:
            raise ended.error()

    def _rebuild(self) -> None:
        self._change("v-rebuild-mail-domain")

    def _replace_key(self) -> None:
        self._change("v-delete-mail-domain-dkim")
        self._change("v-add-mail-domain-dkim", str(self.bits))

    def _write_public_key(self) -> None:
        public = self.panel.tool("openssl", "pkey", "-pubout", "-in", self._data("pem")).stdout
        descriptor = os.open(self._data("pub"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o660)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(public)
        os.chmod(self._data("pub"), 0o660)

    def _clear(self, state: MailState, keep: bool) -> None:
        """Remove what a killed command left. `keep`: the list of mailboxes is put aside for the domain made anew."""
        self.panel.pending |= set(self.owes)
        for path in state.leftovers:
            if path == self._data("conf") and keep and read_text(path).strip():
                os.replace(path, path + _ASIDE)
                self.panel.repair(f"put the mailboxes of {self.domain} aside")
            elif os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif exists(path):
                os.unlink(path)

    def _restore(self) -> None:
        os.replace(self._data("conf") + _ASIDE, self._data("conf"))
        self._rebuild()
        self.panel.repair("put its mailboxes back")

    # Report

    def describe(self, state: MailState) -> dict[str, Any]:
        if not state.record:
            return {"half made": state.leftovers} if state.leftovers else {}
        shown = {
            "domain": self.domain,
            "user": self.user,
            "state": "suspended" if state.suspended else "active",
            "dkim": state.on("DKIM"),
            "antispam": state.on("ANTISPAM"),
            "antivirus": state.on("ANTIVIRUS"),
        }
        return {**shown, "missing": state.missing} if state.missing else shown

    def wanted(self, state: MailState) -> dict[str, Any]:
        if self.state == "absent":
            return {}
        filters = {
            name: wanted and bool(self.panel.system(f"{name.upper()}_SYSTEM")) for name, wanted in self.filters.items()
        }
        return {
            "domain": self.domain,
            "user": self.user,
            "state": "suspended" if self.state == "suspended" else "active",
            "dkim": self.dkim,
            **filters,
        }

    def facts(self, state: MailState) -> dict[str, Any]:
        if self.state == "absent":
            return {}
        facts = {"ip": self._public_ip(), "hostname": hostname(self.panel)}
        if state.public_key:
            facts.update(dkim_selector=SELECTOR, dkim_public_key=state.public_key)
        return facts

    def _public_ip(self) -> str:
        written = read_text(os.path.join(self._conf_folder, "ip")).strip()
        folder = self.panel.data("ips")
        names = [written] if written else sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            values = read_file(os.path.join(folder, name))
            if written or values.get("STATUS") == "shared":
                return values.get("NAT") or name
        return ""


def hostname(panel: Panel) -> str:
    """The server's own full name."""
    name = read_text(panel.path("etc", "hostname")).strip()
    if panel.prefix and name:
        return name
    full = panel.tool("hostname", "-f").stdout.strip()
    return full or name


def _base64_body(pem: str) -> str:
    return "".join(line.strip() for line in pem.splitlines() if "-----" not in line)
