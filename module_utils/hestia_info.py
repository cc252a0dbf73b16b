# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server is and how it is doing. Reads only."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from typing import Any

from ansible.module_utils.hestia_conf import read_file, read_text
from ansible.module_utils.hestia_mail import hostname
from ansible.module_utils.hestia_packages import DEFAULTS
from ansible.module_utils.hestia_panel import TOOL_PATH, Panel

_SYSTEMS = {
    "web": "WEB_SYSTEM",
    "proxy": "PROXY_SYSTEM",
    "mail": "MAIL_SYSTEM",
    "imap": "IMAP_SYSTEM",
    "dns": "DNS_SYSTEM",
    "db": "DB_SYSTEM",
}
_OLDEST = (1, 9)
# Programs that the modules call, by the system of the panel that needs them, and what cannot be done without.
_PROGRAMS = {
    "web": {"openssl": "certificates cannot be made"},
    "mail": {"openssl": "DKIM keys cannot be read"},
    "dns": {"named-checkzone": "zones cannot be checked", "dig": "the DNS server cannot be asked for its zones"},
}
# Words in the names of settings whose value nobody needs to see.
_SECRET = frozenset({"PASSWD", "PASSWORD", "PASS", "KEY", "SECRET", "TOKEN"})
_MASK = "********"
_MEASURED_SECONDS = 0.25


def server_info(panel: Panel) -> dict[str, Any]:
    """All facts of the server. Load is the 1-minute average; memory and disk are in MB."""
    # First of all: what is asked of the panel below would be measured too.
    cpu = _cpu_percent()
    release = read_file("/etc/os-release")
    memory = {
        key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB", read_text("/proc/meminfo"), re.MULTILINE)
    }
    disk = os.statvfs(panel.path("home") if os.path.isdir(panel.path("home")) else "/")
    addresses = panel.data("ips")
    services = list_services(panel)
    systems = {word: panel.system(key) for word, key in _SYSTEMS.items()}
    return {
        "hostname": hostname(panel),
        "os": release.get("ID", "").lower(),
        "os_version": release.get("VERSION_ID", ""),
        "panel_version": panel.conf.get("VERSION", ""),
        "ips": sorted(os.listdir(addresses)) if os.path.isdir(addresses) else [],
        "root": os.geteuid() == 0,
        "load": float((read_text("/proc/loadavg").split() or ["0"])[0]),
        "cpu": cpu,
        "cpus": os.cpu_count() or 1,
        "uptime": int(float((read_text("/proc/uptime").split() or ["0"])[0])),
        "memory_mb": memory.get("MemTotal", 0) // 1024,
        "memory_used_mb": (memory.get("MemTotal", 0) - memory.get("MemAvailable", 0)) // 1024,
        "disk_mb": disk.f_blocks * disk.f_frsize // 1048576,
        "disk_used_mb": (disk.f_blocks - disk.f_bfree) * disk.f_frsize // 1048576,
        "services": {service["name"]: service["state"] for service in services},
        "users": len(panel.users()),
        "systems": systems,
        "missing": missing(panel.conf.get("VERSION", ""), systems),
        "views": {
            "config": shown_config(panel.conf),
            "packages": _packages(panel),
            "addresses": _addresses(panel),
            "services": services,
        },
    }


def _cpu_percent() -> float:
    """How busy all processors together are, in a moment's look."""
    before = _cpu_times()
    time.sleep(_MEASURED_SECONDS)
    after = _cpu_times()
    passed = [max(0, after[field] - before[field]) for field in range(min(len(before), len(after)))]
    idle = sum(passed[3:5])  # idle and waiting for a disk
    return round(100.0 * (sum(passed) - idle) / sum(passed), 1) if sum(passed) else 0.0


def _cpu_times() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal; the guests' times are in the first two already."""
    fields = read_text("/proc/stat").partition("\n")[0].split()[1:9]
    return [int(field) for field in fields]


def missing(version: str, systems: dict[str, str]) -> list[str]:
    """What this server lacks to be managed well, in sentences for staff."""
    found = []
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if not numbers:
        found.append("The version of HestiaCP is not known: VERSION is missing in its hestia.conf.")
    elif numbers < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        found.append(f"HestiaCP {version} is too old: {oldest} or later is needed.")
    programs = {
        program: reason
        for system, needed in _PROGRAMS.items()
        if systems.get(system)
        for program, reason in needed.items()
    }
    for program, reason in programs.items():
        if shutil.which(program, path=TOOL_PATH) is None:
            found.append(f"{program} is not installed: {reason}.")
    return found


# Views: what is a list on the server


def shown_config(conf: dict[str, str]) -> dict[str, str]:
    """hestia.conf without its secrets."""
    return {key: _MASK if value and _is_secret(key) else value for key, value in sorted(conf.items())}


def _is_secret(key: str) -> bool:
    return not key.startswith("POLICY_") and not _SECRET.isdisjoint(key.upper().split("_"))


def _packages(panel: Panel) -> list[dict[str, str]]:
    folder = panel.data("packages")
    names = sorted(name[:-4] for name in os.listdir(folder) if name.endswith(".pkg")) if os.path.isdir(folder) else []
    found = []
    for name in names:
        pairs = read_file(os.path.join(folder, f"{name}.pkg"))
        found.append({"name": name, **{key: pairs[key] for key in DEFAULTS if key in pairs}})
    return found


def _addresses(panel: Panel) -> list[dict[str, Any]]:
    folder = panel.data("ips")
    found = []
    for ip in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        pairs = read_file(os.path.join(folder, ip))
        found.append(
            {
                "ip": ip,
                "owner": pairs.get("OWNER", ""),
                "status": pairs.get("STATUS", ""),
                "nat": pairs.get("NAT", ""),
                "interface": pairs.get("INTERFACE", ""),
                "users": [name for name in pairs.get("U_SYS_USERS", "").split(",") if name],
                "web_domains": _number(pairs.get("U_WEB_DOMAINS", "")),
            }
        )
    return found


def list_services(panel: Panel) -> list[dict[str, Any]]:
    """The services that the panel shows, in its order; [] when it cannot say."""
    listed = panel.query("v-list-sys-services", "json")
    try:
        services = json.loads(listed.output) if listed.code == 0 else {}
    except ValueError:
        services = {}
    return [
        {
            "name": name,
            "what": str(values.get("SYSTEM", "")),
            "state": str(values.get("STATE", "")),
            "cpu": _decimal(values.get("CPU", "")),
            "memory_mb": _number(values.get("MEM", "")),
            "minutes": _number(values.get("RTIME", "")),
        }
        for name, values in services.items()
        if isinstance(values, dict)
    ]


def _decimal(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return 0.0


def _number(text: Any) -> int:
    return int(_decimal(text))
