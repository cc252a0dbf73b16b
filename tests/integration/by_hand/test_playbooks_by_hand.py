"""Plain ``ansible-playbook`` does what the buttons do, on real servers, and leaves the same behind."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
import time
from contextlib import closing

import httpx2
from sqlalchemy import select

from controller.domain.words import ServiceStatus
from controller.operations import group_config, standard_files
from controller.sandbox.demo import GROUP
from controller.store.base import utcnow
from controller.store.fleet_models import ServerSample, ServerView
from controller.store.models import Account, Resource, Server, Task
from tests.integration.by_hand.conftest import DOMAIN, Staff
from tests.support import truth
from tests.support.demo import order, settle, wait_for

TIERS = {
    "all": {"LANGUAGE": "de"},
    "web": {"POLICY_SYNC_SKELETON": "no"},
    "mail": {"WEBMAIL_ALIAS": "post"},
    "dns": {"POLICY_USER_EDIT_DNS_TEMPLATES": "no"},
}
STANDING = dt.timedelta(seconds=8)
SERVERS = {"web01": "web", "mx01": "mail", "ns1": "dns"}


def test_a_setting_reaches_the_servers_of_its_tier_and_no_other(staff: Staff) -> None:
    for tier, values in TIERS.items():
        group_config.set_config(staff.demo.fleet, "test", GROUP, tier, values)
    before = {name: staff.conf(name) for name in SERVERS}

    shown = staff.play("apply_group_config", "--check", "--diff", "--limit", "group_demo_group")
    assert '-    "LANGUAGE": "en"' in shown
    assert '+    "WEBMAIL_ALIAS": "post"' in shown
    assert {name: staff.conf(name) for name in SERVERS} == before
    previews = staff.lines()
    assert [(action, name, result) for action, name, result, _ in previews] == [
        ("server.config", name, "checked") for name in sorted(SERVERS)
    ]
    assert previews[0][3] == "Preview: Settings: 2 would change (LANGUAGE, WEBMAIL_ALIAS)"
    with staff.demo.fleet.database.read() as session:
        assert session.scalars(select(Resource).where(Resource.action == "server.config")).all() == []

    said = staff.play("apply_group_config", "-e", "scope=web")
    assert said.count("No settings for this server: its group manages none that concern it (web).") == 2
    assert staff.conf("web01")["POLICY_SYNC_SKELETON"] == "no"
    assert [staff.conf(name) for name in ("mx01", "ns1")] == [before["mx01"], before["ns1"]]
    assert staff.lines() == [
        ("server.config", "web01", "succeeded", "Settings (web): 1 changed (POLICY_SYNC_SKELETON)")
    ]

    staff.play("apply_group_config")
    for name, tier in SERVERS.items():
        own = TIERS["all"] | TIERS[tier]
        others = {key: before[name].get(key) for each in TIERS.values() for key in each if key not in own}
        conf = staff.conf(name)
        assert {key: conf[key] for key in own} == own
        assert {key: conf.get(key) for key in others} == others
    assert {result for _, _, result, _ in staff.lines()} == {"succeeded"}
    with staff.demo.fleet.database.read() as session:
        applied = session.scalars(select(Resource).where(Resource.action == "server.config")).all()
        assert {(one.server.name, one.name) for one in applied} == {
            ("web01", "web"),
            *((name, "all") for name in SERVERS),
        }
        assert all(one.applied_generation == one.generation and one.applied_at for one in applied)


def test_a_second_run_changes_nothing_wherever_the_content_lies(elsewhere: Staff) -> None:
    said = elsewhere.play("apply_group_config")
    assert said.count("changed=0") == 3
    assert {message for *_, message in elsewhere.lines()} == {"Settings: nothing to change"}


def test_a_scope_that_nobody_knows_is_refused(staff: Staff) -> None:
    words = "scope: must be one of all, web, mail, dns, not disk"
    assert words in staff.play("apply_group_config", "-e", "scope=disk", "--limit", "ns1", code=2)
    assert staff.lines() == [("server.config", "ns1", "failed", words)]


def test_standard_files_go_to_web_servers(staff: Staff) -> None:
    standard_files.override(staff.demo.fleet, "test", GROUP, "robots", "User-agent: *\nDisallow: /{{ private }}\n")
    path = staff.demo.servers["web01"].hestia / "data/templates/web/skel/public_html/robots.txt"
    before = path.read_text()
    assert '+    "robots": "' in staff.play("apply_standard_files", "--check", "--diff")
    assert path.read_text() == before
    staff.play("apply_standard_files")
    assert path.read_text() == "User-agent: *\nDisallow: /{{ private }}\n"
    assert [line[:3] for line in staff.lines()] == [
        ("server.files", "web01", "checked"),
        ("server.files", "web01", "succeeded"),
    ]


def test_a_look_at_the_servers_is_stored(staff: Staff) -> None:
    with staff.demo.fleet.database.write() as session:
        for server in session.scalars(select(Server)):
            server.facts, server.checked_at, server.problem = {}, None, "no answer"
        for model in (ServerView, ServerSample):
            for row in session.scalars(select(model)):
                session.delete(row)
    begin = utcnow()
    staff.play("refresh_status")
    server = staff.server("mx01")
    assert server.checked_at is not None
    assert server.checked_at > begin
    assert (server.problem, server.facts["hostname"]) == (None, "mx01.fleet.test")
    with staff.demo.fleet.database.read() as session:
        kinds = set(session.scalars(select(ServerView.kind).where(ServerView.server_id == server.id)))
        assert {"config", "packages", "addresses", "services"} <= kinds
        assert len(session.scalars(select(ServerSample)).all()) == 4
    assert staff.server("pdns1").facts["zones"] == 1
    assert [line[1:3] for line in staff.lines()] == [(name, "succeeded") for name in sorted([*SERVERS, "pdns1"])]


def test_a_damage_done_by_hand_is_found_and_nothing_is_touched(staff: Staff) -> None:
    users = (staff.demo.servers["web01"].hestia / "data/users").glob("*/web.conf")
    conf, sound = next((path, path.read_text()) for path in users if DOMAIN in path.read_text())
    damaged = sound.replace(f"ALIAS='www.{DOMAIN}'", "ALIAS=''")
    assert damaged != sound
    conf.write_text(damaged)
    nameserver = staff.demo.servers.nameservers["pdns1"]
    zone = f"{nameserver.api_url}/api/v1/servers/localhost/zones/{DOMAIN}."
    wrong = {
        "name": f"odd.{DOMAIN}.",
        "type": "A",
        "ttl": 60,
        "records": [{"content": "192.0.2.99", "disabled": False}],
    }
    api = httpx2.Client(headers={"X-API-Key": nameserver.api_key})
    assert api.patch(zone, json={"rrsets": [{**wrong, "changetype": "REPLACE"}]}).status_code == 204
    try:
        said = staff.play("verify", "--diff", "-e", f"service={DOMAIN}")
        assert conf.read_text() == damaged
        assert any(record["name"] == wrong["name"] for record in api.get(zone).json()["rrsets"])
    finally:
        conf.write_text(sound)
        api.patch(zone, json={"rrsets": [{**wrong, "changetype": "DELETE"}]})
        api.close()
    assert f'+        "www.{DOMAIN}"' in said
    assert "192.0.2.99" in said
    assert f'"web.domain {DOMAIN}"' in said
    told = {name: (result, message) for _, name, result, message in staff.lines()}
    assert told["web01"] == ("checked", f"Verified 4 resources: 1 differ (web.domain {DOMAIN})")
    assert told["ns1"] == ("checked", "Verified 3 resources: all as they should be")
    assert told["pdns1"] == ("checked", f"Verified 1 resources: 1 differ (dns.zone {DOMAIN})")
    with staff.demo.fleet.database.read() as session:
        passwords = [staff.demo.fleet.vault.unseal(account.password) for account in session.scalars(select(Account))]
    assert passwords
    assert not any(secret in said for secret in [*passwords, nameserver.api_key])


def test_who_does_not_answer_or_shows_another_key_is_a_line_of_the_log(staff: Staff) -> None:
    with staff.demo.fleet.database.write() as session:
        mail = session.scalars(select(Server).where(Server.name == "mx01")).one()
        pinned, mail.host_key = mail.host_key, staff.demo.servers["ns1"].host_key
    staff.demo.servers["web01"].stop()
    try:
        # A connection of an earlier run may still be waiting to be used again.
        staff.play("refresh_status", code=4, ANSIBLE_SSH_ARGS="-o ControlMaster=no")
    finally:
        staff.demo.servers["web01"].start()
        with staff.demo.fleet.database.write() as session:
            session.get_one(Server, mail.id).host_key = pinned
    told = {name: (result, message) for _, name, result, message in staff.lines()}
    assert told["ns1"] == ("succeeded", "Status collected")
    assert told["mx01"][0] == told["web01"][0] == "failed"
    # On a busy machine ssh may be gone before Ansible has read why.
    reasons = f"{told['mx01'][1]}, {told['web01'][1]}"
    assert re.search("the server shows another SSH host key than the pinned one, |Broken pipe, ", reasons)
    assert re.search("Connection refused$|Broken pipe$", reasons)


def test_what_one_server_refuses_is_told_and_the_rest_is_done(staff: Staff) -> None:
    (staff.demo.servers["ns1"].hestia / "web/locale/ku").rmdir()
    group_config.set_config(staff.demo.fleet, "test", GROUP, "all", {"LANGUAGE": "ku", "APP_NAME": "Acme"})
    staff.play("apply_group_config", code=2)
    told = {name: (result, message) for _, name, result, message in staff.lines()}
    assert {name: result for name, (result, _) in told.items()} == {
        "web01": "succeeded",
        "mx01": "succeeded",
        "ns1": "failed",
    }
    assert "the others are as wanted. LANGUAGE: v-change-sys-language ended with 3" in told["ns1"][1]
    assert {name: staff.conf(name)["APP_NAME"] for name in SERVERS} == dict.fromkeys(SERVERS, "Acme")
    with staff.demo.fleet.database.read() as session:
        lines = group_config.drift(session, session.scalars(select(Server).where(Server.name == "ns1")).one())
    assert {line.key: line.refused for line in lines if line.refused or line.matches is False} == {
        "LANGUAGE": "v-change-sys-language ended with 3 (does not exist): language ku doesn't exist"
    }


def test_a_database_that_does_not_take_the_log_is_told_and_stops_nothing(staff: Staff) -> None:
    group_config.set_config(staff.demo.fleet, "test", GROUP, "all", {"LANGUAGE": "fr"})
    with closing(sqlite3.connect(staff.demo.home / "fleet.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        said = staff.play("apply_group_config", "--limit", "ns1", HESTIA_FLEET_DATABASE_BUSY_SECONDS="0.2")
    assert "1 results are not in the operation log: the database does not answer: database is locked" in said
    assert staff.conf("ns1")["LANGUAGE"] == "fr"
    assert staff.lines() == []


def test_a_run_by_hand_and_the_worker_wait_for_each_other(staff: Staff) -> None:
    web = staff.demo.servers["web01"]
    group_config.set_config(staff.demo.fleet, "test", GROUP, "all", {"LANGUAGE": "it"})
    web.faults.hang("v-add-web-domain", STANDING.total_seconds())
    service = order(staff.demo, "second.test")

    def running() -> bool:
        with staff.demo.fleet.database.read() as session:
            found = select(Task).where(Task.service_id == service.id, Task.action == "web.domain")
            return session.scalars(found).one().started_at is not None

    while not running():
        time.sleep(0.05)
    asked = utcnow()
    staff.play("apply_group_config")
    wait_for(staff.demo, service.id, ServiceStatus.ACTIVE)
    settle(staff.demo)
    with staff.demo.fleet.database.read() as session:
        task = session.scalars(select(Task).where(Task.service_id == service.id, Task.action == "web.domain")).one()
        applied = session.scalars(
            select(Resource).where(Resource.action == "server.config", Resource.name == "all")
        ).all()
        by_name = {one.server.name: one for one in applied}
    assert task.finished_at is not None
    assert asked < task.finished_at
    changed = by_name["web01"].applied_at
    assert changed is not None
    assert task.started_at is not None
    # Not while the worker's command stood still.
    assert changed > task.started_at + STANDING
    assert {staff.conf(name)["LANGUAGE"] for name in SERVERS} == {"it"}
    assert [*truth.on_server(staff.demo.fleet, web), *truth.left_on_server(web)] == []
