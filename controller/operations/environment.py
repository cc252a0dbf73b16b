"""The settings of this process's environment, fit to be shown: no password, no key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.settings import Settings

PREFIX = "HESTIA_FLEET_"


@dataclass(frozen=True)
class EnvironmentRow:
    """One setting; ``given`` says whether the environment sets it."""

    name: str
    variable: str
    value: str | int | float | bool
    given: bool
    description: str


def effective(settings: Settings) -> list[EnvironmentRow]:
    """All settings in force."""
    shown: dict[str, Any] = {
        "database_url": without_password(settings.effective_database_url),
        "queue_url": without_password(settings.effective_queue_url),
        "secret_key_file": settings.key_file,
    }
    rows = []
    for name, field in Settings.model_fields.items():
        value = shown.get(name, getattr(settings, name))
        rows.append(
            EnvironmentRow(
                name=name,
                variable=f"{PREFIX}{name.upper()}",
                value=str(value) if isinstance(value, Path) else value,
                given=name in settings.model_fields_set,
                description=field.description or "",
            )
        )
    return rows


def without_password(url: str) -> str:
    """An address without what may be secret in it: password and query."""
    address, question, _ = url.partition("?")
    scheme, _, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if ":" in login:
        login = f"{login.partition(':')[0]}:***"
    return f"{scheme}://{login}{at}{host}{slash}{path}{'?***' if question else ''}"
