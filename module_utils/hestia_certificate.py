# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The certificate of a web domain: a self-signed one, so that HTTPS answers until a real one comes."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_text
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_panel import Panel, PanelError

_RENEW_BEFORE = datetime.timedelta(days=7)


OPTIONS: dict[str, dict[str, Any]] = {
    "user": {"type": "str", "required": True},
    "domain": {"type": "str", "required": True},
    "days": {"type": "int", "default": 90},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
"""The argument spec of module hestia_web_certificate."""


@dataclass
class TlsState:
    record: dict[str, str] = field(default_factory=dict)
    user_suspended: bool = False
    subject: str = ""
    issuer: str = ""
    not_after: Optional[datetime.datetime] = None
    """End of the stored certificate; None when there is no readable one."""
    key_fits: bool = False
    installed: bool = False
    """Whether the web servers read the stored certificate."""

    @property
    def on(self) -> bool:
        return self.record.get("SSL") == "yes"

    @property
    def kind(self) -> str:
        if self.record.get("LETSENCRYPT") == "yes":
            return "letsencrypt"
        return "self-signed" if self.subject == self.issuer else "custom"


class WebCertificate(Subject[TlsState]):
    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.user = check.user("user", params["user"])
        self.domain = check.domain("domain", params["domain"])
        self.days = check.number("days", params["days"], 1, 3650)
        self.absent = params["state"] == "absent"
        self.owes = ("web", "proxy", f"counters:{self.user}")

    def look(self) -> TlsState:
        conf = self.panel.user_conf(self.user)
        record = self.panel.record(self.user, "web", self.domain)
        if not record and not self.absent:
            self.panel.require_user(self.user)
            raise PanelError(f"account {self.user} has no web domain {self.domain}", error_class="not_found")
        state = TlsState(record=record, user_suspended=conf.get("SUSPENDED") == "yes")
        if state.on:
            self._read_certificate(state)
            served = os.path.join(self._conf_folder, "ssl", f"{self.domain}.crt")
            state.installed = read_text(served) == read_text(self._stored("crt")) and self._vhosts_there()
        return state

    def _stored(self, suffix: str) -> str:
        return self.panel.user_data(self.user, "ssl", f"{self.domain}.{suffix}")

    @property
    def _conf_folder(self) -> str:
        return self.panel.home(self.user, "conf", "web", self.domain)

    def _vhosts_there(self) -> bool:
        systems = [self.panel.system(key) for key in ("WEB_SYSTEM", "PROXY_SYSTEM")]
        return all(os.path.exists(os.path.join(self._conf_folder, f"{name}.ssl.conf")) for name in systems if name)

    def _read_certificate(self, state: TlsState) -> None:
        arguments = ["x509", "-noout", "-subject", "-issuer", "-enddate", "-pubkey", "-in", self._stored("crt")]
        shown = self.panel.tool("openssl", *arguments)
        if shown.returncode:
            return
        lines = dict(line.split("=", 1) for line in shown.stdout.splitlines() if line[:1].islower() and "=" in line)
        state.subject, state.issuer = lines.get("subject", "?"), lines.get("issuer", "")
        state.not_after = datetime.datetime.strptime(lines["notAfter"], "%b %d %H:%M:%S %Y %Z")
        public = self.panel.tool("openssl", "pkey", "-pubout", "-in", self._stored("key"))
        state.key_fits = public.returncode == 0 and public.stdout.strip() in shown.stdout

    def next_step(self, state: TlsState) -> Optional[Step]:
        if self.absent:
            return Step("delete certificate", self._delete) if state.on else None
        if state.user_suspended or state.record.get("SUSPENDED") == "yes":
            # The panel refuses to touch it; the certificate waits until the domain is active again.
            return None
        if not state.on:
            return Step("install certificate", self._install)
        if state.not_after is None or not state.key_fits:
            return Step("delete certificate", self._delete, "certificate without its files")
        if not state.installed:
            return Step("rebuild domain", self._rebuild, "certificate that the web servers did not have")
        if state.kind == "self-signed" and state.not_after - _now() < _RENEW_BEFORE and self.days > _RENEW_BEFORE.days:
            return Step("delete certificate", self._delete)
        return None

    def _install(self) -> None:
        names = [self.domain, *(name for name in self._aliases() if name != self.domain)]
        with self.panel.temporary_folder() as folder:
            key, certificate = (os.path.join(folder, f"{self.domain}.{suffix}") for suffix in ("key", "crt"))
            made = self.panel.tool(
                "openssl",
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(self.days)),
                *("-subj", f"/CN={self.domain[:64]}"),
                *("-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)),
                *("-keyout", key, "-out", certificate),
            )
            if made.returncode:
                raise PanelError("openssl could not make a certificate", error_class="internal", output=made.stderr)
            line = [self.user, self.domain, folder, "same", self.panel.reload_argument()]
            self.panel.must("v-add-web-domain-ssl", *line, owes=self.owes)

    def _aliases(self) -> list[str]:
        record = self.panel.record(self.user, "web", self.domain)
        return [name for name in record.get("ALIAS", "").split(",") if name]

    def _delete(self) -> None:
        self.panel.must("v-delete-web-domain-ssl", self.user, self.domain, self.panel.reload_argument(), owes=self.owes)

    def _rebuild(self) -> None:
        self.panel.must("v-rebuild-web-domain", self.user, self.domain, self.panel.reload_argument(), owes=self.owes)

    def describe(self, state: TlsState) -> dict[str, Any]:
        return {"domain": self.domain, **_shown(state)} if state.on else {}

    def wanted(self, state: TlsState) -> dict[str, Any]:
        if self.absent:
            return {}
        if state.on and state.not_after and state.key_fits and state.not_after - _now() >= _RENEW_BEFORE:
            return {"domain": self.domain, **_shown(state)}
        end = _now() + datetime.timedelta(days=self.days)
        return {"domain": self.domain, "tls": "self-signed", "not_after": end.strftime("%Y-%m-%d")}

    def facts(self, state: TlsState) -> dict[str, Any]:
        return _shown(state) if state.on and not self.absent else {}


def _shown(state: TlsState) -> dict[str, Any]:
    end = state.not_after.strftime("%Y-%m-%dT%H:%M:%SZ") if state.not_after else ""
    return {"tls": state.kind, "not_after": end}


def _now() -> datetime.datetime:
    """Now in UTC, without a zone, like the end date that openssl prints."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
