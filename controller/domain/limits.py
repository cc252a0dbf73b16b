"""Limits of a product or service: one catalogue, their resolution, and what the panel calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.problems import Problem
from controller.domain.words import Capability

UNLIMITED = "unlimited"
Value = int | str


@dataclass(frozen=True)
class Limit:
    """One limit a product can set and an order can raise or lower."""

    key: str
    role: Capability
    label: str
    default: int
    maximum: int
    unit: str = ""
    unlimited: bool = True


CATALOGUE: tuple[Limit, ...] = (
    Limit("web_disk_quota", Capability.WEB, "Web disk space", 5_000, 10_000_000, "MB"),
    Limit("web_bandwidth", Capability.WEB, "Traffic per month", 100_000, 1_000_000_000, "MB"),
    Limit("web_databases", Capability.WEB, "Databases", 5, 10_000),
    Limit("web_ftp_accounts", Capability.WEB, "FTP accounts", 10, 10_000),
    Limit("web_cron_jobs", Capability.WEB, "Cron jobs", 10, 10_000),
    Limit("web_aliases", Capability.WEB, "Extra host names", 10, 10_000),
    Limit("web_backups", Capability.WEB, "Web backups kept", 5, 365, unlimited=False),
    Limit("mail_disk_quota", Capability.MAIL, "Mail disk space", 5_000, 10_000_000, "MB"),
    Limit("mail_accounts", Capability.MAIL, "Mailboxes", 10, 100_000),
    Limit("mail_rate_limit", Capability.MAIL, "Mails sent per hour and mailbox", 200, 100_000, unlimited=False),
    Limit("mail_backups", Capability.MAIL, "Mail backups kept", 2, 365, unlimited=False),
    Limit("dns_records", Capability.DNS, "DNS records", 500, 10_000),
)
BY_KEY = {limit.key: limit for limit in CATALOGUE}


def check(values: Mapping[str, Any], field: str) -> tuple[dict[str, Value], list[Problem]]:
    """The values that are fine, and a problem for each that is not."""
    good: dict[str, Value] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        where = f"{field}.{key}"
        limit = BY_KEY.get(key)
        if limit is None:
            problems.append(Problem(where, f"unknown limit; known are {', '.join(BY_KEY)}"))
        elif value == UNLIMITED and limit.unlimited:
            good[key] = UNLIMITED
        elif isinstance(value, bool) or not isinstance(value, int):
            words = "a whole number" + (f' or "{UNLIMITED}"' if limit.unlimited else "")
            problems.append(Problem(where, f"must be {words}"))
        elif not 0 <= value <= limit.maximum:
            problems.append(Problem(where, f"must be between 0 and {limit.maximum}"))
        else:
            good[key] = value
    return good, problems


def resolve(product: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[dict[str, Value], list[Problem]]:
    """Limits of a new service: the order's options over the product's over the defaults."""
    ordered, problems = check(options, "options")
    defaults = {limit.key: limit.default for limit in CATALOGUE}
    return {**defaults, **dict(product), **ordered}, problems


def active_roles(roles: Iterable[str], limits: Mapping[str, Any]) -> list[Capability]:
    """Role gate: a role is on when the product has it and its disk quota is not 0; DNS has no quota."""
    wanted = {Capability(role) for role in roles}
    gates = {Capability.WEB: "web_disk_quota", Capability.MAIL: "mail_disk_quota"}
    return [role for role in Capability if role in wanted and (role not in gates or limits.get(gates[role]) != 0)]


def _sum(values: Iterable[Value]) -> Value:
    numbers = list(values)
    return UNLIMITED if UNLIMITED in numbers else sum(int(number) for number in numbers)


def panel_limits(roles: Iterable[str], limits: Mapping[str, Value]) -> dict[str, Value]:
    """Keys of a panel package for an account that backs these roles.

    An account only gets what its roles need: everything else is 0.
    """
    backs = {Capability(role) for role in roles}
    web, mail, dns = (role in backs for role in (Capability.WEB, Capability.MAIL, Capability.DNS))
    disk = [limits[f"{role}_disk_quota"] for role in (Capability.WEB, Capability.MAIL) if role in backs]
    backups = [limits[f"{role}_backups"] for role in (Capability.WEB, Capability.MAIL) if role in backs]
    aliases = limits["web_aliases"]
    return {
        "WEB_DOMAINS": 1 if web else 0,
        # www.<domain> is made with every domain and counts.
        "WEB_ALIASES": (aliases if aliases == UNLIMITED else int(aliases) + 1) if web else 0,
        "DATABASES": limits["web_databases"] if web else 0,
        "CRON_JOBS": limits["web_cron_jobs"] if web else 0,
        "BANDWIDTH": limits["web_bandwidth"] if web else UNLIMITED,
        "MAIL_DOMAINS": 1 if mail else 0,
        "MAIL_ACCOUNTS": limits["mail_accounts"] if mail else 0,
        "RATE_LIMIT": limits["mail_rate_limit"],
        "DNS_DOMAINS": 1 if dns else 0,
        "DNS_RECORDS": limits["dns_records"] if dns else 0,
        "DISK_QUOTA": _sum(disk) if disk else UNLIMITED,
        "BACKUPS": max((int(number) for number in backups), default=0),
    }
