"""Whatever is sent: never a 500, never a write on a refusal, always a problem document."""

from __future__ import annotations

import json
from typing import Any

from api_world import an_order, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from controller.domain.limits import BY_KEY
from controller.engine.fleet import Fleet

texts = st.text(max_size=40) | st.sampled_from(
    ["", "²", "1", "0", "-1", "\x00", "e\u0301", "\u202e", "xn--", "a.b", "x" * 300, "example.com", "ada@example.com"]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
domains = texts | st.from_regex(r"[a-z0-9é.-]{1,20}\.(com|de|invalid|рф|xn--p1ai)", fullmatch=True) | values
limits = st.dictionaries(
    st.sampled_from(sorted(BY_KEY)) | texts, st.integers() | st.just("unlimited") | values, max_size=4
)
customers = (
    st.fixed_dictionaries(
        {},
        optional={"email": st.emails() | texts | values, "name": texts | values, "extra": values},
    )
    | values
)
orders = st.fixed_dictionaries(
    {},
    optional={
        "product": st.sampled_from(["Hosting", 1, "1"]) | texts | values,
        "domain": domains,
        "customer": customers,
        "options": limits | values,
        "reference": texts | values,
        "extra": values,
    },
)
near_misses = st.builds(
    lambda field, value: an_order() | {field: value},
    st.sampled_from(["product", "domain", "customer", "options", "reference"]),
    domains | limits | customers,
)


def check(client: TestClient, fleet: Fleet, content: bytes, headers: dict[str, str]) -> None:
    before = rows(fleet)
    answer = client.post("/services", content=content, headers=headers)
    if answer.status_code == 202:
        assert answer.json()["status"] == "pending"
        return
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    if answer.status_code in (400, 409, 422):
        assert problem["errors"], problem
        assert all(error["field"] and error["reason"] for error in problem["errors"])
    assert rows(fleet) == before


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(body=orders | near_misses | values)
def test_any_json(world: tuple[TestClient, Fleet], body: Any) -> None:
    # Lone surrogates do not encode; a client can only send them as escapes, which json.dumps writes.
    check(*world, json.dumps(body).encode(), {"Content-Type": "application/json"})


@many
@given(
    content=st.binary(max_size=200),
    kind=st.sampled_from(["application/json", "application/json; charset=utf-16", "text/html"]),
    key=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300),
)
def test_any_bytes(world: tuple[TestClient, Fleet], content: bytes, kind: str, key: str | None) -> None:
    headers = {"Content-Type": kind} | ({} if key is None else {"Idempotency-Key": key})
    check(*world, content, headers)


@many
@given(domain=domains.filter(lambda value: isinstance(value, str)))
def test_any_domain(world: tuple[TestClient, Fleet], domain: str) -> None:
    check(*world, json.dumps(an_order(domain)).encode(), {"Content-Type": "application/json"})


@many
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), max_size=30), query=st.text(max_size=30))
def test_any_address(world: tuple[TestClient, Fleet], path: str, query: str) -> None:
    from urllib.parse import quote

    for noun in ("services", "servers", "tasks", "zones"):
        answer = world[0].get(f"/{noun}/{quote(path, safe='')}?{quote(query, safe='=&')}")
        assert answer.status_code in (200, 404, 422), answer.text
