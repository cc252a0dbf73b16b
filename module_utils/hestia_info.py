# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server is and how it is doing. Reads only."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from ansible.module_utils.hestia_conf import read_file, read_text
from ansible.module_utils.hestia_mail import hostname
from ansible.module_utils.hestia_panel import Panel

_SYSTEMS = {
    "web": "WEB_SYSTEM",
    "proxy": "PROXY_SYSTEM",
    "mail": "MAIL_SYSTEM",
    "imap": "IMAP_SYSTEM",
    "dns": "DNS_SYSTEM",
    "db": "DB_SYSTEM",
}


def server_info(panel: Panel) -> dict[str, Any]:
    """All facts of the server. Load is the 1-minute average; memory and disk are in MB."""
    release = read_file("/etc/os-release")
    memory = {
        key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB", read_text("/proc/meminfo"), re.MULTILINE)
    }
    disk = os.statvfs(panel.path("home") if os.path.isdir(panel.path("home")) else "/")
    addresses = panel.data("ips")
    return {
        "hostname": hostname(panel),
        "os": release.get("ID", "").lower(),
        "os_version": release.get("VERSION_ID", ""),
        "panel_version": panel.conf.get("VERSION", ""),
        "ips": sorted(os.listdir(addresses)) if os.path.isdir(addresses) else [],
        "root": os.geteuid() == 0,
        "load": float((read_text("/proc/loadavg").split() or ["0"])[0]),
        "cpus": os.cpu_count() or 1,
        "memory_mb": memory.get("MemTotal", 0) // 1024,
        "memory_used_mb": (memory.get("MemTotal", 0) - memory.get("MemAvailable", 0)) // 1024,
        "disk_mb": disk.f_blocks * disk.f_frsize // 1048576,
        "disk_used_mb": (disk.f_blocks - disk.f_bfree) * disk.f_frsize // 1048576,
        "services": _services(panel),
        "users": len(panel.users()),
        "systems": {word: panel.system(key) for word, key in _SYSTEMS.items()},
    }


def _services(panel: Panel) -> dict[str, str]:
    listed = panel.query("v-list-sys-services", "json")
    try:
        services = json.loads(listed.output) if listed.code == 0 else {}
    except ValueError:
        services = {}
    return {name: str(values.get("STATE", "")) for name, values in services.items() if isinstance(values, dict)}
