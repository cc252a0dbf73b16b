# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logs of a host name in the web servers' folders, which hold visitors' addresses.

The panel deletes those of the web server with a site. It leaves what a proxy wrote while the site was suspended, and
what was written for webmail.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re

from ansible.module_utils.hestia_panel import Panel


def logs_of(panel: Panel, host: str) -> list[str]:
    """Their paths, rotated ones among them; [] while a site of any account has the name."""
    if _has_site(panel, host):
        return []
    name = re.compile(rf"{re.escape(host)}\.(?:(?:error\.)?log(?:\.[0-9]+(?:\.gz)?)?|bytes)")
    found = glob.glob(panel.path("var", "log", "*", "domains", f"{glob.escape(host)}.*"))
    return sorted(path for path in found if name.fullmatch(os.path.basename(path)))


def remove_logs(paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _has_site(panel: Panel, host: str) -> bool:
    return any(
        host == line.get("DOMAIN") or host in line.get("ALIAS", "").split(",")
        for user in panel.users()
        for line in panel.records(user, "web")
    )
