"""Servers over the API: looked at, changed, acted on, and what they have."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from api_world import an_order, deployed, rows
from starlette.testclient import TestClient

from controller.engine.arrivals import status_arrived, usage_arrived
from controller.engine.fleet import Fleet
from controller.sandbox.fleet import SandboxFleet, free_port
from controller.sandbox.server import SandboxServer
from controller.store.base import utcnow
from controller.store.fleet_models import ServerSample
from controller.store.models import Server, Task
from tests.integration.api.test_api_document import conforms

SECRET = "correct-horse-battery"
POWERDNS = {
    "name": "ns3",
    "driver": "powerdns",
    "address": "192.0.2.53",
    "capabilities": ["dns"],
    "group": "Group",
    "hostname": "ns3.fleet.test",
    "api": {"url": "http://192.0.2.53:8081/", "key": SECRET},
    "dns": {"address": "192.0.2.54", "port": 5353},
    "command_timeout": 60,
}
FACTS: dict[str, Any] = {
    "hostname": "web01.fleet.test",
    "ips": ["192.0.2.1"],
    "cpu": 12.5,
    "load": 0.4,
    "uptime": 3600,
    "memory_mb": 4000,
    "memory_used_mb": 1000,
    "disk_mb": 1000,
    "disk_used_mb": 250,
    "users": 2,
    "services": {"nginx": "running", "php8.2-fpm": "stopped"},
    "views": {
        "config": {"LANGUAGE": "en", "THEME": "dark"},
        "packages": [{"name": "default", "WEB_DOMAINS": "unlimited"}],
        "addresses": [{"ip": "192.0.2.1", "owner": "admin", "users": ["admin"], "web_domains": 3}],
        "services": [
            {"name": "nginx", "what": "reverse proxy", "state": "running", "cpu": 0.1, "memory_mb": 12, "minutes": 5},
            {"state": "no panel says this"},
        ],
    },
}
USERS = [
    {"name": "example-com-web", "package": "default", "role": "user", "disk": 12, "bandwidth": 3, "quota": None},
    {"name": "stranger", "package": "default", "role": "user", "suspended": True, "service": {"id": 1, "name": "x"}},
]


@pytest.fixture
def told(client: TestClient, filled: Fleet) -> TestClient:
    """A service on web01, and what web01 said about itself and its accounts."""
    client.post("/services", json=an_order())
    deployed(filled)
    with filled.database.write() as session:
        server = session.get_one(Server, 1)
        status_arrived(session, server, FACTS)
        usage_arrived(session, server, USERS)
    return client


def test_a_powerdns_server_has_an_api_instead_of_ssh(client: TestClient, filled: Fleet) -> None:
    answer = client.post("/servers", json=POWERDNS, headers={"Idempotency-Key": "ns3"})
    assert answer.status_code == 201, answer.text
    conforms(answer, "post", "/servers")
    server = answer.json()
    assert server["api"] == {"url": "http://192.0.2.53:8081", "server_id": "localhost"}
    assert server["dns"] == {"address": "192.0.2.54", "port": 5353}
    assert (server["ssh"], server["host_key"], server["command_timeout"]) == (None, None, 60)
    assert [group["name"] for group in server["attached_to"]] == ["Group"]
    again = client.post("/servers", json=POWERDNS, headers={"Idempotency-Key": "ns3"})
    assert (again.json(), again.headers["idempotency-replayed"]) == (server, "true")
    assert [one["name"] for one in client.get("/servers?driver=powerdns").json()["items"]] == ["ns3"]
    for path, body in (("login", {"user": "root", "password": "x"}), ("host-key", {"fingerprint": "SHA256:x"})):
        assert client.post(f"/servers/ns3/{path}", json=body).status_code == 409
    changed = client.patch("/servers/ns3", json={"api": {"key": "another-secret"}, "dns": {"address": ""}}).json()
    assert changed["api"] == server["api"]
    assert changed["dns"] == {"address": "", "port": 5353}
    with filled.database.read() as session:
        sealed = session.query(Server).filter_by(name="ns3").one().api_key
    assert sealed is not None
    assert filled.vault.unseal(sealed) == "another-secret"
    assert SECRET not in str(rows(filled))
    assert SECRET not in client.get("/servers").text


def test_a_server_is_changed_field_by_field(client: TestClient) -> None:
    change = {"name": "web-one", "capacity": 7, "closed_roles": ["web"], "group": None, "command_timeout": 90}
    answer = client.patch("/servers/web01", json=change)
    assert answer.status_code == 200, answer.text
    server = answer.json()
    assert (server["name"], server["capacity"], server["closed_roles"], server["group"]) == (
        "web-one",
        7,
        ["web"],
        None,
    )
    assert client.patch("/servers/web-one", json={}).json() == server
    back = client.patch("/servers/web-one", json={"closed_roles": [], "group": "Group"}).json()
    assert (back["closed_roles"], back["group"]["name"], back["capacity"]) == ([], "Group", 7)
    before = client.get("/tasks?server=web-one").json()["page"]["total"]
    client.patch("/servers/web-one", json={"address": "192.0.2.77"})
    assert client.get("/tasks?server=web-one").json()["page"]["total"] == before + 1


def test_a_server_is_taken_out_of_use_and_removed(client: TestClient) -> None:
    for status in ("closed", "maintenance", "disabled", "active"):
        assert client.post("/servers/web02/status", json={"status": status}).json()["status"] == status
    assert client.get("/servers?status=closed").json()["items"] == []
    gone = client.delete("/servers/web02")
    assert (gone.status_code, gone.json()["name"]) == (200, "web02")
    conforms(gone, "delete", "/servers/{id}")
    assert client.get("/servers/web02").status_code == 404
    assert client.delete("/servers/ns1").status_code == 409
    assert "detach it" in client.delete("/servers/ns1").json()["detail"]


def test_a_capability_in_use_stays(told: TestClient, filled: Fleet) -> None:
    before = rows(filled)
    answer = told.patch("/servers/web01", json={"capabilities": ["mail"]})
    assert answer.status_code == 409
    assert "web01 is needed as web server by 1 service;" in answer.json()["detail"]
    assert rows(filled) == before


def test_what_a_server_said_is_shown(told: TestClient) -> None:
    server = told.get("/servers/web01").json()
    figures = {"cpu": 12.5, "memory": 25.0, "disk": 25.0, "load": 0.4, "uptime": 3600, "accounts": 2}
    assert server["figures"] == figures | {"services_up": 1, "services_all": 2}
    assert server["services"] == 1
    packages = told.get("/servers/web01/packages").json()["items"]
    assert packages == [{"name": "default", "WEB_DOMAINS": "unlimited"}]
    assert told.get("/servers/web01/addresses").json()["items"][0]["web_domains"] == 3
    programs = told.get("/servers/web01/services")
    conforms(programs, "get", "/servers/{id}/services")
    assert [program["name"] for program in programs.json()["items"]] == ["nginx"]
    users = told.get("/servers/web01/users?per_page=1")
    conforms(users, "get", "/servers/{id}/users")
    assert users.json()["items"][0]["service"]["name"] == "example.com"
    assert users.json()["page"] == {"number": 1, "per_page": 1, "total": 2, "pages": 2, "more": False}
    stranger = told.get("/servers/web01/users?per_page=1&page=2").json()["items"][0]
    assert (stranger["name"], stranger["suspended"], stranger["service"]) == ("stranger", True, None)


def test_settings_wanted_and_there(told: TestClient) -> None:
    assert told.get("/servers/web01/config").json()["managed"] == []
    told.patch("/groups/Group/config/all", json={"LANGUAGE": "de", "THEME": "dark"})
    answer = told.get("/servers/web01/config")
    conforms(answer, "get", "/servers/{id}/config")
    found = answer.json()
    lines = {line["key"]: (line["wanted"], line["has"], line["matches"]) for line in found["managed"]}
    assert lines == {"LANGUAGE": ("de", "en", False), "THEME": ("dark", "dark", True)}
    assert found["differ"] == 1
    assert found["panel"] == {"LANGUAGE": "en", "THEME": "dark"}
    never = {line["key"]: line["has"] for line in told.get("/servers/web02/config").json()["managed"]}
    assert never == {"LANGUAGE": None, "THEME": None}
    applied = told.post("/servers/web01/config", json={"check": True})
    assert applied.status_code == 202
    conforms(applied, "post", "/servers/{id}/config")
    run = applied.json()
    assert (run["check"], run["state"], run["total"], run["results"][0]["action"]) == (
        True,
        "running",
        1,
        "server.config",
    )


def test_history(client: TestClient, filled: Fleet) -> None:
    now = utcnow()
    with filled.database.write() as session:
        for hours in (0.5, 3, 50):
            session.add(ServerSample(server_id=1, at=now - dt.timedelta(hours=hours), cpu=hours, load=1.0))
    day = client.get("/servers/web01/history")
    conforms(day, "get", "/servers/{id}/history")
    assert [point["cpu"] for point in day.json()["points"]] == [3.0, 0.5]
    assert [point["cpu"] for point in client.get("/servers/web01/history?hours=2").json()["points"]] == [0.5]
    assert len(client.get("/servers/web01/history?hours=720").json()["points"]) == 3
    for hours in ("0", "721", "soon", ""):
        assert client.get(f"/servers/web01/history?hours={hours}").status_code == 422


def test_what_is_done_on_a_server_is_a_pipeline(client: TestClient, filled: Fleet) -> None:
    answer = client.post("/servers/web01/restart", json={"service": "nginx"})
    assert answer.status_code == 202
    run = answer.json()
    assert (run["reason"], run["title"]) == ("maintenance", "Restart nginx on web01")
    assert client.get(f"/pipelines/{run['id']}").json() == run
    tasks = client.get(run["links"]["tasks"].removeprefix("/api/v1")).json()["items"]
    assert [(task["action"], task["target"]) for task in tasks] == [("server.restart", "nginx")]
    with filled.database.read() as session:
        assert session.get_one(Task, tasks[0]["id"]).arguments == {"service": "nginx"}
    client.post("/servers/web01/status", json={"status": "disabled"})
    refused = client.post("/servers/web01/recount")
    assert refused.status_code == 409
    assert "out of use" in refused.json()["detail"]
    client.post("/servers", json=POWERDNS)
    assert client.post("/servers/ns3/rebuild", json={"what": "dns"}).status_code == 409
    assert client.post("/servers/ns3/refresh").status_code == 202


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    fleet = SandboxFleet(tmp_path_factory.mktemp("sandbox"))
    server = fleet.add("web09", {"web"}, ip="192.0.2.99", hostname="web09.fleet.test")
    server.start()
    yield server
    fleet.stop()


def test_a_look_before_adding_stores_nothing(client: TestClient, filled: Fleet, sandbox: SandboxServer) -> None:
    before = rows(filled)
    ssh = {"user": sandbox.user, "private_key": sandbox.private_key, "become": False}
    answer = client.post("/servers/look", json={"address": sandbox.address, "port": sandbox.port, "ssh": ssh})
    assert answer.status_code == 200, answer.text
    conforms(answer, "post", "/servers/look")
    found = answer.json()
    assert found["ok"], found
    assert found["host_key"]["fingerprint"].startswith("SHA256:")
    assert found["facts"]["hostname"] == "web09.fleet.test"
    assert "views" not in found["facts"]
    assert rows(filled) == before


def test_a_look_that_fails_says_why(client: TestClient, filled: Fleet) -> None:
    """A PowerDNS that does not take the key; the key is in no answer."""

    class Refuses(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b"Unauthorized")

        def log_message(self, *_: object) -> None:
            pass

    before = rows(filled)
    with http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        answer = client.post("/servers/look", json={"driver": "powerdns", "api": {"url": url, "key": SECRET}})
        server.shutdown()
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["ok"], found["host_key"]) == (False, None)
    assert found["problem"]
    assert SECRET not in json.dumps(found)
    assert rows(filled) == before
