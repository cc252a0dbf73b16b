"""The tabs of a server: what its panel has, whose accounts are there, what its group wants, what is done to it."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.domain.words import TaskStatus
from controller.operations import group_config
from controller.store.base import utcnow
from controller.store.fleet_models import ServerView
from controller.store.models import Server, Task
from controller.store.server_queries import server_history
from tests.integration.web.fleet_world import report
from tests.integration.web.test_pages import HOSTILE, Strict
from tests.integration.web.world import World, make_world


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("reported"), template)
    report(made.fleet, made.server_id)
    yield made
    made.fleet.close()


def tab(world: World, name: str = "", who: str = "support") -> str:
    slash = "/" if name and not name.startswith("?") else ""
    answer = world.browser(who).get(f"/admin/servers/{world.server_id}{slash}{name}")
    assert answer.status_code == 200, name
    return answer.text


def accounts(text: str) -> list[str]:
    return re.findall(r'data-label="Account"><span class="main break">([^<]+)<', text)


def last_task(world: World) -> Task:
    with world.fleet.database.read() as session:
        return session.scalars(select(Task).order_by(Task.id.desc())).first() or Task()


def test_every_tab_says_so_before_the_first_collection(shared_world: World) -> None:
    for name in ("config", "services", "users", "packages", "addresses"):
        assert "Not collected yet" in tab(shared_world, name), name
    assert "Nothing is managed here" in tab(shared_world, "group-config")
    assert "No figures in this time" in tab(shared_world)


def test_charts_carry_their_figures_in_words_too(reported: World) -> None:
    text = tab(reported)
    charts = [json.loads(html.unescape(found)) for found in re.findall(r'data-chart="([^"]+)"', text)]
    assert [chart["lines"][0]["name"] for chart in charts] == ["CPU", "RAM", "Disk", "Load", "Accounts"]
    assert all(len(chart["x"]) == len(chart["lines"][0]["y"]) for chart in charts)
    assert None in charts[0]["lines"][0]["y"], "a pause in collecting is a pause in the line"
    assert "25 % last, always 25 %" in text
    for span in ("7d", "30d", "nonsense"):
        assert "As a table" in tab(reported, f"?range={span}"), span


def test_history_is_averaged_to_few_points(reported: World) -> None:
    with reported.fleet.database.read() as session:
        day, month = (server_history(session, reported.server_id, span) for span in ("24h", "30d"))
        later = server_history(session, reported.server_id, "24h", utcnow() + dt.timedelta(days=2))
    assert 100 < len(day.times) < 130
    assert 10 < len(month.times) < 16
    assert not later
    assert month.times == sorted(month.times)


def test_settings_are_searched_by_title_key_and_value(reported: World) -> None:
    text = tab(reported, "config")
    assert "NOBODY_KNOWS" in text
    assert "English" in text, "a value in the catalogue's words"
    assert "NOBODY_KNOWS" not in tab(reported, "config?search=sender")
    assert "FROM_NAME" in tab(reported, "config?search=SENDER")
    assert "FROM_NAME" in tab(reported, "config?search=somebody")
    assert "Nothing found" in tab(reported, "config?search=%25")


def test_accounts_are_ours_or_of_no_service(reported: World) -> None:
    text = tab(reported, "users")
    assert "120 accounts of no service" in text
    assert len(accounts(text)) == 50
    assert len(accounts(tab(reported, "users?page=3"))) == 22
    assert accounts(tab(reported, "users?page=999")) == accounts(tab(reported, "users?page=3"))
    ours = tab(reported, "users?owned=services")
    assert len(accounts(ours)) == 1
    assert f'href="/admin/services/{reported.anna_service}"' in ours
    assert "anna.example" in ours
    assert accounts(tab(reported, "users?search=anna.example")), "found by the service's domain"
    assert accounts(tab(reported, "users?owned=suspended")) == ["byhand007"]
    assert accounts(tab(reported, "users?sort=-disk"))[:2] == ["byhand119", "byhand118"]
    assert "admin" in accounts(tab(reported, "users?search=admin"))
    assert "admin" not in accounts(tab(reported, "users?owned=strangers&search=admin"))
    for sort in ("service", "package", "bandwidth", "domains", "databases", "mail_accounts", "state", "nonsense"):
        assert len(accounts(tab(reported, f"users?sort=-{sort}"))) == 50, sort


def test_packages_addresses_and_programs(reported: World) -> None:
    assert "∞" in tab(reported, "packages")
    assert "Nothing found" in tab(reported, "packages?search=nope")
    assert "198.51.100.1" in tab(reported, "addresses")
    programs = tab(reported, "services")
    assert "1 of 2 run" in programs
    assert "Stopped" in programs
    assert "/restart" not in programs, "support only looks"
    assert 'value="nginx"' in tab(reported, "services", "operator")


def test_group_config_key_by_key(world: World) -> None:
    report(world.fleet, world.server_id)
    group_config.set_config(world.fleet, "test", world.group_id, "all", {"LANGUAGE": "en", "FROM_NAME": "Acme"})
    text = tab(world, "group-config", "operator")
    assert "1 differs" in text
    assert "Match" in text
    assert "Drift" in text
    assert "Acme" in text
    browser = world.browser("operator")
    answer = browser.submit(f"/admin/servers/{world.server_id}/group-config/preview")
    task = last_task(world)
    assert (task.action, task.check_mode) == ("server.config", True)
    assert answer.headers["location"].endswith(f"/group-config?task={task.id}")
    with world.fleet.database.write() as session:
        done = session.get_one(Task, task.id)
        done.status, done.changed, done.finished_at = TaskStatus.SUCCEEDED, True, utcnow()
        done.result = {"diff": {"before": {"FROM_NAME": "Somebody"}, "after": {"FROM_NAME": "Acme"}}}
    shown = browser.get(answer.headers["location"]).text
    assert "Would be" in shown
    assert "Sender name" in shown
    answer = browser.submit(f"/admin/servers/{world.server_id}/group-config/apply")
    assert last_task(world).check_mode is False
    assert "every 2s" in browser.get(answer.headers["location"]).text, "the page follows the task"


def test_buttons_queue_one_task_and_show_it(world: World) -> None:
    browser = world.browser("operator")
    base = f"/admin/servers/{world.server_id}"
    for path, form, action, tab_name in (
        ("restart", {"service": "nginx"}, "server.restart", "services"),
        ("rebuild", {"what": "web", "users": "one, two"}, "server.rebuild", "maintenance"),
        ("recount", {}, "server.recount", "maintenance"),
    ):
        answer = browser.submit(f"{base}/{path}", form)
        task = last_task(world)
        assert task.action == action
        assert answer.headers["location"] == f"{base}/{tab_name}?task={task.id}"
        assert f'href="/admin/tasks/{task.id}"' in browser.get(answer.headers["location"]).text
    assert browser.submit(f"{base}/check").headers["location"].startswith(f"{base}?task=")
    assert browser.submit(f"{base}/refresh", {"back": "users"}).headers["location"].startswith(f"{base}/users?task=")
    assert browser.submit(f"{base}/refresh", {"back": "list"}).headers["location"] == "/admin/servers"
    assert browser.submit(f"{base}/refresh", {"back": "//evil.example"}).headers["location"].startswith(f"{base}?task")


def test_hostile_input_queues_nothing(world: World) -> None:
    before = last_task(world).id
    browser = world.browser("operator")
    for path, form, words in (
        ("restart", {"service": "nginx; reboot"}, "must be the name of a service"),
        ("restart", {}, "must be the name of a service"),
        ("rebuild", {"what": "everything"}, "Choose one of the list."),
        ("rebuild", {"what": "web", "users": "$(reboot)"}, "“$(reboot)” is not the name of an account"),
    ):
        answer = browser.submit(f"/admin/servers/{world.server_id}/{path}", form)
        text = answer.text if answer.status_code == 422 else browser.get(answer.headers["location"]).text
        assert words in text, form
    assert last_task(world).id == before


def test_hostile_words_of_a_panel_are_text(world: World) -> None:
    """Whatever a server reports is shown as it is, and no page breaks its own policy."""
    row = dict.fromkeys(("name", "what", "state", "package", "role", "ip", "nat", "owner", HOSTILE), HOSTILE)
    with world.fleet.database.write() as session:
        settings = {"LANGUAGE": HOSTILE, HOSTILE: HOSTILE}
        session.add(ServerView(server_id=world.server_id, kind="config", data=settings))
        for kind in ("services", "packages", "addresses", "users"):
            session.add(ServerView(server_id=world.server_id, kind=kind, data=[row, {"name": None}, HOSTILE, 7]))
        session.get_one(Server, world.server_id).facts = {
            **dict.fromkeys(
                ("os", "os_version", "panel_version", "load", "cpu", "users", "uptime", "queries"), HOSTILE
            ),
            "services": {HOSTILE: HOSTILE},
            "missing": [HOSTILE],
        }
    browser = world.browser("operator")
    for name in ("", "/config", "/services", "/packages", "/addresses", "/users", "/maintenance", "/log", "/edit"):
        answer = browser.get(f"/admin/servers/{world.server_id}{name}")
        assert answer.status_code == 200, name
        assert "<script>alert" not in answer.text, name
        assert "<img src=x" not in answer.text, name
        strict = Strict()
        strict.feed(answer.text)
        assert not strict.wrong, name
    assert browser.get("/admin/servers").status_code == browser.get("/admin").status_code == 200


def test_a_server_out_of_use_refuses_work_in_words(world: World) -> None:
    browser = world.browser("operator")
    browser.submit(f"/admin/servers/{world.server_id}/status", {"status": "disabled"})
    browser.submit(f"/admin/servers/{world.server_id}/restart", {"service": "nginx"})
    assert "web01 is out of use" in browser.get(f"/admin/servers/{world.server_id}").text


def test_a_task_of_another_server_is_not_shown(world: World) -> None:
    with world.fleet.database.read() as session:
        other = session.scalars(select(Task.id).where(Task.server_id != world.server_id)).first()
        assert session.get_one(Server, world.server_id)
    for asked in (other, 999_999, "x", ""):
        text = tab(world, f"?task={asked}")
        work = text[text.index('<div id="work"') : text.index('id="now"')]
        assert f'href="/admin/tasks/{other}"' not in work, asked


def test_the_log_is_of_this_server_and_pages(world: World) -> None:
    browser = world.browser("operator")
    for number in range(20):
        status = "closed" if number % 2 == 0 else "active"
        browser.submit(f"/admin/servers/{world.server_id}/status", {"status": status})
        browser.submit(f"/admin/servers/{world.server_id + 1}/status", {"status": status})
    text = tab(world, "log")
    assert "server.status" in text
    assert "web02" not in re.sub(r"<nav.*?</nav>", "", text, flags=re.S)
    assert "web01 is closed for new services" in text
    older = re.search(r'href="([^"]+before=\d+)"', text)
    assert older is None or browser.get(html.unescape(older[1])).status_code == 200
