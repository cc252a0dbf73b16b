"""Figures and states of servers as pages show them; what a server reported is not trusted to be complete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.words import Capability, Driver, ServerStatus
from controller.store.models import Server
from controller.store.server_queries import History, Room
from controller.web.present import CAPABILITY_WORDS, SERVER_STATES, grouped, megabytes

DRIVER_WORDS = {Driver.HESTIACP: "HestiaCP", Driver.POWERDNS: "PowerDNS"}

STATUS_WAYS: Mapping[ServerStatus, tuple[str, str]] = {
    ServerStatus.ACTIVE: ("Active", "Takes new services; everything runs."),
    ServerStatus.CLOSED: (
        "No new services",
        "New services are placed elsewhere. What lives here goes on and is changed, checked and suspended as always.",
    ),
    ServerStatus.MAINTENANCE: (
        "Maintenance",
        "Nothing is done on it: tasks wait and go on by themselves when it is back. Its websites, mail and zones are "
        "not touched. No new services.",
    ),
    ServerStatus.DISABLED: (
        "Disabled",
        "Out of use: it is not looked at any more, its tasks wait and new services are placed elsewhere. What lives "
        "here is neither moved nor deleted.",
    ),
}
"""What each status is called and what it does."""


@dataclass(frozen=True)
class Gauge:
    """One figure as a bar."""

    name: str
    text: str
    value: float
    """Percent, at most 100."""
    note: str = ""


def number(facts: Mapping[str, Any], key: str) -> float | None:
    """A figure that a server reported; None when it did not, or reported something else."""
    value = facts.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def gauges(server: Server) -> list[Gauge]:
    """Processor, memory, disk and load, those that are known."""
    facts = server.facts or {}
    found: list[Gauge] = []
    cpu = number(facts, "cpu")
    if cpu is not None:
        found.append(_percent("CPU", cpu))
    for name, key in (("RAM", "memory"), ("Disk", "disk")):
        used, whole = number(facts, f"{key}_used_mb"), number(facts, f"{key}_mb")
        if used is not None and whole:
            found.append(_percent(name, 100 * used / whole, f"{megabytes(used)} of {megabytes(whole)}"))
    load, cpus = number(facts, "load"), number(facts, "cpus") or 1
    if load is not None:
        note = f"{cpus:.0f} processor{'' if cpus == 1 else 's'}"
        found.append(Gauge("Load", f"{load:.2f}", min(100.0, 100 * load / cpus), note))
    return found


def _percent(name: str, share: float, note: str = "") -> Gauge:
    return Gauge(name, f"{share:.0f} %", max(0.0, min(100.0, share)), note)


def uptime(seconds: float) -> str:
    """``12 min``, ``5 h 10 min``, ``3 days 4 h``."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} day{'' if days == 1 else 's'} {hours} h"


def moment(at: int) -> str:
    """Unix seconds as ``21 Nov, 14:05``."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%-d %b, %H:%M")


def services_up(server: Server) -> tuple[int, int] | None:
    """How many of a server's programs run, of how many; None when it has not said."""
    services = (server.facts or {}).get("services")
    if not isinstance(services, Mapping) or not services:
        return None
    return sum(state == "running" for state in services.values()), len(services)


def accounts(server: Server) -> int | None:
    """How many accounts (on a PowerDNS server: zones) it has."""
    facts = server.facts or {}
    count = number(facts, "zones" if server.driver is Driver.POWERDNS else "users")
    return None if count is None else int(count)


def system(server: Server) -> str:
    """``Debian 12``; empty before the first look."""
    facts = server.facts or {}
    name = str(facts.get("os") or "")
    return f"{name[:1].upper()}{name[1:]} {facts.get('os_version') or ''}".strip()


def version(server: Server) -> str:
    """``HestiaCP 1.9.9``; empty before the first look."""
    found = (server.facts or {}).get("panel_version")
    return f"{DRIVER_WORDS[server.driver]} {found}" if found else ""


def door(server: Server) -> str:
    """Where the controller gets in: host and port, or the address of the API."""
    if server.driver is Driver.POWERDNS:
        return server.api_url
    host = f"[{server.address}]" if ":" in server.address else server.address
    return f"{host}:{server.port}"


def closed_roles(server: Server) -> list[Capability]:
    """Roles of which it takes no new services although it takes others."""
    closed = {
        Capability.WEB: server.closed_web,
        Capability.MAIL: server.closed_mail,
        Capability.DNS: server.closed_dns,
    }
    return [role for role in server.capabilities if closed[role]]


def remarks(server: Server) -> list[str]:
    """What a state in one word does not tell."""
    found = []
    if (server.blocked_since or server.problem) and server.status is not ServerStatus.ACTIVE:
        found.append(SERVER_STATES[server.status][0])
    if server.status is ServerStatus.ACTIVE and (closed := closed_roles(server)):
        found.append(f"Closed for {', '.join(CAPABILITY_WORDS[role.value] for role in closed)}")
    return found


def fill(room: Room) -> tuple[int, str]:
    """How full a server is in five steps, and the colour of its bar."""
    share = room.share
    if share is None:
        return (1 if room.used else 0), ""
    return min(5, int(share * 5) + (1 if room.used else 0)), tone(share)


def tone(share: float) -> str:
    """The colour of a bar by how full it is."""
    return "meter-bad" if share >= 0.95 else "meter-warn" if share >= 0.8 else ""


@dataclass(frozen=True)
class Chart:
    """One series of a history: what the script draws, and the same in words."""

    title: str
    data: Mapping[str, Any]
    words: str


CHARTS = (
    ("cpu", "CPU", "%", 100),
    ("memory", "RAM", "%", 100),
    ("disk", "Disk", "%", 100),
    ("load", "Load", "", None),
    ("accounts", "Accounts", "", None),
)


def charts(history: History, driver: Driver = Driver.HESTIACP) -> list[Chart]:
    """A chart for every figure that was reported in this time."""
    found = []
    for key, title, unit, maximum in CHARTS:
        series = history.series[key]
        known = [value for value in series if value is not None]
        if not known:
            continue
        if key == "accounts" and driver is Driver.POWERDNS:
            title = "Zones"
        line = {"name": title, "y": series}
        data = {"x": history.times, "lines": [line], "unit": unit, "max": maximum}
        data |= {"from": history.since, "to": history.until}
        found.append(Chart(title, data, in_words(known, unit)))
    return found


def in_words(known: Sequence[float], unit: str = "") -> str:
    """``12 % last, 3 % to 40 %``; the last figure of a server that does not answer is an old one."""
    low, high = amount(min(known), unit), amount(max(known), unit)
    return f"{amount(known[-1], unit)} last, " + (f"always {low}" if low == high else f"{low} to {high}")


def amount(value: float, unit: str) -> str:
    """A figure with its unit."""
    return megabytes(value) if unit == "MB" else f"{_short(value)} {unit}".rstrip()


def _short(value: float) -> str:
    return grouped(round(value)) if value >= 10 or value == int(value) else f"{value:.2f}".rstrip("0").rstrip(".")


def sampled(history: History, rows: int = 24) -> list[tuple[int, list[float | None]]]:
    """Some points of a history for a table, the newest first."""
    step = max(1, -(-len(history.times) // rows))
    places = range(len(history.times) - 1, -1, -step)
    return [(history.times[place], [history.series[key][place] for key, *_ in CHARTS]) for place in places]
