# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Let the panel write the configuration of its accounts' domains anew, from its own data.

Domain by domain: the panel's commands for all domains of an account take every zone out of named.conf, and every PHP
pool away, before they write the first one again. Nothing that is suspended is touched where that would publish it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from typing import Any, Callable

from ansible.module_utils.hestia_accounts import checked_names, chosen, complain, for_each
from ansible.module_utils.hestia_conf import read_text
from ansible.module_utils.hestia_converge import Work
from ansible.module_utils.hestia_dns import dns_address
from ansible.module_utils.hestia_panel import Panel, PanelError, exists
from ansible.module_utils.hestia_users import named_conf

OPTIONS: dict[str, dict[str, Any]] = {
    "what": {"type": "str", "choices": ["web", "mail", "dns", "users"], "required": True},
    "users": {"type": "list", "elements": "str", "default": []},
}

_SYSTEMS = {"web": "WEB_SYSTEM", "mail": "MAIL_SYSTEM", "dns": "DNS_SYSTEM"}
_RELOADS = {
    "web": ("web-backend", "web", "proxy"),
    "mail": ("web", "proxy", "mail"),
    "dns": ("dns",),
    "users": (),
}
_SERVED_SECONDS = 6.0
_QUESTIONS = 200


@dataclass
class Plan:
    """What is rebuilt, as `account` or `account domain`, and what is left alone and why."""

    things: list[str]
    skipped: list[dict[str, str]]

    def skip(self, name: str, reason: str) -> None:
        self.skipped.append({"name": name, "reason": reason})


def prepare(panel: Panel, params: dict[str, Any]) -> Work:
    names = checked_names(params)
    return lambda: rebuild(panel, params["what"], names)


def rebuild(panel: Panel, what: str, names: list[str]) -> dict[str, Any]:
    """Rebuild what of the named or of all accounts; the module's result."""
    if what in _SYSTEMS and panel.system(_SYSTEMS[what]) in ("", "remote"):
        raise PanelError(f"this server has no {what} service of its own to rebuild", error_class="refused")
    plan = _plan(panel, what, chosen(panel, names))
    if plan.things and not panel.check_mode:
        services = _RELOADS[what]
        panel.pending |= set(services)
        try:
            for_each(plan.things, lambda thing: _ACTS[what](panel, *thing.split()))
        except PanelError:
            # What was written is to be served all the same.
            with contextlib.suppress(PanelError):
                panel.reload(*services)
            raise
        panel.reload(*services)
        _verify(panel, what, plan.things)
    return {
        "changed": bool(plan.things),
        "facts": {"rebuilt": len(plan.things), "skipped": plan.skipped},
        "actions": list(dict.fromkeys(panel.actions)),
        "repaired": panel.repaired,
        "diff": {"before": {}, "after": {"rebuilt": plan.things} if plan.things else {}},
    }


# Plan


def _plan(panel: Panel, what: str, names: list[str]) -> Plan:
    plan = Plan([], [])
    for name in names:
        if panel.user_conf(name).get("SUSPENDED") == "yes":
            # The panel's commands end without a word.
            plan.skip(name, "the account is suspended")
        elif what == "users":
            plan.things.append(name)
        else:
            _plan_domains(panel, what, name, plan)
    return plan


def _plan_domains(panel: Panel, what: str, name: str, plan: Plan) -> None:
    for record in panel.records(name, what):
        domain = record.get("DOMAIN", "")
        if not re.fullmatch(r"[^\s/'\"]+", domain):
            plan.skip(name, f"{what}.conf has a line without a domain")
        elif what != "web" and record.get("SUSPENDED") == "yes":
            # A suspended site shows a page that says so; a zone would be published, mailboxes would be counted as gone.
            plan.skip(f"{name} {domain}", "it is suspended")
        elif what == "dns" and _last_record_is_off(panel, name, domain):
            plan.skip(f"{name} {domain}", "its last record is switched off: the panel would take the zone offline")
        else:
            plan.things.append(f"{name} {domain}")


def _last_record_is_off(panel: Panel, name: str, domain: str) -> bool:
    lines = read_text(panel.user_data(name, "dns", f"{domain}.conf")).splitlines()
    return bool(lines) and "SUSPENDED='yes'" in lines[-1]


# Act: without reloads, which come once at the end


def _web(panel: Panel, user: str, domain: str) -> None:
    panel.must("v-rebuild-web-domain", user, domain, "no", owes=(f"counters:{user}",))


def _mail(panel: Panel, user: str, domain: str) -> None:
    panel.must("v-rebuild-mail-domain", user, domain, "no", owes=(f"counters:{user}",))


def _dns(panel: Panel, user: str, domain: str) -> None:
    panel.pending.add(f"counters:{user}")
    ended = panel.run("v-rebuild-dns-domain", user, domain, "no", "no")
    # It has set the account's counters from this zone alone.
    panel.must("v-update-user-counters", user)
    panel.pending.discard(f"counters:{user}")
    if ended.code:
        raise ended.error()


def _user(panel: Panel, user: str) -> None:
    panel.must("v-rebuild-user", user, "no", owes=(f"counters:{user}",))


_ACTS: dict[str, Callable[..., None]] = {"web": _web, "mail": _mail, "dns": _dns, "users": _user}


# Verify: the commands end with 0 whatever came of it


def _verify(panel: Panel, what: str, things: list[str]) -> None:
    lacking = {"web": _lacking_web, "mail": _lacking_mail, "dns": _lacking_dns, "users": _lacking_users}[what]
    found = lacking(panel, [(words[0], words[-1]) for words in (thing.split() for thing in things)])
    failed = [(thing, PanelError(words, error_class="inconsistent")) for thing, words in found.items()]
    complain(failed, len(things))


def _lacking_web(panel: Panel, domains: list[tuple[str, str]]) -> dict[str, str]:
    systems = [panel.system("WEB_SYSTEM")]
    found = {}
    for user, domain in domains:
        proxied = panel.record(user, "web", domain).get("PROXY")
        proxy = [panel.system("PROXY_SYSTEM")] if proxied and panel.system("PROXY_SYSTEM") else []
        for system in systems + proxy:
            if not os.path.exists(panel.path("etc", system, "conf.d", "domains", f"{domain}.conf")):
                found[f"{user} {domain}"] = f"{system} has no configuration of the domain"
    return found


def _lacking_mail(panel: Panel, domains: list[tuple[str, str]]) -> dict[str, str]:
    system = panel.system("MAIL_SYSTEM")
    return {
        f"{user} {domain}": f"{system} does not know the domain"
        for user, domain in domains
        if domain.isascii() and not os.path.exists(panel.path("etc", system, "domains", domain))
    }


def _lacking_users(panel: Panel, users: list[tuple[str, str]]) -> dict[str, str]:
    listed = {line.partition(":")[0] for line in read_text(panel.path("etc", "passwd")).splitlines()}
    return {
        user: "the system user or its home is missing"
        for user, _ in users
        if user not in listed or not exists(panel.home(user))
    }


def _lacking_dns(panel: Panel, zones: list[tuple[str, str]]) -> dict[str, str]:
    named = read_text(named_conf(panel))
    found = {}
    for user, domain in zones:
        lines = named.count(f'/{user}/conf/dns/{domain}.db"')
        if lines != 1:
            found[f"{user} {domain}"] = f"named.conf has {lines} lines for the zone"
    asked = {domain: f"{user} {domain}" for user, domain in zones if domain.isascii()}
    deadline = time.monotonic() + _SERVED_SECONDS
    while (silent := set(asked) - _served(panel, sorted(asked))) and time.monotonic() < deadline:
        asked = {domain: asked[domain] for domain in silent}
        time.sleep(0.2)
    for domain in silent:
        found.setdefault(asked[domain], "the DNS server does not answer for the zone")
    return found


def _served(panel: Panel, domains: list[str]) -> set[str]:
    """The zones for which the server itself has an SOA record."""
    address, port = dns_address(panel)
    line = [f"@{address}", "-p", port, "+norecurse", "+tcp", "+noall", "+answer", "+time=2", "+tries=1"]
    served: set[str] = set()
    for start in range(0, len(domains), _QUESTIONS):
        questions = [word for domain in domains[start : start + _QUESTIONS] for word in (f"{domain}.", "SOA")]
        said = panel.tool("dig", *line, *questions, timeout=60.0).stdout
        served |= {found.lower() for found in re.findall(r"^(\S+)\.\s+\d+\s+IN\s+SOA\s", said, re.MULTILINE)}
    return served
