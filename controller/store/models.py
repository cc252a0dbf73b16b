"""All tables. One file, so that the whole data model can be read in one sitting."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controller.domain.words import (
    Capability,
    Desired,
    Driver,
    Mode,
    Reason,
    Role,
    ServerStatus,
    ServiceStatus,
    TaskStatus,
    makes_resource_true,
)
from controller.store.base import Base, utcnow, words


class Customer(Base):
    """Who buys services; keyed by e-mail address."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)

    services: Mapped[list[Service]] = relationship(back_populates="customer")


class User(Base):
    """A person who can sign in: staff, or one login of a customer."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(words(Role))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    session_epoch: Mapped[int] = mapped_column(default=0)
    """Raised to end all sessions of this person (password change, sign-out everywhere)."""
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    last_login_at: Mapped[dt.datetime | None]

    customer: Mapped[Customer | None] = relationship()


class ApiToken(Base):
    """A bearer token; only its SHA-256 is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    scope: Mapped[str] = mapped_column(String(20))
    """``admin`` may do everything, ``read`` only GET."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class ServerGroup(Base):
    """What a product points at: web and mail servers, attached DNS servers, variables."""

    __tablename__ = "server_groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    variables: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Values for zone templates, for instance ``{"ns1": "ns1.example.net"}``."""
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Panel settings its servers shall have (``controller.domain.config_keys``); what is left out is not managed."""
    zone_template_id: Mapped[int | None] = mapped_column(ForeignKey("zone_templates.id"), index=True)
    """For its zones; None: each server's own choice or the default template."""
    zone_ttl: Mapped[int] = mapped_column(default=3600)
    """TTL of its zones, seconds."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)

    servers: Mapped[list[Server]] = relationship(back_populates="group")
    dns_servers: Mapped[list[Server]] = relationship(secondary="group_dns_servers", back_populates="dns_groups")


class GroupDnsServer(Base):
    """A DNS server attached to a group; one DNS server may serve many groups."""

    __tablename__ = "group_dns_servers"

    group_id: Mapped[int] = mapped_column(ForeignKey("server_groups.id", ondelete="CASCADE"), primary_key=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True, index=True)


class Server(Base):
    """A machine with a driver, a door (SSH) and a status."""

    __tablename__ = "servers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    driver: Mapped[Driver] = mapped_column(words(Driver))
    status: Mapped[ServerStatus] = mapped_column(words(ServerStatus), default=ServerStatus.ACTIVE)
    closed_web: Mapped[bool] = mapped_column(default=False)
    closed_mail: Mapped[bool] = mapped_column(default=False)
    closed_dns: Mapped[bool] = mapped_column(default=False)
    """Closed for new services of this role; what is there goes on."""
    address: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column(default=22)
    can_web: Mapped[bool] = mapped_column(default=False)
    can_mail: Mapped[bool] = mapped_column(default=False)
    can_dns: Mapped[bool] = mapped_column(default=False)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("server_groups.id"), index=True)
    capacity: Mapped[int] = mapped_column(default=0)
    """Most services this server takes; 0 means no limit."""
    ssh_user: Mapped[str] = mapped_column(String(64), default="root")
    become: Mapped[bool] = mapped_column(default=False)
    """Whether a login that is not root takes sudo."""
    ssh_password: Mapped[str | None] = mapped_column(Text)
    """Encrypted."""
    ssh_private_key: Mapped[str | None] = mapped_column(Text)
    """Encrypted PEM."""
    host_key: Mapped[str] = mapped_column(Text)
    """Pinned public key, ``ssh-ed25519 AAAA...``; empty for a server without SSH."""
    api_url: Mapped[str] = mapped_column(String(255), default="")
    """Where a PowerDNS server's HTTP API is; empty for a HestiaCP server."""
    api_key: Mapped[str | None] = mapped_column(Text)
    """Encrypted."""
    api_server_id: Mapped[str] = mapped_column(String(64), default="localhost")
    """PowerDNS's own id of the server behind the API."""
    dns_address: Mapped[str] = mapped_column(String(255), default="")
    """Where its nameserver is asked; empty: at its address."""
    dns_port: Mapped[int] = mapped_column(default=53)
    command_timeout: Mapped[int] = mapped_column(default=0)
    """Longest run of one attempt, seconds; 0: as everywhere."""
    zone_template_id: Mapped[int | None] = mapped_column(ForeignKey("zone_templates.id"), index=True)
    hostname: Mapped[str] = mapped_column(String(255), default="")
    """The name the server has for itself; names nameservers and mail hosts in zones."""
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What ``server.status`` last reported."""
    checked_at: Mapped[dt.datetime | None]
    usage_at: Mapped[dt.datetime | None]
    """When the usage of everything on it was last collected."""
    status_asked_at: Mapped[dt.datetime | None]
    """When it was last asked for its status by itself, whatever came of it."""
    usage_asked_at: Mapped[dt.datetime | None]
    """The same of its usage."""
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the last check failed, in words; None when it did not."""
    blocked_since: Mapped[dt.datetime | None]
    """Since when the circuit breaker is open: no task but a check runs until one has got through."""
    blocked_cause: Mapped[str | None] = mapped_column(String(30))
    """Class of the failure that opened it."""
    catch_up: Mapped[bool] = mapped_column(default=False)
    """It was away: what it has missed is still to be looked for."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)

    group: Mapped[ServerGroup | None] = relationship(back_populates="servers")
    dns_groups: Mapped[list[ServerGroup]] = relationship(secondary="group_dns_servers", back_populates="dns_servers")

    @property
    def capabilities(self) -> list[Capability]:
        """What the server is allowed to host, in the order web, mail, dns."""
        flags = (
            (Capability.WEB, self.can_web),
            (Capability.MAIL, self.can_mail),
            (Capability.DNS, self.can_dns),
        )
        return [capability for capability, allowed in flags if allowed]

    @property
    def open_roles(self) -> list[Capability]:
        """Roles of which it takes new services."""
        closed = {
            Capability.WEB: self.closed_web,
            Capability.MAIL: self.closed_mail,
            Capability.DNS: self.closed_dns,
        }
        is_open = self.status is ServerStatus.ACTIVE
        return [capability for capability in self.capabilities if is_open and not closed[capability]]


class Product(Base):
    """What is sold: mode, roles, default limits, server group."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    mode: Mapped[Mode] = mapped_column(words(Mode))
    roles: Mapped[list[str]] = mapped_column()
    group_id: Mapped[int] = mapped_column(ForeignKey("server_groups.id"), index=True)
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict)
    zone_template_id: Mapped[int | None] = mapped_column(ForeignKey("zone_templates.id"), index=True)
    active: Mapped[bool] = mapped_column(default=True)
    self_service: Mapped[bool] = mapped_column(default=False)
    """Whether signed-in customers may order it themselves."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)

    group: Mapped[ServerGroup] = relationship()


class Service(Base):
    """One customer's hosting on one primary domain, with its own resolved limits."""

    __tablename__ = "services"
    __table_args__ = (
        Index(
            "uq_services_live_domain",
            "domain",
            unique=True,
            sqlite_where=text("status != 'terminated'"),
            postgresql_where=text("status != 'terminated'"),
        ),
        Index("ix_services_status_id", "status", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str | None] = mapped_column(String(100), index=True)
    """The billing system's own id of this service."""
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    domain: Mapped[str] = mapped_column(String(253))
    """ASCII (A-label) form."""
    domain_unicode: Mapped[str] = mapped_column(String(253))
    mode: Mapped[Mode] = mapped_column(words(Mode))
    roles: Mapped[list[str]] = mapped_column()
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    desired: Mapped[Desired] = mapped_column(words(Desired), default=Desired.ACTIVE)
    status: Mapped[ServiceStatus] = mapped_column(words(ServiceStatus), default=ServiceStatus.PENDING)
    error: Mapped[str | None] = mapped_column(Text)
    """Why it is in error, in plain words for the customer."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    activated_at: Mapped[dt.datetime | None]
    terminated_at: Mapped[dt.datetime | None]
    verified_at: Mapped[dt.datetime | None]
    """When a verification last looked at all of it."""
    differences: Mapped[int | None]
    """How many of its things differed then; None if it was never verified."""

    product: Mapped[Product] = relationship()
    customer: Mapped[Customer] = relationship(back_populates="services")
    accounts: Mapped[list[Account]] = relationship(back_populates="service", order_by="Account.id")
    resources: Mapped[list[Resource]] = relationship(back_populates="service", order_by="Resource.id")


class Account(Base):
    """A panel user that backs one or more roles on one server; a provider's own account has no service."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("server_id", "username"),
        Index("ix_accounts_server_id_service_id", "server_id", "service_id"),
        Index("ix_accounts_username_service_id", "username", "service_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"), index=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id"))
    username: Mapped[str] = mapped_column(String(30))
    roles: Mapped[list[str]] = mapped_column()
    password: Mapped[str] = mapped_column(Text)
    """Encrypted."""

    service: Mapped[Service | None] = relationship(back_populates="accounts")
    server: Mapped[Server] = relationship()


class Resource(Base):
    """One thing that should exist (or not) on one server; what a task makes true.

    ``action`` names the role entry that does it (``web.domain``); ``generation`` rises with every wish,
    ``applied_generation`` is the newest one the server has confirmed.
    """

    __tablename__ = "resources"
    __table_args__ = (
        UniqueConstraint("server_id", "action", "name"),
        CheckConstraint("applied_generation <= generation", name="applied_not_ahead"),
        Index(
            "ix_resources_behind",
            "action",
            "server_id",
            "service_id",
            sqlite_where=text("applied_generation < generation"),
            postgresql_where=text("applied_generation < generation"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id"))
    action: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(253))
    """What it is called on the server: a user name, a domain, a package."""
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Settings of the resource itself, never a secret."""
    desired: Mapped[Desired] = mapped_column(words(Desired), default=Desired.ACTIVE)
    generation: Mapped[int] = mapped_column(default=1)
    applied_generation: Mapped[int] = mapped_column(default=0)
    applied_at: Mapped[dt.datetime | None]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the server reported when it was last applied (an address, a DKIM public key)."""

    service: Mapped[Service | None] = relationship(back_populates="resources")
    account: Mapped[Account | None] = relationship()
    server: Mapped[Server] = relationship()


class Pipeline(Base):
    """The tasks of one reason, as a graph."""

    __tablename__ = "pipelines"

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"), index=True)
    run_id: Mapped[int | None] = mapped_column(index=True)
    """The long run that started it (a drift check over the fleet), which may be cleaned away before it."""
    group_id: Mapped[int | None] = mapped_column(index=True)
    """The server group whose servers it is about, which may be deleted before it."""
    title: Mapped[str] = mapped_column(String(200), default="")
    """What staff read of a pipeline without a service."""
    check: Mapped[bool] = mapped_column(default=False)
    """A preview: its tasks only look."""
    reason: Mapped[Reason] = mapped_column(words(Reason))
    actor: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    finished_at: Mapped[dt.datetime | None]

    tasks: Mapped[list[Task]] = relationship(back_populates="pipeline", order_by="Task.id")


class Task(Base):
    """One unit of queued work: one action on one resource on one server."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_status_priority_id", "status", "priority", "id"),
        Index("ix_tasks_service_id_id", "service_id", "id"),
        Index("ix_tasks_server_id_status", "server_id", "status"),
        Index("ix_tasks_status_finished_at", "status", "finished_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id"), index=True)
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"))
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id"))
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resources.id", ondelete="SET NULL"), index=True)
    action: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(253))
    label: Mapped[str] = mapped_column(String(200))
    """What the customer reads: "Setting up web account"."""
    check_mode: Mapped[bool] = mapped_column(default=False)
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What to do it with, for a task without a resource (which service to restart); never a secret."""
    lane: Mapped[str | None] = mapped_column(String(60))
    """At most one task of a lane runs at a time: members of one tier are never reloaded together."""
    status: Mapped[TaskStatus] = mapped_column(words(TaskStatus), default=TaskStatus.WAITING)
    priority: Mapped[int] = mapped_column(default=50)
    """Lower runs first: 10 a customer's click, 50 a deployment, 90 a nightly sync."""
    attempt: Mapped[int] = mapped_column(default=0)
    """Attempts that counted so far; a run cut off by a dying worker does not count."""
    max_attempts: Mapped[int] = mapped_column(default=3)
    """Failures that the policy of the last failure's class allows."""
    tries: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Failures so far by class: each class has a policy of its own."""
    fence: Mapped[int] = mapped_column(default=0)
    """Rises with every claim; a result with an older fence is not written."""
    not_before: Mapped[dt.datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[dt.datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    queued_at: Mapped[dt.datetime | None]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    changed: Mapped[bool | None]
    generation: Mapped[int | None]
    """Generation of the resource that the last attempt read."""
    error_class: Mapped[str | None] = mapped_column(String(30))
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """``facts`` of the last attempt; ``actions``, ``repaired`` and ``diff`` of all since a person asked for it."""
    events_expected: Mapped[int | None]
    """How many events all attempts have written; fewer stored means a loss."""

    pipeline: Mapped[Pipeline] = relationship(back_populates="tasks")
    server: Mapped[Server] = relationship()
    service: Mapped[Service | None] = relationship()
    resource: Mapped[Resource | None] = relationship()
    needs: Mapped[list[Task]] = relationship(
        secondary="task_needs",
        primaryjoin="Task.id == TaskNeed.task_id",
        secondaryjoin="Task.id == TaskNeed.needs_id",
        viewonly=True,
    )

    @property
    def is_moot(self) -> bool:
        """Whether the resource that it was about is gone."""
        return self.resource_id is None and makes_resource_true(self.action)


class TaskNeed(Base):
    """``task`` starts when ``needs`` has succeeded."""

    __tablename__ = "task_needs"

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    needs_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True, index=True)


class TaskEvent(Base):
    """One line of Ansible's event stream, kept as the task's log."""

    __tablename__ = "task_events"
    __table_args__ = (UniqueConstraint("task_id", "seq"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    seq: Mapped[int]
    """1, 2, 3... within the task, over all attempts."""
    attempt: Mapped[int]
    at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    kind: Mapped[str] = mapped_column(String(60))
    """ansible-runner's event name, or ``fleet_...`` for the engine's own lines."""
    text: Mapped[str] = mapped_column(Text, default="")
    """What a person reads (stdout of the event, secrets scrubbed)."""
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ServerLock(Base):
    """Exactly one changing task per server; a row per held lock."""

    __tablename__ = "server_locks"

    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    fence: Mapped[int]
    until: Mapped[dt.datetime]


class Activity(Base):
    """One lasting line per thing that happened; also the clock of every live page."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_service_id_id", "service_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utcnow)
    actor: Mapped[str] = mapped_column(String(254), default="")
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"))
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    task_id: Mapped[int | None] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(40))
    """``task.running``, ``task.succeeded``, ``service.active``, ``server.added``..."""
    message: Mapped[str] = mapped_column(Text)


class IdempotencyKey(Base):
    """The stored answer to a ``POST`` that carried an Idempotency-Key; ``status`` 0 while it is being made."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("token_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(default=0)
    body: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[dt.datetime] = mapped_column(default=utcnow, index=True)


class OperationLog(Base):
    """One lasting line per thing that happened: who or what asked, target, step, result, message.

    Without foreign keys: a line outlives what it tells about.
    """

    __tablename__ = "operation_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utcnow, index=True)
    actor: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(60))
    """What was asked for (``service.order``) or the step that ran (``web.domain``)."""
    target: Mapped[str] = mapped_column(String(300))
    result: Mapped[str] = mapped_column(String(20), default="done")
    """``done`` for a request, ``succeeded``, ``failed`` or ``cancelled`` for a step."""
    message: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    service_id: Mapped[int | None] = mapped_column(index=True)
    server_id: Mapped[int | None] = mapped_column(index=True)
    task_id: Mapped[int | None] = mapped_column(index=True)
