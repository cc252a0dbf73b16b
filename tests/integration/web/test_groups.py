"""Pages of server groups: every tab shows, saves, and says at the field what is wrong."""

from __future__ import annotations

from html import unescape

import pytest
from sqlalchemy import select

from controller.automation.group_wishes import server_files
from controller.domain.config_keys import KEYS, Tier
from controller.domain.standard_files import STANDARD_FILES
from controller.domain.words import FILES_ACTION
from controller.engine.planning import server_resource
from controller.operations import groups, standard_files
from controller.store.base import utcnow
from controller.store.fleet_models import ServerView, StandardFile
from controller.store.group_queries import web_servers
from controller.store.models import GroupDnsServer, Server, ServerGroup
from controller.store.work_models import LongRun
from tests.integration.web.world import World, finish

TABS = ("", "/general", "/variables", "/files", "/dns", *(f"/config/{tier.value}" for tier in Tier))


def home(world: World) -> str:
    return f"/admin/groups/{world.group_id}"


def group_of(world: World) -> ServerGroup:
    with world.fleet.database.read() as session:
        return session.get_one(ServerGroup, world.group_id)


def manage(world: World, **config: str) -> None:
    with world.fleet.database.write() as session:
        session.get_one(ServerGroup, world.group_id).config = config


def know(world: World, name: str, **config: str) -> None:
    """What a server's panel had when it was last looked at."""
    with world.fleet.database.write() as session:
        server = session.scalars(select(Server).where(Server.name == name)).one()
        session.merge(ServerView(server_id=server.id, kind="config", data=config))


@pytest.mark.parametrize("who", ["operator", "support"])
def test_every_tab_opens_and_support_finds_no_button(who: str, shared_world: World) -> None:
    browser = shared_world.browser(who)
    for tab in TABS:
        answer = browser.get(home(shared_world) + tab)
        assert answer.status_code == 200, tab
        assert ('<button class="btn btn-primary">Save' in answer.text) == (
            who == "operator" and tab not in ("", "/files")
        )
    for name in STANDARD_FILES:
        assert browser.get(f"{home(shared_world)}/files/{name}").status_code == 200


def test_the_list_counts_servers_that_answer_products_and_managed_settings(world: World) -> None:
    manage(world, LANGUAGE="pl", WEBMAIL_ALIAS="post")
    with world.fleet.database.write() as session:
        session.scalars(select(Server).where(Server.name == "web01")).one().problem = "it does not answer"
    text = world.browser("support").get("/admin/groups").text
    assert "3 online" in text
    assert 'title="Panel settings that this group manages">2<' in text


def test_a_group_is_renamed_and_its_zones_keep_their_ttl(world: World) -> None:
    with world.fleet.database.write() as session:
        session.get_one(ServerGroup, world.group_id).zone_ttl = 600
    browser = world.browser("operator")
    page = f"{home(world)}/general"
    assert browser.submit(page, {"name": "Kraków", "description": "x"}).status_code == 422
    assert group_of(world).name == "Warsaw"
    assert browser.submit(page, {"name": "Gdansk", "description": "by the sea"}).status_code == 303
    saved = group_of(world)
    assert (saved.name, saved.description, saved.zone_ttl) == ("Gdansk", "by the sea", 600)


def test_a_group_that_is_used_is_not_deleted_and_says_why(world: World) -> None:
    browser = world.browser("owner")
    assert "1 product and 4 servers use it" in browser.get(f"{home(world)}/general").text
    assert browser.submit(f"{home(world)}/delete").headers["location"] == f"{home(world)}/general"
    assert "products point at Warsaw: Business" in browser.get(f"{home(world)}/general").text
    empty = groups.create(world.fleet, "test", name="Empty")
    assert browser.submit(f"/admin/groups/{empty.id}/delete").headers["location"] == "/admin/groups"
    assert browser.get(f"/admin/groups/{empty.id}").status_code == 404


def test_settings_are_saved_and_told_apart_by_what_the_servers_have(world: World) -> None:
    browser = world.browser("operator")
    page = f"{home(world)}/config/all"
    assert browser.submit(page, {"LANGUAGE": "pl", "INACTIVE_SESSION_TIMEOUT": " 90 "}).status_code == 303
    assert group_of(world).config == {"LANGUAGE": "pl", "INACTIVE_SESSION_TIMEOUT": "90"}
    know(world, "web01", LANGUAGE="pl", INACTIVE_SESSION_TIMEOUT="90")
    know(world, "ns1", LANGUAGE="en", INACTIVE_SESSION_TIMEOUT="90")
    text = browser.get(page).text
    assert "1 of 2 match" in text
    assert "English (1), Polish (1)" in text
    assert "2 of 2 match" in text
    assert "1 server differs" in text
    assert "1 differs" in browser.get(home(world)).text
    # An empty field is not managed any more.
    assert browser.submit(page, {"LANGUAGE": ""}).status_code == 303
    assert group_of(world).config == {}


def test_a_setting_of_another_tier_has_no_field_and_is_not_taken(world: World) -> None:
    browser = world.browser("operator")
    assert browser.submit(f"{home(world)}/config/mail", {"DB_PMA_ALIAS": "pma"}).status_code == 303
    assert group_of(world).config == {}
    for tier in Tier:
        text = browser.get(f"{home(world)}/config/{tier.value}").text
        for entry in KEYS.values():
            assert (f'name="{entry.key}"' in text) == (entry.tier is tier and entry.managed), entry.key


def test_wrong_settings_are_told_at_their_fields_and_nothing_is_saved(world: World) -> None:
    browser = world.browser("operator")
    typed = {
        "LANGUAGE": "klingon",
        "INACTIVE_SESSION_TIMEOUT": "soon",
        "BACKEND_PORT": "99",
        "FROM_EMAIL": "nobody",
        "API_ALLOWED_IP": "10.0.0.1 elsewhere",
        "APP_NAME": "<script>alert('1')</script>",
        "THEME": "dark",
    }
    answer = browser.submit(f"{home(world)}/config/all", typed)
    assert answer.status_code == 422
    assert group_of(world).config == {}
    for key in typed:
        assert (f'id="{key}-error"' in answer.text) == (key != "THEME"), key
    assert "must be between 1024 and 65535" in answer.text
    assert "<script>alert" not in answer.text


def test_what_cannot_be_set_is_shown_with_its_reason(shared_world: World) -> None:
    text = unescape(shared_world.browser("support").get(f"{home(shared_world)}/config/web").text)
    facts = [entry for entry in KEYS.values() if entry.tier is Tier.WEB and not entry.managed]
    assert facts
    for entry in facts:
        assert entry.title in text
        assert entry.explanation in text


def test_variables_are_added_changed_and_removed(world: World) -> None:
    browser = world.browser("operator")
    page = f"{home(world)}/variables"
    assert "Filled for each zone" in browser.get(page).text
    rows = {"name": ["ns1", "ns2", "color", ""], "value": ["NS1.Fleet.Test", "ns2.fleet.test", "blue", ""]}
    assert browser.submit(page, rows).status_code == 303
    assert group_of(world).variables == {"ns1": "ns1.fleet.test", "ns2": "ns2.fleet.test", "color": "blue"}


def test_changed_variables_name_their_zones_and_offer_to_redeploy_them(world: World) -> None:
    finish(world.fleet, world.ben_service)
    browser = world.browser("operator")
    page = f"{home(world)}/variables"
    assert "Redeploy 2 zones" in browser.get(page).text
    # No template has this one.
    there = group_of(world).variables
    names = [*there, "color"]
    assert browser.submit(page, {"name": names, "value": [*there.values(), "blue"]}).headers["location"] == page
    saved = browser.submit(page, {"name": names, "value": ["other.fleet.test", *list(there.values())[1:], "red"]})
    assert saved.headers["location"] == f"{page}?changed=color&changed=ns1"
    offer = browser.get(saved.headers["location"]).text
    assert "2 zones use what you changed" in offer
    assert 'data-confirm="Redeploy 2 zones?"' in offer
    assert "what you changed" not in world.browser("support").get(saved.headers["location"]).text
    started = browser.submit(f"{page}/redeploy?changed=color&changed=ns1", page=saved.headers["location"])
    assert started.headers["location"] == page
    text = browser.get(page).text
    assert "2 zones are being written again" in text
    assert "Zones of Warsaw" in text
    assert "0 of 2 zones" in text
    with world.fleet.database.read() as session:
        (run,) = session.scalars(select(LongRun).where(LongRun.kind == "zones"))
    assert (run.total, run.report["what"], run.report["group_id"]) == (2, "group", world.group_id)
    for hostile in ("?changed=<script>&changed=%7Bns1%7D", "?changed=", "?changed=color"):
        assert "what you changed" not in browser.get(page + hostile).text


@pytest.mark.parametrize(
    ("names", "values", "said"),
    [
        (["ns1", "ns1"], ["a.example", "b.example"], "one of this name already"),
        ([""], ["value"], "Give it a name"),
        (["Upper"], ["x"], "lower-case letters"),
        (["ns1"], ["not a host!"], "IP address or a host name"),
        (["motd"], ["x" * 300], "at most 255 characters"),
        (["motd"], ["two\nlines"], "one line without control characters"),
        ([f"v{number}" for number in range(201)], ["x"] * 201, "At most 200 variables"),
    ],
)
def test_wrong_variables_are_told_at_their_row(names: list[str], values: list[str], said: str, world: World) -> None:
    before = group_of(world).variables
    answer = world.browser("operator").submit(f"{home(world)}/variables", {"name": names, "value": values})
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    assert group_of(world).variables == before


def test_a_file_is_overridden_kept_as_typed_and_reset(world: World) -> None:
    browser = world.browser("operator")
    page = f"{home(world)}/files/error_404"
    typed = "<h1>Gone?</h1>\r\n{{ 7 * 7 }}</textarea><script>alert(1)</script>\r\n"
    assert browser.submit(page, {"content": typed}).status_code == 303
    with world.fleet.database.read() as session:
        row = session.scalars(select(StandardFile)).one()
    assert row.content == typed.replace("\r\n", "\n")
    assert (row.origin, row.updated_by) == ("overridden", "operator@example.net")
    text = browser.get(page).text
    assert "<script>alert(1)" not in text
    assert "{{ 7 * 7 }}" in text
    listed = browser.get(f"{home(world)}/files").text
    assert "Overridden" in listed
    assert "Not on the servers yet" in listed
    applied_now(world)
    assert "Not on the servers yet" not in browser.get(f"{home(world)}/files").text
    assert browser.submit(f"{page}/reset").status_code == 303
    for address in (page, f"{home(world)}/files"):
        text = browser.get(address).text
        assert "Overridden" not in text
        assert "Not applied yet" in text, "the servers have the group's version until the next push"
    with world.fleet.database.read() as session:
        assert server_files(session, session.get_one(Server, world.server_id))["error_404"] is None
    applied_now(world)
    assert "Not applied yet" not in browser.get(page).text


def applied_now(world: World) -> None:
    """As if the standard files had just been pushed."""
    with world.fleet.database.write() as session:
        for server in web_servers(session, world.group_id):
            resource = server_resource(session, server, FILES_ACTION, "standard")
            resource.applied_generation, resource.applied_at = resource.generation, utcnow()


def test_a_file_that_is_too_large_empty_or_no_text_is_refused_at_the_field(world: World) -> None:
    browser = world.browser("operator")
    for content, said in (
        ("x" * (256 * 1024 + 1), "larger than 256 KiB"),
        ("a\0b", "must be text"),
        (" \r\n", "is empty"),
    ):
        answer = browser.submit(f"{home(world)}/files/index", {"content": content})
        assert answer.status_code == 422
        assert said in answer.text
    with world.fleet.database.read() as session:
        assert session.scalars(select(StandardFile)).all() == []


def test_a_file_is_pulled_only_from_a_web_server(world: World) -> None:
    browser = world.browser("operator")
    page = f"{home(world)}/files/robots"
    assert browser.submit(f"{page}/pull", {"server": "mail01"}).status_code == 303
    assert "mail01 hosts no websites" in browser.get(page).text
    assert browser.submit(f"{page}/pull", {"server": "web02"}).status_code == 303
    assert "Reading it on web02" in browser.get(page).text
    standard_files.override(world.fleet, "test", world.group_id, "robots", "mine")
    assert "Pulling from web02" in browser.get(f"{home(world)}/files").text


def test_nameservers_change_after_a_question_that_counts_the_zones(world: World) -> None:
    browser = world.browser("operator")
    page = f"{home(world)}/dns"
    with world.fleet.database.read() as session:
        ns1 = session.scalars(select(Server.id).where(Server.name == "ns1")).one()
    asked = browser.submit(page, {"server": [ns1]})
    assert asked.status_code == 200
    assert "2 zones will be taken off ns2" in asked.text
    assert attached(world) == {"ns1", "ns2"}
    assert browser.submit(page, {"server": [ns1], "confirmed": "1"}).status_code == 303
    assert attached(world) == {"ns1"}
    with world.fleet.database.read() as session:
        run = session.scalars(select(LongRun).where(LongRun.kind == "zones")).one()
    assert run.total > 0
    assert run.title in browser.get(page).text
    refused = browser.submit(page, {"confirmed": "1"})
    assert refused.status_code == 422
    assert "leave at least one nameserver" in refused.text
    assert attached(world) == {"ns1"}


def test_all_zones_of_a_group_are_redeployed(world: World) -> None:
    finish(world.fleet, world.ben_service)
    browser = world.browser("operator")
    assert "Redeploy 2 zones" in browser.get(f"{home(world)}/dns").text
    assert browser.submit(f"{home(world)}/dns/redeploy").headers["location"] == "/admin/zones"
    assert "2 zones are being written again" in browser.get("/admin/zones").text


def test_a_server_without_dns_is_no_nameserver(world: World) -> None:
    answer = world.browser("operator").submit(f"{home(world)}/dns", {"server": [world.server_id], "confirmed": "1"})
    assert answer.status_code == 422
    assert "web01 does not host DNS" in answer.text
    assert attached(world) == {"ns1", "ns2"}


def attached(world: World) -> set[str]:
    with world.fleet.database.read() as session:
        query = select(Server.name).join(GroupDnsServer, GroupDnsServer.server_id == Server.id)
        return set(session.scalars(query.where(GroupDnsServer.group_id == world.group_id)))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"zone_template": "", "zone_ttl": ""}, "Enter a number of seconds"),
        ({"zone_template": "", "zone_ttl": "5"}, "must be between 60 and 604800"),
        ({"zone_template": "", "zone_ttl": "1e3"}, "Enter a whole number"),
        ({"zone_template": "999", "zone_ttl": "600"}, "Choose one of the list"),
    ],
)
def test_wrong_settings_of_zones_are_told_at_the_field(typed: dict[str, object], said: str, world: World) -> None:
    answer = world.browser("operator").submit(f"{home(world)}/dns/zones", typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert group_of(world).zone_ttl == 3600
