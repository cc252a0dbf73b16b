# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a PowerDNS server is doing. Reads only."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.powerdns import Api, ApiError


def status(api: Api) -> dict[str, Any]:
    """Version, zones and statistics."""
    server = api.get()
    if not isinstance(server, dict) or server.get("daemon_type") != "authoritative":
        raise ApiError(f"what answers at {api.url} is not an authoritative PowerDNS", error_class="not_found")
    figures = {
        item["name"]: int(item["value"])
        for item in api.get("/statistics")
        if item.get("type") == "StatisticItem" and str(item.get("value", "")).isdigit()
    }
    settings = {item.get("name"): item.get("value") for item in api.get("/config")}
    return {
        "hostname": str(settings.get("server-id") or ""),
        "panel_version": str(server.get("version", "")),
        # Without a look at the keys of every zone, which takes long where there are many.
        "zones": len(api.get("/zones?dnssec=false")),
        "uptime": figures.get("uptime", 0),
        "queries": figures.get("udp-queries", 0) + figures.get("tcp-queries", 0),
        "latency_us": figures.get("latency", 0),
        "services": {"pdns": "running"},
    }
