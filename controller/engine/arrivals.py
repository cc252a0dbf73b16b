"""What a succeeded task has found out and where it goes: server figures, usage, pulled files, zones to ask for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from controller.automation.runner import Outcome
from controller.domain.words import (
    CONFIG_ACTION,
    PULL_ACTION,
    RECOUNT_ACTION,
    STATUS_ACTION,
    USAGE_ACTION,
    VERIFY_ACTION,
    ZONE_ACTION,
    Capability,
    Desired,
)
from controller.engine import drift_looks
from controller.store.base import utcnow
from controller.store.fleet_models import (
    REFUSED_VIEW,
    ServerSample,
    ServerView,
    ServiceUsage,
    StandardFile,
    UsageSample,
)
from controller.store.models import Account, Server, ServerGroup, Service, Task
from controller.store.portions import portions
from controller.store.zone_models import Zone

SAMPLE_GAP = dt.timedelta(seconds=50)
"""Checks that follow each other faster leave one sample."""
HOSTNAME_MAX = 253
VIEWS = ("config", "packages", "addresses", "services", "users")


def arrive(session: Session, task: Task, outcome: Outcome) -> None:
    """Store what the facts of a succeeded task tell beyond its own resource."""
    if task.check_mode and task.action != VERIFY_ACTION:
        return
    take = _ARRIVALS.get(task.action)
    if take is not None:
        take(session, task, outcome.facts)


def partly_arrive(session: Session, task: Task, outcome: Outcome) -> None:
    """Store what a failed task tells all the same: the settings that it could set beside those that were refused."""
    if task.action == CONFIG_ACTION and not task.check_mode:
        settings_arrived(session, task.server_id, outcome.facts)


def status_arrived(session: Session, server: Server, facts: Mapping[str, Any]) -> None:
    """What a check has found: the server's facts, what its panel has, one sample for its charts."""
    now = utcnow()
    found = dict(facts)
    views = found.pop("views", None) or {}
    server.facts = found
    if not server.api_url:
        server.hostname = str(found.get("hostname") or server.hostname)[:HOSTNAME_MAX]
    server.checked_at, server.problem = now, None
    for kind, data in views.items():
        if kind in VIEWS:
            _keep_view(session, server.id, kind, data)
    newest = session.scalar(
        select(ServerSample.at).where(ServerSample.server_id == server.id).order_by(ServerSample.at.desc()).limit(1)
    )
    if newest is None or now - newest >= SAMPLE_GAP:
        session.add(_sample(server.id, now, found))


def _sample(server_id: int, at: dt.datetime, facts: Mapping[str, Any]) -> ServerSample:
    services = facts.get("services") or {}
    return ServerSample(
        server_id=server_id,
        at=at,
        load=_number(facts.get("load")),
        cpu=_number(facts.get("cpu")),
        memory=_share(facts.get("memory_used_mb"), facts.get("memory_mb")),
        disk=_share(facts.get("disk_used_mb"), facts.get("disk_mb")),
        accounts=facts.get("users", facts.get("zones")),
        services_up=sum(state == "running" for state in services.values()) if services else None,
        services_all=len(services) or None,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _share(part: Any, whole: Any) -> float | None:
    """Percent."""
    if not isinstance(part, int | float) or not isinstance(whole, int | float) or not whole:
        return None
    return round(100 * part / whole, 1)


def _keep_view(session: Session, server_id: int, kind: str, data: Any) -> None:
    view = session.get(ServerView, (server_id, kind))
    if view is None:
        session.add(ServerView(server_id=server_id, kind=kind, data=data))
    else:
        view.data, view.at = data, utcnow()


def usage_arrived(session: Session, server: Server, users: Iterable[Mapping[str, Any]]) -> None:
    """What everything on a server uses: the list of its accounts, and the figures of each service of ours.

    A service's roles may lie on several servers: each fills in the figures of the roles it hosts.
    """
    by_name = {str(user.get("name")): user for user in users}
    _keep_view(session, server.id, "users", list(by_name.values()))
    server.usage_at = now = utcnow()
    figures: dict[int, dict[str, int]] = {}
    hosted = session.execute(
        select(Service.id, Account.username, Account.roles, Service.domain)
        .join(Account, Account.service_id == Service.id)
        .where(Account.server_id == server.id)
    )
    for service_id, username, roles, domain in hosted:
        user = by_name.get(username)
        if user is not None:
            figures.setdefault(service_id, {}).update(service_figures(user, roles, domain))
    _keep_usage(session, figures, now)


def service_figures(user: Mapping[str, Any], roles: Iterable[str], domain: str) -> dict[str, int]:
    """A service's figures from what its account on one server uses; disk and traffic in MB, as the panel counts.

    In an account with web and mail, what is neither mail nor zone counts as web.
    """

    def figure(key: str) -> int:
        value = user.get(key)
        return int(value) if isinstance(value, int | float) else 0

    held = set(roles)
    found: dict[str, int] = {}
    if Capability.WEB.value in held:
        found |= {
            "web_disk": figure("disk") - (figure("disk_mail") if Capability.MAIL.value in held else 0),
            "web_bandwidth": figure("bandwidth"),
            "databases": figure("databases"),
            "ftp_accounts": figure("ftp_accounts"),
            "cron_jobs": figure("cron_jobs"),
            "web_backups": figure("backups"),
        }
    if Capability.MAIL.value in held:
        found |= {
            "mail_disk": figure("disk_mail") if Capability.WEB.value in held else figure("disk"),
            "mail_accounts": figure("mail_accounts"),
            "mail_backups": figure("backups"),
        }
    if Capability.DNS.value in held:
        zones = (user.get("domains") or {}).get("dns") or {}
        found["dns_records"] = int(zones.get(domain, figure("dns_records")))
    return {key: max(0, value) for key, value in found.items()}


def _keep_usage(session: Session, figures: Mapping[int, Mapping[str, int]], now: dt.datetime) -> None:
    known: dict[int, ServiceUsage] = {}
    today: dict[int, UsageSample] = {}
    for some in portions(list(figures)):
        rows = session.scalars(select(ServiceUsage).where(ServiceUsage.service_id.in_(some)))
        known |= {row.service_id: row for row in rows}
        samples = select(UsageSample).where(UsageSample.day == now.date(), UsageSample.service_id.in_(some))
        today |= {sample.service_id: sample for sample in session.scalars(samples)}
    fresh: list[dict[str, Any]] = []
    for service_id, found in figures.items():
        row = known.get(service_id)
        if row is None:
            row = known[service_id] = ServiceUsage(service_id=service_id)
            session.add(row)
        row.at = now
        for key, value in found.items():
            setattr(row, key, value)
        kept = {key: value for key, value in found.items() if key in UsageSample.__table__.columns}
        sample = today.get(service_id)
        if sample is None:
            # Until its other servers have reported, what they said last stands.
            whole = {key: getattr(row, key) or 0 for key in _SAMPLED}
            fresh.append({"service_id": service_id, "day": now.date(), **whole})
        else:
            for key, value in kept.items():
                setattr(sample, key, value)
    session.flush()
    if fresh:
        session.execute(insert(UsageSample), fresh)


_SAMPLED = ("web_disk", "web_bandwidth", "mail_disk", "databases", "mail_accounts")


def _status(session: Session, task: Task, facts: Mapping[str, Any]) -> None:
    status_arrived(session, task.server, facts)


def _configured(session: Session, task: Task, facts: Mapping[str, Any]) -> None:
    settings_arrived(session, task.server_id, facts)


def _usage(session: Session, task: Task, facts: Mapping[str, Any]) -> None:
    usage_arrived(session, task.server, facts.get("users") or [])


def settings_arrived(session: Session, server_id: int, facts: Mapping[str, Any]) -> None:
    """What the settings are now, so that nobody has to wait for the next look to see that they match; and why the panel
    refused some of them."""
    settings, asked = facts.get("settings") or {}, facts.get("asked") or {}
    refused = {
        key: {"reason": str(reason), "asked": str(asked.get(key, ""))}
        for key, reason in (facts.get("refused") or {}).items()
    }
    view = session.get(ServerView, (server_id, "config"))
    if view is not None:
        view.data = {**view.data, **settings}
    told = session.get(ServerView, (server_id, REFUSED_VIEW))
    before = told.data if told is not None else {}
    now = {key: one for key, one in before.items() if key not in settings} | refused
    if refused or now != before:
        _keep_view(session, server_id, REFUSED_VIEW, now)


def _pulled(session: Session, task: Task, facts: Mapping[str, Any]) -> None:
    """A standard file of a server becomes the group's."""
    group_id, name = int(task.arguments["group_id"]), str(task.arguments["file"])
    if session.get(ServerGroup, group_id) is None:
        return
    found = {
        "origin": "pulled",
        "content": str(facts.get("content", "")),
        "server_name": task.server.name,
        "updated_at": utcnow(),
        "updated_by": task.pipeline.actor,
    }
    mine = (StandardFile.group_id == group_id, StandardFile.name == name)
    row = session.scalars(select(StandardFile).where(*mine)).first()
    if (row.updated_at.isoformat() if row is not None else None) != task.arguments.get("version"):
        words = "not taken over: the group's file was changed meanwhile"
        task.changed, task.result = False, {**task.result, "actions": [words]}
        return
    if row is None:
        session.add(StandardFile(group_id=group_id, name=name, **found))
    else:
        session.execute(update(StandardFile).where(*mine).values(**found))


def _zone(session: Session, task: Task, _facts: Mapping[str, Any]) -> None:
    """A nameserver has confirmed a zone: now all of them are asked for it."""
    resource = task.resource
    if task.service_id is None or resource is None or resource.desired is Desired.ABSENT:
        return
    session.execute(update(Zone).where(Zone.service_id == task.service_id).values(check_due_at=utcnow()))


_ARRIVALS: dict[str, Callable[[Session, Task, Mapping[str, Any]], None]] = {
    STATUS_ACTION: _status,
    USAGE_ACTION: _usage,
    RECOUNT_ACTION: _usage,
    CONFIG_ACTION: _configured,
    PULL_ACTION: _pulled,
    ZONE_ACTION: _zone,
    VERIFY_ACTION: drift_looks.arrived,
}
