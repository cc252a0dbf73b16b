"""A setting of a group on its way to the servers, in a real browser: saved, previewed, confirmed, applied."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect
from sqlalchemy import select

from controller.sandbox.demo import STAFF, Demo
from controller.store.models import ServerGroup
from tests.browser.test_order_live import LIVE_MS, signed_in

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}


def test_a_setting_is_saved_previewed_and_applied(browser: Browser, demo: Demo, pictures: Path) -> None:
    with demo.fleet.database.read() as session:
        group = session.scalars(select(ServerGroup.id)).one()
    mail, web = (demo.servers[name].hestia / "conf/hestia.conf" for name in ("mx01", "web01"))
    with signed_in(browser, demo, STAFF, demo.staff_password, **PHONE) as page:
        page.goto(f"/admin/groups/{group}/config/mail")
        page.get_by_label("Name of webmail").fill("www")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("This must be small letters and digits")).to_be_visible()
        page.get_by_label("Name of webmail").fill("post")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("button", name="Preview the push").first.click()
        apply = page.get_by_role("button", name="Apply to 2 servers")
        expect(apply).to_be_visible(timeout=LIVE_MS)
        expect(page.locator("#content")).to_contain_text("Would change")
        page.screenshot(path=pictures / "staff-phone-group-preview.png", full_page=True)
        assert "WEBMAIL_ALIAS='webmail'" in mail.read_text()
        apply.click()
        page.get_by_role("dialog").get_by_role("button", name="Apply").click()
        expect(page.get_by_text("2 servers changed")).to_be_visible(timeout=LIVE_MS)
        page.screenshot(path=pictures / "staff-phone-group-run.png", full_page=True)
    assert "WEBMAIL_ALIAS='post'" in mail.read_text()
    assert "post" not in web.read_text()
