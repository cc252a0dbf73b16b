"""International names."""

from __future__ import annotations


def to_ascii(name: str) -> str:
    """As ``idn2`` does; a name that has no such form stays as it is."""
    if name.isascii():
        return name
    try:
        return ".".join(label if label.isascii() else label.encode("idna").decode() for label in name.split("."))
    except UnicodeError:
        return name
