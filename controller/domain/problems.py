"""Bad input, said field by field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one field; ``field`` is a dotted path (``options.web_disk_quota``)."""

    field: str
    reason: str
