# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Look at many zones of PowerDNS in one go: which of them are not as they should be? Touches nothing."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.hestia_panel import PanelError
from ansible.module_utils.hestia_verify import RESOURCES, given, named, shown, told
from ansible.module_utils.powerdns import ACCESS, Api, ApiError
from ansible.module_utils.powerdns_zones import OPTIONS as ZONE_OPTIONS
from ansible.module_utils.powerdns_zones import Zone, bring

ACTION = "dns.zone"
OPTIONS: dict[str, dict[str, Any]] = {**ACCESS, **RESOURCES}
"""The argument spec of module powerdns_verify."""

_OF_ZONE = {name: rule for name, rule in ZONE_OPTIONS.items() if name not in ACCESS}


def work(api: Api, module: AnsibleModule) -> dict[str, Any]:
    """The module's result."""
    resources = given(module.params)
    # There is no secret among them, and their words shall be seen.
    module.no_log_values = {str(module.params["api_key"])}
    result = verify(api, resources)
    if module._diff:
        result["diff"] = [shown(difference) for difference in result["differences"]]
    return result


def verify(api: Api, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """What differs, and what could not be looked at and why. Raises ApiError when PowerDNS does not answer."""
    # One call that fails with the server itself tells it before any zone is blamed.
    api.get()
    differences: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for resource in resources:
        name = named(resource)
        try:
            result = bring(_zone(api, resource), check_mode=True)
        except PanelError as error:
            if isinstance(error, ApiError) and error.error_class in ("unreachable", "authentication"):
                raise
            failures.append({**name, "error_class": error.error_class, "msg": error.message})
        except Exception as error:
            # One zone in a shape that nobody thought of must not hide the others.
            failures.append({**name, "error_class": "internal", "msg": f"{type(error).__name__}: {error}"})
        else:
            if result["changed"]:
                differences.append({**name, "diff": result["diff"]})
    return told(resources, differences, failures)


def _zone(api: Api, resource: dict[str, Any]) -> Zone:
    if resource["action"] != ACTION:
        raise PanelError(f"action: {resource['action']!r} is none that can be verified", error_class="bad_argument")
    options = {key: value for key, value in resource["options"].items() if key in _OF_ZONE}
    validated = ArgumentSpecValidator(_OF_ZONE).validate(options)
    if validated.error_messages:
        raise PanelError("; ".join(validated.error_messages), error_class="bad_argument")
    return Zone(api, validated.validated_parameters)
