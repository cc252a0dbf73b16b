# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Look at many resources of a server in one go: which of them are not as they should be? Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from ansible.module_utils import hestia_certificate, hestia_dns, hestia_mail, hestia_packages, hestia_users, hestia_web
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.hestia_converge import Subject, class_of, converge, fail
from ansible.module_utils.hestia_panel import Panel, PanelError

OPTIONS: dict[str, dict[str, Any]] = {
    "resources": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "no_log": True,
        "options": {
            "action": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "options": {"type": "dict", "default": {}},
        },
    },
}


@dataclass(frozen=True)
class Kind:
    """The module behind an action: its resource, its argument spec, and options that have another name there."""

    make: Callable[[Panel, dict[str, Any]], Subject[Any]]
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
_ACCOUNT = Kind(hestia_users.User, hestia_users.OPTIONS, {"user": "name"})
KINDS = {
    **{f"{area}.package": _PACKAGE for area in ("web", "mail", "dns")},
    **{f"{area}.account": _ACCOUNT for area in ("web", "mail", "dns")},
    "web.domain": Kind(hestia_web.WebDomain, hestia_web.OPTIONS),
    "web.certificate": Kind(hestia_certificate.WebCertificate, hestia_certificate.OPTIONS),
    "mail.domain": Kind(hestia_mail.MailDomain, hestia_mail.OPTIONS),
    "dns.zone": Kind(hestia_dns.DnsZone, hestia_dns.OPTIONS),
}


class StillPanel(Panel):
    """A panel on which nothing changes while it is looked at: what was read once is not read again."""

    def __init__(self) -> None:
        super().__init__(check_mode=True)
        self._known: dict[tuple[str, ...], Any] = {}

    def users(self) -> list[str]:
        return self._once(("users",), super().users)

    def listed_users(self) -> list[str]:
        return self._once(("listed",), super().listed_users)

    def user_conf(self, user: str) -> dict[str, str]:
        return self._once(("user", user), super().user_conf, user)

    def records(self, user: str, kind: str) -> list[dict[str, str]]:
        return self._once(("records", user, kind), super().records, user, kind)

    def _once(self, key: tuple[str, ...], read: Callable[..., Any], *arguments: str) -> Any:
        if key not in self._known:
            self._known[key] = read(*arguments)
        return self._known[key]


def run_verify(options: dict[str, dict[str, Any]]) -> None:
    """The main() of hestia_verify."""
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    resources = module.params.pop("resources")
    # Ansible takes every word of a secret parameter for a secret: only the secrets among them are.
    module.no_log_values = set().union(*(_secrets(resource) for resource in resources))
    panel = StillPanel()
    try:
        panel.require_access()
    except PanelError as error:
        fail(module, panel, error)
    result = verify(panel, resources)
    if module._diff:
        result["diff"] = [_shown(difference) for difference in result["differences"]]
    module.exit_json(**result)


def _secrets(resource: dict[str, Any]) -> set[str]:
    return set().union(*(kind.secrets(resource["options"]) for kind in KINDS.values()))


def verify(panel: Panel, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The module's result: what differs, and what could not be looked at and why."""
    differences: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for resource in resources:
        named = {"action": resource["action"], "name": resource["name"]}
        try:
            result = converge(subject(panel, resource["action"], resource["options"]))
        except PanelError as error:
            failures.append({**named, "error_class": error.error_class, "msg": error.message})
        except OSError as error:
            failures.append({**named, "error_class": class_of(error), "msg": str(error)})
        except Exception as error:
            # One resource in a shape that nobody thought of must not hide the others.
            failures.append({**named, "error_class": "internal", "msg": f"{type(error).__name__}: {error}"})
        else:
            if result["changed"]:
                differences.append({**named, "diff": result["diff"]})
    return {
        "changed": bool(differences),
        "checked": len(resources),
        "differences": differences,
        "failures": failures,
        "facts": {"checked": len(resources), "different": len(differences), "failed": len(failures)},
    }


def _shown(difference: dict[str, Any]) -> dict[str, Any]:
    """A difference as Ansible shows it."""
    header = f"{difference['action']} {difference['name']}"
    return {"before_header": header, "after_header": header, **difference["diff"]}


def subject(panel: Panel, action: str, options: dict[str, Any]) -> Subject[Any]:
    """The resource, with its options checked as its own module checks them."""
    kind = KINDS.get(action)
    if kind is None:
        raise PanelError(f"action: {action!r} is none that can be verified", error_class="bad_argument")
    validated = ArgumentSpecValidator(kind.spec).validate(kind.parameters(options))
    if validated.error_messages:
        raise PanelError("; ".join(validated.error_messages), error_class="bad_argument")
    return kind.make(panel, validated.validated_parameters)
