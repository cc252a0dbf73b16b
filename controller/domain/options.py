"""What staff can set: sections with defaults, bounds and explanations. No I/O.

A field's ``title`` and ``description`` are what the pages show; bounds are checked by pydantic.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.domain.failures import DEFAULT_POLICIES, NEVER_RETRIED, ErrorClass, RetryPolicy

DAY_MAX = 3650


class Section(BaseModel):
    """One section; ``section`` is its key in the database, the API and the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    section: ClassVar[str]
    title: ClassVar[str]


S = TypeVar("S", bound=Section)


class PolicyOptions(BaseModel):
    """Retry policy of one class of failures; times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(ge=1, le=1000, title="Attempts")
    delay: float = Field(ge=0, le=86_400, title="First delay")
    growth: float = Field(ge=1, le=10, title="Growth")
    delay_max: float = Field(ge=0, le=86_400, title="Longest delay")
    jitter: float = Field(ge=0, le=1, title="Jitter")

    def policy(self) -> RetryPolicy:
        """As the engine uses it."""
        return RetryPolicy(**self.model_dump())


def _default_policies() -> dict[ErrorClass, PolicyOptions]:
    return {kind: PolicyOptions(**vars(policy)) for kind, policy in DEFAULT_POLICIES.items()}


class RetryOptions(Section):
    """How often and when each class of failure is tried again."""

    section = "retries"
    title = "Retries"

    classes: dict[ErrorClass, PolicyOptions] = Field(default_factory=_default_policies)
    """Classes that are left out have their default."""

    def policy(self, kind: ErrorClass) -> RetryPolicy:
        """The policy of a class; bad arguments and changed host keys are never tried again."""
        if kind in NEVER_RETRIED:
            return DEFAULT_POLICIES[kind]
        chosen = self.classes.get(kind)
        return chosen.policy() if chosen else DEFAULT_POLICIES[kind]


class RetentionOptions(Section):
    """How long what is over is kept; days."""

    section = "retention"
    title = "Retention"

    finished_tasks: int = Field(
        30, ge=1, le=DAY_MAX, title="Finished tasks", description="Finished tasks and their logs"
    )
    checks: int = Field(
        3, ge=1, le=DAY_MAX, title="Checks", description="Checks and verifications that found nothing wrong"
    )
    activity: int = Field(
        90, ge=1, le=DAY_MAX, title="Activity", description="What the activity lists of services and servers show"
    )
    operation_log: int = Field(400, ge=1, le=DAY_MAX, title="Operation log")
    deliveries: int = Field(30, ge=1, le=DAY_MAX, title="Deliveries", description="Sent e-mails and webhook calls")
    server_history: int = Field(
        90, ge=1, le=DAY_MAX, title="Server history", description="Figures that the charts of servers show"
    )
    usage_history: int = Field(
        800, ge=1, le=DAY_MAX, title="Usage history", description="Figures that the charts of services show"
    )
    closed_tickets: int = Field(400, ge=1, le=DAY_MAX, title="Closed tickets")


class CollectionOptions(Section):
    """How often the servers are looked at by themselves."""

    section = "collection"
    title = "Collection"

    status_minutes: int = Field(
        10, ge=1, le=1440, title="Status every", description="Minutes between two looks at a server’s figures"
    )
    usage_hours: int = Field(
        6, ge=1, le=168, title="Usage every", description="Hours between two collections of what services use"
    )
    zone_hours: int = Field(
        24, ge=1, le=720, title="Nameservers asked every", description="Hours between two looks at an unchanged zone"
    )


class DriftOptions(Section):
    """The nightly look over everything the fleet should have."""

    section = "drift"
    title = "Drift check"

    enabled: bool = Field(True, title="Every night", description="Compare all services with their servers")
    hour: int = Field(2, ge=0, le=23, title="Hour", description="When it starts, UTC")
    at_once: int = Field(
        2, ge=1, le=64, title="Side by side", description="Servers that are looked at at the same time"
    )


class TicketOptions(Section):
    """Tickets for staff when something failed for good."""

    section = "tickets"
    title = "Tickets"

    enabled: bool = Field(
        True, title="Open tickets", description="One ticket per cause when a task has failed for good"
    )
    email_to: list[str] = Field(
        default_factory=list,
        max_length=20,
        title="E-mail to",
        description="Who gets tickets by e-mail; nobody if empty",
    )


class MailOptions(Section):
    """How e-mail leaves."""

    section = "mail"
    title = "E-mail"

    host: str = Field("", max_length=253, title="SMTP server", description="No e-mail is sent while this is empty")
    port: int = Field(587, ge=1, le=65_535, title="Port")
    security: str = Field("starttls", pattern="^(starttls|tls|none)$", title="Encryption")
    username: str = Field("", max_length=254, title="User name")
    password: str = Field("", max_length=2000, title="Password")
    """Encrypted; never shown again."""
    sender: str = Field("", max_length=254, title="Sender address")


SECTIONS: tuple[type[Section], ...] = (
    RetryOptions,
    RetentionOptions,
    CollectionOptions,
    DriftOptions,
    TicketOptions,
    MailOptions,
)
BY_NAME: dict[str, type[Section]] = {model.section: model for model in SECTIONS}
SECRETS = frozenset({("mail", "password")})


def read(model: type[S], stored: dict[str, Any] | None) -> S:
    """A section from what is stored; what is missing, no longer known or out of bounds has its default."""
    known = {key: value for key, value in deepcopy(stored or {}).items() if key in model.model_fields}
    while True:
        try:
            return model.model_validate(known)
        except ValidationError as problem:
            # Of another version, or edited by hand: the engine goes on with defaults rather than not at all.
            for path in {error["loc"][:2] for error in problem.errors()}:
                _drop(known, *path)


def _drop(values: dict[str, Any], field: int | str, entry: int | str | None = None) -> None:
    """Leave out what a bad value belongs to: an entry of a table, else the whole field."""
    table = values.get(str(field))
    if isinstance(table, dict) and entry in table:
        del table[entry]
    else:
        values.pop(str(field), None)
