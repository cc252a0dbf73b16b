"""From a request to a call and back: token, input, idempotency, answer, problems. Closed without a token."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from controller.domain.problems import Problem
from controller.engine.fleet import Fleet
from controller.operations import tokens
from controller.operations.errors import OperationError
from controller.store.database import is_unavailable
from controller.store.models import ApiToken
from controller.web.access import Access, declare
from controller.web.api import PREFIX, idempotency
from controller.web.api.bodies import Nothing, sound_key
from controller.web.api.calls import MAX_BODY, Asked, Call, Follow, Listed, Once, TextFile
from controller.web.api.creation import WatchedDatabase
from controller.web.api.problems import ProblemError, from_operation, from_validation, respond
from controller.web.live import after_of, live_of, stream_response

log = logging.getLogger(__name__)
REALM = 'Bearer realm="hestia-fleet"'


@dataclass(frozen=True)
class Incoming:
    """What a request brought, read before a thread takes over."""

    fleet: Fleet
    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    authorization: str
    content_type: str
    key: str | None
    body: bytes
    after: int


class Address:
    """An ASGI application for one address: all its methods, and a problem document for everything else."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self.calls = {call.method: call for call in calls}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            call = self.calls.get(request.method)
            incoming = await read(request, call.largest if call is not None else MAX_BODY)
            done = await run_in_threadpool(self.work, incoming)
        except ProblemError as problem:
            return respond(problem)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return respond(ProblemError("internal", "something went wrong; it has been written to the log"))
        if isinstance(done, Follow):
            if request.method == "HEAD":
                return Response(media_type="text/event-stream")
            live = live_of(request)
            events = live.service(done.id, done.after) if done.kind == "service" else live.task(done.id, done.after)
            return stream_response(events)
        return done

    def work(self, incoming: Incoming) -> Response | Follow:
        """Everything that may block, in one go. Raises ProblemError."""
        try:
            call = self.calls.get("GET" if incoming.method == "HEAD" else incoming.method)
            if call is not None and call.public:
                return answer_to(call, Asked(incoming.fleet, "", {}), incoming)
            token = admit(incoming, call)
            if not self.calls:
                raise ProblemError("not-found", f"there is nothing at {incoming.path}")
            if call is None:
                allowed = ", ".join(sorted({*self.calls, *(["HEAD"] if "GET" in self.calls else [])}))
                detail = f"{incoming.method} is not possible here; {allowed} is"
                raise ProblemError("method-not-allowed", detail, headers={"Allow": allowed})
            asked = Asked(
                fleet=incoming.fleet,
                actor=f"token {token.name}",
                path={name: key_of(value) for name, value in incoming.parameters.items()},
                query=call.query.model_validate(dict(incoming.query)) if call.query else None,
                body=call.body.model_validate(json_body(incoming, call)) if call.body else None,
            )
            if call.once is not None:
                return run_once(call, call.once, asked, incoming, token)
            return answer_to(call, asked, incoming)
        except ValidationError as error:
            raise from_validation(error) from None
        except OperationError as error:
            raise from_operation(error) from None
        except DBAPIError as error:
            if not is_unavailable(error):
                raise
            log.warning("the database does not answer: %s", error.orig)
            raise ProblemError("unavailable", "the database does not answer", headers={"Retry-After": "5"}) from None


async def read(request: Request, largest: int) -> Incoming:
    """The request with its body. Raises ProblemError for one that is too large."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > largest:
        raise _too_large(largest)
    body = b""
    if request.method not in ("GET", "HEAD"):
        async for chunk in request.stream():
            body += chunk
            if len(body) > largest:
                raise _too_large(largest)
    return Incoming(
        fleet=request.app.state.fleet,
        method=request.method,
        path=request.url.path,
        parameters=request.path_params,
        query=request.query_params,
        authorization=request.headers.get("authorization", ""),
        content_type=request.headers.get("content-type", ""),
        key=request.headers.get(idempotency.HEADER),
        body=body,
        after=after_of(request),
    )


def _too_large(largest: int) -> ProblemError:
    reason = f"must have at most {largest} bytes"
    return ProblemError("too-large", f"the body {reason}", [Problem("body", reason)])


def admit(incoming: Incoming, call: Call | None) -> ApiToken:
    """The token that a request came with. Raises ProblemError when there is none, or it may not do this."""
    scheme, _, plain = incoming.authorization.partition(" ")
    if not scheme:
        raise ProblemError("unauthorized", "there is no Authorization header", headers={"WWW-Authenticate": REALM})
    token = tokens.verify(incoming.fleet, plain.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise ProblemError(
            "unauthorized",
            "the token is unknown or revoked" if scheme.lower() == "bearer" else "only bearer tokens are taken",
            headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
        )
    if token.scope != "admin" and (incoming.method not in ("GET", "HEAD") if call is None else call.changes):
        raise ProblemError(
            "forbidden",
            f"the token {token.name} may only read",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="admin"'},
        )
    return token


def key_of(value: str) -> str:
    """An id or name of the address. Raises ProblemError for what can be neither."""
    try:
        return str(sound_key(value))
    except Exception:
        raise ProblemError("not-found", "there is no such thing") from None


def json_body(incoming: Incoming, call: Call) -> Any:
    """The body as Python data. Raises ProblemError."""
    if not incoming.body and call.body is Nothing:
        return {}
    media_type = incoming.content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        reason = "must be application/json"
        raise ProblemError("media-type", f"Content-Type {reason}", [Problem("Content-Type", reason)])
    try:
        return from_json(incoming.body, allow_inf_nan=False)
    except ValueError as error:
        reason = f"is not JSON: {error}"
        raise ProblemError("not-json", f"the body {reason}", [Problem("body", reason)]) from None


def answer_to(call: Call, asked: Asked, incoming: Incoming) -> Response | Follow:
    """Run a call that only looks, or may as well be done twice."""
    outcome = call.run(asked)
    match outcome:
        case Follow():
            return dataclasses.replace(outcome, after=incoming.after)
        case Listed():
            return list_response(outcome, incoming)
        case TextFile():
            return StreamingResponse(outcome.pieces, call.status, media_type=outcome.media_type)
        case BaseModel():
            return Response(outcome.model_dump_json(), call.status, media_type="application/json")
        case dict():
            return JSONResponse(outcome, call.status)
    raise TypeError(f"{call.path} has no answer")


def run_once(call: Call, once: Once, asked: Asked, incoming: Incoming, token: ApiToken) -> Response:
    """Run a call that creates, starts or changes something, once per Idempotency-Key."""
    held: list[idempotency.Claim] = []
    if incoming.key is not None:
        key = idempotency.sound(incoming.key)
        body = json_body(incoming, call)
        found = idempotency.claim(asked.fleet, token.id, key, idempotency.fingerprint(asked.fleet, incoming.path, body))
        if isinstance(found, idempotency.Stored):
            return answered(found.status, found.body, replayed=True)
        held.append(found)
    answer: list[str] = []

    def before_commit(session: Session, added: Sequence[Any]) -> None:
        if answer:
            return
        thing = once.done_by(added)
        if thing is not None and once.answer is not None:
            text = once.answer(session, thing, added).model_dump_json()
            for claim in held[-1:]:
                idempotency.store(session, claim, idempotency.Stored(call.status, text))
            event.listen(session, "after_commit", lambda _session: answer.append(text), once=True)
        elif held:
            # One of several transactions: nobody takes the key over while they go on.
            renewed = idempotency.renew(session, held[-1])
            event.listen(session, "after_commit", lambda _session: held.append(renewed), once=True)

    watched = WatchedDatabase(asked.fleet.database, before_commit)
    try:
        outcome = call.run(dataclasses.replace(asked, fleet=dataclasses.replace(asked.fleet, database=watched)))
        if not answer:
            # It has no row of its own, or what it would start is under way already.
            assert isinstance(outcome, BaseModel)
            answer.append(outcome.model_dump_json())
            for claim in held[-1:]:
                with asked.fleet.database.write() as session:
                    idempotency.store(session, claim, idempotency.Stored(call.status, answer[0]))
    except BaseException:
        for claim in held[-1:]:
            idempotency.release(asked.fleet, claim)
        raise
    return answered(call.status, answer[0], replayed=False)


def answered(status: int, body: str, *, replayed: bool) -> Response:
    """The answer with the address of what was made, started or changed, if it has one."""
    address = json.loads(body).get("links", {}).get("self")
    headers = {"Location": str(address)} if address else {}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(body, status, headers, media_type="application/json")


def list_response(listed: Listed, incoming: Incoming) -> Response:
    """One page, with the addresses of the others in ``Link`` (RFC 8288)."""
    page = listed.page
    info = {"number": page.page, "per_page": page.per_page, "total": page.total, "pages": page.pages, "more": page.more}
    items = ",".join(item.model_dump_json() for item in listed.items)
    targets = {"first": 1, "prev": page.page - 1, "next": page.page + 1, "last": page.pages}
    links = [
        f'<{incoming.path}?{urlencode({**incoming.query, "page": number})}>; rel="{name}"'
        for name, number in targets.items()
        if 1 <= number <= page.pages
    ]
    return Response(
        f'{{"items":[{items}],"page":{json.dumps(info)}}}',
        headers={"Link": ", ".join(links)},
        media_type="application/json",
    )


def routes_of(calls: Iterable[Call]) -> list[Route]:
    """One route per address, and one for every address that is none."""
    addresses: dict[str, list[Call]] = {}
    for call in calls:
        addresses.setdefault(call.path, []).append(call)
    table = [*addresses.items(), ("/{rest:path}", [])]
    return [
        # The body's size is limited here, with a problem document for an answer.
        Route(path, declare(Address(found), Access.OWN_RULES), max_body_size=sys.maxsize, name=f"api{PREFIX}{path}")
        for path, found in table
    ]
