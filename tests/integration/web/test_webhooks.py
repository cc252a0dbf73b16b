"""Webhooks in the browser: made, shown, edited, tested, deleted."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from controller.store.desk_models import Delivery, Webhook
from tests.integration.web.world import World

HOME = "/admin/settings/webhooks"
GOOD: dict[str, object] = {
    "name": "pager",
    "url": "https://pager.example/in",
    "events": ["ticket.opened", "ticket.closed"],
    "active": "y",
}


def hooks(world: World) -> list[Webhook]:
    with world.fleet.database.read() as session:
        return list(session.scalars(select(Webhook).order_by(Webhook.id)))


def test_the_secret_is_on_one_page_only(world: World) -> None:
    browser = world.browser("operator")
    answer = browser.submit(f"{HOME}/new", GOOD)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{44}", answer.text)
    assert secret
    made = hooks(world)[-1]
    assert (made.name, made.url, made.events, made.active) == (
        "pager",
        "https://pager.example/in",
        ["ticket.opened", "ticket.closed"],
        True,
    )
    for path in (HOME, f"{HOME}/{made.id}"):
        assert "whsec_" not in browser.get(path).text
    assert world.fleet.vault.unseal(made.secret) == secret[0]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "Give the webhook a name."),
        ({"name": "chat"}, "name", "There is a webhook chat already."),
        ({"url": "pager.example"}, "url", "must begin with https"),
        ({"url": "https://a:b@pager.example"}, "url", "must not have a user name"),
        ({"events": []}, "events", "must be some of"),
        ({"events": ["nonsense"]}, "events", "not a valid choice"),
    ],
)
@pytest.mark.parametrize("path", [f"{HOME}/new", f"{HOME}/2"])
def test_bad_input_names_the_field(world: World, path: str, change: dict[str, object], field: str, words: str) -> None:
    browser = world.browser("operator")
    browser.submit(f"{HOME}/new", {**GOOD, "name": "second"})
    before = [(hook.name, hook.url, hook.events) for hook in hooks(world)]
    answer = browser.submit(path, {**GOOD, **change})
    assert answer.status_code == 422
    message = re.search(rf'id="{field}-error".*?<span>(.*?)</span>', answer.text, re.DOTALL)
    assert message, f"no message at {field}"
    assert words in message[1]
    assert [(hook.name, hook.url, hook.events) for hook in hooks(world)] == before


def test_edit_test_and_delete(world: World) -> None:
    browser = world.browser("operator")
    browser.submit(f"{HOME}/1", {**GOOD, "name": "chat"})
    assert hooks(world)[0].url == "https://pager.example/in"
    browser.submit(f"{HOME}/1/test")
    page = browser.get(f"{HOME}/1").text
    assert "webhook.test" in page
    assert "Waiting" in page
    with world.fleet.database.write() as session:
        row = session.scalars(select(Delivery).where(Delivery.event == "webhook.test")).one()
        row.status, row.attempt, row.error = "failed", 8, "answered 500"
    page = browser.get(f"{HOME}/1").text
    assert "Given up" in page
    assert "answered 500" in page
    browser.submit(f"{HOME}/1", {key: value for key, value in GOOD.items() if key != "active"})
    assert not hooks(world)[0].active
    browser.submit(f"{HOME}/1/test")
    assert "pager is switched off" in browser.get(f"{HOME}/1").text
    assert browser.submit(f"{HOME}/1/delete").headers["location"] == HOME
    assert hooks(world) == []
    assert "No webhooks yet" in browser.get(HOME).text


def test_support_sees_everything_and_changes_nothing(world: World) -> None:
    browser = world.browser("support")
    assert "chat.example" in browser.get(HOME).text
    page = browser.get(f"{HOME}/1").text
    assert "chat.example" in page
    assert "Send test" not in page
    assert "Delete" not in page
    assert 'name="url"' not in page
