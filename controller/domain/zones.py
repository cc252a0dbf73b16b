"""Zones: their templates, their records, and what is checked about both."""

from __future__ import annotations

from controller.domain.zone_records import MAX_TTL, MIN_TTL, TYPES, check_record, check_records, merge
from controller.domain.zone_templates import (
    DEFAULT_TEMPLATE,
    OF_GROUP,
    PLACEHOLDER,
    PLACEHOLDERS,
    TemplateRecord,
    check_template,
    nameserver_number,
    of_zone,
    placeholders_of,
    render,
)

__all__ = [
    "DEFAULT_TEMPLATE",
    "DEFAULT_TTL",
    "MAX_TTL",
    "MIN_TTL",
    "OF_GROUP",
    "PLACEHOLDER",
    "PLACEHOLDERS",
    "TYPES",
    "TemplateRecord",
    "check_record",
    "check_records",
    "check_template",
    "merge",
    "nameserver_number",
    "of_zone",
    "placeholders_of",
    "render",
]

DEFAULT_TTL = 3600
