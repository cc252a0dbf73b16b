"""Long lists of ids in pieces: databases take no endless lists (SQLite 32 766 values in one statement)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

PORTION = 5000


def portions(ids: Sequence[int], size: int = PORTION) -> Iterator[Sequence[int]]:
    """Pieces of a list, in order."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
