"""The ways a list is printed: JSON with the panel's own spacing, or tab-separated."""

from __future__ import annotations

from .core import Panel
from .records import Record


def escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def fields(record: Record, keys: list[str], indent: str = "        ", tight: tuple[str, ...] = ()) -> str:
    """``"KEY": "value"`` lines; keys in ``tight`` have no space after the colon."""
    return ",\n".join(f'{indent}"{key}":{"" if key in tight else " "}"{escape(record.get(key, ""))}"' for key in keys)


def json_objects(panel: Panel, entries: list[tuple[str, str]], close: str = "    }", last: str = "\n") -> None:
    """An object of named objects. ``close`` ends each, ``last`` stands between the last one and the end."""
    if not entries:
        panel.say("{\n}")
        return
    body = ",\n".join(f'    "{name}": {{\n{body}\n{close}' for name, body in entries)
    panel.say("{\n" + body + last + "}")


def json_names(panel: Panel, names: list[str], indent: str = "\t") -> None:
    panel.say("[\n" + ",\n".join(f'{indent}"{name}"' for name in names) + "\n]")


def plain(panel: Panel, rows: list[list[str]], end: str = "") -> None:
    for row in rows:
        panel.say("\t".join(row) + end)
