"""A customer sees own services only, and what they are at in plain words."""

from __future__ import annotations

import re

from sqlalchemy import select

from controller.domain.words import ServiceStatus, TaskStatus
from controller.store.models import Activity, Product, Server, Service, Task
from tests.integration.web.world import World, finish


def words(page: str) -> str:
    """The text of the main part of a page."""
    return " ".join(re.sub("<[^>]*>", " ", page[page.index("<main") : page.index("</main>")]).split())


def test_only_own_services(world: World) -> None:
    anna = world.browser("anna")
    text = anna.get("/panel").text
    assert "anna.example" in text
    assert "ben.example" not in text
    assert anna.get(f"/panel/services/{world.anna_service}").status_code == 200
    foreign = anna.get(f"/panel/services/{world.ben_service}")
    missing = anna.get("/panel/services/999999")
    assert foreign.status_code == missing.status_code == 404
    said = [
        words(answer.text).replace(str(number), "N")
        for answer, number in ((foreign, world.ben_service), (missing, 999999))
    ]
    assert said[0] == said[1], "one cannot tell a foreign service from none"
    assert anna.get(f"/panel/services/{world.ben_service}/stream").status_code == 404
    assert anna.get(f"/panel/services/{2**63}").status_code == 404


def test_the_deployment_page(world: World) -> None:
    with world.fleet.database.write() as session:
        task = session.scalars(select(Task).where(Task.service_id == world.ben_service).order_by(Task.id)).first()
        assert task is not None
        task.status, task.attempt = TaskStatus.RUNNING, 1
        session.get_one(Service, world.ben_service).status = ServiceStatus.DEPLOYING
        total = session.query(Task).filter(Task.service_id == world.ben_service).count()
    text = world.browser("ben").get(f"/panel/services/{world.ben_service}").text
    assert "We are setting up ben.example" in text
    assert f"0 of {total} steps" in text
    assert "Configuring web plan" in text
    assert f'data-live="/panel/services/{world.ben_service}/stream?after=' in text
    assert "/admin/" not in text, "nothing of staff"


def test_it_turns_into_the_control_panel(world: World) -> None:
    browser = world.browser("ben")
    address = f"/panel/services/{world.ben_service}"
    assert "We are setting up" in browser.get(address).text
    finish(world.fleet, world.ben_service)
    text = browser.get(address).text
    assert "We are setting up" not in text
    for word in (
        "http://ben.example",
        "mail01.fleet.test",
        "993",
        "ns1.fleet.test",
        "ns2.fleet.test",
        "ben-example-web",
    ):
        assert word in text, word
    assert "Temporary certificate" in text
    assert "What to do next" in text


def test_an_error_is_told_in_plain_words(world: World) -> None:
    secret = "v-add-mail-domain: exit 8 on 192.0.2.13"
    with world.fleet.database.write() as session:
        service = session.get_one(Service, world.ben_service)
        service.status, service.error = ServiceStatus.ERROR, "“Configuring mail” could not be finished."
        task = session.scalars(select(Task).where(Task.service_id == service.id).order_by(Task.id)).first()
        assert task is not None
        task.status, task.error, task.error_class = TaskStatus.FAILED, secret, "no_room"
        session.add(Activity(service_id=service.id, task_id=task.id, kind="task.failed", message=task.label))
    text = world.browser("ben").get(f"/panel/services/{world.ben_service}").text
    assert "“Configuring mail” could not be finished." in text
    assert secret not in text, "servers' own words are for staff"
    assert secret in world.browser("support").get(f"/admin/services/{world.ben_service}/deploy").text


def test_suspended_and_ended(world: World) -> None:
    browser, address = world.browser("anna"), f"/panel/services/{world.anna_service}"
    with world.fleet.database.write() as session:
        session.get_one(Service, world.anna_service).status = ServiceStatus.SUSPENDED
    assert "This service is suspended" in browser.get(address).text
    with world.fleet.database.write() as session:
        session.get_one(Service, world.anna_service).status = ServiceStatus.TERMINATED
    assert "This service has ended" in browser.get(address).text


def test_a_customer_orders(world: World) -> None:
    browser = world.browser("ben")
    assert "Business" in browser.get("/panel/order").text
    answer = browser.submit("/panel/order", {"product": str(world.product_id), "domain": " Fresh.Example "})
    assert answer.status_code == 303
    assert "We are setting up fresh.example" in browser.get(answer.headers["location"]).text
    with world.fleet.database.read() as session:
        made = session.scalars(select(Service).where(Service.domain == "fresh.example")).one()
        assert made.customer.email == "ben@example.net"
    for data, word in (
        ({"product": str(world.product_id), "domain": "anna.example"}, "already has a live service"),
        ({"product": str(world.product_id), "domain": "no domain"}, "field-error"),
        ({"product": str(world.product_id), "domain": ""}, "Enter your domain."),
        ({"product": "999", "domain": "other.example"}, "Choose a product."),
        ({"domain": "other.example"}, "Choose a product."),
    ):
        refused = browser.submit("/panel/order", data)
        assert refused.status_code == 422, data
        assert word in refused.text, data
        assert data["domain"] in refused.text


def test_full_servers_are_no_business_of_customers(world: World) -> None:
    with world.fleet.database.write() as session:
        for server in session.scalars(select(Server)):
            server.capacity = 1 if server.can_web else server.capacity
    browser = world.browser("ben")
    data = {"product": str(world.product_id), "domain": "more.example"}
    answers = [browser.submit("/panel/order", data | {"domain": f"more{n}.example"}) for n in range(2)]
    assert answers[-1].status_code == 422
    assert "not available at the moment" in answers[-1].text
    assert "no active server" not in answers[-1].text


def test_only_open_products_are_on_sale(world: World) -> None:
    with world.fleet.database.write() as session:
        session.get_one(Product, world.product_id).self_service = False
    browser = world.browser("ben")
    assert "Order hosting" not in browser.get("/panel").text
    answer = browser.submit("/panel/order", {"product": str(world.product_id), "domain": "fresh.example"})
    assert answer.status_code in (200, 422)
    with world.fleet.database.read() as session:
        assert session.query(Service).count() == 2
