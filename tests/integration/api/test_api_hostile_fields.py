"""Every field of every body about the fleet with hostile values: named when refused, and nothing is written then."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from api_world import an_order, deployed, rows
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet

HOSTILE: tuple[Any, ...] = (
    None,
    "",
    "x" * 5000,
    "a\n\u202eb\u0000",
    "<script>alert(1)</script>",
    "$(id){{ lookup('env', 'HOME') }}",
    "'; DROP TABLE servers; --",
    "../../etc/passwd",
    -1,
    10**30,
    True,
    [],
    {},
    [None, "$(id)"],
)
LINE = {"name": "www", "type": "A", "value": "{server_ip}", "ttl": 300}
RECORD = {"name": "shop", "type": "MX", "value": "mx.test.", "priority": 5, "ttl": 300}
NAMESERVER = {
    "name": "ns3",
    "driver": "powerdns",
    "address": "192.0.2.53",
    "capabilities": ["dns"],
    "group": "Group",
    "hostname": "ns3.fleet.test",
    "api": {"url": "http://192.0.2.53:8081", "key": "secret", "server_id": "localhost"},
    "dns": {"address": "192.0.2.53", "port": 53},
    "capacity": 0,
    "command_timeout": 60,
}
CHANGE = {
    "name": "web02",
    "address": "192.0.2.2",
    "port": 22,
    "capabilities": ["web"],
    "closed_roles": ["web"],
    "group": "Group",
    "capacity": 5,
    "hostname": "web.fleet.test",
    "dns": {"address": "", "port": 53},
    "command_timeout": 60,
    "zone_template": None,
}
LOOK = {"driver": "hestiacp", "address": "127.0.0.1", "port": 1, "ssh": {"user": "root", "password": "x"}}
BODIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/servers", NAMESERVER),
    ("POST", "/servers/look", LOOK),
    ("PATCH", "/servers/web02", CHANGE),
    ("PATCH", "/servers/ns9", {"api": {"url": "http://192.0.2.1:8081", "key": "secret", "server_id": "localhost"}}),
    ("POST", "/servers/web02/status", {"status": "active"}),
    ("POST", "/servers/web02/restart", {"service": "nginx"}),
    ("POST", "/servers/web02/rebuild", {"what": "web", "users": ["example"]}),
    ("POST", "/servers/web02/config", {"scope": "all", "check": True}),
    ("POST", "/groups", {"name": "New", "description": "", "variables": {"ns1": "ns1.fleet.test"}}),
    ("PATCH", "/groups/1", {"name": "Group", "description": "", "zone_template": None, "zone_ttl": 600}),
    ("PUT", "/groups/1/variables", {"variables": {"ns1": "ns1.fleet.test"}}),
    ("PUT", "/groups/1/dns-servers", {"dns_servers": ["ns1", "ns2"]}),
    ("POST", "/groups/1/servers", {"server": "web02"}),
    ("PATCH", "/groups/1/config/all", {"LANGUAGE": "de", "APP_NAME": "Panel", "FROM_EMAIL": "a@example.net"}),
    ("PUT", "/groups/1/files/index", {"content": "x"}),
    ("POST", "/groups/1/files/index/pull", {"server": "web02"}),
    ("POST", "/groups/1/apply", {"kind": "files", "scope": "all", "check": True}),
    ("POST", "/zones/1/records", RECORD),
    ("PATCH", "/zones/1/records/1", RECORD),
    ("PUT", "/zones/1/template", {"zone_template": None}),
    ("POST", "/zones/redeploy", {"zones": ["example.com"]}),
    ("POST", "/zones/1/import", {"text": "new A 192.0.2.1", "replace": False, "preview": False}),
    ("POST", "/zone-templates", {"name": "Mine", "description": "", "records": [LINE]}),
    ("PATCH", "/zone-templates/1", {"name": "There", "description": "", "records": [LINE]}),
)
UNIQUE = {
    "/servers": {"name": "n{}"},
    "/groups": {"name": "g{}"},
    "/zones/1/records": {"name": "r{}", "value": "mx{}.test."},
    "/zones/1/records/1": {"value": "mx{}.test."},
    "/zone-templates": {"name": "t{}"},
}
"""What is there only once; another one each time."""
counter = itertools.count(1)


@pytest.fixture(scope="module")
def prepared(world: tuple[TestClient, Fleet]) -> tuple[TestClient, Fleet]:
    client, fleet = world
    assert client.post("/services", json=an_order()).status_code == 202
    deployed(fleet)
    assert client.post("/servers", json=NAMESERVER | {"name": "ns9", "group": None}).status_code == 201
    assert client.post("/zones/1/records", json=RECORD | {"name": "first"}).status_code == 201
    assert client.post("/zone-templates", json={"name": "There", "records": [LINE]}).status_code == 201
    assert client.patch("/groups/1/config/all", json={"LANGUAGE": "de"}).status_code == 200
    return world


class Watch:
    """Tells whether anything was written, by SQLite's own count of what other connections commit."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.connection = fleet, fleet.database.engine.connect()
        self.look()

    def look(self) -> None:
        """From here on."""
        self.before, self.version = rows(self.fleet), self._version()

    def unchanged(self) -> bool:
        """Whether all is as it was, but for when the token was last used."""
        return self._version() == self.version or rows(self.fleet) == self.before

    def _version(self) -> int:
        self.connection.rollback()
        return int(self.connection.exec_driver_sql("PRAGMA data_version").scalar_one())


def paths(body: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field, nested ones too."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def with_value(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(body)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(("method", "path", "body"), BODIES, ids=[f"{method} {path}" for method, path, _ in BODIES])
def test_no_field_takes_what_it_should_not(
    prepared: tuple[TestClient, Fleet], method: str, path: str, body: dict[str, Any]
) -> None:
    client, fleet = prepared
    watch = Watch(fleet)
    for field in paths(body):
        refused = 0
        for value in HOSTILE:
            sent = with_value(body, field, value)
            number = next(counter)
            sent |= {key: text.format(number) for key, text in UNIQUE.get(path, {}).items() if (key,) != field}
            answer = client.request(method, path, json=sent)
            if answer.status_code < 400:
                watch.look()
                continue
            refused += 1
            what = (field, value, answer.text)
            assert answer.status_code in (409, 422), what
            assert answer.headers["content-type"] == "application/problem+json"
            assert watch.unchanged(), what
            named = [error["field"] for error in answer.json().get("errors", [])]
            where = ".".join(map(str, field))
            # A list may be wrong as a whole, for one of its items.
            whole = ".".join(map(str, field[:-1] if isinstance(field[-1], int) else field))
            if answer.status_code == 422 and path != "/servers/look":
                assert any(one in (where, whole) or one.startswith(f"{where}.") for one in named), what
        assert refused, field
    unknown = client.request(method, path, json=body | {"colour": "blue"})
    assert unknown.status_code == 422
    assert "colour" in str(unknown.json()["errors"])
    assert watch.unchanged()
    watch.connection.close()
