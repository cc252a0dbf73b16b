"""The task queue, drift checks and a customer's steps in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from controller.domain.words import ServiceStatus
from controller.sandbox.demo import CUSTOMER, STAFF, Demo
from tests.browser.test_order_live import LIVE_MS, signed_in
from tests.support.demo import order, service, settle, wait_for

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}


@pytest.fixture
def staff(browser: Browser, demo: Demo) -> Iterator[Page]:
    with signed_in(browser, demo, STAFF, demo.staff_password) as page:
        yield page


def test_a_step_stays_open_and_fills_while_the_page_moves_on(browser: Browser, demo: Demo, pictures: Path) -> None:
    with signed_in(browser, demo, CUSTOMER, demo.customer_password, **PHONE) as page:
        page.goto("/panel/order")
        page.get_by_label("Your domain").fill("browser-steps.com")
        page.get_by_role("button", name="Order and set up now").click()
        page.get_by_text("Configuring web hosting").first.click()
        step = page.locator("details", has_text="Configuring web hosting").first
        expect(step).to_have_attribute("open", "")
        page.evaluate("window.untouched = true")
        expect(step.get_by_text("Working on the domain")).to_be_visible(timeout=LIVE_MS)
        page.screenshot(path=pictures / "customer-phone-step.png", full_page=True)
        expect(step.get_by_text("Finished")).to_be_visible(timeout=LIVE_MS)
        assert step.get_by_text("Working on the domain").count() == 1, "no line twice"
        assert page.evaluate("window.untouched") is True
        assert "v-add" not in page.content()


def test_ticked_tasks_are_acted_on_after_a_question(staff: Page, demo: Demo, pictures: Path) -> None:
    settle(demo)
    staff.goto("/admin/tasks?state=succeeded")
    bar = staff.locator("[data-slot=bar]")
    expect(bar.get_by_role("button", name="Delete")).to_be_hidden()
    staff.get_by_label("Select all on this page").check()
    expect(bar).to_contain_text(re.compile(r"\d+ tasks? selected"))
    bar.get_by_role("button", name="Retry").click()
    dialog = staff.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"Try \d+ tasks? again now\?"))
    staff.screenshot(path=pictures / "staff-queue.png")
    dialog.get_by_role("button", name="Cancel").click()
    expect(bar).to_contain_text("selected")
    bar.get_by_role("button", name="Retry").click()
    dialog.get_by_role("button", name="Try again").click()
    expect(staff.get_by_text("0 tasks queued again.")).to_be_visible()


@pytest.mark.long
def test_a_drift_check_finds_and_repairs(staff: Page, demo: Demo, pictures: Path) -> None:
    made = order(demo, "browser-drift.com")
    wait_for(demo, made.id, ServiceStatus.ACTIVE)
    settle(demo)
    account = next(one for one in service(demo, made.id).accounts if "web" in one.roles)
    server = demo.servers[account.server.name]
    assert server.panel("v-delete-web-domain", account.username, "browser-drift.com").returncode == 0
    staff.goto("/admin/drift")
    staff.get_by_role("button", name="Check now").click()
    staff.wait_for_url(re.compile(r"/admin/drift/\d+"))
    expect(staff.get_by_role("button", name="Repair all")).to_be_visible(timeout=LIVE_MS)
    expect(staff.get_by_text("is missing").first).to_be_visible()
    staff.screenshot(path=pictures / "staff-drift.png", full_page=True)
    staff.get_by_role("button", name="Repair all").click()
    staff.get_by_role("dialog").get_by_role("button", name="Repair all").click()
    expect(staff.get_by_text("1 repair started.")).to_be_visible()
    wait_for(demo, made.id, ServiceStatus.ACTIVE)
    settle(demo)
    staff.goto(f"/admin/services/{made.id}/verification")
    staff.get_by_role("button", name="Verify").first.click()
    expect(staff.get_by_text("Everything is as it should be")).to_be_visible(timeout=LIVE_MS)
