"""Bodies of requests. Shape and types are checked here, meaning by the operations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from controller.domain.limits import CATALOGUE, UNLIMITED
from controller.domain.words import Capability, Mode

KEY_MAX = 253


def sound_key(value: Any) -> int | str:
    """An id (a positive whole number) or a name. Raises PydanticCustomError."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**18:
        return value
    # Digits of other alphabets read as a number to some functions and not to others.
    text = value if isinstance(value, str) and value.isprintable() and len(value) <= KEY_MAX else ""
    if text and (text.isascii() or not text.isdigit()):
        return text
    raise PydanticCustomError("key", "must be an id or a name")


def _limits_schema() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for limit in CATALOGUE:
        number: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": limit.maximum}
        unit = f" ({limit.unit})" if limit.unit else ""
        schema = {"anyOf": [number, {"const": UNLIMITED}]} if limit.unlimited else number
        properties[limit.key] = {**schema, "description": f"{limit.label}{unit}; default {limit.default}"}
    return {"type": "object", "properties": properties, "additionalProperties": False}


Key = Annotated[
    Any,
    AfterValidator(sound_key),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "minLength": 1}]}),
]
Limits = Annotated[dict[str, JsonValue], WithJsonSchema(_limits_schema())]


class Body(BaseModel):
    """Base: nothing unknown, nothing converted (a number in quotes is not a number)."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Nothing(Body):
    """A call that takes no fields; the body may be left out."""


class NewProduct(Body):
    """Something to sell."""

    name: str = Field(examples=["Web Hosting M"])
    mode: str = Field(json_schema_extra={"enum": [Mode.SPLIT.value]})
    roles: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": [word.value for word in Capability]}},
    )
    group: Key = Field(description="server group that hosts it")
    limits: Limits = Field(default_factory=dict)
    description: str = ""
    self_service: bool = Field(False, description="whether signed-in customers may order it themselves")
    zone_template: Key | None = Field(None, description="for its zones; null: no choice")


class ProductEdit(Body):
    """What is left out stays."""

    name: str | None = None
    description: str | None = None
    active: bool | None = Field(None, description="whether it can be ordered")
    self_service: bool | None = Field(None, description="whether signed-in customers may order it themselves")
    zone_template: Key | None = Field(None, description="for its zones; null: no choice")


class NewCustomer(Body):
    """Who buys."""

    email: str = Field(examples=["ada@example.com"])
    name: str = Field(examples=["Ada Example"])


class OrderCustomer(Body):
    """The customer of an order; one with a new address is made."""

    email: str = Field(examples=["ada@example.com"])
    name: str = Field(examples=["Ada Example"])


class Order(Body):
    """Hosting on one domain."""

    product: Key = Field(examples=["Web Hosting M"])
    domain: str = Field(examples=["example.com"])
    customer: OrderCustomer
    options: Limits = Field(default_factory=dict, description="limits over those of the product")
    reference: str | None = Field(None, description="the billing system's own id", examples=["WHMCS-1207"])


class ProductChange(Body):
    """The product a service changes to."""

    product: Key
