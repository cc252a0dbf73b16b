"""The list of servers, adding one by looking first, editing, status, deleting."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from controller.domain.words import ServerStatus
from controller.sandbox.fleet import SandboxFleet
from controller.store.base import utcnow
from controller.store.models import OperationLog, Server, Task
from tests.integration.web.fleet_world import add_powerdns, report
from tests.integration.web.world import World

NAMES = re.compile(r'class="main" href="/admin/servers/\d+">([^<]+)</a>')
SORTS = (
    "name",
    "status",
    "group",
    "cpu",
    "memory",
    "disk",
    "load",
    "up",
    "accounts",
    "used",
    "version",
    "os",
    "address",
    "driver",
    "checked",
)


def names(world: World, query: str = "") -> list[str]:
    answer = world.support.get(f"/admin/servers{query}")
    assert answer.status_code == 200, query
    return NAMES.findall(answer.text)


def server(world: World, server_id: int | None = None) -> Server:
    with world.fleet.database.read() as session:
        return session.get_one(Server, server_id or world.server_id)


def edited(world: World, **changes: object) -> dict[str, object]:
    """The edit form of the first server as a browser would send it."""
    one = server(world)
    stored = {
        "name": one.name,
        "address": one.address,
        "port": one.port,
        "hostname": one.hostname,
        "capabilities": ["web"],
        "group": one.group_id,
        "capacity": one.capacity,
        "command_timeout": 0,
        "ssh_user": one.ssh_user,
        "ssh_password": "",
        "ssh_private_key": "",
        "dns_port": 53,
    }
    return {**stored, **changes}


def test_lists_by_role_state_group_and_search(world: World) -> None:
    with world.fleet.database.write() as session:
        session.get_one(Server, world.server_id).status = ServerStatus.MAINTENANCE
        second = session.get_one(Server, world.server_id + 1)
        second.problem, second.blocked_since = "No answer", utcnow()
    assert names(world) == ["mail01", "mail02", "ns1", "ns2", "web01", "web02"]
    assert names(world, "?capability=web") == ["web01", "web02"]
    assert names(world, "?capability=dns&search=NS1") == ["ns1"]
    assert names(world, "?state=trouble") == ["web02"]
    assert names(world, "?state=maintenance") == ["web01"]
    assert len(names(world, f"?group={world.group_id}")) == 6
    assert names(world, "?group=999") == names(world, "?search=%25") == []
    assert names(world, "?capability=nonsense&state=nonsense&group=x&page=-1&sort=%00") == names(world)
    text = world.browser("support").get("/admin/servers").text
    assert "Maintenance" in text
    assert "Not answering" in text
    assert "192.0.2.11:22" in text
    assert "HestiaCP 1.9.9" in text
    assert "1/2" in text, "programs up of all"
    assert "Add a server" not in text, "support only looks"


def test_every_column_sorts_both_ways_and_what_is_unknown_comes_last(world: World) -> None:
    report(world.fleet, world.server_id)
    report(world.fleet, world.server_id + 3)
    for sort in SORTS:
        up, down = names(world, f"?sort={sort}"), names(world, f"?sort=-{sort}")
        assert sorted(up) == sorted(down) == names(world), sort
    for sort in ("cpu", "memory", "load", "accounts"):
        for direction in ("", "-"):
            assert set(names(world, f"?sort={direction}{sort}")[:2]) == {"web01", "mail02"}, "known ones first"
    assert names(world, "?sort=-name") == names(world)[::-1]
    assert names(world, "?sort=-used")[0] in ("ns1", "ns2"), "both services have their zones there"


def test_editing_keeps_secrets_that_are_left_blank(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.write() as session:
        session.get_one(Server, world.server_id).ssh_password = world.fleet.vault.seal("old secret")
    path = f"/admin/servers/{world.server_id}/edit"
    page = browser.get(path).text
    assert "old secret" not in page
    before = server(world).ssh_password
    form = edited(world, name="web-one", capacity="77", command_timeout="90", closed_roles=["web"], hostname="w.test")
    assert browser.submit(path, form).status_code == 303
    after = server(world)
    assert (after.name, after.capacity, after.command_timeout, after.closed_web) == ("web-one", 77, 90, True)
    assert after.ssh_password == before
    assert browser.submit(path, edited(world, ssh_password="new secret")).status_code == 303
    stored = server(world).ssh_password
    assert stored is not None
    assert world.fleet.vault.unseal(stored) == "new secret"
    text = browser.get(f"/admin/servers/{world.server_id}").text
    assert "new secret" not in text
    with world.fleet.database.read() as session:
        lines = session.scalars(select(OperationLog.message).where(OperationLog.action.startswith("server."))).all()
    assert not [line for line in lines if "secret" in line]


BAD_VALUES = (
    ("name", "", "Give the server a name."),
    ("name", "x" * 64, "63"),
    ("name", "web02", "There is a server web02 already."),
    ("name", "<b>", "letters, digits"),
    ("address", "no address!", "must be an IP address or a host name"),
    ("port", "70000", "Enter a port from 1 to 65535."),
    ("port", "ssh", "Enter a whole number."),
    ("capacity", "-1", "a number from 0 to"),
    ("command_timeout", "999999", "86400"),
    ("dns_address", "a b", "must be an IP address or a host name"),
    ("dns_port", "0", "Enter a port from 1 to 65535."),
    ("group", "999", "Choose one of the list."),
    ("zone_template", "999", "Choose one of the list."),
    ("capabilities", ["mail"], "is needed as web server by"),
    ("capabilities", [], "Tick at least one."),
    ("ssh_user", "Robert'); DROP", "must be a Unix user name"),
    ("ssh_private_key", "not a key", "must be an OpenSSH private key"),
)


def test_a_bad_value_is_told_at_its_field_and_nothing_is_written(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.read() as session:
        logged = session.scalar(select(func.count()).select_from(OperationLog))
    for field, value, words in BAD_VALUES:
        form = edited(world, **{"capacity": "55", field: value})
        answer = browser.submit(f"/admin/servers/{world.server_id}/edit", form)
        assert answer.status_code == 422, field
        assert words in answer.text, (field, value)
        assert f'id="{field}-error"' in answer.text or field == "capabilities", field
    assert server(world).capacity == 10
    with world.fleet.database.read() as session:
        assert session.scalar(select(func.count()).select_from(OperationLog)) == logged


def test_status_and_roles_are_changed_with_one_button(world: World) -> None:
    browser = world.browser("operator")
    path = f"/admin/servers/{world.server_id}"
    page = browser.get(f"{path}/maintenance").text
    assert "tasks wait and go on by themselves when it is back" in page
    browser.submit(f"{path}/status", {"status": "maintenance", "closed": ["web"]})
    assert (server(world).status, server(world).closed_web) == (ServerStatus.MAINTENANCE, True)
    browser.submit(f"{path}/status", {"status": "active"})
    assert (server(world).status, server(world).closed_web) == (ServerStatus.ACTIVE, False)
    for bad in ({"status": "broken", "closed": ["web"]}, {"status": "closed", "closed": ["ftp"]}, {}):
        browser.submit(f"{path}/status", bad)
        assert "Nothing was changed" in browser.get(path).text
        assert (server(world).status, server(world).closed_web) == (ServerStatus.ACTIVE, False)


def test_a_server_that_something_lives_on_is_not_deleted(world: World) -> None:
    browser = world.browser("operator")
    browser.submit(f"/admin/servers/{world.server_id}/delete")
    text = browser.get(f"/admin/servers/{world.server_id}/maintenance").text
    assert re.search(r"web01 still hosts \d services?", text)
    pdns = add_powerdns(world.fleet, world.group_id)
    browser.submit(f"/admin/servers/{pdns}/delete")
    assert "attached as nameserver to Warsaw" in browser.get("/admin").text
    with world.fleet.database.write() as session:
        one = session.get_one(Server, pdns)
        one.dns_groups.clear()
    assert browser.submit(f"/admin/servers/{pdns}/delete").headers["location"] == "/admin/servers"
    assert "pdns1 is deleted." in browser.get("/admin/servers").text
    assert "pdns1" not in names(world)


def test_a_server_is_given_up_by_typing_its_name(world: World) -> None:
    browser = world.browser("operator")
    pdns = add_powerdns(world.fleet, world.group_id)
    path = f"/admin/servers/{pdns}"
    with world.fleet.database.write() as session:
        one = session.get_one(Server, pdns)
        one.dns_groups.clear()
    assert "Lost for good" not in browser.get(f"{path}/maintenance").text
    browser.submit(f"{path}/status", {"status": "disabled"})
    assert "Type pdns1 to confirm" in browser.get(f"{path}/maintenance").text
    for typed, said in (("pdns", "type pdns1 to confirm"), ("pdns1", "pdns1 is given up")):
        browser.submit(f"{path}/lost", {"name": typed})
        assert said in browser.get(f"{path}/maintenance").text


def test_a_powerdns_server_has_only_what_makes_sense(world: World) -> None:
    pdns = add_powerdns(world.fleet, world.group_id)
    browser = world.browser("operator")
    page = browser.get(f"/admin/servers/{pdns}").text
    assert "PowerDNS 4.7.3" in page
    assert "/users" not in page
    assert "SSH" not in page
    for tab in ("users", "config", "group-config", "services", "packages", "addresses"):
        assert browser.get(f"/admin/servers/{pdns}/{tab}").status_code == 404, tab
    assert browser.get(f"/admin/servers/{pdns}/door").headers["location"].endswith("/edit")
    form = browser.get(f"/admin/servers/{pdns}/edit").text
    assert "api-secret" not in form
    assert "ssh_user" not in form
    values = {
        "name": "pdns1",
        "address": "192.0.2.53",
        "hostname": "ns9.fleet.test",
        "api_url": "http://192.0.2.54:8081/",
        "api_key": "",
        "api_server_id": "localhost",
        "dns_port": 5300,
    }
    assert browser.submit(f"/admin/servers/{pdns}/edit", values).status_code == 303
    one = server(world, pdns)
    assert (one.hostname, one.api_url, one.dns_port) == ("ns9.fleet.test", "http://192.0.2.54:8081", 5300)
    assert world.fleet.vault.unseal(one.api_key or "") == "api-secret"
    bad = browser.submit(f"/admin/servers/{pdns}/edit", {**values, "api_url": "ftp://x", "api_server_id": "a/b"})
    assert bad.status_code == 422
    assert 'id="api_url-error"' in bad.text
    assert 'id="api_server_id-error"' in bad.text


def test_adding_looks_first_and_tells_what_is_there(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One sandbox server over real SSH, one real PowerDNS over its API."""
    sandbox = SandboxFleet(tmp_path_factory.mktemp("look"))
    panel = sandbox.add("web09", capabilities={"web", "mail"}, ip="192.0.2.99", hostname="web09.test")
    nameserver = sandbox.add_powerdns("ns9", hostname="ns9.fleet.test")
    sandbox.start()
    browser = world.browser("operator")
    try:
        nothing = browser.submit("/admin/servers/new", {"door": "key"}).text
        assert "Enter the address." in nothing
        assert "Enter the private key." in nothing
        login = {"address": panel.address, "port": panel.port, "ssh_user": panel.user, "door": "key"}
        refused = browser.submit("/admin/servers/new", {**login, "door": "password", "ssh_password": "wrong"}).text
        assert "It could not be looked at" in refused
        assert "Add it all the same" in refused
        found = browser.submit("/admin/servers/new", {**login, "ssh_private_key": panel.private_key}).text
        assert "What was found" in found
        assert "192.0.2.99" in found
        assert 'value="web09"' in found, "its own name is suggested"
        assert re.search(r'name="capabilities"[^>]*value="web"[^>]*checked|checked[^>]*value="web"', found)
        with world.fleet.database.read() as session:
            tasks = session.scalar(select(func.count()).select_from(Task))
            assert session.scalars(select(Server).where(Server.name == "web09")).first() is None, "nothing is saved"
        api = {"driver": "powerdns", "api_url": nameserver.api_url, "api_server_id": "localhost"}
        empty = browser.submit("/admin/servers/new", {**api, "api_key": ""})
        assert empty.status_code == 422
        assert 'id="api_key-error"' in empty.text
        seen = browser.submit("/admin/servers/new", {**api, "api_key": nameserver.api_key}).text
        assert "PowerDNS" in seen
        assert "Zones on it" in seen
        details = {
            "step": "save",
            "name": "ns9",
            "address": nameserver.address,
            "dns_port": nameserver.dns_port,
            "capabilities": ["dns"],
            "group": world.group_id,
        }
        unnamed = browser.submit("/admin/servers/new", {**api, "api_key": nameserver.api_key, **details})
        assert unnamed.status_code == 422
        assert 'id="hostname-error"' in unnamed.text, "a nameserver needs its public name"
        complete = {**api, "api_key": nameserver.api_key, **details, "hostname": "ns9.fleet.test"}
        saved = browser.submit("/admin/servers/new", complete)
        assert saved.status_code == 303, saved.text
        with world.fleet.database.read() as session:
            assert (session.scalar(select(func.count()).select_from(Task)) or 0) > (tasks or 0), "it is checked"
            added = session.scalars(select(Server).where(Server.name == "ns9")).one()
            assert [group.id for group in added.dns_groups] == [world.group_id]
        again = browser.submit("/admin/servers/new", {**api, "api_key": nameserver.api_key}).text
        assert "ns9 is this server already" in again, "nobody adds a server twice by mistake"
    finally:
        sandbox.stop()


def test_the_page_of_the_login_is_there_before_the_server_was_asked_for_its_key(world: World) -> None:
    with world.fleet.database.write() as session:
        door = session.get_one(Server, world.server_id)
        door.address, door.port = "127.0.0.1", 1
    browser = world.browser("operator")
    page = browser.get(f"/admin/servers/{world.server_id}/door").text
    assert "The server is being asked for its key" in page
    assert f'hx-get="/admin/servers/{world.server_id}/door?look=1"' in page
    asked = browser.get(f"/admin/servers/{world.server_id}/door?look=1").text
    assert "No SSH answer from 127.0.0.1 port 1" in asked
    assert "hx-trigger" not in asked.split('id="shown-key"')[1].split("</section>")[0]
