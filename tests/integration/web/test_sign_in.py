"""Signing in and out, and what ends a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.operations import people
from controller.store.models import User
from controller.web.app import create_app
from tests.integration.web.world import PASSWORD, World, make_world


@pytest.mark.parametrize(("who", "home"), [("owner", "/admin"), ("support", "/admin"), ("anna", "/panel")])
def test_everybody_gets_home(world: World, who: str, home: str) -> None:
    browser = world.browser()
    answer = browser.submit("/login", {"email": f"{who}@example.net", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert browser.get(home).status_code == 200
    assert browser.get("/").headers["location"] == home
    assert browser.get("/login").headers["location"] == home


@pytest.mark.parametrize(
    ("email", "password"),
    [("owner@example.net", "wrong"), ("nobody@example.net", PASSWORD), ("owner@example.net", PASSWORD.upper())],
)
def test_wrong_is_refused_in_the_same_words(world: World, email: str, password: str) -> None:
    browser = world.browser()
    answer = browser.submit("/login", {"email": email, "password": password})
    assert answer.status_code == 401
    assert "E-mail address or password is not right." in answer.text
    assert f'value="{email}"' in answer.text, "what was typed is kept"
    assert password not in answer.text, "but never the password"
    assert browser.get("/admin").status_code == 303


def test_empty_fields_are_named(world: World) -> None:
    answer = world.browser().submit("/login", {"email": "", "password": ""})
    assert answer.status_code == 422
    assert "Enter your e-mail address." in answer.text
    assert "Enter your password." in answer.text


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/admin/services?status=error", "/admin/services?status=error"),
        ("/admin", "/admin"),
        ("https://evil.example/admin", "/admin"),
        ("//evil.example", "/admin"),
        ("/admin//evil.example", "/admin"),
        ("/administrator", "/admin"),
        ("/panel", "/admin"),
        ("/admin\\@evil.example", "/admin"),
    ],
)
def test_only_our_own_pages_are_gone_to(world: World, wanted: str, lands: str) -> None:
    answer = world.browser().submit("/login", {"email": "owner@example.net", "password": PASSWORD, "next": wanted})
    assert answer.headers["location"] == lands


def test_the_page_asked_for_comes_after_signing_in(world: World) -> None:
    browser = world.browser()
    assert browser.get("/admin/tasks?state=failed").headers["location"] == "/login?next=/admin/tasks%3Fstate%3Dfailed"


def test_the_cookie(world: World) -> None:
    cookie = world.browser().get("/login").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


def test_the_cookie_of_an_https_installation(tmp_path: Path, template: Path) -> None:
    world = make_world(tmp_path / "home", template, secure_cookies=True)
    answer = world.browser().get("/login")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "max-age" in answer.headers["strict-transport-security"]
    world.fleet.close()


def test_sign_out(world: World) -> None:
    browser = world.browser("owner")
    assert browser.submit("/logout").status_code == 303
    assert browser.get("/admin").status_code == 303


def test_a_forged_cookie_is_nobody(world: World) -> None:
    browser = world.browser("owner")
    value = browser.cookies["fleet_session"]
    browser.cookies.clear()
    browser.cookies["fleet_session"] = value[:-3] + "abc"
    assert browser.get("/admin").status_code == 303


def test_a_new_password_ends_other_sessions(world: World) -> None:
    here, elsewhere = world.browser("support"), world.browser("support")
    form = {"current": PASSWORD, "password": "another long password", "again": "another long password"}
    assert here.submit("/admin/profile", form).status_code == 303
    assert here.get("/admin").status_code == 200
    assert elsewhere.get("/admin").status_code == 303
    assert people.authenticate(world.fleet, "support@example.net", "another long password")


def test_a_password_needs_the_old_one_and_a_twin(world: World) -> None:
    browser = world.browser("anna")
    answer = browser.submit("/panel/profile", {"current": "wrong one here", "password": "a" * 12, "again": "a" * 12})
    assert answer.status_code == 422
    assert "This is not your current password." in answer.text
    answer = browser.submit("/panel/profile", {"current": PASSWORD, "password": "a" * 12, "again": "b" * 12})
    assert "This is not the same." in answer.text
    answer = browser.submit("/panel/profile", {"current": PASSWORD, "password": "short", "again": "short"})
    assert answer.status_code == 422


def test_a_disabled_person_is_out_at_once(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.write() as session:
        session.query(User).filter(User.email == "operator@example.net").update({"disabled": True})
    assert browser.get("/admin").status_code == 303
    answer = world.browser().submit("/login", {"email": "operator@example.net", "password": PASSWORD})
    assert answer.status_code == 401


def test_guessing_is_slowed_down(world: World) -> None:
    world.fleet.settings.login_rate = "3/minute"
    world.app = create_app(world.fleet)
    browser = world.browser()
    token = browser.csrf()
    guess = {"csrf_token": token, "email": "owner@example.net", "password": "wrong"}
    assert [browser.post("/login", data=guess).status_code for _ in range(4)] == [401, 401, 401, 429]
    # Not even the right password, nor another login from the same place.
    assert browser.post("/login", data={**guess, "password": PASSWORD}).status_code == 429
    assert browser.post("/login", data={**guess, "email": "anna@example.net"}).status_code == 429
