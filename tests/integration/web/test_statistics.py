"""Statistics: used of limit, filters, sorting, CSV, one service with its history, refreshing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.domain.words import ServiceStatus, TaskStatus
from controller.store.models import Server, Service, Task
from controller.store.usage_queries import GAUGES
from tests.integration.web.fleet_world import use
from tests.integration.web.world import World, make_world


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[World]:
    """Anna is nearly full of mailboxes and has no limit of traffic, Ben uses little."""
    made = make_world(tmp_path_factory.mktemp("used"), template)
    with made.fleet.database.write() as session:
        anna = session.get_one(Service, made.anna_service)
        anna.limits = {**anna.limits, "web_bandwidth": "unlimited", "web_disk_quota": 10_000}
    use(made.fleet, made.anna_service, web_disk=2500, web_bandwidth=9_000_000, mail_accounts=9, web_backups=5)
    use(made.fleet, made.ben_service, web_disk=100, mail_disk=40, databases=1)
    yield made
    made.fleet.close()


def domains(world: World, query: str = "") -> list[str]:
    answer = world.support.get(f"/admin/statistics{query}")
    assert answer.status_code == 200, query
    return re.findall(r'class="main break" href="/admin/statistics/\d+">([^<]+)<', answer.text)


def rows(world: World, query: str = "") -> list[dict[str, str]]:
    answer = world.support.get(f"/admin/statistics/download{query}")
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_used_of_limit_with_percent_and_without_limit(used: World) -> None:
    text = used.browser("support").get("/admin/statistics").text
    anna = text[text.index("anna.example") :]
    anna = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", anna[: anna.index("</tr>")]))
    assert "2.5 GB / 10 GB 2500 of 10000 25 %" in anna
    assert "9 TB / ∞" in anna
    assert "9 / 10 9 of 10 90 %" in anna
    assert "Refresh all" not in text, "support only looks"


def test_filters_and_sorting(used: World) -> None:
    assert domains(used) == ["anna.example", "ben.example"]
    assert domains(used, "?search=BEN") == ["ben.example"]
    assert domains(used, "?full=1") == ["anna.example"], "backups are always full and do not count"
    assert domains(used, "?full=1&page=9") == ["anna.example"]
    assert domains(used, "?full=1&search=ben") == domains(used, "?product=999") == domains(used, "?server=999") == []
    assert domains(used, f"?product={used.product_id}&server=x") == ["anna.example", "ben.example"]
    with used.fleet.database.read() as session:
        unused = session.scalars(select(Server.id).where(Server.name == "web02")).one()
        everywhere = session.scalars(select(Server.id).where(Server.name == "ns1")).one()
    assert len(domains(used, f"?server={everywhere}")) == 2
    assert len(domains(used, f"?server={unused}")) + len(domains(used, f"?server={used.server_id}")) == 2
    for sort in (*(gauge.name for gauge in GAUGES), "domain", "updated", "nonsense"):
        assert sorted(domains(used, f"?sort={sort}")) == sorted(domains(used, f"?sort=-{sort}")) == domains(used), sort
        assert domains(used, f"?full=1&sort=-{sort}") == ["anna.example"], sort
    assert domains(used, "?sort=web_disk") == ["ben.example", "anna.example"]
    text = used.browser("support").get("/admin/statistics/nearly-full").text
    assert ">1</a>" in text


def test_the_csv_is_of_the_same_filter(used: World) -> None:
    found = rows(used, "?full=1")
    assert [row["domain"] for row in found] == ["anna.example"]
    assert (found[0]["web_disk"], found[0]["web_disk_limit"], found[0]["web_bandwidth_limit"]) == ("2500", "10000", "")
    assert [row["domain"] for row in rows(used, "?sort=web_disk")] == ["ben.example", "anna.example"]
    assert rows(used, "?search=nobody") == []


def test_no_cell_is_a_formula_and_what_is_unknown_stays_empty(world: World) -> None:
    with world.fleet.database.write() as session:
        for service in session.scalars(select(Service)):
            service.product.name = "=HYPERLINK(1)"
            if service.id == world.anna_service:
                service.status = ServiceStatus.TERMINATED
    found = rows(world)
    assert [row["domain"] for row in found] == ["ben.example"], "what is over is not listed"
    assert found[0]["product"] == "'=HYPERLINK(1)"
    assert (found[0]["web_disk"], found[0]["updated"]) == ("", "")
    assert "not yet" in world.browser("support").get("/admin/statistics").text


def test_a_service_has_its_history(used: World) -> None:
    browser = used.browser("support")
    text = browser.get(f"/admin/statistics/{used.anna_service}").text
    assert text.count("data-chart=") == 5
    assert "3 GB last, " in text
    assert "Count anew" not in text
    for span in ("90", "365", "x"):
        assert browser.get(f"/admin/statistics/{used.anna_service}?range={span}").status_code == 200
    assert browser.get("/admin/statistics/999999").status_code == 404


def test_refreshing_is_one_task_per_server_with_progress(world: World) -> None:
    browser = world.browser("operator")
    address = browser.submit("/admin/statistics/refresh").headers["location"]
    assert "run=" in address
    run = int(address.rpartition("=")[2])
    text = browser.get(address).text
    assert "0 of 6 servers" in text
    with world.fleet.database.write() as session:
        tasks = session.scalars(select(Task).where(Task.pipeline_id == run)).all()
        assert sorted(task.server.name for task in tasks) == ["mail01", "mail02", "ns1", "ns2", "web01", "web02"]
        for task in tasks:
            task.status = TaskStatus.SUCCEEDED if task.server.name != "ns1" else TaskStatus.FAILED
    text = browser.get(address).text
    assert "6 of 6 servers" in text
    assert "1 did not work" in text
    one = browser.submit(f"/admin/statistics/{world.anna_service}/refresh").headers["location"]
    assert browser.get(one).status_code == 200
    for odd in ("?run=x", "?run=999999", "?page=x&sort=%00&full=2"):
        assert browser.get(f"/admin/statistics{odd}").status_code == 200
