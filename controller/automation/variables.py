"""Role variables of a resource, read from the database when its task runs: the latest wish wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from controller.domain.limits import panel_limits
from controller.domain.naming import panel_email, panel_full_name, www_alias
from controller.domain.words import Capability, Desired
from controller.domain.zones import DEFAULT_TEMPLATE, DEFAULT_TTL, render
from controller.store.models import Account, Resource, Service
from controller.store.vault import Vault

STATES = {Desired.ACTIVE: "present", Desired.SUSPENDED: "suspended", Desired.ABSENT: "absent"}


class NotReadyError(RuntimeError):
    """Something the resource stands on is not known yet."""


@dataclass
class RoleVariables:
    """Variables for the role, and the secrets among them that must never be stored or shown."""

    values: dict[str, Any]
    secrets: list[str] = field(default_factory=list)


def role_variables(session: Session, vault: Vault, resource: Resource) -> RoleVariables:
    """Variables named ``<role>_<option>`` for the resource's action.

    Raises NotReadyError when a fact of another resource is missing.
    """
    area, entry = resource.action.split(".", 1)
    account, service = resource.account, resource.service
    if account is None or service is None:
        raise NotReadyError(f"{resource.action} {resource.name} belongs to no account")
    password = vault.unseal(account.password)
    options = {"state": STATES[resource.desired], "user": account.username}
    options |= _BUILDERS[entry](session, resource, account, service)
    if entry == "account" and resource.desired is not Desired.ABSENT:
        options["password"] = password
    return RoleVariables({f"hestia_{area}_{key}": value for key, value in options.items()}, [password])


def _package(session: Session, resource: Resource, account: Account, service: Service) -> dict[str, Any]:
    options: dict[str, Any] = {"package": account.username}
    if resource.desired is not Desired.ABSENT:
        options["limits"] = panel_limits(account.roles, service.limits)
        if len(names := nameservers(service)) > 1:
            options["nameservers"] = names
    return options


def _account(_session: Session, _resource: Resource, account: Account, service: Service) -> dict[str, Any]:
    return {
        "package": account.username,
        "email": panel_email(service.customer.email, service.domain),
        "full_name": panel_full_name(service.customer.name, service.domain),
    }


def _domain(_session: Session, resource: Resource, _account: Account, service: Service) -> dict[str, Any]:
    if resource.action == "web.domain":
        return {"domain": service.domain, "aliases": www_alias(service.domain), **resource.spec}
    return {"domain": service.domain, "dkim": True, **resource.spec}


def _certificate(_session: Session, _resource: Resource, _account: Account, service: Service) -> dict[str, Any]:
    return {"domain": service.domain}


def _zone(_session: Session, resource: Resource, _account: Account, service: Service) -> dict[str, Any]:
    if resource.desired is Desired.ABSENT:
        return {"domain": service.domain}
    names = nameservers(service)
    if not names:
        raise NotReadyError("the nameservers' own names are not known yet; check the DNS servers")
    values = zone_values(service)
    return {
        "domain": service.domain,
        "records": render(DEFAULT_TEMPLATE, values) + _glue(service),
        "ttl": DEFAULT_TTL,
        "soa": names[0],
        "ip": values.get("server_ip") or values.get("mail_server_ip", ""),
    }


_BUILDERS: dict[str, Callable[[Session, Resource, Account, Service], dict[str, Any]]] = {
    "package": _package,
    "account": _account,
    "domain": _domain,
    "certificate": _certificate,
    "zone": _zone,
}


def _nameserver_hosts(service: Service) -> dict[str, str]:
    """Public name of each nameserver of the service -> its address ("" if not known)."""
    servers = [r.server for r in service.resources if r.action == "dns.zone"] or service.product.group.dns_servers
    named = {server.hostname: _public_ip(server.facts) for server in servers if server.hostname}
    variables = service.product.group.variables
    chosen = [str(variables[key]).rstrip(".") for key in sorted(variables) if key[:2] == "ns" and key[2:].isdigit()]
    return {name: named.get(name, "") for name in chosen} if chosen else named


def nameservers(service: Service) -> list[str]:
    """Names for NS records: the group's variables ns1, ns2... or the names the DNS servers have for themselves."""
    return list(_nameserver_hosts(service))


def _public_ip(facts: dict[str, Any]) -> str:
    ips = facts.get("ips") or []
    return str(ips[0]) if ips else ""


def _glue(service: Service) -> list[dict[str, Any]]:
    """Addresses of nameservers that lie inside the zone itself; without them it would not load."""
    inside = f".{service.domain}"
    return [
        {"name": name[: -len(inside)], "type": "A", "value": address}
        for name, address in _nameserver_hosts(service).items()
        if name.endswith(inside) and address
    ]


def _facts(service: Service, action: str) -> dict[str, Any]:
    return next((r.facts for r in service.resources if r.action == action), {})


def zone_values(service: Service) -> dict[str, str]:
    """What fills the placeholders of a zone template."""
    web, mail = _facts(service, "web.domain"), _facts(service, "mail.domain")
    values = {str(key): str(value) for key, value in service.product.group.variables.items()}
    values |= {f"ns{number}": name for number, name in enumerate(nameservers(service), start=1)}
    values |= {
        "domain": service.domain,
        "server_ip": str(web.get("ip", "")),
        "mail_server_ip": str(mail.get("ip", "")),
        "mail_server_hostname": str(mail.get("hostname", "")),
        "mail_domain": service.domain if Capability.MAIL.value in service.roles else "",
        "dkim_selector": str(mail.get("dkim_selector", "")),
        "domainkey": str(mail.get("dkim_public_key", "")),
        "service_id": str(service.id),
        "client_id": str(service.customer_id),
    }
    return values
