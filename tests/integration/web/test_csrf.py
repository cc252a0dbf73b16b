"""No form works without the token of the session that sends it."""

from __future__ import annotations

import pytest

from controller.domain.words import ServiceStatus
from controller.store.models import Service
from tests.integration.web.world import PASSWORD, World


@pytest.fixture
def suspend(world: World) -> str:
    return f"/admin/services/{world.anna_service}/suspend"


def status(world: World) -> ServiceStatus:
    with world.fleet.database.read() as session:
        return session.get_one(Service, world.anna_service).status


def test_without_a_token(world: World, suspend: str) -> None:
    browser = world.browser("owner")
    answer = browser.post(suspend, data={"anything": "else"})
    assert answer.status_code == 403
    assert "This form has run out" in answer.text
    assert browser.post(suspend, data={"csrf_token": "made up"}).status_code == 403
    assert status(world) is ServiceStatus.ACTIVE


def test_with_the_token_of_somebody_else(world: World, suspend: str) -> None:
    foreign = world.browser("operator").csrf()
    assert world.browser("owner").post(suspend, data={"csrf_token": foreign}).status_code == 403
    assert status(world) is ServiceStatus.ACTIVE


def test_with_the_token_as_a_header(world: World, suspend: str) -> None:
    browser = world.browser("owner")
    answer = browser.post(
        suspend,
        headers={"x-csrf-token": browser.csrf(), "content-type": "application/x-www-form-urlencoded"},
        content="",
    )
    assert answer.status_code == 303
    assert status(world) is not ServiceStatus.ACTIVE


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_only_forms_are_taken(world: World, suspend: str, kind: str) -> None:
    browser = world.browser("owner")
    answer = browser.post(suspend, content="[1]", headers={"content-type": kind, "x-csrf-token": browser.csrf()})
    assert answer.status_code == 415
    assert status(world) is ServiceStatus.ACTIVE


def test_signing_in_needs_one_too(world: World) -> None:
    answer = world.browser().post("/login", data={"email": "owner@example.net", "password": PASSWORD})
    assert answer.status_code == 403


def test_a_large_body_is_refused(world: World, suspend: str) -> None:
    browser = world.browser("owner")
    answer = browser.post(suspend, data={"csrf_token": browser.csrf(), "x": "y" * 2_000_000})
    assert answer.status_code == 413
