"""Form fields for the limits of the catalogue; empty means: as the product (or the default) says."""

from __future__ import annotations

from typing import Any

from wtforms import StringField
from wtforms.fields import Field

from controller.domain.limits import BY_KEY, CATALOGUE, UNLIMITED, Limit, Value
from controller.web.forms import FleetForm, optional

PREFIX = "limit_"


def hint(limit: Limit) -> str:
    """The range in words."""
    text = f"0 to {limit.maximum:,}".replace(",", "\u202f") + (f" {limit.unit}" if limit.unit else "")
    return text + (" or “unlimited”" if limit.unlimited else "")


def with_limits(form_class: type[FleetForm]) -> type[FleetForm]:
    """The form with one text field per limit."""
    fields = {f"{PREFIX}{limit.key}": StringField(limit.label, [optional()]) for limit in CATALOGUE}
    return type(form_class.__name__, (form_class,), fields)


def groups(form: FleetForm) -> list[tuple[str, list[tuple[Limit, Field]]]]:
    """Fields by role, for the page."""
    by_role: dict[str, list[tuple[Limit, Field]]] = {}
    for limit in CATALOGUE:
        by_role.setdefault(limit.role.value, []).append((limit, form[f"{PREFIX}{limit.key}"]))
    return list(by_role.items())


def read(form: FleetForm) -> dict[str, Any]:
    """What was filled in: whole numbers, ``unlimited``, or the text itself for the operation to refuse."""
    values: dict[str, Any] = {}
    for key in BY_KEY:
        text = str(form[f"{PREFIX}{key}"].data or "").strip().lower()
        if text:
            values[key] = _value(text)
    return values


def _value(text: str) -> Value:
    digits = text.replace(" ", "").replace("\u202f", "")
    if text == UNLIMITED or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return text
    return int(digits)


def field_map(prefix: str) -> dict[str, str]:
    """Where an operation's problem with ``options.web_disk_quota`` belongs on the form."""
    return {f"{prefix}.{key}": f"{PREFIX}{key}" for key in BY_KEY}
