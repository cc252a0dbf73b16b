"""What the API answers when it does not do what was asked: RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse

from controller.domain.problems import Problem
from controller.operations.errors import Conflict, Invalid, NotFound, OperationError, Refused
from controller.operations.reasons import problems
from controller.web.api import PREFIX

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One kind of problem: its status, its title (always the same) and what it means."""

    status: int
    title: str
    meaning: str


KINDS: Mapping[str, Kind] = {
    "not-json": Kind(400, "The body is not JSON", "The request's body could not be read as JSON (UTF-8, no NaN)."),
    "unauthorized": Kind(
        401, "A valid token is needed", "Send `Authorization: Bearer TOKEN` with a token that is not revoked."
    ),
    "forbidden": Kind(403, "This token may only read", "The token's scope is `read`; changes need `admin`."),
    "not-found": Kind(404, "Not found", "There is no such thing, or no such address."),
    "method-not-allowed": Kind(405, "This address does not take that method", "`Allow` names the methods it takes."),
    "conflict": Kind(409, "It exists already", "Something with this name, address or domain is there already."),
    "refused": Kind(409, "Not possible now", "The state of the thing does not allow it."),
    "in-progress": Kind(
        409,
        "The first request is still being worked on",
        "Another request with this Idempotency-Key has not been answered yet; ask again after `Retry-After` seconds.",
    ),
    "too-large": Kind(413, "The body is too large", "A body has at most 256 KiB, more where it holds a whole file."),
    "media-type": Kind(415, "The body must be JSON", "Send `Content-Type: application/json`."),
    "invalid": Kind(
        422, "Some fields are not right", "`errors` names each field and the reason. Nothing has been written."
    ),
    "key-reused": Kind(
        422,
        "This Idempotency-Key was used for another request",
        "A key belongs to one request; take a new key for another one.",
    ),
    "internal": Kind(500, "Something went wrong on our side", "It has been written to the log."),
    "unavailable": Kind(503, "Not available at the moment", "Try again after `Retry-After` seconds."),
}


class FieldError(BaseModel):
    """One thing that is wrong with one field."""

    field: str = Field(description="dotted path in the body, or the name of a parameter or header")
    reason: str


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="address of this kind's explanation, relative to the server")
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(default_factory=list, description="present when single fields are to blame")


@dataclass
class ProblemError(Exception):
    """Ends a call with a problem document."""

    kind: str
    detail: str
    errors: Sequence[Problem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_type(kind: str) -> str:
    """Address of a kind's explanation: a JSON pointer into the OpenAPI document, which anybody may read."""
    return f"{PREFIX}/openapi.json#/x-problems/{kind}"


def respond(problem: ProblemError) -> JSONResponse:
    """The answer for a problem."""
    kind = KINDS[problem.kind]
    document: dict[str, Any] = {
        "type": problem_type(problem.kind),
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
    }
    if problem.errors:
        document["errors"] = [{"field": one.field, "reason": one.reason} for one in problem.errors]
    return JSONResponse(document, kind.status, dict(problem.headers), media_type=MEDIA_TYPE)


def from_operation(error: OperationError) -> ProblemError:
    """An operation's refusal as a problem."""
    match error:
        case Invalid():
            return ProblemError("invalid", error.message, error.problems)
        case NotFound():
            return ProblemError("not-found", error.message)
        case Conflict():
            return ProblemError("conflict", error.message, [Problem(error.field, error.message)] if error.field else ())
        case Refused():
            return ProblemError("refused", error.message)
        case _:
            return ProblemError("refused", error.message)


def from_validation(error: ValidationError) -> ProblemError:
    """What pydantic found as a problem."""
    found = problems(error)
    return ProblemError("invalid", "; ".join(f"{one.field}: {one.reason}" for one in found), found)
