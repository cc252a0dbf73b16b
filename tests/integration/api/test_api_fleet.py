"""Servers, groups, products and customers."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_world import rows
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.server import SandboxServer


def test_groups(client: TestClient) -> None:
    answer = client.post("/groups", json={"name": "Poland", "variables": {"ns1": "ns1.example.net"}})
    assert answer.status_code == 201
    group = answer.json()
    assert answer.headers["location"] == group["links"]["self"] == f"/api/v1/groups/{group['id']}"
    assert group["variables"] == {"ns1": "ns1.example.net"}
    assert client.get("/groups/Poland").json() == client.get(f"/groups/{group['id']}").json() == group
    again = client.post("/groups", json={"name": "Poland"})
    assert again.status_code == 409
    assert again.json()["errors"][0]["field"] == "name"
    listed = client.get("/groups?search=group").json()["items"]
    assert [item["name"] for item in listed] == ["Group"]
    assert {server["name"] for server in listed[0]["servers"]} == {"web01", "web02", "mx01"}
    assert {server["name"] for server in listed[0]["dns_servers"]} == {"ns1", "ns2"}


def test_products(client: TestClient) -> None:
    body = {"name": "M", "mode": "split", "roles": ["dns", "web"], "group": "Group", "limits": {"web_databases": 0}}
    answer = client.post("/products", json=body)
    assert answer.status_code == 201
    product = answer.json()
    assert product["roles"] == ["web", "dns"]
    assert product["limits"] == {"web_databases": 0}
    assert product["self_service"] is False
    assert product["group"]["name"] == "Group"
    assert client.get("/products/M").json() == product
    assert client.post("/products", json=body).status_code == 409
    assert [item["name"] for item in client.get("/products?sort=-name").json()["items"]] == ["M", "Hosting"]


def test_a_product_is_changed_and_has_a_template_for_its_zones(client: TestClient, filled: Fleet) -> None:
    template = client.post("/zone-templates", json={"name": "Plain"}).json()["id"]
    changed = client.patch("/products/Hosting", json={"zone_template": "Plain", "active": False}).json()
    assert changed["zone_template"] == {"id": template, "name": "Plain"}
    assert (changed["active"], changed["name"], changed["self_service"]) == (False, "Hosting", False)
    assert client.patch("/products/Hosting", json={"description": "x"}).json()["zone_template"]["name"] == "Plain"
    before = rows(filled)
    for body, field in (({"zone_template": "None such"}, "zone_template"), ({"name": ""}, "name"), ({"x": 1}, "x")):
        refused = client.patch("/products/Hosting", json=body)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert rows(filled) == before
    assert client.patch("/products/Hosting", json={"zone_template": None}).json()["zone_template"] is None
    new = {"name": "N", "mode": "split", "roles": ["web"], "group": "Group", "zone_template": template}
    assert client.post("/products", json=new).json()["zone_template"]["name"] == "Plain"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "123"}, "name"),
        ({"mode": "cloud"}, "mode"),
        ({"roles": ["ftp"]}, "roles"),
        ({"roles": []}, "roles"),
        ({"roles": "web"}, "roles"),
        ({"group": "Nowhere"}, "group"),
        ({"group": None}, "group"),
        ({"limits": {"web_disk_quota": -1}}, "limits.web_disk_quota"),
        ({"limits": {"web_colour": 1}}, "limits.web_colour"),
        ({"self_service": "yes"}, "self_service"),
        ({"price": 5}, "price"),
    ],
)
def test_a_bad_product_is_refused(client: TestClient, filled: Fleet, change: dict[str, object], field: str) -> None:
    body = {"name": "M", "mode": "split", "roles": ["web"], "group": "Group"}
    before = rows(filled)
    answer = client.post("/products", json={**body, **change})
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert rows(filled) == before


def test_customers(client: TestClient) -> None:
    answer = client.post("/customers", json={"email": "Ada@Example.com", "name": "Ada"})
    assert answer.status_code == 201
    customer = answer.json()
    assert customer["email"] == "ada@example.com"
    assert client.get("/customers/ada@example.com").json() == customer
    assert client.post("/customers", json={"email": "ada@example.com", "name": "A"}).status_code == 409
    bad = client.post("/customers", json={"email": "nobody", "name": "N"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "email"


def test_servers_are_shown_without_credentials(client: TestClient) -> None:
    server = client.get("/servers/web01").json()
    assert server["capabilities"] == ["web"]
    assert server["group"]["name"] == "Group"
    assert server["ssh"] == {"user": "root", "become": False, "method": "password"}
    assert server["host_key"]["fingerprint"].startswith("SHA256:")
    everything = client.get("/servers").text
    assert "sandbox-ssh-secret" not in everything
    assert "gAAAA" not in everything  # how encrypted values begin
    assert [s["name"] for s in client.get("/servers?capability=dns").json()["items"]] == ["ns1", "ns2"]
    assert [s["name"] for s in client.get("/servers?group=Group&search=ns2").json()["items"]] == ["ns2"]
    assert client.get("/servers?group=Nowhere").status_code == 404


def test_a_check_is_queued(client: TestClient) -> None:
    answer = client.post("/servers/web01/check")
    assert answer.status_code == 202
    task = answer.json()
    assert (task["action"], task["server"], task["status"]) == ("server.status", "web01", "queued")
    assert client.post("/servers/nowhere/check").status_code == 404


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> SandboxServer:
    fleet = SandboxFleet(tmp_path_factory.mktemp("sandbox"))
    server = fleet.add("web09", {"web"}, ip="192.0.2.99", hostname="web09.fleet.test")
    server.start()
    yield server  # type: ignore[misc]
    fleet.stop()


def body_for(server: SandboxServer, **changes: object) -> dict[str, object]:
    return {
        "name": "web09",
        "address": server.address,
        "port": server.port,
        "driver": "hestiacp",
        "capabilities": ["web"],
        "group": "Group",
        "ssh": {"user": server.user, "private_key": server.private_key, "become": False},
        **changes,
    }


def test_a_server_is_added_and_its_key_pinned(client: TestClient, filled: Fleet, sandbox: SandboxServer) -> None:
    answer = client.post("/servers", json=body_for(sandbox))
    assert answer.status_code == 201, answer.text
    server = answer.json()
    assert server["host_key"]["fingerprint"].startswith("SHA256:")
    assert "PRIVATE KEY" not in answer.text
    assert server["group"]["name"] == "Group"
    assert client.get("/tasks?server=web09").json()["items"][0]["action"] == "server.status"
    again = client.post("/servers", json=body_for(sandbox))
    assert again.status_code == 409
    assert again.json()["errors"][0]["field"] == "name"
    # The same server under another name would be changed by two tasks at once.
    twice = client.post("/servers", json=body_for(sandbox, name="web10"))
    assert twice.status_code == 409
    assert twice.json()["errors"][0]["field"] == "address"
    assert "is web09 already" in twice.text
    assert client.delete("/servers/web09").is_success
    same_key = body_for(sandbox, name="web10", host_key_fingerprint=server["host_key"]["fingerprint"])
    assert client.post("/servers", json=same_key).status_code == 201


def test_a_server_with_another_key_is_refused(client: TestClient, filled: Fleet, sandbox: SandboxServer) -> None:
    before = rows(filled)
    answer = client.post("/servers", json=body_for(sandbox, host_key_fingerprint="SHA256:" + "A" * 43))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "host_key_fingerprint"
    assert rows(filled) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"address": "not a host"}, "address"),
        ({"port": 0}, "port"),
        ({"port": "22"}, "port"),
        ({"driver": "cpanel"}, "driver"),
        ({"capabilities": []}, "capabilities"),
        ({"capabilities": ["web", "ftp"]}, "capabilities"),
        ({"group": "Nowhere"}, "group"),
        ({"ssh": {"user": "root"}}, "ssh"),
        ({"ssh": {"user": "Bad User", "password": "x"}}, "ssh.user"),
        ({"ssh": {"private_key": "nonsense"}}, "ssh.private_key"),
        ({"ssh": {"passphrase": "x"}}, "ssh.passphrase"),
        ({"ssh": None}, "ssh"),
        ({"capacity": -1}, "capacity"),
        ({"address": "127.0.0.1", "port": 1}, "address"),
    ],
)
def test_a_bad_server_is_refused(client: TestClient, filled: Fleet, change: dict[str, object], field: str) -> None:
    before = rows(filled)
    body = {
        "name": "new",
        "address": "192.0.2.200",
        "capabilities": ["web"],
        "ssh": {"password": "a secret nobody sees"},
        **change,
    }
    answer = client.post("/servers", json=body)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert "a secret nobody sees" not in answer.text
    assert rows(filled) == before


def test_secrets_are_sealed(client: TestClient, filled: Fleet, sandbox: SandboxServer, tmp_path: Path) -> None:
    password = "correct horse battery"
    body = body_for(sandbox, name="web11", ssh={"user": "root", "password": password})
    answer = client.post("/servers", json=body, headers={"Idempotency-Key": "with-a-secret"})
    assert answer.status_code == 201
    assert password not in answer.text
    assert password not in str(rows(filled))
