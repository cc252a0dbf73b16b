"""Answers about verifications."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from controller.web.api import PREFIX
from controller.web.api.answers import Links
from controller.web.verification import Found, Verification


class ThingAnswer(BaseModel):
    """One thing on one server."""

    action: str
    target: str
    server: str
    found: Found
    lines: list[str] = Field(description="what differs, or why it could not be looked at")
    links: Links


class VerificationAnswer(BaseModel):
    """What the last verification of a service found."""

    pipeline_id: int
    actor: str
    created_at: dt.datetime
    finished_at: dt.datetime | None = Field(description="null while it runs")
    total: int
    done: int
    differ: int
    unknown: int = Field(description="could not be looked at")
    things: list[ThingAnswer]


def verification_answer(checked: Verification) -> VerificationAnswer:
    """A verification."""
    pipeline = checked.pipeline
    return VerificationAnswer(
        pipeline_id=pipeline.id,
        actor=pipeline.actor,
        created_at=pipeline.created_at,
        finished_at=pipeline.finished_at,
        total=checked.total,
        done=checked.done,
        differ=checked.count(Found.DIFFERS),
        unknown=checked.count(Found.UNKNOWN),
        things=[
            ThingAnswer(
                action=thing.task.action,
                target=thing.task.target,
                server=server.name,
                found=thing.found,
                lines=list(thing.lines),
                links={"task": f"{PREFIX}/tasks/{thing.task.id}"},
            )
            for server, things in checked.servers
            for thing in things
        ],
    )
