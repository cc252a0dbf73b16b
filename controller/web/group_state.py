"""What panels have beside what their group wants, in words for pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.automation.group_wishes import server_settings
from controller.domain.config_keys import ConfigKey, Kind, Tier
from controller.domain.words import Driver
from controller.store.models import Server

View = Mapping[str, Any]
VALUES_SHOWN = 3
_SWITCH = {"yes": "Yes", "no": "No"}
"""Settings that are only shown hold these too."""


def differing(server: Server, view: View | None, scope: str = Tier.ALL) -> int | None:
    """How many managed settings a panel has otherwise; None when nothing is managed there or it is not known."""
    wanted = server_settings(server, scope)
    if not wanted or view is None:
        return None
    return sum(str(view.get(line["key"], "")) != line["value"] for line in wanted)


def drift_state(server: Server, view: View | None) -> tuple[str, str] | None:
    """Words and tone for a server in a list; None where its group manages nothing."""
    if server.driver is not Driver.HESTIACP or not server_settings(server, Tier.ALL):
        return None
    found = differing(server, view)
    if found is None:
        return "Not known yet", "quiet"
    return (f"{found} differ{'s' if found == 1 else ''}", "warn") if found else ("As wanted", "good")


@dataclass(frozen=True)
class KeyState:
    """One setting over the servers it concerns."""

    asked: int
    """Servers whose panel's settings are known."""
    matching: int
    now: str
    """What they have: ``Yes``, or ``Yes (3), No (1)``; empty when nothing is known."""


def key_state(entry: ConfigKey, wanted: str, servers: Sequence[Server], views: Mapping[int, View]) -> KeyState:
    """How a setting stands on the servers of its tier."""
    known = [view for server in servers if concerns(entry, server) and (view := views.get(server.id)) is not None]
    values = [str(view.get(entry.key, "")) for view in known]
    return KeyState(len(values), sum(value == wanted for value in values), _counted(entry, values))


def concerns(entry: ConfigKey, server: Server) -> bool:
    """Whether the setting is of a tier that the server hosts."""
    return entry.tier is Tier.ALL or entry.tier.value in {capability.value for capability in server.capabilities}


def shown(entry: ConfigKey, value: str) -> str:
    """A value as people read it."""
    if not value:
        return "not set"
    return (entry.choices if entry.kind is Kind.CHOICE else _SWITCH).get(value, value)


def _counted(entry: ConfigKey, values: Iterable[str]) -> str:
    counts = Counter(shown(entry, value) for value in values)
    if len(counts) < 2:
        return next(iter(counts), "")
    words = [f"{value} ({count})" for value, count in counts.most_common(VALUES_SHOWN)]
    left = len(counts) - VALUES_SHOWN
    return ", ".join(words) + (f" and {left} more" if left > 0 else "")
