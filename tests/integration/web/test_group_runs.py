"""Pushes over a group's servers: what a preview shows before somebody confirms it, and what the run says afterwards."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from controller.domain.words import TaskStatus
from controller.engine.arrivals import settings_arrived
from controller.operations import group_runs as operations
from controller.store.base import utcnow
from controller.store.fleet_models import ServerView
from controller.store.models import Pipeline, Resource, ServerGroup, Task
from tests.integration.web.world import Browser, World


@pytest.fixture
def managed(world: World) -> World:
    """A group that manages a setting of all servers and one of mail servers."""
    with world.fleet.database.write() as session:
        session.get_one(ServerGroup, world.group_id).config = {"LANGUAGE": "pl", "WEBMAIL_ALIAS": "post"}
    return world


def started(world: World, browser: Browser, kind: str, scope: str) -> str:
    """The page of a preview that was just asked for."""
    answer = browser.submit(f"/admin/groups/{world.group_id}/preview", {"kind": kind, "scope": scope})
    return str(answer.headers["location"])


def tasks_of(world: World, address: str) -> list[Task]:
    with world.fleet.database.read() as session:
        query = select(Task).where(Task.pipeline_id == int(address.rpartition("/")[2])).order_by(Task.id)
        return list(session.scalars(query))


def finish(world: World, address: str, **diffs: Any) -> None:
    """What the worker writes: a diff by server's name, a text for why it did not work, or nothing to change."""
    with world.fleet.database.write() as session:
        pipeline = session.get_one(Pipeline, int(address.rpartition("/")[2]))
        for task in pipeline.tasks:
            found = diffs.get(task.server.name)
            task.status = TaskStatus.FAILED if isinstance(found, str) else TaskStatus.SUCCEEDED
            task.error = found if isinstance(found, str) else None
            task.changed = isinstance(found, dict)
            task.result = {"diff": found} if isinstance(found, dict) else {}
            task.finished_at = utcnow()
        pipeline.finished_at = utcnow()


def test_a_preview_looks_only_and_reaches_only_servers_of_the_tier(managed: World) -> None:
    browser = managed.browser("operator")
    address = started(managed, browser, "config", "mail")
    tasks = tasks_of(managed, address)
    assert all(task.check_mode for task in tasks)
    text = browser.get(address).text
    assert "Preview: Settings of mail servers" in text
    assert "mail01" in text
    assert "web01" not in text
    assert 'hx-trigger="every 1s"' in text
    assert "Apply to" not in text
    with managed.fleet.database.read() as session:
        assert not [
            one
            for one in session.scalars(select(Resource).where(Resource.action == "server.config"))
            if one.applied_generation
        ]


def test_what_would_change_is_shown_setting_by_setting_and_confirmed_once(managed: World) -> None:
    browser = managed.browser("operator")
    address = started(managed, browser, "config", "mail")
    diff = {"before": {"WEBMAIL_ALIAS": "webmail"}, "after": {"WEBMAIL_ALIAS": "post"}}
    finish(managed, address, mail01=diff)
    text = unescape(browser.get(address).text)
    assert "1 server would change" in text
    assert "Name of webmail" in text
    assert 'class="mono">webmail</td>' in text
    assert "Nothing to change" in text
    assert "Apply to 1 server" in text
    assert "Apply to 1 server" not in managed.browser("support").get(address).text
    applied = browser.submit(address.replace("/runs/", "/apply/")).headers["location"]
    assert applied != address
    assert [task.check_mode for task in tasks_of(managed, applied)] == [False, False]
    old = unescape(browser.get(address).text)
    assert "This preview is old" in old
    assert "Apply to" not in old
    twice = browser.submit(address.replace("/runs/", "/apply/")).headers["location"]
    assert twice == address
    assert "is being applied already" in browser.get(address).text
    with managed.fleet.database.write() as session:
        first, second = (session.get_one(Task, task.id) for task in tasks_of(managed, applied))
        first.status, second.status = TaskStatus.RUNNING, TaskStatus.QUEUED
    assert "Its turn comes after mail01" in browser.get(applied).text
    finish(managed, applied, mail01=diff, mail02="ssh: no route to host")
    done = unescape(browser.get(applied).text)
    assert "1 of 2 did not work" in done
    assert "no route to host" in done
    assert "Changed" in done
    assert "1 of 2 did not work" in browser.get(f"/admin/groups/{managed.group_id}").text


def test_what_was_refused_stands_with_its_reason_beside_what_was_changed(managed: World) -> None:
    browser = managed.browser("operator")
    pipeline = operations.apply(managed.fleet, "ada", managed.group_id, "config", "mail")
    address = f"/admin/groups/{managed.group_id}/runs/{pipeline.id}"
    finish(managed, address, mail01="1 of 2 settings could not be set, the others are as wanted. LANGUAGE: no <such>")
    has = {"WEBMAIL_ALIAS": "post", "LANGUAGE": "en"}
    diff = {"before": {**has, "WEBMAIL_ALIAS": "webmail"}, "after": has}
    facts = {"refused": {"LANGUAGE": "no <such> language here", "NOT_KNOWN": "neither"}, "besides": "nginx is down"}
    facts["asked"] = {"LANGUAGE": "pl"}
    with managed.fleet.database.write() as session:
        task = next(t for t in session.get_one(Pipeline, pipeline.id).tasks if t.server.name == "mail01")
        task.changed, task.result = True, {"diff": diff, "facts": facts}
        server_id, task_id = task.server_id, task.id
        session.add(ServerView(server_id=server_id, kind="config", data=has))
        settings_arrived(session, server_id, facts)
    for page in (address, f"/admin/servers/{server_id}/group-config?task={task_id}"):
        raw = browser.get(page).text
        text = unescape(raw)
        assert "Could not be set" in text
        assert "no &lt;such&gt; language here" in raw
        assert "NOT_KNOWN" in text
        assert "nginx is down" in text
        assert "Name of webmail" in text
        assert 'class="mono">webmail</td>' in text
    assert "2 could not be set" in text
    assert "Match" in text
    assert "Refused" in text
    assert ">Drift<" not in raw


def test_what_was_shown_is_what_is_applied_or_nothing(managed: World) -> None:
    browser = managed.browser("operator")
    address = started(managed, browser, "config", "mail")
    finish(managed, address, mail01={"before": {"WEBMAIL_ALIAS": "webmail"}, "after": {"WEBMAIL_ALIAS": "post"}})
    assert "Apply to 1 server" in browser.get(address).text
    with managed.fleet.database.write() as session:
        session.get_one(ServerGroup, managed.group_id).config = {"LANGUAGE": "pl", "WEBMAIL_ALIAS": "letters"}
    text = unescape(browser.get(address).text)
    assert "What the group wants has changed since" in text
    assert "Apply to" not in text
    assert browser.submit(address.replace("/runs/", "/apply/")).headers["location"] == address
    assert "has changed since this preview; look again" in unescape(browser.get(address).text)


def test_why_a_server_could_not_be_looked_at_stands_beside_it(managed: World) -> None:
    browser = managed.browser("operator")
    address = started(managed, browser, "config", "all")
    diff = {"before": {"LANGUAGE": ""}, "after": {"LANGUAGE": "pl"}}
    finish(managed, address, web01="The server <does> not answer", ns1=diff)
    text = browser.get(address).text
    assert "Could not look" in text
    assert "&lt;does&gt; not answer" in text
    assert "Not every server could be looked at" in text
    assert "not set" in text
    assert "Polish" in text


def test_nothing_to_change_needs_no_confirmation(managed: World) -> None:
    browser = managed.browser("operator")
    address = started(managed, browser, "files", "all")
    assert {task.action for task in tasks_of(managed, address)} == {"server.files"}
    finish(managed, address)
    text = browser.get(address).text
    assert "Finished; nothing was changed" in text
    assert "Apply to" not in text
    assert "Look again" in text


def test_a_refresh_starts_at_once_and_asks_every_server(managed: World) -> None:
    browser = managed.browser("operator")
    answer = browser.submit(f"/admin/groups/{managed.group_id}/refresh")
    tasks = tasks_of(managed, answer.headers["location"])
    assert {task.action for task in tasks} == {"server.status"}
    assert len(tasks) == 6
    assert "Status of all servers" in browser.get(f"/admin/groups/{managed.group_id}").text


@pytest.mark.parametrize(
    ("kind", "scope", "said"),
    [
        ("config", "web", "no web server of Warsaw is in use and has settings"),
        ("config", "everything", "must be one of"),
        ("rm -rf", "all", "must be one of"),
        ("status", "all", "needs no preview"),
        ("", "", "must be one of"),
    ],
)
def test_what_cannot_be_previewed_is_refused_in_words(kind: str, scope: str, said: str, managed: World) -> None:
    browser = managed.browser("operator")
    with managed.fleet.database.read() as session:
        before = session.scalars(select(Pipeline.id)).all()
    assert started(managed, browser, kind, scope) == f"/admin/groups/{managed.group_id}"
    assert said in unescape(browser.get(f"/admin/groups/{managed.group_id}").text)
    with managed.fleet.database.read() as session:
        assert session.scalars(select(Pipeline.id)).all() == before


def test_a_run_of_another_group_is_not_found(managed: World) -> None:
    browser = managed.browser("operator")
    with managed.fleet.database.write() as session:
        other = ServerGroup(name="Other")
        session.add(other)
        session.flush()
        foreign = f"/admin/groups/{other.id}"
    assert browser.get(f"{foreign}/runs/{managed.group_run}").status_code == 404
    assert browser.submit(f"{foreign}/apply/{managed.group_run}").status_code == 404
    # Not a preview: nothing to confirm.
    own = f"/admin/groups/{managed.group_id}"
    assert browser.submit(f"{own}/apply/{managed.group_run}").headers["location"] == f"{own}/runs/{managed.group_run}"
