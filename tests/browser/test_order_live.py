"""A person orders hosting in the browser and watches it turn live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from controller.domain.words import ServiceStatus
from controller.sandbox.demo import CUSTOMER, STAFF, Demo
from controller.store.models import Service
from tests.support.demo import order, settle, wait_for

LIVE_MS = 240_000


@contextmanager
def signed_in(browser: Browser, demo: Demo, email: str, password: str, **options: object) -> Iterator[Page]:
    """A page of somebody who has signed in; fails on any script error or content the policy blocks."""
    context = browser.new_context(base_url=demo.url, **options)  # type: ignore[arg-type]
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    page.goto("/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin" if email == STAFF else "**/panel")
    yield page
    context.close()
    assert problems == []


def test_a_customer_orders_and_the_page_turns_live_by_itself(browser: Browser, demo: Demo, pictures: Path) -> None:
    with signed_in(browser, demo, CUSTOMER, demo.customer_password) as page:
        page.get_by_role("link", name="Order hosting").first.click()
        page.get_by_label("Your domain").fill("not a domain")
        page.get_by_role("button", name="Order and set up now").click()
        expect(page.get_by_text("not a valid domain")).to_be_visible()
        page.get_by_label("Your domain").fill("browser-order.com")
        page.get_by_role("button", name="Order and set up now").click()

        expect(page.get_by_role("heading", name="We are setting up browser-order.com")).to_be_visible()
        bar = page.get_by_role("progressbar").first
        expect(bar).to_be_visible()
        page.screenshot(path=pictures / "customer-being-built.png", full_page=True)
        # It moves without a reload: the page object is the same, a mark in it survives.
        page.evaluate("window.untouched = true")
        expect(page.get_by_role("heading", name="browser-order.com", exact=True)).to_be_visible(timeout=LIVE_MS)
        expect(page.get_by_role("link", name="Open the website")).to_be_visible()
        expect(page.get_by_text("ns1.fleet.test").first).to_be_visible()
        page.screenshot(path=pictures / "customer-live.png", full_page=True)
        page.reload()
        expect(page.get_by_role("link", name="Open the website")).to_be_visible()
    with demo.fleet.database.read() as session:
        service = session.scalars(select(Service).where(Service.domain == "browser-order.com")).one()
        assert service.status is ServiceStatus.ACTIVE


def test_a_lost_connection_and_a_reload_do_not_stop_the_page(browser: Browser, demo: Demo, pictures: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
    with signed_in(browser, demo, CUSTOMER, demo.customer_password, **phone) as page:
        page.goto("/panel/order")
        page.get_by_label("Your domain").fill("browser-lost.com")
        page.get_by_role("button", name="Order and set up now").click()
        expect(page.get_by_role("heading", name="We are setting up browser-lost.com")).to_be_visible()
        page.context.set_offline(True)
        page.wait_for_timeout(1500)
        page.context.set_offline(False)
        page.reload()
        page.screenshot(path=pictures / "customer-phone-being-built.png", full_page=True)
        expect(page.get_by_role("link", name="Open the website")).to_be_visible(timeout=LIVE_MS)
        page.screenshot(path=pictures / "customer-phone-live.png", full_page=True)


def test_a_customer_reads_an_error_in_plain_words(browser: Browser, demo: Demo, pictures: Path) -> None:
    for server in demo.servers:
        if "mail" in server.capabilities:
            server.faults.fail("v-add-mail-domain", 10, times=9, message="Error: forbidden by policy 4711")
    with signed_in(browser, demo, CUSTOMER, demo.customer_password) as page:
        page.goto("/panel/order")
        page.get_by_label("Your domain").fill("browser-error.com")
        page.get_by_role("button", name="Order and set up now").click()
        expect(page.get_by_role("alert").first).to_be_visible(timeout=LIVE_MS)
        assert "4711" not in page.content()
        page.screenshot(path=pictures / "customer-error.png", full_page=True)
    for server in demo.servers:
        server.faults.clear()


def test_staff_watch_a_deployment_and_read_its_log(browser: Browser, demo: Demo, pictures: Path) -> None:
    with signed_in(browser, demo, STAFF, demo.staff_password) as page:
        page.goto("/admin/services/new")
        page.get_by_label("Domain").fill("browser-staff.com")
        page.get_by_label("E-mail address").fill("ada@demo.test")
        page.get_by_label("Name", exact=True).fill("Ada")
        page.get_by_role("button", name="Create and set up").click()
        page.wait_for_url("**/deploy")
        expect(page.get_by_text("Configuring web plan").first).to_be_visible()
        page.screenshot(path=pictures / "staff-deploy.png", full_page=True)
        expect(page.get_by_text("Active").first).to_be_visible(timeout=LIVE_MS)
        page.get_by_role("link", name="Tasks").first.click()
        page.wait_for_url("**/tasks")
        page.get_by_role("link", name="Publishing DNS").first.click()
        expect(page.get_by_text("hestia_dns").first).to_be_visible()
        page.screenshot(path=pictures / "staff-log.png", full_page=True)


def test_a_terminated_service_leaves_the_list_of_the_living(browser: Browser, demo: Demo) -> None:
    service = order(demo, "browser-gone.com")
    wait_for(demo, service.id, ServiceStatus.ACTIVE)
    with signed_in(browser, demo, STAFF, demo.staff_password) as page:
        page.goto(f"/admin/services/{service.id}")
        page.get_by_role("button", name="Terminate").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("browser-gone.com")
        confirm = dialog.get_by_role("textbox")
        if confirm.count():
            confirm.first.fill("browser-gone.com")
        dialog.get_by_role("button", name="Terminate").click()
        wait_for(demo, service.id, ServiceStatus.TERMINATED)
    settle(demo)
