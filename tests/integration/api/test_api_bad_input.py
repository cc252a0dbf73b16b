"""Bad input gets a problem document that names the field and the reason, and nothing is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_world import an_order, rows
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.operations import products
from controller.store.models import Product, Server

JSON = {"Content-Type": "application/json"}


def check_problem(answer: Any, status: int, *fields: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("/api/v1/openapi.json#/x-problems/")
    assert problem["title"]
    assert problem["detail"]
    named = {error["field"] for error in problem.get("errors", [])}
    assert named >= set(fields), problem
    assert all(error["reason"] for error in problem.get("errors", []))


LONG_LABEL = "a" * 64


@pytest.mark.parametrize(
    "domain",
    [
        "",
        " ",
        "example",
        "com",
        "co.uk",
        "http://example.com",
        "example.com/shop",
        "ada@example.com",
        "192.0.2.1",
        "2001:db8::1",
        "exa mple.com",
        "-example.com",
        "example-.com",
        "exa_mple.com",
        "exa..mple.com",
        ".example.com",
        "*.example.com",
        "example.123",
        f"{LONG_LABEL}.com",
        ".".join(["a" * 60] * 5) + ".com",
        "example.com; rm -rf /",
        "$(id).com",
        "example.com\n",
        "exam\u202eple.com",
        "xn--a.com",
        "\u0000.com",
        42,
        None,
        ["example.com"],
        {"name": "example.com"},
        True,
    ],
)
def test_what_is_no_domain(client: TestClient, filled: Fleet, domain: Any) -> None:
    before = rows(filled)
    if domain == "example.com\n":
        # White space around a name is a slip of the hand, not another name.
        assert client.post("/services", json=an_order(domain)).json()["domain"] == "example.com"
        return
    check_problem(client.post("/services", json=an_order(domain)), 422, "domain")
    assert rows(filled) == before


def test_a_domain_that_has_a_live_service(client: TestClient, filled: Fleet) -> None:
    assert client.post("/services", json=an_order()).status_code == 202
    before = rows(filled)
    for again in ("example.com", "EXAMPLE.com", " example.com. "):
        check_problem(client.post("/services", json=an_order(again)), 409, "domain")
    assert rows(filled) == before


@pytest.mark.parametrize("product", ["None such", 999, "999", "", 0, -1, 10**30, True, None, 1.5, [], "²", "٣", "a\nb"])
def test_an_unknown_product(client: TestClient, filled: Fleet, product: Any) -> None:
    before = rows(filled)
    check_problem(client.post("/services", json=an_order(product=product)), 422, "product")
    assert rows(filled) == before


def test_a_product_that_is_not_sold_any_more(client: TestClient, filled: Fleet) -> None:
    with filled.database.write() as session:
        session.get_one(Product, 1).active = False
    before = rows(filled)
    check_problem(client.post("/services", json=an_order()), 422, "product")
    assert rows(filled) == before


@pytest.mark.parametrize("role", ["web", "mail"])
def test_a_role_with_no_server_that_has_room(client: TestClient, filled: Fleet, role: str) -> None:
    with filled.database.write() as session:
        for server in session.query(Server).filter(getattr(Server, f"can_{role}")):
            server.capacity = 1
    made = 0
    while (answer := client.post("/services", json=an_order(f"shop{made}.example"))).status_code == 202:
        made += 1
    assert made == {"web": 2, "mail": 1}[role]
    before = rows(filled)
    answer = client.post("/services", json=an_order("late.example"))
    check_problem(answer, 422, "product")
    assert f"room for {role}" in answer.json()["detail"]
    assert rows(filled) == before


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"web_disk_quota": -1}, "options.web_disk_quota"),
        ({"web_disk_quota": 10**12}, "options.web_disk_quota"),
        ({"web_disk_quota": "5000"}, "options.web_disk_quota"),
        ({"web_disk_quota": 1.5}, "options.web_disk_quota"),
        ({"web_disk_quota": True}, "options.web_disk_quota"),
        ({"web_disk_quota": None}, "options.web_disk_quota"),
        ({"web_disk_quota": [1]}, "options.web_disk_quota"),
        ({"web_backups": "unlimited"}, "options.web_backups"),
        ({"web_colour": 1}, "options.web_colour"),
        ({"web_disk_quota": 0, "mail_disk_quota": 0}, "options"),
        ([], "options"),
        ("big", "options"),
    ],
)
def test_limits_out_of_range(client: TestClient, filled: Fleet, options: Any, field: str) -> None:
    before = rows(filled)
    check_problem(client.post("/services", json=an_order(options=options)), 422, field)
    assert rows(filled) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer": {"email": "nobody", "name": "N"}}, "customer.email"),
        ({"customer": {"email": "a@b@c.com", "name": "N"}}, "customer.email"),
        ({"customer": {"email": "", "name": "N"}}, "customer.email"),
        ({"customer": {"email": "ada@example.com", "name": ""}}, "customer.name"),
        ({"customer": {"email": "ada@example.com", "name": "N" * 201}}, "customer.name"),
        ({"customer": {"email": "ada@example.com", "name": "a\u0000b"}}, "customer.name"),
        ({"customer": {"email": "ada@example.com"}}, "customer.name"),
        ({"customer": {"email": "ada@example.com", "name": "N", "vip": True}}, "customer.vip"),
        ({"customer": "ada@example.com"}, "customer"),
        ({"customer": None}, "customer"),
        ({"reference": 7}, "reference"),
        ({"reference": "r" * 101}, "reference"),
        ({"reference": "a\nb"}, "reference"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_other_fields(client: TestClient, filled: Fleet, change: dict[str, Any], field: str) -> None:
    before = rows(filled)
    check_problem(client.post("/services", json=an_order(**change)), 422, field)
    assert rows(filled) == before


@pytest.mark.parametrize("field", ["product", "domain", "customer"])
def test_a_field_that_is_missing(client: TestClient, filled: Fleet, field: str) -> None:
    before = rows(filled)
    body = an_order()
    del body[field]
    check_problem(client.post("/services", json=body), 422, field)
    assert rows(filled) == before


def test_every_bad_field_is_named_at_once(client: TestClient) -> None:
    body = an_order("nonsense", product="None such", options={"web_backups": -1}, reference="r" * 200)
    fields = ("domain", "product", "options.web_backups", "reference")
    check_problem(client.post("/services", json=body), 422, *fields)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"product=Hosting",
        b"\xff\xfe",
        b'{"domain": NaN}',
        b'{"domain": "\\ud800"}',
        b"[" * 100_000,
        b"1" * 10_000 + b"e",
    ],
)
def test_a_body_that_is_not_json(client: TestClient, filled: Fleet, body: bytes) -> None:
    before = rows(filled)
    check_problem(client.post("/services", content=body, headers=JSON), 400, "body")
    assert rows(filled) == before


@pytest.mark.parametrize("body", ["[]", "1", '"text"', "null", "true"])
def test_a_body_that_is_no_object(client: TestClient, body: str) -> None:
    check_problem(client.post("/services", content=body, headers=JSON), 422, "body")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_type(client: TestClient, filled: Fleet, kind: str) -> None:
    before = rows(filled)
    headers = {"Content-Type": kind}
    check_problem(client.post("/services", content=json.dumps(an_order()), headers=headers), 415, "Content-Type")
    assert rows(filled) == before


@pytest.mark.parametrize("size", [300_000, 5_000_000])
def test_a_body_that_is_too_large(client: TestClient, filled: Fleet, size: int) -> None:
    before = rows(filled)
    check_problem(client.post("/services", json=an_order(reference="r" * size)), 413, "body")

    def parts() -> Any:
        for _ in range(size // 1000):
            yield b" " * 1000

    check_problem(client.post("/services", content=parts(), headers=JSON), 413, "body")
    assert rows(filled) == before


def test_a_body_where_none_is_taken(client: TestClient) -> None:
    client.post("/services", json=an_order())
    check_problem(client.post("/services/1/suspend", json={"now": True}), 422, "now")
    check_problem(client.post("/services/1/suspend", content=b"x"), 415, "Content-Type")


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/services/", "/services/1/nothing", "/services/1/suspend/now", "/..%2fadmin", "/servers/a%00b"],
)
def test_an_unknown_address(client: TestClient, path: str) -> None:
    check_problem(client.get(path), 404)
    check_problem(client.get(path, headers={"Accept": "text/html"}), 404)


NOUNS = (
    *("servers", "groups", "products", "customers", "services", "tasks", "pipelines"),
    *("zones", "zone-runs", "zone-templates", "tickets", "webhooks", "drift-checks"),
)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_thing_that_is_not_there(client: TestClient, noun: str) -> None:
    for key in ("none.example", "99999999999999999999999999", "0", "%C2%B2", "-1"):
        check_problem(client.get(f"/{noun}/{key}"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/services", "GET, HEAD, POST"),
        ("PUT", "/services/1", "GET, HEAD"),
        ("GET", "/services/1/suspend", "POST"),
        ("OPTIONS", "/services", "GET, HEAD, POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("BREW", "/services", "GET, HEAD, POST"),
    ],
)
def test_a_wrong_method(client: TestClient, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    check_problem(answer, 405)
    assert answer.headers["allow"] == allowed


def test_a_product_without_dns_servers(client: TestClient, filled: Fleet) -> None:
    products.create(filled, "test", name="Web only", mode="split", roles=["web"], group="Group")
    answer = client.post("/services", json=an_order(product="Web only"))
    assert answer.json()["roles"] == ["web"]


def test_a_bug_is_a_problem_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from controller.operations import tokens

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(tokens, "verify", broken)
    answer = client.get("/services")
    check_problem(answer, 500)
    assert "secret of the inside" not in answer.text
