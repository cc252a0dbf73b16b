"""What a service is made of: its accounts and resources on the servers that were chosen for its roles."""

from __future__ import annotations

import secrets
import string
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.naming import account_base, account_name
from controller.domain.words import ZONE_ACTION, Capability, Desired, Driver
from controller.engine.planning import wish
from controller.store.models import Account, Resource, Server, Service
from controller.store.vault import Vault
from controller.store.zone_models import Zone

PASSWORD_ALPHABET = string.ascii_letters + string.digits


def new_password(length: int = 20) -> str:
    """A random password of letters and digits, about 119 bits."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(length))


def build(
    session: Session, vault: Vault, service: Service, chosen: Mapping[Capability, Sequence[int]]
) -> list[Resource]:
    """Accounts and resources of a new service.

    One account per server: the panel refuses a domain that another of its users has in any role, so roles
    that share a server share the account, named after the first of them. PowerDNS knows no accounts.
    """
    roles_on: dict[int, list[Capability]] = {}
    for role in Capability:
        for server_id in chosen.get(role, ()):
            roles_on.setdefault(server_id, []).append(role)
    plain = _without_accounts(session, roles_on)
    panels = [server_id for server_id in roles_on if server_id not in plain]
    taken = _taken_names(session, panels, service.domain)
    accounts = [
        Account(
            service_id=service.id,
            server_id=server_id,
            username=account_name(service.domain, roles_on[server_id][0].value, taken[server_id].__contains__),
            roles=[role.value for role in roles_on[server_id]],
            password=vault.seal(new_password()),
        )
        for server_id in panels
    ]
    session.add_all(accounts)
    session.flush()
    resources = [
        _resource(service, account, action, name)
        for account in accounts
        for action, name in _things(account, service.domain)
    ]
    resources += [_zone_copy(service, server_id) for server_id in roles_on if server_id in plain]
    session.add_all(resources)
    if Capability.DNS in chosen:
        session.add(Zone(service_id=service.id, domain=service.domain))
    session.flush()
    return resources


def add_nameserver(session: Session, vault: Vault, service: Service, server: Server) -> list[Resource]:
    """Resources that put a service's zone on one more nameserver; none if it is there already. What was about to
    leave the nameserver stays."""
    here = [r for r in service.resources if r.server_id == server.id]
    leaving = [r for r in here if r.desired is Desired.ABSENT]
    there = {r.action for r in here}
    if ZONE_ACTION in there and not leaving:
        return []
    wish(leaving, Desired.ACTIVE)
    made: list[Resource] = []
    if server.driver is Driver.POWERDNS:
        made = [] if ZONE_ACTION in there else [_zone_copy(service, server.id)]
    elif (account := next((a for a in service.accounts if a.server_id == server.id), None)) is not None:
        if Capability.DNS.value not in account.roles:
            account.roles = [*account.roles, Capability.DNS.value]
            # Its package has to allow the zone, and a suspended account would take the zone offline: of a suspended
            # service only the domains are suspended then, anew, because the panel brings them back with the account.
            suspended = [r for r in here if r.desired is Desired.SUSPENDED]
            under = [
                r for r in here if r.action.endswith(".package") or (r.action.endswith(".account") and r in suspended)
            ]
            domains = [r for r in suspended if r.action.endswith(".domain")]
            wish(under, Desired.ACTIVE)
            wish(domains, Desired.SUSPENDED)
            leaving += [*under, *domains]
        things = _things(account, service.domain)
        made = [_resource(service, account, action, name) for action, name in things if action not in there]
    else:
        taken = _taken_names(session, [server.id], service.domain)[server.id]
        account = Account(
            service_id=service.id,
            server_id=server.id,
            username=account_name(service.domain, Capability.DNS.value, taken.__contains__),
            roles=[Capability.DNS.value],
            password=vault.seal(new_password()),
        )
        session.add(account)
        session.flush()
        made = [_resource(service, account, action, name) for action, name in _things(account, service.domain)]
    session.add_all(made)
    session.flush()
    session.refresh(service, ["resources", "accounts"])
    return [*leaving, *made]


def _things(account: Account, domain: str) -> list[tuple[str, str]]:
    """(action, name) of everything an account stands for."""
    first = account.roles[0]
    things = [(f"{first}.package", account.username), (f"{first}.account", account.username)]
    things += [(f"{role}.{'zone' if role == Capability.DNS else 'domain'}", domain) for role in account.roles]
    if Capability.WEB in account.roles:
        things.append(("web.certificate", domain))
    return things


def _resource(service: Service, account: Account, action: str, name: str) -> Resource:
    return Resource(
        service_id=service.id,
        account_id=account.id,
        server_id=account.server_id,
        action=action,
        name=name,
        generation=1,
        applied_generation=0,
    )


def _zone_copy(service: Service, server_id: int) -> Resource:
    return Resource(
        service_id=service.id,
        server_id=server_id,
        action=ZONE_ACTION,
        name=service.domain,
        generation=1,
        applied_generation=0,
    )


def _without_accounts(session: Session, server_ids: Collection[int]) -> set[int]:
    powerdns = select(Server.id).where(Server.id.in_(server_ids), Server.driver == Driver.POWERDNS)
    return set(session.scalars(powerdns))


def _taken_names(session: Session, server_ids: Sequence[int], domain: str) -> dict[int, set[str]]:
    """User names in use on each server, of those that the domain's own could meet."""
    taken: dict[int, set[str]] = {server_id: set() for server_id in server_ids}
    beginning = account_base(domain)[:8]
    # A range instead of LIKE: it uses the index on (server, name).
    near = select(Account.server_id, Account.username).where(
        Account.server_id.in_(server_ids),
        Account.username >= beginning,
        Account.username < beginning + "\x7f",
    )
    for server_id, name in session.execute(near):
        taken[server_id].add(name)
    return taken
