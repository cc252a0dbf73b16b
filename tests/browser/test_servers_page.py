"""Servers in a real browser: charts are drawn, a restart is followed to its end, the list fits a phone."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from controller.sandbox.demo import STAFF, Demo
from tests.browser.test_order_live import LIVE_MS, signed_in
from tests.browser.test_queue import PHONE


def test_a_server_is_looked_at_and_a_program_restarted(browser: Browser, demo: Demo, pictures: Path) -> None:
    with signed_in(browser, demo, STAFF, demo.staff_password) as page:
        page.goto("/admin/servers?capability=web")
        expect(page.get_by_role("link", name="mx01", exact=True)).to_have_count(0)
        page.get_by_role("link", name="web01", exact=True).click()
        page.get_by_role("button", name="Refresh").click()
        work = page.locator("#work")
        expect(work).to_contain_text("Done", timeout=LIVE_MS)
        page.get_by_role("link", name="Overview").click()
        chart = page.locator("[data-chart]").first
        expect(chart.locator("canvas")).to_be_visible(timeout=LIVE_MS)
        assert "last" in (chart.get_attribute("aria-label") or ""), "the same in words"
        page.screenshot(path=pictures / "staff-server.png", full_page=True)
        page.get_by_role("link", name="Services").last.click()
        page.get_by_role("button", name="Restart nginx").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Restart nginx on web01?")
        dialog.get_by_role("button", name="Restart").click()
        page.wait_for_url(re.compile(r"/services\?task=\d+"))
        expect(work).to_contain_text("Done", timeout=LIVE_MS)


def test_the_list_fits_a_phone_and_refreshes_by_itself(browser: Browser, demo: Demo, pictures: Path) -> None:
    with signed_in(browser, demo, STAFF, demo.staff_password, **PHONE) as page:
        page.goto("/admin/servers")
        expect(page.get_by_role("link", name="web01", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing sticks out"
        page.evaluate("window.untouched = true")
        with page.expect_request(re.compile(r"/admin/servers$"), timeout=LIVE_MS) as again:
            pass
        assert "hx-request" in again.value.headers
        assert page.evaluate("window.untouched") is True, "without loading the page anew"
        page.screenshot(path=pictures / "staff-phone-servers.png", full_page=True)
