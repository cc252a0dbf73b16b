# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Look at many resources of a server in one go: which of them are not as they should be? Touches nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from ansible.module_utils import hestia_certificate, hestia_dns, hestia_mail, hestia_packages, hestia_users, hestia_web
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.hestia_converge import Subject, class_of, converge, fail
from ansible.module_utils.hestia_panel import PanelError
from ansible.module_utils.hestia_still import (
    StillCertificate,
    StillMailDomain,
    StillPanel,
    StillUser,
    StillWebDomain,
    StillZone,
)

RESOURCES: dict[str, dict[str, Any]] = {
    "resources": {
        "type": "list",
        "elements": "dict",
        "no_log": True,
        "options": {
            "action": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "mark": {"type": "str"},
            "options": {"type": "dict", "default": {}},
        },
    },
    "resources_json": {"type": "str", "no_log": True},
}
"""What a module that verifies many resources is given, in one of two ways."""
ONE_WAY: dict[str, Any] = {
    "required_one_of": [["resources", "resources_json"]],
    "mutually_exclusive": [["resources", "resources_json"]],
}
OPTIONS = RESOURCES
"""The argument spec of module hestia_verify."""


@dataclass(frozen=True)
class Kind:
    """The module behind an action: its resource, its argument spec, and options that have another name there."""

    make: Callable[[StillPanel, dict[str, Any]], Subject[Any]]
    spec: dict[str, dict[str, Any]]
    renamed: dict[str, str] = field(default_factory=dict)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        """The module's parameters. An option that the role's entry point does not use is ignored, as there."""
        named = {self.renamed.get(key, key): value for key, value in options.items()}
        return {key: value for key, value in named.items() if key in self.spec}

    def secrets(self, options: dict[str, Any]) -> set[str]:
        given = self.parameters(options)
        return {str(given[key]) for key, rule in self.spec.items() if rule.get("no_log") and given.get(key)}


_PACKAGE = Kind(hestia_packages.Package, hestia_packages.OPTIONS, {"package": "name"})
_ACCOUNT = Kind(StillUser, hestia_users.OPTIONS, {"user": "name"})
KINDS = {
    **{f"{area}.package": _PACKAGE for area in ("web", "mail", "dns")},
    **{f"{area}.account": _ACCOUNT for area in ("web", "mail", "dns")},
    "web.domain": Kind(StillWebDomain, hestia_web.OPTIONS),
    "web.certificate": Kind(StillCertificate, hestia_certificate.OPTIONS),
    "mail.domain": Kind(StillMailDomain, hestia_mail.OPTIONS),
    "dns.zone": Kind(StillZone, hestia_dns.OPTIONS),
}


def run_verify(options: dict[str, dict[str, Any]]) -> None:
    """The main() of hestia_verify."""
    module = AnsibleModule(argument_spec=options, supports_check_mode=True, **ONE_WAY)
    panel = StillPanel()
    try:
        resources = given(module.params)
        # Ansible takes every word of a secret parameter for a secret: only the secrets among them are.
        module.no_log_values = set().union(*(_secrets(resource) for resource in resources))
        panel.require_access()
    except PanelError as error:
        fail(module, panel, error)
    result = verify(panel, resources)
    if module._diff:
        result["diff"] = [shown(difference) for difference in result["differences"]]
    module.exit_json(**result)


def given(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources that a module was given. Raises PanelError when the JSON is none of them."""
    listed, text = params.pop("resources"), params.pop("resources_json")
    if listed is not None:
        return list(listed)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise PanelError(f"resources_json: {error}", error_class="bad_argument") from None
    if not isinstance(found, list) or not all(_is_resource(each) for each in found):
        raise PanelError("resources_json: must be a list of resources", error_class="bad_argument")
    return found


def _is_resource(each: Any) -> bool:
    return (
        isinstance(each, dict)
        and all(isinstance(each.get(key), str) for key in ("action", "name"))
        and isinstance(each.get("options"), dict)
    )


def _secrets(resource: dict[str, Any]) -> set[str]:
    return set().union(*(kind.secrets(resource["options"]) for kind in KINDS.values()))


def verify(panel: StillPanel, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The module's result: what differs, and what could not be looked at and why."""
    found = _found(panel, resources)
    if found:
        # A command that was under way meanwhile leaves counters and files half written: now nothing is.
        suspects = [resource for resource, _ in found]
        try:
            with panel.undisturbed():
                found = _found(StillPanel(), suspects)
        except PanelError as error:
            found = [(resource, _failure(error)) for resource in suspects]
    told_of = [{**named(resource), **finding} for resource, finding in found]
    differences = [finding for finding in told_of if "diff" in finding]
    return told(resources, differences, [finding for finding in told_of if "diff" not in finding])


def _found(panel: StillPanel, resources: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Resources that differ, with `diff`, or could not be looked at, with `error_class` and `msg`."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    # All are made before the first one is looked at: what is asked for together is known then.
    looks = [(resource, _look(panel, resource)) for resource in resources]
    for resource, look in looks:
        try:
            result = look()
        except Exception as error:
            # One resource in a shape that nobody thought of must not hide the others.
            found.append((resource, _failure(error)))
        else:
            if result["changed"]:
                found.append((resource, {"diff": result["diff"]}))
    return found


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, PanelError):
        return {"error_class": error.error_class, "msg": error.message}
    if isinstance(error, OSError):
        return {"error_class": class_of(error), "msg": str(error)}
    return {"error_class": "internal", "msg": f"{type(error).__name__}: {error}"}


def named(resource: dict[str, Any]) -> dict[str, str]:
    """How the result calls a resource."""
    return {key: str(resource[key]) for key in ("action", "name", "mark") if resource.get(key)}


def told(
    resources: list[dict[str, Any]], differences: list[dict[str, Any]], failures: list[dict[str, Any]]
) -> dict[str, Any]:
    """The result of every module that verifies many resources. Who gives marks has all that was found in the facts."""
    found = {"differences": differences, "failures": failures}
    marks = [resource["mark"] for resource in resources if resource.get("mark")]
    facts = {"checked": len(resources), "different": len(differences), "failed": len(failures)}
    return {
        "changed": bool(differences),
        "checked": len(resources),
        **found,
        "facts": {**facts, "looked_at": marks, **found} if marks else facts,
    }


def _look(panel: StillPanel, resource: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """To be called for the look at a resource; whatever is wrong with its options is raised then."""
    try:
        return partial(converge, subject(panel, resource["action"], resource["options"]))
    except Exception as error:
        return partial(_complain, error)


def _complain(error: Exception) -> dict[str, Any]:
    raise error


def shown(difference: dict[str, Any]) -> dict[str, Any]:
    """A difference as Ansible shows it."""
    header = f"{difference['action']} {difference['name']}"
    return {"before_header": header, "after_header": header, **difference["diff"]}


def subject(panel: StillPanel, action: str, options: dict[str, Any]) -> Subject[Any]:
    """The resource, with its options checked as its own module checks them."""
    kind = KINDS.get(action)
    if kind is None:
        raise PanelError(f"action: {action!r} is none that can be verified", error_class="bad_argument")
    validated = ArgumentSpecValidator(kind.spec).validate(kind.parameters(options))
    if validated.error_messages:
        raise PanelError("; ".join(validated.error_messages), error_class="bad_argument")
    return kind.make(panel, validated.validated_parameters)
