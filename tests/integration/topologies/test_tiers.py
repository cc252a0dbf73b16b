"""What a group wants of its servers: shown first, then pushed, each tier to its own servers, one server at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from controller.domain.words import CONFIG_ACTION, TaskStatus
from controller.operations import group_config, group_runs, groups, server_actions, standard_files
from controller.operations.errors import Refused
from controller.sandbox.demo import GROUP, Demo
from controller.sandbox.panel.records import parse_conf
from controller.store.fleet_models import StandardFile
from controller.store.models import Pipeline, Resource, Server, Task
from tests.support.demo import installation, settle, until

MACHINES = (
    ("web01", ("web",), "192.0.2.11", "web01.fleet.test"),
    ("web02", ("web",), "192.0.2.12", "web02.fleet.test"),
    ("mx01", ("mail",), "192.0.2.21", "mx01.fleet.test"),
    ("ns1", ("dns",), "192.0.2.31", "ns1.fleet.test"),
    ("other", ("web", "mail"), "192.0.2.41", "other.fleet.test"),
)
POWERDNS = (("ns3", "ns3.fleet.test"),)
WISHES: Mapping[str, Mapping[str, str]] = {
    "all": {
        "LANGUAGE": "pl",
        "APP_NAME": "Acme Hosting",
        "INACTIVE_SESSION_TIMEOUT": "45",
        "BACKEND_PORT": "9443",
        "TITLE": "{{page}} - {{appname}}",
    },
    "web": {"DB_PMA_ALIAS": "databases", "POLICY_SYNC_ERROR_DOCUMENTS": "no", "PLUGIN_APP_INSTALLER": "false"},
    "mail": {"WEBMAIL_ALIAS": "post"},
    "dns": {"DNS_CLUSTER_SYSTEM": "hestia-zone", "POLICY_USER_EDIT_DNS_TEMPLATES": "no"},
}
TIERS = {"web01": "web", "web02": "web", "mx01": "mail", "ns1": "dns"}
ELSEWHERE = "Another group"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("tiers") / "home"
    with installation(home, machines=MACHINES, nameservers=POWERDNS, pages=False) as running:
        groups.create(running.fleet, "test", name=ELSEWHERE)
        groups.add_server(running.fleet, "test", ELSEWHERE, "other")
        yield running


def confs(demo: Demo) -> dict[str, dict[str, str]]:
    """Each server's own configuration, read from its own file."""
    return {server.name: parse_conf((server.hestia / "conf/hestia.conf").read_text()) for server in demo.servers}


def changed(before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]) -> dict[str, set[str]]:
    """Keys that differ, by server."""
    return {
        name: {key for key in after[name].keys() | before[name].keys() if after[name].get(key) != before[name].get(key)}
        for name in after
    }


def run_of(demo: Demo, pipeline: Pipeline) -> dict[str, Task]:
    """The tasks of a run by server, once it is over."""
    settle(demo)
    with demo.fleet.database.read() as session:
        rows = session.scalars(select(Task).where(Task.pipeline_id == pipeline.id)).all()
        tasks = {task.server.name: task for task in rows}
        wrong = {name: task.error for name, task in tasks.items() if task.status is not TaskStatus.SUCCEEDED}
        assert wrong == {}
        assert session.get_one(Pipeline, pipeline.id).finished_at is not None
        return tasks


def overlaps(*runs: dict[str, Task]) -> list[tuple[str, str]]:
    """Of the group's own servers, and of its nameservers, those that were changed at the same moment."""
    found = []
    for is_dns in (False, True):
        tasks = [task for run in runs for name, task in run.items() if (TIERS[name] == "dns") == is_dns]
        ordered = sorted(tasks, key=lambda task: task.started_at or task.queued_at)
        found += [(a.label, b.label) for a, b in pairwise(ordered) if b.started_at < a.finished_at]  # type: ignore[operator]
    return found


def diff_of(task: Task) -> dict[str, Any]:
    diff = (task.result or {})["diff"]
    return diff[0] if isinstance(diff, list) else diff


def test_settings_are_shown_first_and_then_land_on_their_tier_alone(demo: Demo) -> None:
    fleet = demo.fleet
    for tier, values in WISHES.items():
        group_config.set_config(fleet, "test", GROUP, tier, values)
    untouched = confs(demo)

    shown = run_of(demo, group_runs.preview(fleet, "test", GROUP, "config", "all"))
    assert confs(demo) == untouched, "a preview has changed something"
    assert set(shown) == set(TIERS), "a server that is none of the group's, or has no panel"
    for name, task in shown.items():
        wanted = {**WISHES["all"], **WISHES[TIERS[name]]}
        assert task.changed
        assert diff_of(task)["after"] == wanted
        assert diff_of(task)["before"] == {key: untouched[name].get(key, "") for key in wanted}

    so_far = untouched
    for scope in ("web", "mail", "dns"):
        done = run_of(demo, group_runs.apply(fleet, "test", GROUP, "config", scope))
        now = confs(demo)
        mine = {name for name, tier in TIERS.items() if tier == scope}
        assert set(done) == mine
        assert changed(so_far, now) == {name: set(WISHES[scope]) if name in mine else set() for name in now}
        so_far = now

    done = run_of(demo, group_runs.apply(fleet, "test", GROUP, "config", "all"))
    assert set(done) == set(TIERS)
    assert overlaps(done) == []
    now = confs(demo)
    assert changed(so_far, now) == {name: set(WISHES["all"]) if name in TIERS else set() for name in now}
    for name, tier in TIERS.items():
        wanted = {**WISHES["all"], **WISHES[tier]}
        assert {key: now[name][key] for key in wanted} == wanted
        for other in {"web", "mail", "dns"} - {tier}:
            for key in WISHES[other]:
                assert now[name].get(key) == untouched[name].get(key), (name, key)
    assert now["other"] == untouched["other"]

    again = run_of(demo, group_runs.apply(fleet, "test", GROUP, "config", "all"))
    assert [task.changed for task in again.values()] == [False] * len(TIERS)
    with fleet.database.read() as session:
        for server in session.scalars(select(Server).where(Server.name.in_(TIERS))):
            lines = group_config.drift(session, server)
            assert [line.key for line in lines if not line.matches] == [], server.name


def test_one_server_of_a_group_at_a_time_and_a_dead_one_holds_nobody_up(demo: Demo) -> None:
    fleet = demo.fleet
    group_config.set_config(fleet, "test", GROUP, "all", {"APP_NAME": "Acme the Second"})
    group_config.set_config(fleet, "test", ELSEWHERE, "all", {"APP_NAME": "Elsewhere"})
    demo.servers["mx01"].stop()
    for server in demo.servers:
        server.faults.pace = 1.0
    try:
        push = group_runs.apply(fleet, "test", GROUP, "config", "all")
        files = group_runs.apply(fleet, "test", GROUP, "files")
        elsewhere = group_runs.apply(fleet, "test", ELSEWHERE, "config", "all")
        living = [name for name in TIERS if name != "mx01"]
        until(lambda: {confs(demo)[name]["APP_NAME"] for name in living} == {"Acme the Second"}, 120)
        assert confs(demo)["mx01"]["APP_NAME"] == "Acme Hosting"
        group_config.set_config(fleet, "test", GROUP, "all", {"APP_NAME": "Acme the Third"})
        with pytest.raises(Refused, match="takes what is wanted when it starts"):
            server_actions.apply_config(fleet, "test", "mx01")
        second = group_runs.apply(fleet, "test", GROUP, "config", "all")
        until(lambda: {confs(demo)[name]["APP_NAME"] for name in living} == {"Acme the Third"}, 120)
        preview = group_runs.preview(fleet, "test", GROUP, "config", "all")
    finally:
        demo.servers["mx01"].start()
        for server in demo.servers:
            server.faults.pace = 0.0
    tasks = run_of(demo, push)
    assert set(tasks) == set(TIERS)
    later = run_of(demo, second)
    assert set(later) == set(living), "the one that was away has its task of the push before"
    filed = run_of(demo, files)
    assert overlaps(tasks, filed, later) == [], "settings and files go one after another too"
    assert {task.changed for task in run_of(demo, elsewhere).values()} == {True}
    assert confs(demo)["mx01"]["APP_NAME"] == "Acme the Third"
    with fleet.database.read() as session:
        behind = select(Resource).where(
            Resource.action == CONFIG_ACTION, Resource.applied_generation != Resource.generation
        )
        assert session.scalars(behind).all() == []
    assert confs(demo)["other"]["APP_NAME"] == "Elsewhere"
    other = run_of(demo, elsewhere)["other"]
    last = max(task.started_at for run in (tasks, filed, later) for task in run.values() if task.started_at)
    assert other.finished_at is not None
    assert other.finished_at < last, "another group's push has waited for this one's"
    assert set(run_of(demo, preview)) == set(TIERS)


def test_nobody_to_push_to_is_said(demo: Demo) -> None:
    with pytest.raises(Refused, match="has settings to be applied"):
        group_runs.apply(demo.fleet, "test", ELSEWHERE, "config", "dns")
    with pytest.raises(Refused, match="has settings to be applied"):
        group_runs.preview(demo.fleet, "test", ELSEWHERE, "config", "dns")


def texts(demo: Demo, name: str) -> dict[str, str]:
    """The pages of a server as they are served or copied from, and all of its templates."""
    server = demo.servers[name]
    found = {
        str(path.relative_to(server.root)): path.read_text()
        for folder in (server.hestia / "data/templates", server.root / "var/www")
        for path in folder.rglob("*")
        if path.is_file()
    }
    return dict(sorted(found.items()))


def test_standard_files_land_on_web_servers_and_the_panels_own_come_back(demo: Demo) -> None:
    fleet = demo.fleet
    before = {server.name: texts(demo, server.name) for server in demo.servers}
    own = {
        "error_404": "<h1>Not at Acme’s</h1>\n",
        "suspended": "<h1>{{ 7 * 7 }}</h1>\n",
        "unassigned": "<h1>Nobody</h1>\n",
    }
    for name, text in own.items():
        standard_files.override(fleet, "test", GROUP, name, text)
    shown = run_of(demo, group_runs.preview(fleet, "test", GROUP, "files"))
    assert set(shown) == {"web01", "web02"}
    assert all(task.changed for task in shown.values())
    assert {server.name: texts(demo, server.name) for server in demo.servers} == before

    done = run_of(demo, group_runs.apply(fleet, "test", GROUP, "files"))
    assert set(done) == {"web01", "web02"}
    after = {server.name: texts(demo, server.name) for server in demo.servers}
    assert {name for name in after if after[name] != before[name]} == {"web01", "web02"}
    for name in ("web01", "web02"):
        for text in own.values():
            assert text in after[name].values()

    # What a person has put on one server becomes the group's own.
    page = demo.servers["web02"].hestia / "data/templates/web/skel/public_html/robots.txt"
    page.write_text("User-agent: *\nDisallow: /\n")
    run_of(demo, standard_files.pull(fleet, "test", GROUP, "robots", "web02"))
    with fleet.database.read() as session:
        pulled = session.scalars(select(StandardFile).where(StandardFile.name == "robots")).one()
        assert (pulled.origin, pulled.content, pulled.server_name) == ("pulled", page.read_text(), "web02")
    run_of(demo, group_runs.apply(fleet, "test", GROUP, "files"))
    assert page.read_text() in texts(demo, "web01").values()

    for name in (*own, "robots"):
        standard_files.reset(fleet, "test", GROUP, name)
    run_of(demo, group_runs.apply(fleet, "test", GROUP, "files"))
    # Each server has back what it had before the group had its own: on one of them that is the person's.
    before["web02"] = {**before["web02"], str(page.relative_to(demo.servers["web02"].root)): page.read_text()}
    assert page.read_text() == "User-agent: *\nDisallow: /\n"
    for name in ("web01", "web02"):
        now = texts(demo, name)
        assert {path: text for path, text in now.items() if path in before[name]} == before[name]
        assert not set(now.values()) & set(own.values())
