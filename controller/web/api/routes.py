"""All calls, and the routes that the application mounts at ``/api/v1``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from controller.web.api import (
    catalogue_calls,
    drift_calls,
    group_calls,
    group_config_calls,
    operation_log_calls,
    pipeline_calls,
    server_action_calls,
    server_calls,
    service_calls,
    settings_calls,
    task_calls,
    ticket_calls,
    usage_calls,
    zone_calls,
    zone_runs,
    zone_template_calls,
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
    *server_calls.CALLS,
    *server_action_calls.CALLS,
    *group_calls.CALLS,
    *group_config_calls.CALLS,
    *catalogue_calls.CALLS,
    *service_calls.CALLS,
    *usage_calls.CALLS,
    *task_calls.CALLS,
    *pipeline_calls.CALLS,
    *zone_calls.CALLS,
    *zone_runs.CALLS,
    *zone_template_calls.CALLS,
    *drift_calls.CALLS,
    *ticket_calls.CALLS,
    *settings_calls.CALLS,
    *operation_log_calls.CALLS,
)
routes = routes_of(CALLS)
