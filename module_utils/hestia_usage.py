# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all accounts use, read from the panel's own files in one go. MB are as the panel counts them."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.module_utils.hestia_conf import parse_file, parse_records, read_text
from ansible.module_utils.hestia_panel import Panel

# Totals that the panel keeps in user.conf. What can be counted is counted, because its counters may be wrong.
_TOTALS = {
    "disk": "U_DISK",
    "disk_web": "U_DISK_WEB",
    "disk_mail": "U_DISK_MAIL",
    "disk_db": "U_DISK_DB",
    "bandwidth": "U_BANDWIDTH",
}
_LIMITS = {
    "bandwidth": "BANDWIDTH",
    "web_domains": "WEB_DOMAINS",
    "web_aliases": "WEB_ALIASES",
    "dns_domains": "DNS_DOMAINS",
    "dns_records": "DNS_RECORDS",
    "mail_domains": "MAIL_DOMAINS",
    "mail_accounts": "MAIL_ACCOUNTS",
    "databases": "DATABASES",
    "cron_jobs": "CRON_JOBS",
    "backups": "BACKUPS",
}
_LISTS = {"databases": "db.conf", "cron_jobs": "cron.conf", "backups": "backup.conf"}


def usage(panel: Panel) -> dict[str, Any]:
    """`users` with what they use, and `broken`: accounts that are half made or cannot be read, and why."""
    system_users = {line.partition(":")[0] for line in read_text(panel.path("etc", "passwd")).splitlines()}
    users: list[dict[str, Any]] = []
    broken: list[dict[str, str]] = []
    for name in panel.users():
        try:
            user = _user(panel, name)
        except (OSError, UnicodeError) as error:
            broken.append({"name": name, "reason": f"its files cannot be read: {error}"})
            continue
        if user is None:
            broken.append({"name": name, "reason": "it is half made: its user.conf is missing or not finished"})
            continue
        users.append(user)
        if name not in system_users:
            broken.append({"name": name, "reason": "its system user is missing"})
    return {"users": users, "broken": broken}


def _user(panel: Panel, name: str) -> Optional[dict[str, Any]]:
    folder = panel.user_data(name)
    conf = parse_file(_text(folder, "user.conf"))
    if "DATE" not in conf:
        # The last line that the panel writes.
        return None
    web = _web(folder)
    mail = _mail(folder)
    dns = _dns(folder)
    return {
        "name": name,
        "package": conf.get("PACKAGE", ""),
        "role": conf.get("ROLE", ""),
        "suspended": conf.get("SUSPENDED") == "yes",
        **{word: number(conf.get(key, "")) for word, key in _TOTALS.items()},
        "web_domains": len(web),
        "web_aliases": sum(site.pop("aliases") for site in web.values()),
        "ftp_accounts": sum(site["ftp_accounts"] for site in web.values()),
        "dns_domains": len(dns),
        "dns_records": sum(dns.values()),
        "mail_domains": len(mail),
        "mail_accounts": sum(domain["accounts"] for domain in mail.values()),
        **{word: _lines(folder, file) for word, file in _LISTS.items()},
        "quota": _limit(conf.get("DISK_QUOTA", "")),
        "limits": {word: _limit(conf.get(key, "")) for word, key in _LIMITS.items()},
        "domains": {"web": web, "mail": mail, "dns": dns},
    }


def _web(folder: str) -> dict[str, dict[str, int]]:
    return {
        row["DOMAIN"]: {
            "disk": number(row.get("U_DISK", "")),
            "bandwidth": number(row.get("U_BANDWIDTH", "")),
            "ftp_accounts": _count(row.get("FTP_USER", ""), ":"),
            "aliases": _count(row.get("ALIAS", ""), ","),
        }
        for row in parse_records(_text(folder, "web.conf"))
        if row.get("DOMAIN")
    }


def _mail(folder: str) -> dict[str, dict[str, int]]:
    return {
        row["DOMAIN"]: {
            "disk": number(row.get("U_DISK", "")),
            "accounts": _lines(folder, "mail", f"{row['DOMAIN']}.conf"),
        }
        for row in parse_records(_text(folder, "mail.conf"))
        if row.get("DOMAIN")
    }


def _dns(folder: str) -> dict[str, int]:
    return {
        row["DOMAIN"]: number(row["RECORDS"]) if row.get("RECORDS") else _lines(folder, "dns", f"{row['DOMAIN']}.conf")
        for row in parse_records(_text(folder, "dns.conf"))
        if row.get("DOMAIN")
    }


def _text(folder: str, *parts: str) -> str:
    return read_text(os.path.join(folder, *parts))


def _lines(folder: str, *parts: str) -> int:
    return sum(1 for line in _text(folder, *parts).splitlines() if line.strip())


def _count(text: str, separator: str) -> int:
    return sum(1 for part in text.split(separator) if part)


def _limit(text: str) -> Optional[int]:
    """None when there is no limit."""
    return int(text) if text.isdecimal() else None


def number(text: str) -> int:
    """What the panel has written where it counts: a damaged value counts as nothing."""
    return int(text) if text.isdecimal() else 0
