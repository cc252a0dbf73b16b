"""Pages of zone templates: lines added and removed, reasons at the line, preview, default, use."""

from __future__ import annotations

from html import unescape

import pytest
from sqlalchemy import select

from controller.domain.zones import DEFAULT_TEMPLATE
from controller.store.models import Product, ServerGroup
from controller.store.work_models import LongRun
from controller.store.zone_models import ZoneTemplate
from tests.integration.web.world import World, finish

HOME = "/admin/zone-templates"


def form(title: str = "Small", **columns: list[str]) -> dict[str, object]:
    """A form with the given rows; what is left out of them is empty."""
    rows = len(columns.get("value", ["192.0.2.1"]))
    given = {"name": ["@"] * rows, "type": ["A"] * rows, "value": ["192.0.2.1"], **columns}
    filled = {"priority": [""] * rows, "ttl": [""] * rows, **given}
    return {"name": title, "description": "", **{f"record_{key}": values for key, values in filled.items()}}


def stored(world: World) -> dict[str, ZoneTemplate]:
    with world.fleet.database.read() as session:
        return {one.name: one for one in session.scalars(select(ZoneTemplate))}


def test_a_template_is_created_and_changed_row_by_row(world: World) -> None:
    browser = world.browser("operator")
    text = browser.get(f"{HOME}/new").text
    assert text.count('data-slot="row"') == len(DEFAULT_TEMPLATE) + 4, (
        "the built-in lines, three empty ones, one to copy"
    )
    rows = form(
        name=["", "www", "", "@"],
        type=["A", "A", "A", "MX"],
        value=["{server_ip}", "{server_ip}", "", "mail.{domain}."],
        priority=["", "", "", "5"],
        ttl=["", "300", "", ""],
    )
    made = browser.submit(f"{HOME}/new", rows)
    assert made.status_code == 303, made.text
    template = stored(world)["Small"]
    assert template.records == [
        {"name": "@", "type": "A", "value": "{server_ip}"},
        {"name": "www", "type": "A", "value": "{server_ip}", "ttl": 300},
        {"name": "@", "type": "MX", "value": "mail.{domain}.", "priority": 5},
    ]
    assert browser.submit(f"{HOME}/{template.id}", form("Smaller", value=["{server_ip}"])).status_code == 303
    assert len(stored(world)["Smaller"].records) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (form(""), "This is needed"),
        (form("x" * 101), "at most 100 characters"),
        (form("Copied"), "There is a zone template Copied already"),
        (form(value=[]), "at least one record"),
        (form(value=["300.1.1.1"]), "is not an IPv4 address"),
        (form(value=["{oops"]), "is not a placeholder"),
        (form(type=["SOA"]), "SOA record is written by the fleet"),
        (form(ttl=["soon"]), "must be a whole number between"),
        (form(priority=["5"]), "has no priority"),
        (form(name=["<b>"]), "is not a name"),
        (form(value=["192.0.2.1"] * 501, name=[f"h{number}" for number in range(501)]), "must be at most 500"),
    ],
)
def test_wrong_lines_are_told_where_they_stand_and_nothing_is_saved(
    typed: dict[str, object], said: str, world: World
) -> None:
    before = set(stored(world))
    answer = world.browser("operator").submit(f"{HOME}/new", typed)
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    assert "<b>" not in answer.text
    assert set(stored(world)) == before


def test_the_preview_shows_a_sample_a_service_and_what_is_left_out(world: World) -> None:
    browser = world.browser("operator")
    typed = form(name=["www", "x"], type=["A", "TXT"], value=["{server_ip}", "v={nobody_knows}"])
    sample = browser.submit(f"{HOME}/preview", typed).text
    assert "192.0.2.10" in sample
    assert "nobody_knows" in sample
    assert "<html" not in sample
    assert "192.0.2.11" in browser.submit(f"{HOME}/preview", {**typed, "service": "anna.example"}).text
    assert "There is no service" in browser.submit(f"{HOME}/preview", {**typed, "service": "<nobody>"}).text
    whole = browser.submit(f"{HOME}/preview?built-in=1", {"service": "anna.example"}).text
    assert "mail.anna.example." in whole


def test_the_default_is_one_template_or_the_built_in_one(world: World) -> None:
    browser = world.browser("operator")
    copied = stored(world)["Copied"].id
    assert browser.submit(f"{HOME}/{copied}/default").status_code == 303
    assert stored(world)["Copied"].is_default
    browser.submit(f"{HOME}/{copied}/delete")
    assert "is the default template" in browser.get(HOME).text
    assert "2 zones are made from this template" in browser.get(f"{HOME}/{copied}").text
    assert browser.submit(f"{HOME}/built-in/default").status_code == 303
    assert not stored(world)["Copied"].is_default
    assert "2 zones are made from this template" in browser.get(f"{HOME}/built-in").text


def test_a_template_in_use_is_not_deleted_but_redeployed(world: World) -> None:
    finish(world.fleet, world.ben_service)
    browser = world.browser("operator")
    copied = stored(world)["Copied"].id
    with world.fleet.database.write() as session:
        session.get_one(ServerGroup, world.group_id).zone_template_id = copied
    assert "1 group" in browser.get(HOME).text
    assert browser.submit(f"{HOME}/{copied}/delete").headers["location"] == f"{HOME}/{copied}"
    assert "is chosen by 1 group" in browser.get(f"{HOME}/{copied}").text
    assert browser.submit(f"{HOME}/{copied}/redeploy").headers["location"] == "/admin/zones"
    with world.fleet.database.write() as session:
        assert session.scalars(select(LongRun).where(LongRun.kind == "zones")).one().total == 2
        session.get_one(ServerGroup, world.group_id).zone_template_id = None
    assert browser.submit(f"{HOME}/{copied}/delete").headers["location"] == HOME
    assert stored(world) == {}


def test_support_sees_templates_and_changes_none(shared_world: World) -> None:
    browser = shared_world.browser("support")
    for page in (f"{HOME}/built-in", f"{HOME}/1"):
        text = browser.get(page).text
        assert "{server_ip}" in text
        assert "Save</button>" not in text


def test_a_product_is_edited_and_gets_a_template(world: World) -> None:
    browser = world.browser("operator")
    page = f"/admin/products/{world.product_id}"
    typed = {
        "name": "Business 2",
        "description": "more",
        "zone_template": str(stored(world)["Copied"].id),
        "active": "y",
    }
    assert browser.submit(f"{page}/edit", typed).status_code == 303
    with world.fleet.database.read() as session:
        product = session.get_one(Product, world.product_id)
    assert (product.name, product.active, product.self_service) == ("Business 2", True, False)
    assert "Copied" in browser.get(page).text
    assert "2 zones are made from this template" in browser.get(f"{HOME}/{product.zone_template_id}").text
    for change in ({"name": ""}, {"name": "1234"}, {"name": "x" * 101}, {"zone_template": "999"}):
        answer = browser.submit(f"{page}/edit", {**typed, **change})
        assert answer.status_code == 422
        assert f'id="{next(iter(change))}-error"' in answer.text
    with world.fleet.database.read() as session:
        assert session.get_one(Product, world.product_id).name == "Business 2"
