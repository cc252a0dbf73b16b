"""Keep a run's secrets out of everything that is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

MASK = "********"
SHORTEST = 4


class Scrubber:
    """Replaces known secrets, also in the forms JSON and a shell would show them in."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            for part in [secret, *secret.splitlines()]:
                if len(part) >= SHORTEST:
                    forms |= {part, json.dumps(part)[1:-1], part.replace("'", "'\"'\"'")}
        # A longer form first, so that no rest of it stays.
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets and without NUL (PostgreSQL refuses it)."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text.replace("\x00", "")

    def data(self, value: Any) -> Any:
        """The same for anything JSON can hold, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value
