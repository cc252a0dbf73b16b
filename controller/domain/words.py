"""The words of the product (DESIGN section 2) as types."""

from __future__ import annotations

from enum import StrEnum


class Driver(StrEnum):
    """How a server is managed."""

    HESTIACP = "hestiacp"
    POWERDNS = "powerdns"


class Capability(StrEnum):
    """What a server is allowed to host; also the roles of a service."""

    WEB = "web"
    MAIL = "mail"
    DNS = "dns"


class ServerStatus(StrEnum):
    """``closed`` takes no new services, ``maintenance`` runs no tasks, ``disabled`` is out of use."""

    ACTIVE = "active"
    CLOSED = "closed"
    MAINTENANCE = "maintenance"
    DISABLED = "disabled"


class Mode(StrEnum):
    """Deployment mode of a product."""

    SPLIT = "split"
    UNIFIED = "unified"
    VANITY = "vanity"


class Desired(StrEnum):
    """Desired state of a service or a resource."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ABSENT = "absent"


class ServiceStatus(StrEnum):
    """What a service is at, as the API says it."""

    PENDING = "pending"
    DEPLOYING = "deploying"
    ACTIVE = "active"
    ERROR = "error"
    SUSPENDED = "suspended"
    TERMINATING = "terminating"
    TERMINATED = "terminated"


class TaskStatus(StrEnum):
    """Life of a task: waiting -> queued -> running -> succeeded, failed or cancelled."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    HELD = "held"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a pipeline runs."""

    ORDER = "order"
    REDEPLOY = "redeploy"
    SUSPEND = "suspend"
    UNSUSPEND = "unsuspend"
    TERMINATE = "terminate"
    CHANGE_PRODUCT = "change-product"
    VERIFY = "verify"
    REPAIR = "repair"
    CHECK = "check"
    ZONE = "zone"
    CONFIG = "config"
    FILES = "files"
    MAINTENANCE = "maintenance"
    USAGE = "usage"


class Role(StrEnum):
    """Who a signed-in person is."""

    OWNER = "owner"
    OPERATOR = "operator"
    SUPPORT = "support"
    CUSTOMER = "customer"


class TicketStatus(StrEnum):
    """A ticket of the staff desk."""

    OPEN = "open"
    CLOSED = "closed"


STAFF_ROLES = frozenset({Role.OWNER, Role.OPERATOR, Role.SUPPORT})
FINAL_TASK_STATES = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED})
MOVING_TASK_STATES = frozenset({TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING})
"""What comes about by itself; a held task needs somebody to start what holds it."""
OPEN_TASK_STATES = MOVING_TASK_STATES | {TaskStatus.HELD}
STATUS_ACTION = "server.status"
"""The check of a server: the one action that runs while the server is waited for."""
USAGE_ACTION = "server.usage"
RECOUNT_ACTION = "server.recount"
CONFIG_ACTION = "server.config"
FILES_ACTION = "server.files"
PULL_ACTION = "server.pull"
VERIFY_ACTION = "server.verify"
"""The comparison of all that services have on a server."""
RESTART_ACTION = "server.restart"
REBUILD_ACTION = "server.rebuild"
ZONE_ACTION = "dns.zone"
READ_ONLY_ACTIONS = frozenset({STATUS_ACTION, USAGE_ACTION, PULL_ACTION, VERIFY_ACTION})
RUNNABLE = (ServerStatus.ACTIVE, ServerStatus.CLOSED)
"""Servers in these states run tasks."""


def makes_resource_true(action: str) -> bool:
    """Whether a task of this action is about a resource; the others are done once, with the task's arguments."""
    return action in (CONFIG_ACTION, FILES_ACTION) or not action.startswith("server.")
