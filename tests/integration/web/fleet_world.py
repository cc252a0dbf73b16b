"""What servers and services of the small installation have reported, written as the engine writes it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from controller.domain.words import Driver
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.fleet_models import ServerSample, ServerView, ServiceUsage, UsageSample
from controller.store.models import Account, Server, ServerGroup

PROGRAMS = [
    {"name": "nginx", "what": "proxy", "state": "running", "cpu": 1.5, "memory_mb": 120, "minutes": 300},
    {"name": "named", "what": "dns", "state": "stopped", "cpu": 0, "memory_mb": 0, "minutes": 0},
]


def panel_user(name: str, **values: object) -> dict[str, object]:
    """One account as ``server.usage`` tells it."""
    empty = dict.fromkeys(("disk", "bandwidth", "web_domains", "mail_domains", "dns_domains", "databases"), 0)
    return {"name": name, "package": name, "role": "user", "suspended": False, "quota": None, **empty, **values}


def report(fleet: Fleet, server_id: int) -> None:
    """All views of a server and a day of samples, every ten minutes with a pause of four hours."""
    now = utcnow()
    with fleet.database.write() as session:
        ours = session.scalars(select(Account.username).where(Account.server_id == server_id)).all()
        users = [panel_user("admin", role="admin"), *(panel_user(name, web_domains=1, quota=5000) for name in ours)]
        users += [panel_user(f"byhand{number:03d}", disk=number, suspended=number == 7) for number in range(120)]
        views = {
            "config": {"LANGUAGE": "en", "FROM_NAME": "Somebody", "NOBODY_KNOWS": "x"},
            "services": PROGRAMS,
            "packages": [{"name": "default", "WEB_DOMAINS": "100", "BANDWIDTH": "unlimited"}],
            "addresses": [{"ip": "192.0.2.11", "nat": "198.51.100.1", "interface": "eth0", "status": "shared"}],
            "users": users,
        }
        for kind, data in views.items():
            session.add(ServerView(server_id=server_id, kind=kind, data=data))
        for place in range(140):
            if 40 <= place < 64:
                continue
            at = now - dt.timedelta(minutes=10 * place + 1)
            figures = {"load": place / 100, "cpu": 10 + place / 10, "memory": 25.0, "disk": 90.0, "accounts": 3}
            session.add(ServerSample(server_id=server_id, at=at, services_up=1, services_all=2, **figures))


def use(fleet: Fleet, service_id: int, **figures: int) -> None:
    """What a service uses now, and a month of days."""
    with fleet.database.write() as session:
        session.add(ServiceUsage(service_id=service_id, **figures))
        for back in range(30):
            day = utcnow().date() - dt.timedelta(days=back)
            session.add(UsageSample(service_id=service_id, day=day, web_disk=max(0, 3000 - back), mail_accounts=4))


def add_powerdns(fleet: Fleet, group_id: int) -> int:
    """A PowerDNS server as a row."""
    with fleet.database.write() as session:
        server = Server(
            name="pdns1",
            driver=Driver.POWERDNS,
            address="192.0.2.53",
            hostname="ns3.fleet.test",
            host_key="",
            api_url="http://192.0.2.53:8081",
            api_key=fleet.vault.seal("api-secret"),
            can_dns=True,
            facts={"panel_version": "4.7.3", "zones": 12, "queries": 1_234_567, "latency_us": 420},
            checked_at=utcnow(),
        )
        group = session.get_one(ServerGroup, group_id)
        group.dns_servers.append(server)
        session.add(server)
        session.flush()
        return server.id
