"""All calls, and the routes that the application mounts at ``/api/v1``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from controller.web.api import (
    drift_calls,
    fleet_calls,
    operation_log_calls,
    service_calls,
    settings_calls,
    task_calls,
    ticket_calls,
    zone_calls,
)
from controller.web.api.calls import Asked, Call
from controller.web.api.dispatch import routes_of
from controller.web.api.openapi import document


@lru_cache(maxsize=1)
def openapi() -> dict[str, Any]:
    """The OpenAPI document of all calls."""
    return document(CALLS)


def _openapi(_asked: Asked) -> dict[str, Any]:
    return openapi()


CALLS: tuple[Call, ...] = (
    Call("GET", "/openapi.json", "This document", _openapi, public=True),
    *fleet_calls.CALLS,
    *service_calls.CALLS,
    *task_calls.CALLS,
    *zone_calls.CALLS,
    *drift_calls.CALLS,
    *ticket_calls.CALLS,
    *settings_calls.CALLS,
    *operation_log_calls.CALLS,
)
routes = routes_of(CALLS)
