"""What staff do with forms: it happens, or the field says why not and keeps what was typed."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from controller.domain.words import Desired, Role, ServiceStatus, TaskStatus
from controller.operations import tokens
from controller.store.models import ApiToken, Customer, Pipeline, Product, Server, ServerGroup, Service, Task, User
from tests.integration.web.world import PASSWORD, World


@pytest.fixture
def order(world: World) -> dict[str, object]:
    return {
        "product": str(world.product_id),
        "domain": "fresh.example",
        "customer_email": "carla@example.org",
        "customer_name": "Carla Rossi",
    }


def service(world: World, service_id: int) -> Service:
    with world.fleet.database.read() as session:
        return session.get_one(Service, service_id)


def test_create_a_service(world: World, order: dict[str, object]) -> None:
    answer = world.browser("operator").submit(
        "/admin/services/new", {**order, "limit_web_disk_quota": "7 000", "limit_web_databases": "unlimited"}
    )
    assert answer.status_code == 303, answer.text
    made = service(world, int(answer.headers["location"].split("/")[3]))
    assert (made.domain, made.limits["web_disk_quota"], made.limits["web_databases"]) == (
        "fresh.example",
        7000,
        "unlimited",
    )
    with world.fleet.database.read() as session:
        pipeline = session.scalars(select(Pipeline).where(Pipeline.service_id == made.id)).one()
    assert pipeline.actor == "operator@example.net"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"domain": "not a domain"}, "domain", ""),
        ({"domain": ""}, "domain", "Enter the domain."),
        ({"domain": "anna.example"}, "domain", "already has a live service"),
        ({"product": "999"}, "product", "Choose one of the list."),
        ({"customer_email": "nobody"}, "customer_email", "is not an e-mail address"),
        ({"customer_name": ""}, "customer_name", "Enter the customer"),
        ({"limit_web_disk_quota": "lots"}, "limit_web_disk_quota", "must be a whole number"),
        ({"limit_web_disk_quota": "99999999999"}, "limit_web_disk_quota", "must be between"),
        ({"limit_web_backups": "unlimited"}, "limit_web_backups", "must be a whole number"),
        ({"limit_mail_accounts": "-1"}, "limit_mail_accounts", "must be"),
    ],
)
def test_a_bad_order_names_the_field(
    world: World, order: dict[str, object], change: dict[str, object], field: str, words: str
) -> None:
    data = {**order, **change}
    answer = world.browser("operator").submit("/admin/services/new", data)
    assert answer.status_code == 422
    message = re.search(rf'id="{field}-error".*?<span>(.*?)</span>', answer.text, re.DOTALL)
    assert message, f"no message at {field}"
    assert words in message[1]
    for name, value in data.items():
        if value and name not in ("product",):
            assert f'value="{value}"' in answer.text, f"{name} is kept"
    with world.fleet.database.read() as session:
        assert session.query(Service).count() == 2
        assert session.query(Customer).count() == 2


def test_suspend_unsuspend_redeploy(world: World) -> None:
    browser, address = world.browser("operator"), f"/admin/services/{world.anna_service}"
    for verb, desired in (
        ("suspend", Desired.SUSPENDED),
        ("unsuspend", Desired.ACTIVE),
        ("redeploy", Desired.ACTIVE),
    ):
        answer = browser.submit(f"{address}/{verb}")
        assert answer.headers["location"] == f"{address}/deploy"
        assert service(world, world.anna_service).desired is desired
    page = browser.get(f"{address}/deploy").text
    assert "Redeploy started." in page
    assert "All runs" in page


def test_terminate_needs_the_name(world: World) -> None:
    browser, address = world.browser("owner"), f"/admin/services/{world.anna_service}"
    assert "Type <strong>anna.example</strong> to confirm" in browser.get(address).text
    assert browser.submit(f"{address}/terminate", {"domain": "ben.example"}).status_code == 303
    assert service(world, world.anna_service).desired is Desired.ACTIVE
    assert "Nothing was removed" in browser.get(address).text
    browser.submit(f"{address}/terminate", {"domain": " Anna.Example "})
    assert service(world, world.anna_service).status is ServiceStatus.TERMINATING
    assert browser.submit(f"{address}/suspend").status_code == 303
    assert "anna.example is terminating" in browser.get(address).text


def test_create_a_group_and_a_product(world: World) -> None:
    browser = world.browser("operator")
    answer = browser.submit("/admin/groups/new", {"name": "Berlin", "variables": "ns1 = a.example\n\nns2=b.example"})
    group_id = int(answer.headers["location"].split("/")[3])
    with world.fleet.database.read() as session:
        assert session.get_one(ServerGroup, group_id).variables == {"ns1": "a.example", "ns2": "b.example"}
    answer = browser.submit("/admin/groups/new", {"name": "Berlin", "variables": ""})
    assert answer.status_code == 422
    assert "There is a group Berlin already." in answer.text
    assert "Line 1 is not" in browser.submit("/admin/groups/new", {"name": "X1", "variables": "nonsense"}).text
    assert "Bad: " in browser.submit("/admin/groups/new", {"name": "X1", "variables": "Bad = x"}).text

    product = {
        "name": "Small",
        "group": str(group_id),
        "roles": ["web", "dns"],
        "limit_web_databases": "2",
        "self_service": "y",
    }
    answer = browser.submit("/admin/products/new", product)
    made_id = int(answer.headers["location"].split("/")[3])
    with world.fleet.database.read() as session:
        made = session.get_one(Product, made_id)
        assert (made.roles, made.limits, made.self_service) == (["web", "dns"], {"web_databases": 2}, True)
    answer = browser.submit("/admin/products/new", {**product, "name": "Other", "roles": ["dns"]})
    assert answer.status_code == 422
    assert "Web or mail is needed." in answer.text


def test_customers_and_their_logins(world: World) -> None:
    browser = world.browser("operator")
    answer = browser.submit("/admin/customers/new", {"name": "Carla", "email": "Carla@Example.net"})
    address = answer.headers["location"]
    assert "No login yet" in browser.get(address).text
    bad = browser.submit(f"{address}/logins", {"email": "carla@example.net", "name": "Carla", "password": "short"})
    assert bad.status_code == 422
    good = {"email": "carla@example.net", "name": "Carla", "password": PASSWORD}
    assert browser.submit(f"{address}/logins", good).status_code == 303
    assert "You have no services yet" in world.browser("carla").get("/panel").text
    assert browser.submit("/admin/customers/999999/logins", {**good, "email": "x@example.net"}).status_code in (
        404,
        422,
    )


def test_owners_add_staff(world: World) -> None:
    browser = world.browser("owner")
    person = {"name": "Nina", "email": "nina@example.net", "role": "support", "password": PASSWORD}
    assert browser.submit("/admin/staff", person).status_code == 303
    with world.fleet.database.read() as session:
        assert session.scalars(select(User).where(User.email == "nina@example.net")).one().role is Role.SUPPORT
    assert world.browser("nina").get("/admin").status_code == 200
    answer = browser.submit("/admin/staff", {**person, "email": "x@example.net", "role": "customer"})
    assert answer.status_code == 422, "a customer's login is not made here"


def test_a_token_is_shown_once(world: World) -> None:
    browser = world.browser("owner")
    answer = browser.submit("/admin/tokens", {"name": "monitoring", "scope": "read"})
    plain = re.search(r'data-copy="(hf_[^"]+)"', answer.text)
    assert plain
    assert tokens.verify(world.fleet, plain[1])
    assert plain[1] not in browser.get("/admin/tokens").text
    with world.fleet.database.read() as session:
        token_id = session.scalars(select(ApiToken.id).where(ApiToken.name == "monitoring")).one()
    browser.submit(f"/admin/tokens/{token_id}/revoke")
    assert tokens.verify(world.fleet, plain[1]) is None


def test_tasks_are_retried_and_cancelled(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.read() as session:
        task_id = session.scalars(select(Task.id).where(Task.service_id == world.ben_service).order_by(Task.id)).first()
    assert browser.submit(f"/admin/tasks/{task_id}/cancel").status_code == 303
    assert "Cancelled" in browser.get(f"/admin/tasks/{task_id}").text
    browser.submit(f"/admin/tasks/{task_id}/retry")
    with world.fleet.database.write() as session:
        task = session.get_one(Task, task_id)
        assert task.status is TaskStatus.QUEUED
        task.status = TaskStatus.SUCCEEDED
    browser.submit(f"/admin/tasks/{task_id}/retry")
    assert f"task {task_id} is succeeded" in browser.get("/admin").text.lower()


def test_add_a_server_in_two_steps(world: World, sshd) -> None:
    browser = world.browser("operator")
    form = {
        "name": "web09",
        "address": sshd.address,
        "port": str(sshd.port),
        "capabilities": ["web"],
        "group": str(world.group_id),
        "capacity": "5",
        "ssh_user": sshd.user,
        "door": "key",
        "ssh_private_key": sshd.private_key,
        "ssh_password": "",
    }
    first = browser.submit("/admin/servers/new", form)
    assert first.status_code == 200
    shown = re.search(r'name="fingerprint" value="(SHA256:[^"]+)"', first.text)
    assert shown, first.text
    with world.fleet.database.read() as session:
        assert session.query(Server).filter(Server.name == "web09").count() == 0, "nothing is saved before the answer"
    back = browser.submit("/admin/servers/new", {**form, "fingerprint": shown[1], "step": "change"})
    assert 'value="web09"' in back.text
    wrong = browser.submit("/admin/servers/new", {**form, "fingerprint": "SHA256:wrong"})
    assert wrong.status_code == 422
    assert "not this one" in wrong.text
    saved = browser.submit("/admin/servers/new", {**form, "fingerprint": shown[1]})
    assert saved.status_code == 303, saved.text
    page = browser.get(saved.headers["location"]).text
    assert "web09" in page
    assert shown[1] in page
    assert sshd.private_key.splitlines()[1] not in page
    again = browser.submit("/admin/servers/new", {**form, "fingerprint": shown[1]})
    assert "There is a server web09 already." in again.text


def test_a_server_that_does_not_answer(world: World) -> None:
    form = {
        "name": "w",
        "address": "127.0.0.1",
        "port": "1",
        "capabilities": ["web"],
        "ssh_user": "root",
        "door": "password",
    }
    answer = world.browser("operator").submit("/admin/servers/new", {**form, "ssh_password": "x"})
    assert answer.status_code == 422
    assert "No SSH answer from 127.0.0.1 port 1" in answer.text


def test_lists_search_filter_sort_and_page(world: World) -> None:
    browser = world.browser("support")
    assert "ben.example" not in browser.get("/admin/services?search=anna").text
    assert "anna.example" not in browser.get("/admin/services?status=pending").text
    assert "Nothing found" in browser.get("/admin/services?search=%25").text
    rows = re.compile(r'class="main break" href="/admin/services/(\d+)"')
    up = rows.findall(browser.get("/admin/services?sort=domain").text)
    down = rows.findall(browser.get("/admin/services?sort=-domain").text)
    assert up == down[::-1] == [str(world.anna_service), str(world.ben_service)]
    for odd in ("sort=nonsense", "page=99999", "page=-1", "page=x", "status=nonsense", "search=%00"):
        assert browser.get(f"/admin/services?{odd}").status_code == 200, odd
    assert browser.get("/admin/tasks?state=queued&action=web.package&server=1&sort=-server").status_code == 200
