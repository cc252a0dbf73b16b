"""What pydantic found, as problems in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from controller.domain.problems import Problem

REASONS = {
    "missing": "is needed",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}
WORDS = re.compile(r"\^\(([a-z|]+)\)\$")


def problems(error: ValidationError) -> list[Problem]:
    """Every field and what is wrong with it; values are never repeated, they may be secret."""
    return [
        Problem(".".join(str(part) for part in one["loc"]) or "body", _reason(one["type"], one["msg"], one.get("ctx")))
        for one in error.errors(include_url=False, include_context=True, include_input=False)
    ]


def _reason(kind: str, message: str, context: Mapping[str, Any] | None) -> str:
    context = context or {}
    match kind:
        case "enum" | "literal_error":
            return f"must be {context.get('expected', '')}".replace("'", "")
        case "greater_than_equal":
            return f"must be at least {_number(context['ge'])}"
        case "less_than_equal":
            return f"must be at most {_number(context['le'])}"
        case "string_too_long":
            return f"must be at most {context['max_length']} characters"
        case "too_long":
            return f"must have at most {context['max_length']}"
        case "string_pattern_mismatch":
            choices = WORDS.fullmatch(str(context["pattern"]))
            if choices:
                return f"must be one of {', '.join(choices[1].split('|'))}"
    return REASONS.get(kind) or message[:1].lower() + message[1:]


def _number(bound: float) -> str:
    return str(bound).removesuffix(".0")
