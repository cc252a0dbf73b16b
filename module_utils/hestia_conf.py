# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Read the panel's flat files: lines and files of KEY='value' pairs, without ever evaluating them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

# A value ends at a quote that is followed by blank or end of line, so a stray quote inside one survives.
_PAIR = re.compile(r"(?:^|(?<=\s))([A-Za-z_][A-Za-z0-9_]*)='(.*?)'(?=\s|$)")


def parse_pairs(text: str) -> dict[str, str]:
    """The KEY='value' pairs of one record; the first of a repeated key counts, as it does for the panel."""
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(text):
        pairs.setdefault(key, value)
    return pairs


def parse_records(text: str) -> list[dict[str, str]]:
    """One dictionary per line; lines that hold no pair are left out."""
    return [pairs for pairs in (parse_pairs(line) for line in text.splitlines()) if pairs]


def parse_file(text: str) -> dict[str, str]:
    """A file with one KEY='value' (or KEY=value) per line, like user.conf or a package; the first of a key counts."""
    return _parsed(text.splitlines())


def parse_settings(text: str) -> dict[str, str]:
    """hestia.conf, which the panel's commands read line by line: the last of a repeated key counts."""
    return _parsed(reversed(text.splitlines()))


def _parsed(lines: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        pairs.setdefault(key, value)
    return pairs


def format_pairs(pairs: dict[str, str]) -> str:
    """One record line. Values must hold no quote and no control character (checked by the caller)."""
    return " ".join(f"{key}='{value}'" for key, value in pairs.items())


def read_text(path: str) -> str:
    """The file's text, or "" when it does not exist; undecodable bytes survive a round trip."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_records(path: str) -> list[dict[str, str]]:
    return parse_records(read_text(path))


def read_file(path: str) -> dict[str, str]:
    return parse_file(read_text(path))


def read_settings(path: str) -> dict[str, str]:
    return parse_settings(read_text(path))


def replace_text(path: str, text: str) -> None:
    """Replace the content of an existing file in one step, keeping its mode and owner."""
    stat = os.stat(path)
    fresh = f"{path}.hestia-fleet"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.chmod(fresh, stat.st_mode & 0o7777)
    if os.geteuid() == 0:
        os.chown(fresh, stat.st_uid, stat.st_gid)
    os.replace(fresh, path)
