"""A big fleet as rows only: many servers and services with their tasks, zones, figures and history.

No server stands behind it; it shows what pages, calls and the inventory cost.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from controller.domain.limits import resolve
from controller.domain.pipelines import label
from controller.domain.words import (
    Desired,
    Driver,
    Mode,
    Reason,
    Role,
    ServerStatus,
    ServiceStatus,
    TaskStatus,
)
from controller.engine.fleet import Fleet
from controller.store.base import Base, utcnow
from controller.store.fleet_models import ServerSample, ServerView, ServiceUsage, UsageSample
from controller.store.models import (
    Account,
    Activity,
    Customer,
    GroupDnsServer,
    OperationLog,
    Pipeline,
    Product,
    Resource,
    Server,
    ServerGroup,
    Service,
    Task,
    TaskEvent,
    User,
)
from controller.store.zone_models import Zone, ZoneAnswer

BATCH = 5000
GROUPS = 10
ROLES = ["web", "mail", "dns"]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKrN0FUOw0Yc7c1h3gqSkNwY1n9Vt0Yt1o3sP0r8pO4x"
ACTIONS = (
    ("web.package", "web"),
    ("web.account", "web"),
    ("web.domain", "web"),
    ("web.certificate", "web"),
    ("mail.package", "mail"),
    ("mail.account", "mail"),
    ("mail.domain", "mail"),
    ("dns.package", "ns1"),
    ("dns.account", "ns1"),
    ("dns.zone", "ns1"),
    ("dns.package", "ns2"),
    ("dns.account", "ns2"),
    ("dns.zone", "ns2"),
)

Row = dict[str, Any]


def fill(fleet: Fleet, servers: int = 200, services: int = 20_000, days: int = 14, seed: int = 1) -> None:
    """Fill an empty installation. A tenth of the servers are nameservers, a third of the rest are mail servers;
    ``days`` of history."""
    rng = random.Random(seed)
    with fleet.database.write() as session:
        _Filler(session, fleet, servers, services, days, rng).fill()


class _Filler:
    def __init__(
        self, session: Session, fleet: Fleet, servers: int, services: int, days: int, rng: random.Random
    ) -> None:
        self.session, self.fleet, self.rng = session, fleet, rng
        self.services, self.days = services, days
        self.now = utcnow().replace(microsecond=0)
        dns = max(2, servers // 10)
        mail = max(1, (servers - dns) // 3)
        kinds = ["dns"] * dns + ["mail"] * mail
        kinds += ["web"] * (servers - len(kinds))
        self.kinds = dict(enumerate(kinds, start=1))
        self.groups = range(1, min(GROUPS, dns // 2, mail) + 1)
        self.customers = max(1, services * 2 // 5)
        self.password = fleet.vault.seal("nobody signs in with this")

    def fill(self) -> None:
        """All tables, parents first."""
        self._add(ServerGroup, self._groups())
        self._add(Server, self._servers())
        self._add(GroupDnsServer, self._attached())
        self._add(Product, self._products())
        self._add(Customer, self._customers())
        self._add(User, self._users())
        numbers = range(1, self.services + 1)
        self._add(Service, map(self._service, numbers))
        self._add(Account, (row for number in numbers for row in self._accounts(number)))
        self._add(Resource, (row for number in numbers for row in self._resources(number)))
        self._add(Zone, map(self._zone, numbers))
        self._add(ZoneAnswer, (row for number in numbers for row in self._answers(number)))
        self._add(Pipeline, map(self._pipeline, numbers))
        self._add(Task, (row for number in numbers for row in self._tasks(number)))
        self._add(TaskEvent, self._events())
        self._add(ServiceUsage, map(self._usage, numbers))
        self._add(UsageSample, (row for number in numbers for row in self._usage_history(number)))
        self._add(ServerSample, (row for number in self.kinds for row in self._server_history(number)))
        self._add(ServerView, (row for number in self.kinds for row in self._views(number)))
        self._add(Activity, map(self._activity, numbers))
        self._add(OperationLog, (row for number in numbers for row in self._log(number)))
        self._go_on_counting()

    def _add(self, table: type[Base], rows: Iterable[Row]) -> None:
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                self.session.execute(insert(table), batch)
                batch = []
        if batch:
            self.session.execute(insert(table), batch)

    def _go_on_counting(self) -> None:
        """Rows came with their numbers, of which PostgreSQL's own counters know nothing."""
        if self.session.get_bind().dialect.name == "postgresql":
            for table in Base.metadata.tables.values():
                if "id" in table.c:
                    counter = func.pg_get_serial_sequence(table.name, "id")
                    last = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
                    self.session.execute(select(func.setval(counter, last, False)))

    # -- the fleet -----------------------------------------------------------------------------------

    def _groups(self) -> Iterator[Row]:
        config = {"INACTIVE_SESSION_TIMEOUT": "60", "POLICY_SYNC_SKELETON": "yes", "WEBMAIL_ALIAS": "webmail"}
        for number in self.groups:
            yield {"id": number, "name": f"Group {number}", "description": "", "variables": {}, "config": config}

    def _servers(self) -> Iterator[Row]:
        for number, kind in self.kinds.items():
            yield {
                "id": number,
                "name": f"{kind}{number:03}",
                "driver": Driver.HESTIACP,
                "status": ServerStatus.ACTIVE,
                "address": f"10.0.{number // 250}.{number % 250 + 1}",
                "host_key": HOST_KEY,
                "hostname": self._name_of(number),
                "can_web": kind == "web",
                "can_mail": kind == "mail",
                "can_dns": kind == "dns",
                "group_id": None if kind == "dns" else self._group_of(number),
                "capacity": 400 if number % 7 else 0,
                "facts": self._facts(number),
                "checked_at": self.now - dt.timedelta(seconds=3 * number),
                "usage_at": self.now - dt.timedelta(minutes=number),
                "problem": "no route to host" if number % 50 == 0 else None,
            }

    def _group_of(self, number: int) -> int:
        return number % len(self.groups) + 1

    def _name_of(self, number: int) -> str:
        return f"{self.kinds[number]}{number:03}.fleet.test"

    def _facts(self, number: int) -> Row:
        units = ("apache2", "nginx", "php8.2-fpm", "exim4", "dovecot", "bind9", "mariadb", "cron", "ssh")
        return {
            "hostname": f"server{number}.fleet.test",
            "os": "debian",
            "os_version": "12",
            "panel_version": "1.9.9",
            "ips": [f"192.0.2.{number % 250 + 1}"],
            "load": round(self.rng.uniform(0, 4), 2),
            "cpu": round(self.rng.uniform(1, 90), 1),
            "cpus": 8,
            "memory_mb": 32_000,
            "memory_used_mb": self.rng.randrange(4000, 31_000),
            "disk_mb": 1_000_000,
            "disk_used_mb": self.rng.randrange(100_000, 990_000),
            "services": {unit: "running" if self.rng.random() > 0.01 else "stopped" for unit in units},
            "users": 120,
        }

    def _of_kind(self, kind: str, group: int) -> list[int]:
        found = [number for number, one in self.kinds.items() if one == kind and self._group_of(number) == group]
        return found or [number for number, one in self.kinds.items() if one == kind]

    def _nameservers(self, group: int) -> list[int]:
        everyone = [number for number, kind in self.kinds.items() if kind == "dns"]
        return [everyone[(2 * group) % len(everyone)], everyone[(2 * group + 1) % len(everyone)]]

    def _attached(self) -> Iterator[Row]:
        for group in self.groups:
            for server in self._nameservers(group):
                yield {"group_id": group, "server_id": server}

    def _products(self) -> Iterator[Row]:
        limits = resolve({}, {})[0]
        for group in self.groups:
            yield {
                "id": group,
                "name": f"Hosting {group}",
                "mode": Mode.SPLIT,
                "roles": ROLES,
                "group_id": group,
                "limits": limits,
                "self_service": True,
            }
        self.limits = limits

    def _customers(self) -> Iterator[Row]:
        for number in range(1, self.customers + 1):
            yield {"id": number, "email": f"customer{number}@example.com", "name": f"Customer {number}"}

    def _users(self) -> Iterator[Row]:
        people = (("staff@big.test", Role.OWNER, None), ("customer1@example.com", Role.CUSTOMER, 1))
        for email, role, customer in people:
            yield {"email": email, "name": email, "role": role, "customer_id": customer}

    # -- one service ---------------------------------------------------------------------------------

    def _places(self, number: int) -> dict[str, int]:
        """Server per role of a service."""
        group = number % len(self.groups) + 1
        web, mail = self._pools(group)
        first, second = self._nameservers(group)
        turn = number // len(self.groups)
        return {"web": web[turn % len(web)], "mail": mail[turn % len(mail)], "ns1": first, "ns2": second}

    def _pools(self, group: int) -> tuple[list[int], list[int]]:
        if not hasattr(self, "_pool"):
            self._pool = {one: (self._of_kind("web", one), self._of_kind("mail", one)) for one in self.groups}
        return self._pool[group]

    def _status(self, number: int) -> ServiceStatus:
        if number % 97 == 0:
            return ServiceStatus.ERROR
        return ServiceStatus.SUSPENDED if number % 41 == 0 else ServiceStatus.ACTIVE

    def _born(self, number: int) -> dt.datetime:
        return self.now - dt.timedelta(minutes=10 * (self.services - number))

    def _service(self, number: int) -> Row:
        status = self._status(number)
        return {
            "id": number,
            "product_id": number % len(self.groups) + 1,
            "customer_id": (number - 1) % self.customers + 1,
            "domain": f"site{number:05}.example",
            "domain_unicode": f"site{number:05}.example",
            "mode": Mode.SPLIT,
            "roles": ROLES,
            "limits": self.limits,
            "desired": Desired.SUSPENDED if status is ServiceStatus.SUSPENDED else Desired.ACTIVE,
            "status": status,
            "error": "A step could not be finished." if status is ServiceStatus.ERROR else None,
            "created_at": self._born(number),
            "activated_at": self._born(number),
        }

    def _accounts(self, number: int) -> Iterator[Row]:
        for place, (role, server) in enumerate(self._places(number).items()):
            yield {
                "id": 4 * number + place,
                "service_id": number,
                "server_id": server,
                "username": f"site{number:05}-{role}",
                "roles": ["dns" if role.startswith("ns") else role],
                "password": self.password,
            }

    def _resources(self, number: int) -> Iterator[Row]:
        places = self._places(number)
        for step, (action, place) in enumerate(ACTIONS):
            name = f"site{number:05}.example" if action.endswith(("domain", "zone", "certificate")) else ""
            yield {
                "id": len(ACTIONS) * number + step,
                "service_id": number,
                "account_id": 4 * number + list(places).index(place),
                "server_id": places[place],
                "action": action,
                "name": name or f"site{number:05}-{place}",
                "generation": 1,
                "applied_generation": 1,
                "applied_at": self._born(number),
                "facts": {"ip": "192.0.2.10", "hostname": "mail.fleet.test"} if action.endswith(".domain") else {},
            }

    def _zone(self, number: int) -> Row:
        return {
            "id": number,
            "service_id": number,
            "domain": f"site{number:05}.example",
            "agrees": number % 211 != 0,
            "checked_at": self.now - dt.timedelta(minutes=number % 1440),
            "check_due_at": self.now + dt.timedelta(days=1),
        }

    def _answers(self, number: int) -> Iterator[Row]:
        places = self._places(number)
        for place in ("ns1", "ns2"):
            agrees = number % 211 != 0 or place == "ns1"
            yield {
                "zone_id": number,
                "server_id": places[place],
                "agrees": agrees,
                "serial": 2026112201,
                "records": 22 if agrees else 21,
                "problems": [] if agrees else ["www A is missing"],
            }

    def _pipeline(self, number: int) -> Row:
        is_open = number % 97 == 0
        return {
            "id": number,
            "service_id": number,
            "reason": Reason.ORDER,
            "actor": "api:shop",
            "created_at": self._born(number),
            "finished_at": None if is_open else self._born(number),
        }

    def _tasks(self, number: int) -> Iterator[Row]:
        places = self._places(number)
        for step, (action, place) in enumerate(ACTIONS):
            failed = number % 97 == 0 and step == len(ACTIONS) - 1
            yield {
                "id": len(ACTIONS) * number + step,
                "pipeline_id": number,
                "service_id": number,
                "server_id": places[place],
                "resource_id": len(ACTIONS) * number + step,
                "action": action,
                "target": f"site{number:05}.example",
                "label": label(action, self._name_of(places[place]), Desired.ACTIVE),
                "status": TaskStatus.FAILED if failed else TaskStatus.SUCCEEDED,
                "attempt": 1,
                "changed": True,
                "error": "refused" if failed else None,
                "error_class": "refused" if failed else None,
                "created_at": self._born(number),
                "started_at": self._born(number),
                "finished_at": self._born(number),
            }

    def _events(self) -> Iterator[Row]:
        last = len(ACTIONS) * self.services
        for task in range(max(len(ACTIONS), last - 2000), last):
            for seq in range(1, 9):
                yield {"task_id": task, "seq": seq, "attempt": 1, "kind": "runner_on_ok", "text": "ok: [server]"}

    # -- figures -------------------------------------------------------------------------------------

    def _usage(self, number: int) -> Row:
        return {
            "service_id": number,
            "web_disk": self.rng.randrange(10_000),
            "web_bandwidth": self.rng.randrange(100_000),
            "databases": self.rng.randrange(5),
            "dns_records": 22,
            "mail_disk": self.rng.randrange(5000),
            "mail_accounts": self.rng.randrange(20),
        }

    def _usage_history(self, number: int) -> Iterator[Row]:
        for day in range(self.days):
            yield {
                "service_id": number,
                "day": self.now.date() - dt.timedelta(days=day),
                "web_disk": 5000 - 10 * day,
                "web_bandwidth": 900,
                "mail_disk": 700 - day,
                "databases": 2,
                "mail_accounts": 5,
            }

    def _server_history(self, number: int) -> Iterator[Row]:
        for step in range(self.days * 144):
            yield {
                "server_id": number,
                "at": self.now - dt.timedelta(minutes=10 * step),
                "load": 1.0 + step % 7 / 3,
                "cpu": 20.0 + step % 50,
                "memory": 60.0,
                "disk": 50.0,
                "accounts": 120,
                "services_up": 9,
                "services_all": 9,
            }

    def _views(self, number: int) -> Iterator[Row]:
        config = {"VERSION": "1.9.9", "INACTIVE_SESSION_TIMEOUT": "60", "POLICY_SYNC_SKELETON": "yes"}
        users = [
            {"name": f"user{one}", "package": "default", "suspended": False, "disk": one, "bandwidth": one}
            for one in range(120)
        ]
        yield {"server_id": number, "kind": "config", "data": config}
        yield {"server_id": number, "kind": "users", "data": users}

    # -- what people did -----------------------------------------------------------------------------

    def _activity(self, number: int) -> Row:
        return {
            "service_id": number,
            "kind": "service.active",
            "message": "The service is live",
            "at": self._born(number),
        }

    def _log(self, number: int) -> Iterator[Row]:
        for action in ("service.order", "web.domain", "dns.zone"):
            yield {
                "actor": "api:shop",
                "action": action,
                "target": f"site{number:05}.example",
                "message": "done",
                "service_id": number,
                "at": self._born(number),
            }
