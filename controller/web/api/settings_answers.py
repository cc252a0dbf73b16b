"""Answers and bodies of the calls on settings and periodic jobs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, WithJsonSchema, create_model

import controller
from controller.domain.failures import NEVER_RETRIED, ErrorClass
from controller.domain.options import (
    CollectionOptions,
    DriftOptions,
    MailOptions,
    PolicyOptions,
    RetentionOptions,
    RetryOptions,
    Section,
    TicketOptions,
)
from controller.operations.jobs import JobView
from controller.settings import Settings
from controller.web.api import PREFIX
from controller.web.api.answers import Links
from controller.web.api.bodies import Body


class EnvironmentAnswer(BaseModel):
    """What the process was started with, as far as it is no secret; times are seconds."""

    version: str
    database: str
    queue: str
    workers: int
    lease_seconds: float
    task_timeout: float
    reconcile_seconds: float
    event_flush_seconds: float
    server_python: str
    public_url: str
    session_hours: int
    secure_cookies: bool
    login_rate: str


class MailAnswer(MailOptions):
    """How e-mail leaves."""

    password: str = Field(title="Password", description="`set` or `not set`")


class SettingsAnswer(BaseModel):
    """All settings; the sections below `environment` can be changed."""

    environment: EnvironmentAnswer
    retries: RetryOptions
    retention: RetentionOptions
    collection: CollectionOptions
    drift: DriftOptions
    tickets: TicketOptions
    mail: MailAnswer


ANSWERS: dict[str, type[Section]] = {
    **{
        model.section: model
        for model in (RetryOptions, RetentionOptions, CollectionOptions, DriftOptions, TicketOptions)
    },
    MailOptions.section: MailAnswer,
}
"""What each section is answered with."""


def environment_answer(settings: Settings) -> EnvironmentAnswer:
    """No path, no address of a database, no key."""
    same = {name: getattr(settings, name) for name in EnvironmentAnswer.model_fields if hasattr(settings, name)}
    return EnvironmentAnswer(
        **same,
        version=controller.__version__,
        database=urlsplit(settings.effective_database_url).scheme.partition("+")[0],
        queue=urlsplit(settings.effective_queue_url).scheme,
    )


def _change_of(model: type[Section]) -> type[Body]:
    """The body of a change: every field may be left out. Values are checked by the operation."""
    described = model.model_json_schema()["properties"]
    fields: dict[str, Any] = {
        name: (Annotated[Any, WithJsonSchema({**described[name], "title": field.title or name})], None)
        for name, field in model.model_fields.items()
    }
    if model is MailOptions:
        password = {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Password"}
        words = "empty keeps the stored one, null removes it; needed again when the SMTP server changes"
        fields["password"] = (Annotated[Any, WithJsonSchema({**password, "description": words})], None)
    if model is RetryOptions:
        fields["classes"] = (Annotated[Any, WithJsonSchema(_policies_schema())], None)
    name = f"{model.__name__.removesuffix('Options')}Change"
    return create_model(name, __base__=Body, __doc__="What is left out stays as it is.", **fields)


def _policies_schema() -> dict[str, Any]:
    policy = {"type": "object", "properties": PolicyOptions.model_json_schema()["properties"]}
    kinds = [kind.value for kind in ErrorClass if kind not in NEVER_RETRIED]
    return {
        "type": "object",
        "properties": {kind: {**policy, "additionalProperties": False} for kind in kinds},
        "additionalProperties": False,
        "description": "policies by class of failure; times in seconds",
        "examples": [{"busy": {"attempts": 12, "delay": 5}}],
    }


CHANGES: dict[str, type[Body]] = {
    model.section: _change_of(model)
    for model in (RetryOptions, RetentionOptions, CollectionOptions, DriftOptions, TicketOptions, MailOptions)
}
"""What each section is changed with."""


class TestMail(Body):
    """Where a test e-mail goes."""

    __test__ = False

    to: str = Field(examples=["you@example.net"])


class TestMailAnswer(BaseModel):
    """What became of a test e-mail."""

    __test__ = False

    answer: str


class JobAnswer(BaseModel):
    """A periodic job of the engine."""

    name: str
    title: str
    rhythm: str = Field(description="how often it runs, in words")
    running: bool
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    result: str = Field(description="what the last run that worked did, in words")
    error: str | None = Field(description="why the last run failed")
    due_at: dt.datetime | None = Field(description="when it runs next; empty when it is switched off")
    links: Links


class JobsAnswer(BaseModel):
    """All periodic jobs."""

    items: list[JobAnswer]


def job_answer(job: JobView) -> JobAnswer:
    """One job."""
    return JobAnswer(**vars(job), links={"run": f"{PREFIX}/jobs/{job.name}/run"})
