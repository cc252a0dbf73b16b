"""What pages may never contain: a hostile value as markup, an inline script or style, another site's file."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from sqlalchemy import select, update

from controller.domain.options import MailOptions, TicketOptions
from controller.domain.words import ServiceStatus, TaskStatus
from controller.store.base import utcnow
from controller.store.models import (
    Account,
    Activity,
    ApiToken,
    Customer,
    OperationLog,
    Product,
    Server,
    ServerGroup,
    Service,
    Task,
    TaskEvent,
    User,
)
from controller.store.options import save
from controller.store.work_models import Job
from tests.integration.web.world import World

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def pages(world: World) -> dict[str, list[str]]:
    """Addresses by who opens them."""
    service, task = world.ben_service, first_task(world, world.ben_service)
    return {
        "owner": [
            "/admin",
            "/admin/services",
            "/admin/services?search=" + "%3Cscript%3Ealert(1)",
            "/admin/services/new",
            f"/admin/services/{service}",
            f"/admin/services/{service}/deploy",
            f"/admin/services/{service}/tasks",
            f"/admin/services/{world.anna_service}",
            f"/admin/services/{world.anna_service}/deploy",
            f"/admin/services/{service}/verification",
            f"/admin/services/{world.anna_service}/verification",
            "/admin/tasks",
            f"/admin/tasks/{task}",
            "/admin/tasks/clean-up",
            "/admin/drift",
            f"/admin/drift/{world.drift_check}",
            "/admin/servers",
            "/admin/servers/new",
            f"/admin/servers/{world.server_id}",
            "/admin/groups",
            "/admin/groups/new",
            f"/admin/groups/{world.group_id}",
            "/admin/products",
            "/admin/products/new",
            f"/admin/products/{world.product_id}",
            "/admin/customers",
            "/admin/customers/new",
            f"/admin/customers/{world.anna_id}",
            "/admin/staff",
            "/admin/tokens",
            "/admin/log",
            "/admin/log?search=%3Cscript%3Ealert(1)&server=x&since=%22%3E",
            *(f"/admin/settings/{tab}" for tab in ("retries", "retention", "drift", "tickets", "jobs", "environment")),
            "/admin/profile",
            "/nowhere",
        ],
        "ben": ["/panel", f"/panel/services/{service}", "/panel/profile"],
        "anna": [f"/panel/services/{world.anna_service}"],
        "": ["/login"],
    }


def first_task(world: World, service_id: int) -> int:
    with world.fleet.database.read() as session:
        return session.scalars(select(Task.id).where(Task.service_id == service_id).order_by(Task.id)).first() or 0


@pytest.fixture
def hostile_world(world: World) -> World:
    """Every text of the database that people or servers can choose is hostile."""
    with world.fleet.database.write() as session:
        session.execute(update(Customer).values(name=HOSTILE))
        session.execute(update(User).values(name=HOSTILE))
        session.execute(update(Product).values(name=HOSTILE, description=HOSTILE))
        session.execute(update(ServerGroup).values(name=HOSTILE, description=HOSTILE, variables={"ns1": HOSTILE}))
        session.execute(update(Account).values(username=HOSTILE[:30]).where(Account.id == 1))
        session.execute(update(ApiToken).values(name=HOSTILE))
        session.execute(update(Activity).values(message=HOSTILE, actor=HOSTILE))
        session.execute(update(OperationLog).values(message=HOSTILE, actor=HOSTILE, action=HOSTILE, target=HOSTILE))
        session.add(Job(name="clean-up", due_at=utcnow(), error=HOSTILE))
        save(session, TicketOptions(email_to=[HOSTILE]), HOSTILE)
        save(session, MailOptions(host=HOSTILE, username=HOSTILE, sender=HOSTILE), HOSTILE)
        session.execute(update(TaskEvent).values(text=HOSTILE))
        session.execute(
            update(Task).values(
                label=HOSTILE, target=HOSTILE, error=HOSTILE, error_class="internal", status=TaskStatus.FAILED
            )
        )
        session.execute(
            update(Service)
            .where(Service.id == world.ben_service)
            .values(domain_unicode=HOSTILE, reference=HOSTILE, error=HOSTILE, status=ServiceStatus.ERROR)
        )
        server = session.get_one(Server, world.server_id)
        server.name, server.hostname, server.problem = HOSTILE[:60], HOSTILE, HOSTILE
        server.facts = {"os": HOSTILE, "ips": [HOSTILE], "services": {HOSTILE: HOSTILE}, "panel_version": HOSTILE}
    return world


def test_hostile_values_are_text(hostile_world: World) -> None:
    shown = 0
    for who, addresses in pages(hostile_world).items():
        browser = hostile_world.browser(who or None)
        for address in addresses:
            text = browser.get(address).text
            assert "<script>alert" not in text, address
            assert "<img src=x" not in text, address
            assert "onerror=alert(2)>49" not in text, address
            shown += text.count("&lt;script&gt;alert(1)")
    assert shown > 60, "the values are shown, as text"


class Strict(HTMLParser):
    """Collects what the content security policy forbids, and references to other sites."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inside = tag
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            value = given.get(name) or ""
            if tag != "a" and value.startswith(("http:", "https:", "//", "javascript:")):
                self.wrong.append(f"{tag} {name}={value}")
            if tag == "a" and value.startswith("javascript:"):
                self.wrong.append(value)

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style") and data.strip():
            self.wrong.append(f"inline {self.inside}")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


def test_pages_fit_their_own_policy(world: World) -> None:
    for who, addresses in pages(world).items():
        browser = world.browser(who or None)
        for address in addresses:
            answer = browser.get(address)
            assert answer.status_code in (200, 404), address
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            strict = Strict()
            strict.feed(answer.text)
            assert not strict.wrong, f"{address}: {strict.wrong}"


def test_every_file_a_page_names_is_there_and_cached(world: World) -> None:
    browser = world.browser()
    text = browser.get("/login").text
    import re

    files = set(re.findall(r"/static/[\w.-]+", text))
    assert len(files) >= 4
    for name in files:
        answer = browser.get(name)
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/manifest.json").status_code == 404
    assert browser.get("/static/.stamp").status_code == 404
    assert browser.get("/static/../package.json").status_code == 404


def test_support_sees_no_buttons_that_change(world: World) -> None:
    text = world.browser("support").get(f"/admin/services/{world.anna_service}").text
    for word in ("/suspend", "/redeploy", "/terminate"):
        assert word not in text
    assert "/suspend" in world.browser("operator").get(f"/admin/services/{world.anna_service}").text


def test_health(world: World) -> None:
    browser = world.browser()
    assert browser.get("/healthz").json() == {"status": "ok"}
    assert browser.get("/readyz").status_code == 200
    world.fleet.database.engine.dispose()
    with world.fleet.database.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE services RENAME TO elsewhere")
    assert browser.get("/readyz").status_code == 503
