"""Every route, opened by every kind of person. The table here is written by hand, apart from the code's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from controller.web.access import close_undeclared, declared
from tests.integration.web.world import World

STAFF = {"owner", "operator", "support"}
CHANGERS = {"owner", "operator"}
OWNERS = {"owner"}
CUSTOMERS = {"anna", "ben"}
EVERYBODY = {None, *STAFF, *CUSTOMERS}
PEOPLE = [None, "anna", "ben", "support", "operator", "owner"]

OPEN = {
    ("GET", "/"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
}
OWNER_PAGES = ("/admin/staff", "/admin/tokens")


def allowed(method: str, path: str) -> set[str | None]:
    """Who may, by the words of the design: owners, operators, support (read only), customers (own things)."""
    if (method, path) in OPEN:
        return EVERYBODY
    if path == "/metrics":
        return STAFF
    if path == "/admin/profile":
        return STAFF
    if path.startswith(OWNER_PAGES):
        return OWNERS
    if path.startswith("/admin/settings") and not path.startswith("/admin/settings/webhooks"):
        return STAFF if method == "GET" else OWNERS
    if path.startswith("/admin"):
        return STAFF if method == "GET" and not path.endswith(("/new", "/door")) else CHANGERS
    if path.startswith("/panel"):
        return CUSTOMERS
    raise AssertionError(f"{method} {path} is a new kind of address: say here who may open it")


def routes_of(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path pattern of every route below."""
    for route in routes:
        if isinstance(route, Mount):
            yield from routes_of(route.routes, prefix + route.path)
        elif isinstance(route, Route):
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, prefix + route.path


@pytest.fixture(scope="module")
def app_routes(shared_world: World) -> list[tuple[str, str]]:
    found = sorted(set(routes_of(shared_world.app.routes)))
    assert len(found) > 40
    return found


def fill(pattern: str, world: World, *, missing: bool) -> str:
    """An address for a pattern: things of Anna's, or of nobody so that nothing is changed by accident."""
    number = 999_999
    if not missing:
        number = {
            "services": world.anna_service,
            "customers": world.anna_id,
            "products": world.product_id,
            "servers": world.server_id,
            "groups": world.group_id,
            "drift": world.drift_check,
        }.get(pattern.split("/")[2] if pattern.count("/") > 2 else "", 1)
    return (
        pattern.replace("{id:int}", str(number))
        .replace("{step:int}", str(world.anna_task))
        .replace("{run:int}", str(world.group_run))
        .replace("{record:int}", "1")
        .replace("{rest:path}", "nowhere")
    )


@pytest.mark.parametrize("who", PEOPLE)
def test_pages(who: str | None, shared_world: World, app_routes: list[tuple[str, str]]) -> None:
    browser = shared_world.browser(who)
    for method, pattern in app_routes:
        if pattern.startswith("/api/") or (method, pattern) == ("POST", "/logout"):
            continue
        may = who in allowed(method, pattern)
        if method == "GET":
            path = fill(pattern, shared_world, missing=False)
            # HEAD answers like GET and ends at once for a stream.
            answer = browser.head(path) if pattern.endswith("/stream") else browser.get(path)
            if may and pattern.startswith("/panel/services/") and who == "ben":
                assert answer.status_code == 404, f"{path} is Anna's"
            elif may:
                assert answer.status_code in (200, 303), f"{who} {path}: {answer.status_code}"
                assert not answer.headers.get("location", "").startswith("/login?"), path
            else:
                refused(answer, who, path)
        else:
            answer = browser.submit(fill(pattern, shared_world, missing=True))
            if may:
                assert answer.status_code in (200, 303, 404, 422), f"{who} {method} {pattern}: {answer.status_code}"
                assert answer.headers.get("location") != "/login"
            else:
                refused(answer, who, f"{method} {pattern}")


def refused(answer, who: str | None, what: str) -> None:
    """Anonymous people go to the sign-in page, others are told no."""
    if who is None:
        assert answer.status_code == 303, f"anonymous {what}: {answer.status_code}"
        assert answer.headers["location"].startswith("/login"), what
    else:
        assert answer.status_code == 403, f"{who} {what}: {answer.status_code}"


def test_a_token_opens_the_api_and_metrics_and_no_page(shared_world: World, app_routes: list[tuple[str, str]]) -> None:
    browser = TestClient(shared_world.app, follow_redirects=False)
    browser.headers["authorization"] = f"Bearer {shared_world.token}"
    for method, pattern in app_routes:
        if pattern.startswith(("/admin", "/panel")) and method == "GET":
            answer = browser.get(fill(pattern, shared_world, missing=False))
            assert answer.headers.get("location", "").startswith("/login"), pattern
    assert browser.get("/metrics").status_code == 200
    assert browser.get("/api/v1/services").status_code == 200


def test_the_api_is_closed_without_a_token(shared_world: World, app_routes: list[tuple[str, str]]) -> None:
    strangers = {"nobody": shared_world.browser(), "owner by session": shared_world.browser("owner")}
    bad = shared_world.browser()
    bad.headers["authorization"] = "Bearer hf_wrong"
    strangers["wrong token"] = bad
    seen = 0
    for name, browser in strangers.items():
        for method, pattern in app_routes:
            if not pattern.startswith("/api/") or pattern.endswith("/openapi.json"):
                continue
            path = pattern.replace("{id}", "1").replace("{rest:path}", "nowhere")
            for tried in {method, "GET", "POST", "DELETE"}:
                assert browser.request(tried, path).status_code == 401, f"{name} {tried} {path}"
                seen += 1
    assert seen > 50
    assert shared_world.browser().get("/api/v1/openapi.json").status_code == 200


def test_an_undeclared_route_answers_nobody() -> None:
    async def forgotten(request: Request) -> PlainTextResponse:
        return PlainTextResponse("secret")

    plain = Mount("/files", app=forgotten)
    table = close_undeclared([Route("/forgotten", forgotten), Mount("/under", routes=[Route("/it", forgotten)]), plain])
    from starlette.applications import Starlette

    browser = TestClient(Starlette(routes=table))
    for path in ("/forgotten", "/under/it", "/files/x", "/files"):
        answer = browser.get(path)
        assert answer.status_code == 404, path
        assert "secret" not in answer.text


def test_every_route_is_declared(shared_world: World) -> None:
    def check(routes: list[BaseRoute]) -> None:
        for route in routes:
            if isinstance(route, Mount):
                assert declared(route.app) or route.routes
                check(route.routes)
            else:
                assert declared(route.endpoint), route.path

    check(shared_world.app.routes)


def test_event_streams_say_401_to_strangers(shared_world: World) -> None:
    answer = shared_world.browser().get(
        f"/panel/services/{shared_world.anna_service}/stream", headers={"accept": "text/event-stream"}
    )
    assert answer.status_code == 401


def test_metrics_take_a_token(world: World) -> None:
    anonymous = world.browser()
    assert anonymous.get("/metrics").status_code == 303
    assert anonymous.get("/metrics", headers={"authorization": "Bearer nope"}).status_code == 401
    text = anonymous.get("/metrics", headers={"authorization": f"Bearer {world.token}"}).text
    assert 'hestia_fleet_tasks{state="queued"}' in text
    assert 'hestia_fleet_services{status="active"} 1.0' in text
    assert 'route="/metrics"' in text
    assert "hestia_fleet_queue_wait_seconds" in text
