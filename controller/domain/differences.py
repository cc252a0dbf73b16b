"""What differs, in lines for people: pure rules over a module's diff of before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "is missing"
TOO_MUCH = "is there, but should not be"
TROUBLES = frozenset({"missing", "half made", "needs"})
"""Keys that modules give to what is wrong, besides the state itself."""


def differences(diff: Any) -> list[str]:
    """Lines such as ``package: default, should be customer-com-web`` from ``{"before": {...}, "after": {...}}``.

    Empty when the two say the same; anything of another shape is told apart as well as it can be.
    """
    if isinstance(diff, list):
        return [line for part in diff for line in differences(part)]
    if not isinstance(diff, Mapping):
        return []
    before, after = diff.get("before"), diff.get("after")
    if before == after:
        return []
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return _one("", before, after)
    if not before:
        return [MISSING]
    if not after:
        return [TOO_MUCH]
    return _of_mapping("", before, after)


def _of_mapping(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key in [*after, *(key for key in before if key not in after)]:
        if key in TROUBLES and key not in after:
            lines.append(f"{key}: {_shown(before[key])}")
        elif before.get(key) != after.get(key):
            lines += _one(f"{prefix}{key}", before.get(key), after.get(key))
    return lines


def _one(name: str, before: Any, after: Any) -> list[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _of_mapping(f"{name} ", before, after)
    if isinstance(before, list) and isinstance(after, list):
        lines = [_named(name, f"lacks {_shown(item)}") for item in _without(after, before)]
        lines += [_named(name, f"has {_shown(item)} too much") for item in _without(before, after)]
        return lines or [_named(name, "is in another order")]
    if before in (None, "", [], {}):
        return [_named(name, f"is not set, should be {_shown(after)}")]
    if after in (None, "", [], {}):
        return [_named(name, f"{_shown(before)}, should not be set")]
    return [_named(name, f"{_shown(before)}, should be {_shown(after)}")]


def _without(items: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """What is left of the items when each of the others has taken one that equals it away."""
    left = list(items)
    for other in others:
        if other in left:
            left.remove(other)
    return left


def _named(name: str, text: str) -> str:
    return f"{name.replace('_', ' ')}: {text}" if name else text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return str(value)
