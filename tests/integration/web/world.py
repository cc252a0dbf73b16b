"""A small installation with everything the pages show, and browsers for its people."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from controller.domain.words import Driver, Reason, ServiceStatus, TaskStatus
from controller.engine import desk
from controller.engine.fleet import Fleet
from controller.operations import (
    group_runs,
    groups,
    orders,
    people,
    products,
    tokens,
    webhooks,
    zone_templates,
)
from controller.settings import Settings
from controller.store.base import utcnow
from controller.store.desk_models import Ticket
from controller.store.models import (
    Activity,
    Customer,
    Pipeline,
    Product,
    Resource,
    Server,
    ServerGroup,
    Service,
    Task,
    TaskEvent,
)
from controller.store.schema import upgrade
from controller.store.vault import create_key
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone, ZoneRecord
from controller.web.app import create_app

PASSWORD = "correct horse battery"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqUHLGIkKkVKDjdBQ2PvYFvLpzNAcGTzvGzKjR0bxq3"
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')


@dataclass
class World:
    """The installation; ``anna_service`` is active, ``ben_service`` has just been ordered."""

    fleet: Fleet
    app: Starlette
    group_id: int
    product_id: int
    server_id: int
    anna_service: int
    ben_service: int
    anna_id: int
    anna_task: int
    drift_check: int
    group_run: int
    token: str

    def browser(self, who: str | None = None) -> Browser:
        """A browser, signed in as ``who`` (the part of the address before the @) if given."""
        browser = Browser(self.app)
        if who:
            answer = browser.submit("/login", {"email": f"{who}@example.net", "password": PASSWORD}, page="/login")
            assert answer.status_code == 303, answer.text
        return browser

    @cached_property
    def operator(self) -> Browser:
        """One who changes things, signed in once."""
        return self.browser("operator")

    @cached_property
    def support(self) -> Browser:
        """One who only looks, signed in once for many pages."""
        return self.browser("support")


class Browser(TestClient):
    """Does not follow redirects, keeps cookies, and sends the CSRF token of a page it has looked at."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(app, follow_redirects=False, raise_server_exceptions=True)

    def csrf(self, page: str = "/nowhere") -> str:
        """The token that pages carry for this session."""
        found = TOKEN.search(self.get(page, headers={"accept": "text/html"}).text)
        assert found, f"{page} carries no token"
        return found[1]

    def submit(self, path: str, data: dict[str, object] | None = None, page: str = "/nowhere"):
        """Post a form as a page would."""
        return self.post(path, data={"csrf_token": self.csrf(page), **(data or {})})


def make_world(home: Path, template: Path | None = None, **settings: object) -> World:
    """An installation in ``home``: a copy of one that was made before, or a new one."""
    if template is not None:
        shutil.copytree(template, home, dirs_exist_ok=True)
    configured = Settings(home=home, login_rate="1000/minute", **settings)
    fleet = fill(configured) if template is None else Fleet.open(configured)
    with fleet.database.read() as session:
        anna, ben = session.scalars(select(Service).order_by(Service.id))
        group_id, product_id = session.scalars(select(ServerGroup.id)).one(), session.scalars(select(Product.id)).one()
        server_id = session.scalars(select(Server.id).order_by(Server.id)).first() or 0
        anna_task = session.scalars(select(Task.id).where(Task.service_id == anna.id).order_by(Task.id)).first() or 0
        drift_check = session.scalars(select(LongRun.id).order_by(LongRun.id)).first() or 0
        group_run = session.scalars(select(Pipeline.id).where(Pipeline.group_id.is_not(None))).first() or 0
    return World(
        fleet=fleet,
        app=create_app(fleet),
        group_id=group_id,
        product_id=product_id,
        server_id=server_id,
        anna_service=anna.id,
        ben_service=ben.id,
        anna_id=anna.customer_id,
        anna_task=anna_task,
        drift_check=drift_check,
        group_run=group_run,
        token=(home / "token").read_text(),
    )


def fill(configured: Settings) -> Fleet:
    """Migrate a fresh database and fill it."""
    create_key(configured.key_file)
    upgrade(configured.effective_database_url)
    fleet = Fleet.open(configured)
    for role in ("owner", "operator", "support"):
        people.create_user(fleet, "test", email=f"{role}@example.net", name=f"The {role}", role=role, password=PASSWORD)
    group = groups.create(fleet, "test", name="Warsaw", variables={"ns1": "ns1.fleet.test", "ns2": "ns2.fleet.test"})
    add_servers(fleet, group.id)
    product = products.create(
        fleet,
        "test",
        name="Business",
        mode="split",
        roles=["web", "mail", "dns"],
        group=group.id,
        self_service=True,
    )
    for name in ("anna", "ben"):
        service = orders.order(
            fleet,
            "test",
            product=product.id,
            domain=f"{name}.example",
            customer_email=f"{name}@example.net",
            customer_name=name.title(),
        )
        people.create_user(
            fleet,
            "test",
            email=f"{name}@example.net",
            name=name.title(),
            role="customer",
            password=PASSWORD,
            customer_id=service.customer_id,
        )
        if name == "anna":
            finish(fleet, service.id)
    add_ticket(fleet)
    webhooks.create(fleet, "test", name="chat", url="https://chat.example/hook", events=["ticket.opened"])
    add_drift_check(fleet)
    group_runs.apply(fleet, "test", group.id, "files")
    zone_templates.copy_built_in(fleet, "test", "Copied")
    with fleet.database.write() as session:
        zone = session.scalars(select(Zone).where(Zone.domain == "anna.example")).one()
        session.add(ZoneRecord(zone_id=zone.id, name="blog", type="CNAME", value="blogs.example.org."))
    _, plain = tokens.create(fleet, "test", name="billing", scope="admin")
    (configured.home / "token").write_text(plain)
    return fleet


def add_servers(fleet: Fleet, group_id: int) -> int:
    """Two web, two mail and two DNS servers as rows; nothing connects to them. Returns the first one's id."""
    with fleet.database.write() as session:
        group = session.get_one(ServerGroup, group_id)
        servers = []
        for number, name in enumerate(("web01", "web02", "mail01", "mail02", "ns1", "ns2")):
            server = Server(
                name=name,
                driver=Driver.HESTIACP,
                address=f"192.0.2.{11 + number}",
                hostname=f"{name}.fleet.test",
                host_key=HOST_KEY,
                can_web=name.startswith("web"),
                can_mail=name.startswith("mail"),
                can_dns=name.startswith("ns"),
                capacity=10,
                facts={
                    "os": "debian",
                    "os_version": "12",
                    "panel_version": "1.9.9",
                    "ips": [f"192.0.2.{11 + number}"],
                    "load": 0.4,
                    "cpus": 2,
                    "memory_mb": 4000,
                    "memory_used_mb": 1000,
                    "disk_mb": 100_000,
                    "disk_used_mb": 90_000,
                    "services": {"nginx": "running", "named": "stopped"},
                    "users": 3,
                },
                checked_at=utcnow(),
            )
            servers.append(server)
            session.add(server)
            if server.can_dns:
                group.dns_servers.append(server)
            else:
                server.group = group
        session.flush()
        return servers[0].id


def add_drift_check(fleet: Fleet) -> None:
    """One that is over and found one service to differ."""
    with fleet.database.write() as session:
        service = session.scalars(select(Service).order_by(Service.id)).first()
        assert service is not None
        pipeline = Pipeline(service_id=service.id, reason=Reason.VERIFY, finished_at=utcnow())
        session.add(pipeline)
        session.flush()
        thing = {"action": "web.domain", "server": "web01", "target": service.domain, "lines": ["is missing"]}
        entry = {
            "service_id": service.id,
            "domain": service.domain,
            "pipeline_id": pipeline.id,
            "differences": [thing],
        }
        session.add(
            LongRun(
                kind="drift-check",
                title="Drift check",
                actor="engine",
                finished_at=utcnow(),
                total=2,
                done=2,
                found=1,
                report={"open": [], "differing": [entry]},
            )
        )


def finish(fleet: Fleet, service_id: int) -> None:
    """Write what the worker writes when every task of a service has worked out."""
    facts = {
        "web.domain": {"ip": "192.0.2.11", "document_root": "/home/anna-example-web/web/anna.example/public_html"},
        "mail.domain": {"ip": "192.0.2.13", "hostname": "mail01.fleet.test", "dkim_selector": "mail"},
        "web.certificate": {"tls": "self-signed", "not_after": (utcnow() + dt.timedelta(days=90)).isoformat()},
    }
    with fleet.database.write() as session:
        for task in session.scalars(select(Task).where(Task.service_id == service_id).order_by(Task.id)):
            task.status, task.attempt, task.changed = TaskStatus.SUCCEEDED, 1, True
            task.started_at = task.finished_at = utcnow()
            task.result = {"facts": {}, "actions": ["v-add-web-domain"], "repaired": []}
            log(session, task, "changed: [web01]", kind="runner_on_ok")
            session.add(Activity(service_id=service_id, task_id=task.id, kind="task.succeeded", message=task.label))
        for resource in session.scalars(select(Resource).where(Resource.service_id == service_id)):
            resource.applied_generation, resource.applied_at = resource.generation, utcnow()
            resource.facts = facts.get(resource.action, {})
        service = session.get_one(Service, service_id)
        service.status, service.activated_at = ServiceStatus.ACTIVE, utcnow()
        session.add(Activity(service_id=service_id, kind="service.active", message=f"{service.domain} is live"))


def add_ticket(fleet: Fleet, target: str = "ben.example") -> int:
    """What the engine writes when the last attempt of a task has failed; returns the ticket's id."""
    with fleet.database.write() as session:
        server = session.scalars(select(Server).order_by(Server.id)).first()
        pipeline = Pipeline(reason=Reason.REPAIR, finished_at=utcnow())
        session.add(pipeline)
        session.flush()
        task = Task(
            pipeline_id=pipeline.id,
            server_id=server.id,
            action="web.domain",
            target=target,
            label="Configuring web hosting",
            status=TaskStatus.FAILED,
            attempt=1,
            error_class="refused",
            error="v-add-web-domain: invalid <domain>",
            finished_at=utcnow(),
        )
        session.add(task)
        session.flush()
        desk.task_failed(session, task)
        return session.scalars(select(Ticket.id).where(Ticket.task_id == task.id)).one()


def log(session, task: Task, text: str, kind: str = "verbose", seq: int | None = None) -> None:
    """Add one line to a task's log."""
    if seq is None:
        newest = select(TaskEvent.seq).where(TaskEvent.task_id == task.id).order_by(TaskEvent.seq.desc()).limit(1)
        seq = (session.scalar(newest) or 0) + 1
    session.add(TaskEvent(task_id=task.id, seq=seq, attempt=1, kind=kind, text=text))
    session.flush()


def customer(fleet: Fleet, email: str) -> Customer:
    """A customer by address."""
    with fleet.database.read() as session:
        return session.scalars(select(Customer).where(Customer.email == email)).one()
