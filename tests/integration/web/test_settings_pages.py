"""Settings and periodic jobs in the browser: owners change, others look, bad values stand at their field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from controller.domain.options import MailOptions, RetentionOptions, RetryOptions
from controller.engine.mail_options import mail_options
from controller.operations import settings
from controller.sandbox.fleet import free_port
from controller.store.base import utcnow
from controller.store.models import OperationLog
from controller.store.options import load
from controller.store.work_models import Job
from tests.integration.web.world import World

INPUT = re.compile(r'<input[^>]*name="([^"]+)"[^>]*>')
VALUE = re.compile(r'value="([^"]*)"')


def form(world: World, tab: str, **changes: Any) -> dict[str, Any]:
    """What a browser would send: every field of the tab as it stands, but for the changes."""
    text = world.browser("owner").get(f"/admin/settings/{tab}").text
    found = {name[1]: VALUE.search(name[0]) for name in INPUT.finditer(text) if 'type="checkbox"' not in name[0]}
    return {name: value[1] if value else "" for name, value in found.items() if name != "csrf_token"} | changes


def test_retries(world: World) -> None:
    browser = world.browser("owner")
    page = browser.get("/admin/settings/retries").text
    assert "again after 5 s, 10 s, 20 s …" in page
    assert page.count("never tried again") == 2
    assert "bad_argument__attempts" not in page
    sent = form(world, "retries", busy__attempts="2", busy__delay="3.5")
    assert browser.submit("/admin/settings/retries", sent).headers["location"] == "/admin/settings/retries"
    with world.fleet.database.read() as session:
        assert load(session, RetryOptions).classes["busy"].attempts == 2  # type: ignore[index]
        line = session.query(OperationLog).order_by(OperationLog.id.desc()).first()
    assert line is not None
    assert (line.actor, line.message) == (
        "owner@example.net",
        "classes.busy.attempts: 10 -> 2; classes.busy.delay: 5 -> 3.5",
    )
    assert "again after 3.5 s" in browser.get("/admin/settings/retries").text
    browser.submit("/admin/settings/retries/reset")
    assert form(world, "retries")["busy__attempts"] == "10"


def test_bad_values_stay_in_their_field(world: World) -> None:
    sent = form(world, "retries", busy__attempts="many", timeout__delay="301")
    answer = world.browser("owner").submit("/admin/settings/retries", sent)
    assert answer.status_code == 422
    assert 'value="many"' in answer.text
    assert 'id="busy__attempts-error"' in answer.text
    assert "This must be a whole number." in answer.text
    sent = form(world, "retries", timeout__delay="301")
    answer = world.browser("owner").submit("/admin/settings/retries", sent)
    assert "This must not be longer than the longest delay (300 s)." in answer.text
    answer = world.browser("owner").submit("/admin/settings/retention", form(world, "retention", checks="0"))
    assert "This must be at least 1." in answer.text
    with world.fleet.database.read() as session:
        assert load(session, RetentionOptions) == RetentionOptions()


def test_a_box_that_is_not_ticked_is_off(world: World) -> None:
    world.browser("owner").submit("/admin/settings/drift", {"hour": "5", "at_once": "3"})
    with world.fleet.database.read() as session:
        assert settings.show(session, "drift") == {"enabled": False, "hour": 5, "at_once": 3}
    assert "Switched off" in world.browser("owner").get("/admin/settings/jobs").text


def test_a_password_is_kept_replaced_and_removed(world: World) -> None:
    browser = world.browser("owner")
    mail = {"host": "mx.example.net", "port": "25", "security": "none", "username": "u", "sender": "a@example.net"}
    for more, kept in (
        ({"password": "s3cret word"}, "s3cret word"),
        ({"password": ""}, "s3cret word"),
        ({"password": "another"}, "another"),
        ({"password": "", "remove_password": "y"}, ""),
    ):
        assert browser.submit("/admin/settings/mail", mail | more).status_code == 303
        with world.fleet.database.read() as session:
            assert mail_options(session, world.fleet.vault).password == kept
        assert kept == "" or kept not in browser.get("/admin/settings/tickets").text


@pytest.mark.parametrize("who", ["support", "operator"])
def test_who_may_not_change_sees_it_all_the_same(world: World, who: str) -> None:
    browser = world.browser(who)
    for tab in ("retries", "retention", "drift", "tickets", "jobs", "environment"):
        answer = browser.get(f"/admin/settings/{tab}")
        assert answer.status_code == 200
        assert "Save</button>" not in answer.text
        assert "Run now" not in answer.text
        fields = re.findall(r'<(?:input|select)[^>]*name="(?!csrf)[^"]*"[^>]*>', answer.text)
        assert all("disabled" in field for field in fields), tab
    assert browser.submit("/admin/settings/retention", {"checks": "1"}).status_code == 403
    assert browser.submit("/admin/settings/jobs/clean-up/run").status_code == 403


def test_jobs(world: World) -> None:
    browser = world.browser("owner")
    assert "never" in browser.get("/admin/settings/jobs").text
    assert browser.submit("/admin/settings/jobs/clean-up/run").status_code == 303
    assert browser.submit("/admin/settings/jobs/nonsense/run").status_code == 404
    with world.fleet.database.write() as session:
        job = session.get_one(Job, "clean-up")
        assert job.due_at <= utcnow()
        job.lease_until, job.lease_owner = utcnow().replace(year=2100), "w"
    assert "Running" in browser.get("/admin/settings/jobs").text
    browser.submit("/admin/settings/jobs/clean-up/run")
    assert "is running" in browser.get("/admin/settings/jobs").text


def test_the_environment_has_no_password(world: World) -> None:
    world.fleet.settings.__dict__["effective_queue_url"] = "redis://u:hunter2@127.0.0.1/0"
    text = world.browser("support").get("/admin/settings/environment").text
    assert "redis://u:***@127.0.0.1/0" in text
    assert "hunter2" not in text


class Mailbox:
    """A mail server that takes everything but for one address."""

    def __init__(self) -> None:
        self.received: list[str] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.received += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def smtp() -> Iterator[Controller]:
    running = Controller(Mailbox(), hostname="127.0.0.1", port=free_port())
    running.start()
    yield running
    running.stop()


def test_a_test_mail_shows_what_the_server_says(world: World, smtp: Controller) -> None:
    browser = world.browser("owner")
    assert "Save an SMTP server first" in browser.get("/admin/settings/tickets").text
    settings.change(
        world.fleet,
        "o",
        "mail",
        {"host": "127.0.0.1", "port": smtp.port, "security": "none", "sender": "fleet@example.net"},
    )
    answer = browser.submit("/admin/settings/mail/test", {"to": "ada@example.net"})
    assert (answer.status_code, smtp.handler.received) == (200, ["ada@example.net"])
    assert "The e-mail is on its way" in answer.text
    answer = browser.submit("/admin/settings/mail/test", {"to": "nobody@example.net"})
    assert answer.status_code == 422
    assert "550 5.1.1 no such mailbox here" in answer.text
    assert "is not an e-mail address" in browser.submit("/admin/settings/mail/test", {"to": "x"}).text
    settings.change(world.fleet, "o", "mail", {"port": free_port()})
    assert "no connection to the mail server" in browser.submit("/admin/settings/mail/test", {"to": "a@b.example"}).text
    with world.fleet.database.read() as session:
        lines = session.query(OperationLog).filter_by(action="settings.test_mail").order_by(OperationLog.id).all()
        assert [line.target for line in lines] == ["ada@example.net", "nobody@example.net", "a@b.example"]
        assert load(session, MailOptions).password == ""
