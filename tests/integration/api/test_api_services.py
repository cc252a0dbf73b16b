"""Ordering, looking at and changing services."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import an_order
from starlette.testclient import TestClient

from controller.domain.words import ServiceStatus, TaskStatus
from controller.engine import lifecycle
from controller.engine.fleet import Fleet
from controller.operations import products
from controller.store.models import Service, Task


def ordered(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/services", json=an_order(**changes))
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def pretend_done(fleet: Fleet, service_id: int) -> None:
    """As if a worker had done everything."""
    with fleet.database.write() as session:
        service = session.get_one(Service, service_id)
        for task in session.query(Task).filter_by(service_id=service_id):
            task.status = TaskStatus.SUCCEEDED
        service.status = ServiceStatus.ACTIVE


def test_an_order_is_accepted_and_can_be_looked_at(client: TestClient, filled: Fleet) -> None:
    answer = client.post("/services", json=an_order(reference="WHMCS-7"))
    assert answer.status_code == 202
    service = answer.json()
    assert answer.headers["location"] == f"/api/v1/services/{service['id']}"
    assert service["status"] == "pending"
    assert service["domain"] == "example.com"
    assert service["reference"] == "WHMCS-7"
    assert service["mode"] == "split"
    assert service["roles"] == ["web", "mail", "dns"]
    assert service["limits"]["web_disk_quota"] == 2000
    assert service["limits"]["mail_accounts"] == 10
    assert service["product"]["name"] == "Hosting"
    assert service["customer"]["email"] == "ada@example.com"
    assert service["progress"]["done"] == 0
    assert service["progress"]["total"] == 13
    assert {(one["username"], one["server"]) for one in service["accounts"]} == {
        ("example-com-web", "web01"),
        ("example-com-mail", "mx01"),
        ("example-com-dns", "ns1"),
        ("example-com-dns", "ns2"),
    }
    assert service["links"] == {
        "self": f"/api/v1/services/{service['id']}",
        "tasks": f"/api/v1/services/{service['id']}/tasks",
        "stream": f"/api/v1/services/{service['id']}/stream",
    }
    assert filled.queue.pending() > 0


def test_the_answer_to_an_order_is_what_looking_says(client: TestClient) -> None:
    service = ordered(client)
    assert client.get(f"/services/{service['id']}").json() == service


@pytest.mark.parametrize("key", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "Xn--Bcher-kva.example."])
def test_a_service_is_found_by_its_domain(client: TestClient, key: str) -> None:
    service = ordered(client, domain="Bücher.example")
    assert service["domain"] == "xn--bcher-kva.example"
    assert service["domain_unicode"] == "bücher.example"
    assert client.get(f"/services/{key}").json()["id"] == service["id"]


def test_products_are_named_by_id_or_name(client: TestClient) -> None:
    product = client.get("/products/Hosting").json()
    for number, key in enumerate((product["id"], str(product["id"]), "Hosting")):
        assert ordered(client, domain=f"shop{number}.example", product=key)["product"]["id"] == product["id"]


def test_tasks_of_a_service(client: TestClient) -> None:
    service = ordered(client)
    answer = client.get(service["links"]["tasks"].removeprefix("/api/v1"))
    assert answer.status_code == 200
    tasks = answer.json()["items"]
    assert answer.json()["page"]["total"] == len(tasks) == 13
    assert [task["id"] for task in tasks] == sorted(task["id"] for task in tasks)
    by_id = {task["id"]: task for task in tasks}
    account = next(task for task in tasks if task["action"] == "web.account")
    assert [by_id[need]["action"] for need in account["needs"]] == ["web.package"]
    assert account["server"] == "web01"
    assert account["label"]
    assert (account["attempt"], account["max_attempts"]) == (0, 3)
    queued = client.get(f"/services/{service['id']}/tasks?status=queued").json()["items"]
    assert {task["status"] for task in queued} == {"queued"}
    assert client.get(f"/tasks/{account['id']}").json() == account


def test_lists_are_paged_searched_filtered_and_sorted(client: TestClient) -> None:
    for number in range(5):
        ordered(client, domain=f"shop{number}.example")
    answer = client.get("/services?per_page=2&sort=domain")
    assert [item["domain"] for item in answer.json()["items"]] == ["shop0.example", "shop1.example"]
    assert answer.json()["page"] == {"number": 1, "per_page": 2, "total": 5, "pages": 3, "more": False}
    assert answer.links["next"]["url"] == "/api/v1/services?per_page=2&sort=domain&page=2"
    assert "prev" not in answer.links
    last = client.get("/services?per_page=2&sort=domain&page=3")
    assert [item["domain"] for item in last.json()["items"]] == ["shop4.example"]
    assert "next" not in last.links
    assert client.get("/services?per_page=2&page=4").json()["items"] == []
    assert [item["domain"] for item in client.get("/services?search=op3").json()["items"]] == ["shop3.example"]
    assert client.get("/services?status=active").json()["page"]["total"] == 0
    assert client.get("/services?status=pending&customer=ada@example.com").json()["page"]["total"] == 5
    assert client.get("/services?search=%25").json()["page"]["total"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=x", "page"),
        ("per_page=201", "per_page"),
        ("status=nice", "status"),
        ("sort=password", "sort"),
        ("colour=blue", "colour"),
        ("search=%00", "search"),
    ],
)
def test_a_bad_parameter_is_named(client: TestClient, query: str, field: str) -> None:
    answer = client.get(f"/services?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_the_life_of_a_service(client: TestClient, filled: Fleet) -> None:
    service = ordered(client)
    pretend_done(filled, service["id"])
    for action, desired in (("suspend", "suspended"), ("unsuspend", "active"), ("redeploy", "active")):
        answer = client.post(f"/services/example.com/{action}")
        assert answer.status_code == 202, answer.text
        assert answer.json()["desired"] == desired
        assert answer.json()["status"] == "deploying"
        assert answer.json()["pipeline"]["reason"] == action
        pretend_done(filled, service["id"])
    answer = client.post("/services/example.com/verify", json={})
    assert answer.status_code == 202
    assert answer.json()["pipeline"]["reason"] == "verify"
    assert answer.json()["status"] == "active"
    assert client.post("/services/example.com/repair").json()["pipeline"]["reason"] == "repair"
    answer = client.post("/services/example.com/terminate")
    assert answer.json()["status"] == "terminating"
    assert answer.json()["desired"] == "absent"
    refused = client.post("/services/example.com/suspend")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/refused")


def test_changing_the_product(client: TestClient, filled: Fleet) -> None:
    service = ordered(client)
    pretend_done(filled, service["id"])
    products.create(
        filled,
        "test",
        name="Bigger",
        mode="split",
        roles=["web", "mail", "dns"],
        group="Group",
        limits={"mail_accounts": 99},
    )
    answer = client.post("/services/example.com/change-product", json={"product": "Bigger"})
    assert answer.status_code == 202
    assert answer.json()["limits"]["mail_accounts"] == 99
    assert answer.json()["limits"]["web_disk_quota"] == 2000
    unknown = client.post("/services/example.com/change-product", json={"product": "None such"})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["field"] == "product"


def test_tasks_are_retried_and_cancelled(client: TestClient, filled: Fleet) -> None:
    ordered(client)
    queued = client.get("/tasks?status=queued&server=web01").json()["items"][0]
    answer = client.post(f"/tasks/{queued['id']}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelled"
    assert client.post(f"/tasks/{queued['id']}/cancel").status_code == 409
    assert client.post(f"/tasks/{queued['id']}/retry").status_code in (202, 409)
    with filled.database.write() as session:
        session.get_one(Task, queued["id"]).status = TaskStatus.FAILED
    answer = client.post(f"/tasks/{queued['id']}/retry")
    assert answer.json()["status"] == "queued"
    assert client.post("/tasks/999999/retry").status_code == 404


def test_the_log_of_a_task_is_read_in_parts(client: TestClient, filled: Fleet) -> None:
    from controller.store.models import TaskEvent

    task_id = ordered(client) and client.get("/tasks").json()["items"][0]["id"]
    with filled.database.write() as session:
        for seq in range(1, 6):
            session.add(TaskEvent(task_id=task_id, seq=seq, attempt=1, kind="verbose", text=f"line {seq}"))
    first = client.get(f"/tasks/{task_id}/events?limit=3").json()
    assert [event["text"] for event in first["items"]] == ["line 1", "line 2", "line 3"]
    rest = client.get(f"/tasks/{task_id}/events?after={first['last']}").json()
    assert [event["seq"] for event in rest["items"]] == [4, 5]
    assert client.get(f"/tasks/{task_id}/events?after=5").json() == {"items": [], "last": 5}


def test_zones_show_records_and_what_nameservers_confirmed(client: TestClient, filled: Fleet) -> None:
    service = ordered(client)
    with filled.database.write() as session:
        for resource in session.get_one(Service, service["id"]).resources:
            if resource.action == "web.domain":
                resource.facts = {"ip": "192.0.2.1"}
            if resource.action == "mail.domain":
                resource.facts = {"ip": "192.0.2.3", "dkim_selector": "mail", "dkim_public_key": "MIIBkey"}
            if resource.action == "dns.zone" and resource.server.name == "ns1":
                resource.applied_generation, resource.facts = 1, {"serial": 2026112101, "records": 17}
    listed = client.get("/zones").json()
    assert [zone["domain"] for zone in listed["items"]] == ["example.com"]
    assert listed["items"][0]["up_to_date"] is False
    for key in ("example.com", str(service["id"])):
        zone = client.get(f"/zones/{key}").json()
        values = {(record["name"], record["type"]): record["value"] for record in zone["records"]}
        assert values["@", "A"] == "192.0.2.1"
        assert values["mail._domainkey", "TXT"] == "v=DKIM1; k=rsa; p=MIIBkey"
        assert zone["soa"] == "ns1.fleet.test"
        first, second = zone["servers"]
        assert (first["server"], first["up_to_date"], first["serial"], first["records"]) == (
            "ns1",
            True,
            "2026112101",
            17,
        )
        assert (second["server"], second["up_to_date"], second["applied_at"]) == ("ns2", False, None)
    assert client.get("/zones/nothing.example").status_code == 404


def test_settings_have_no_secret_and_no_path(client: TestClient, filled: Fleet) -> None:
    settings = client.get("/settings").json()
    environment = settings["environment"]
    assert environment["database"] == environment["queue"] == "sqlite"
    assert environment["workers"] == filled.settings.workers
    assert str(filled.settings.home) not in str(settings)


def test_head_is_get_without_a_body(client: TestClient) -> None:
    answer = client.head("/services")
    assert answer.status_code == 200
    assert client.head("/services/nothing.example").status_code == 404


def test_a_claimed_task_makes_the_service_deploying(client: TestClient, filled: Fleet) -> None:
    service = ordered(client)
    task_id = client.get("/tasks?status=queued&server=web01").json()["items"][0]["id"]
    with filled.database.write() as session:
        assert lifecycle.claim(session, task_id, "test", filled.settings)
    found = client.get(f"/services/{service['id']}").json()
    assert found["status"] == "deploying"
    assert found["progress"]["current"]
