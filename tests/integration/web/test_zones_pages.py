"""Pages of DNS zones: what every nameserver says, filters, own records, import and export."""

from __future__ import annotations

from html import unescape

import pytest
from sqlalchemy import select

from controller.domain.words import Desired, ServiceStatus
from controller.store.base import utcnow
from controller.store.models import Resource, Server, Service
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone, ZoneAnswer, ZoneRecord
from tests.integration.web.world import World, finish


def zone_of(world: World, domain: str) -> Zone:
    with world.fleet.database.read() as session:
        return session.scalars(select(Zone).where(Zone.domain == domain)).one()


def own_records(world: World) -> set[tuple[str, str, str]]:
    with world.fleet.database.read() as session:
        return {(row.name, row.type, row.value) for row in session.scalars(select(ZoneRecord))}


def written(world: World, domain: str) -> None:
    """The nameservers have confirmed the zone."""
    with world.fleet.database.write() as session:
        zone = session.scalars(select(Zone).where(Zone.domain == domain)).one()
        for resource in session.scalars(select(Resource).where(Resource.service_id == zone.service_id)):
            resource.applied_generation, resource.applied_at = resource.generation, utcnow()
            if resource.action == "dns.zone":
                resource.facts = {"serial": 2026112201, "records": 23}


def answered(world: World, domain: str, server: str, *, reached: bool = True, problems: tuple[str, ...] = ()) -> None:
    """What a nameserver said when it was asked."""
    with world.fleet.database.write() as session:
        zone = session.scalars(select(Zone).where(Zone.domain == domain)).one()
        place = session.scalars(select(Server.id).where(Server.name == server)).one()
        agrees = reached and not problems
        answer = ZoneAnswer(
            zone_id=zone.id, server_id=place, reached=reached, agrees=agrees, problems=list(problems), records=22
        )
        answer.serial = 2026112201 if reached else None
        session.merge(answer)
        zone.checked_at = utcnow()
        zone.agrees = agrees if zone.agrees is None else zone.agrees and agrees


def test_the_list_says_for_every_nameserver_how_it_stands(world: World) -> None:
    for domain in ("anna.example", "ben.example"):
        written(world, domain)
    answered(world, "anna.example", "ns1")
    answered(world, "anna.example", "ns2", problems=("www A: has 192.0.2.9, should be 192.0.2.11",))
    text = world.browser("support").get("/admin/zones").text
    assert 'ns1<span class="visually-hidden"> agrees</span>' in text, "what is right takes no room"
    assert "ns2 differs" in text
    assert "ns1 not asked yet" in text
    assert ">23<" in text
    redeploy = f"/admin/zones/{zone_of(world, 'anna.example').id}/redeploy"
    assert f'formaction="{redeploy}"' in world.browser("operator").get("/admin/zones").text
    assert redeploy not in text, "support only looks"
    page = unescape(world.browser("support").get(f"/admin/zones/{zone_of(world, 'anna.example').id}").text)
    assert "www A: has 192.0.2.9, should be 192.0.2.11" in page
    assert "2026112201" in page


def test_a_write_that_is_to_come_goes_before_an_old_answer(world: World) -> None:
    written(world, "anna.example")
    answered(world, "anna.example", "ns1")
    with world.fleet.database.write() as session:
        query = select(Resource).join(Server).where(Resource.name == "anna.example", Resource.action == "dns.zone")
        session.scalars(query.where(Server.name == "ns1")).one().generation += 1
    assert "ns1 waiting" in world.browser("support").get("/admin/zones?search=anna").text


def test_a_nameserver_that_is_left_or_away_says_so(world: World) -> None:
    written(world, "anna.example")
    answered(world, "anna.example", "ns1", reached=False)
    with world.fleet.database.write() as session:
        query = select(Resource).join(Server).where(Resource.name == "anna.example", Resource.action == "dns.zone")
        session.scalars(query.where(Server.name == "ns2")).one().desired = Desired.ABSENT
    text = world.browser("support").get("/admin/zones?search=anna").text
    assert "ns1 not reached" in text
    assert "ns2 being removed" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"anna.example", "ben.example"}),
        ("search=ANN", {"anna.example"}),
        ("search=%25", set()),
        ("state=agrees", {"anna.example"}),
        ("state=differs", set()),
        ("state=unasked", {"ben.example"}),
        ("state=waiting", {"ben.example"}),
        ("state=nonsense&sort=nonsense&page=99", {"anna.example", "ben.example"}),
        ("server={ns1}&state=agrees", {"anna.example"}),
        ("server={ns1}&state=waiting", {"ben.example"}),
        ("server={web01}", set()),
        ("server=x&sort=-checked", {"anna.example", "ben.example"}),
    ],
)
def test_the_list_is_narrowed(query: str, found: set[str], world: World) -> None:
    written(world, "anna.example")
    answered(world, "anna.example", "ns1")
    answered(world, "anna.example", "ns2")
    with world.fleet.database.read() as session:
        ids = {server.name: server.id for server in session.scalars(select(Server))}
    text = world.browser("support").get("/admin/zones?" + query.format(**ids)).text
    assert {domain for domain in ("anna.example", "ben.example") if f">{domain}</a>" in text} == found


def test_ticked_zones_or_all_that_match_are_redeployed(world: World) -> None:
    finish(world.fleet, world.ben_service)
    browser = world.browser("operator")
    anna = zone_of(world, "anna.example").id
    assert browser.submit("/admin/zones/bulk", {"sort": "domain"}).headers["location"] == "/admin/zones?sort=domain"
    assert "No zone was chosen" in browser.get("/admin/zones").text
    browser.submit("/admin/zones/bulk", {"zone": [anna]})
    assert "1 zone is being written again" in browser.get("/admin/zones").text
    browser.submit("/admin/zones/bulk", {"zone": [anna], "everything": "1", "search": "example"})
    with world.fleet.database.read() as session:
        runs = session.scalars(select(LongRun).where(LongRun.kind == "zones").order_by(LongRun.id)).all()
    assert [run.total for run in runs] == [1, 2]


def test_a_zone_is_asked_and_redeployed_at_once(world: World) -> None:
    written(world, "anna.example")
    browser = world.browser("operator")
    zone = zone_of(world, "anna.example")
    page = f"/admin/zones/{zone.id}"
    browser.submit(f"{page}/check")
    assert zone_of(world, "anna.example").check_due_at is not None
    assert "Asking" in browser.get(page).text
    browser.submit(f"{page}/redeploy")
    assert "Waiting" in browser.get(page).text


def test_the_page_names_the_placeholder_that_keeps_a_record_out(world: World) -> None:
    page = world.browser("support").get(f"/admin/zones/{zone_of(world, 'ben.example').id}").text
    assert "Left out for now" in page
    assert "{domainkey}" in page
    assert "{ns8}" not in page


def test_a_zone_that_its_service_holds_up_says_so(world: World) -> None:
    written(world, "anna.example")
    zone = zone_of(world, "anna.example")
    page, words = f"/admin/zones/{zone.id}", "It waits for its service"
    with world.fleet.database.write() as session:
        session.get_one(Service, zone.service_id).status = ServiceStatus.ERROR
    assert words not in world.browser("support").get(page).text, "nothing is to be written"
    with world.fleet.database.write() as session:
        query = select(Resource).where(Resource.name == "anna.example", Resource.action == "dns.zone")
        session.scalars(query.limit(1)).one().generation += 1
    assert words in world.browser("support").get(page).text


def test_own_records_are_added_changed_and_deleted(world: World) -> None:
    browser = world.browser("operator")
    zone = zone_of(world, "anna.example").id
    page = f"/admin/zones/{zone}/records/new"
    typed = {"name": "shop", "type": "A", "value": " 192.0.2.77 ", "priority": "", "ttl": "300"}
    assert browser.submit(page, typed).status_code == 303
    assert ("shop", "A", "192.0.2.77") in own_records(world)
    with world.fleet.database.read() as session:
        record = session.scalars(select(ZoneRecord).where(ZoneRecord.name == "shop")).one()
    assert 'value="shop"' in browser.get(f"/admin/zones/{zone}/records/{record.id}").text
    browser.submit(f"/admin/zones/{zone}/records/{record.id}", {**typed, "type": "MX", "value": "mx", "priority": "5"})
    assert ("shop", "MX", "mx.anna.example.") in own_records(world)
    assert browser.submit(f"/admin/zones/{zone}/records/{record.id}/delete").status_code == 303
    assert not [one for one in own_records(world) if one[0] == "shop"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "www.elsewhere.test."}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"type": "SOA"}, "type"),
        ({"type": "BOGUS"}, "type"),
        ({"name": "@", "type": "NS", "value": "ns.example.org"}, "type"),
        ({"value": ""}, "value"),
        ({"value": "999.1.1.1"}, "value"),
        ({"value": "192.0.2.1\n192.0.2.2"}, "value"),
        ({"value": "$(reboot)"}, "value"),
        ({"ttl": "soon"}, "ttl"),
        ({"ttl": "1"}, "ttl"),
        ({"priority": "5"}, "priority"),
        ({"type": "CNAME", "name": "@", "value": "a.example."}, "name"),
        ({"type": "TXT", "value": '<script>alert(1)</script>" "'}, "value"),
    ],
)
def test_a_wrong_record_is_told_at_its_field(change: dict[str, str], field: str, world: World) -> None:
    before = own_records(world)
    typed = {"name": "shop", "type": "A", "value": "192.0.2.77", "priority": "", "ttl": "", **change}
    answer = world.browser("operator").submit(f"/admin/zones/{zone_of(world, 'anna.example').id}/records/new", typed)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "<script>alert" not in answer.text
    assert own_records(world) == before


def test_a_record_of_another_zone_is_not_found(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.read() as session:
        record = session.scalars(select(ZoneRecord.id)).one()
    foreign = f"/admin/zones/{zone_of(world, 'ben.example').id}/records/{record}"
    before = own_records(world)
    typed = {"name": "shop", "type": "A", "value": "192.0.2.77"}
    assert browser.get(foreign).status_code == 404
    assert browser.submit(foreign, typed).status_code == 404
    browser.submit(f"{foreign}/delete")
    assert own_records(world) == before


def test_a_zone_gets_a_template_of_its_own(world: World) -> None:
    browser = world.browser("operator")
    zone = zone_of(world, "anna.example")
    browser.submit(f"/admin/zones/{zone.id}/template", {"template": "1"})
    assert zone_of(world, "anna.example").template_id == 1
    for nonsense in ("999", "x"):
        browser.submit(f"/admin/zones/{zone.id}/template", {"template": nonsense})
        assert zone_of(world, "anna.example").template_id == 1
    browser.submit(f"/admin/zones/{zone.id}/template", {"template": ""})
    assert zone_of(world, "anna.example").template_id is None


def test_a_zone_is_exported_and_taken_back_after_a_preview(world: World) -> None:
    browser = world.browser("operator")
    anna = zone_of(world, "anna.example").id
    answer = browser.get(f"/admin/zones/{anna}/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="anna.example.zone"'
    assert "blogs.example.org." in answer.text
    text = "$TTL 600\nwww IN A 192.0.2.50\nnew IN TXT hello\n@ IN SOA a. b. 1 2 3 4 5\n@ IN NS ns.example.org.\n"
    page = f"/admin/zones/{anna}/import"
    token = browser.csrf()
    shown = browser.post(page, data={"csrf_token": token}, files={"file": ("ben.zone", text.encode(), "text/plain")})
    assert shown.status_code == 200
    words = unescape(shown.text)
    assert "instead of the template’s" in words
    assert ">new<" in words
    assert "Skipped" in words
    assert {row for row in own_records(world) if row[0] in ("www", "new")} == set()
    assert browser.submit(page, {"text": text, "confirmed": "1"}).status_code == 303
    assert {("www", "A", "192.0.2.50"), ("new", "TXT", "hello")} <= own_records(world)
    again = unescape(browser.submit(page, {"text": "www A 192.0.2.51\n", "replace": "1"}).text)
    assert "replaces own" in again
    assert again.count("own, removed") == 3
    assert browser.submit(page, {"text": "www A 192.0.2.51\n", "replace": "1", "confirmed": "1"}).status_code == 303
    assert own_records(world) == {("www", "A", "192.0.2.51")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Choose a file or paste its text"),
        ("www IN A not-an-address", "line 1"),
        ("$INCLUDE /etc/passwd", "other files cannot be read from here"),
        ("www A 192.0.2.1\nwww CNAME elsewhere.example.", "a CNAME must be the only record"),
        ("@ SOA a. b. 1 2 3 4 5", "Nothing to take over"),
        ('x TXT "never closed', "line 1"),
    ],
)
def test_a_wrong_zone_file_says_where_and_takes_nothing_over(text: str, said: str, world: World) -> None:
    before = own_records(world)
    page = f"/admin/zones/{zone_of(world, 'anna.example').id}/import"
    browser = world.browser("operator")
    for data in ({"text": text}, {"text": text, "confirmed": "1"}):
        answer = browser.submit(page, data)
        assert answer.status_code == 422
    assert said in unescape(browser.submit(page, {"text": text}).text)
    binary = browser.post(
        page, data={"csrf_token": browser.csrf()}, files={"file": ("x", b"\xff\xfe\x00", "text/plain")}
    )
    assert "not text" in binary.text
    assert own_records(world) == before
