# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings that belong together: which of them has to be right before another one is touched, and what does not fit.

Whatever stops a push in between, the second one refused or the module killed, leaves nothing half open.
"""

from __future__ import annotations

from collections.abc import Mapping

_CLOSED = {"API": "no", "API_SYSTEM": "0"}
_GZIP_LEVELS = 9


def first_of(key: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Keys that come before this one, among those that are wanted or not."""
    value = wanted[key]
    if key in _CLOSED:
        # Nobody may use the API before it is said from where,
        return () if value == _CLOSED[key] else ("API_ALLOWED_IP",)
    if key == "API_ALLOWED_IP":
        # and what is closed is closed before others are let near it.
        return tuple(door for door, closed in _CLOSED.items() if wanted.get(door) == closed)
    # gzip fails with some of the levels that zstd has, and backups with it.
    if key == "BACKUP_MODE":
        return ("BACKUP_GZIP",) if value == "gzip" else ()
    if key == "BACKUP_GZIP":
        return ("BACKUP_MODE",) if wanted.get("BACKUP_MODE") == "zstd" else ()
    return ()


def unfit(key: str, value: str, conf: Mapping[str, str]) -> str:
    """Why a value does not go with what else this panel has, in words; "" when it does. The panel would take it."""
    if key == "BACKUP_GZIP":
        mode, level = conf.get("BACKUP_MODE", ""), value
    elif key == "BACKUP_MODE":
        mode, level = value, conf.get("BACKUP_GZIP", "")
    else:
        return ""
    if mode != "gzip" or not level.isdecimal() or int(level) <= _GZIP_LEVELS:
        return ""
    return f"backups would fail: with BACKUP_MODE gzip BACKUP_GZIP goes to {_GZIP_LEVELS}, not to {level}"
