"""Drift checks and verifications on the pages of staff."""

from __future__ import annotations

import datetime as dt
import re

from sqlalchemy import select

from controller.domain.words import Reason, TaskStatus
from controller.operations import services
from controller.store.base import utcnow
from controller.store.models import Pipeline, Task
from controller.store.work_models import LongRun
from tests.integration.web.test_customer import words
from tests.integration.web.world import World


def runs(world: World) -> list[LongRun]:
    with world.fleet.database.read() as session:
        return list(session.scalars(select(LongRun).order_by(LongRun.id)))


def test_a_check_is_started_watched_and_cancelled(world: World) -> None:
    browser = world.browser("operator")
    page = words(browser.get("/admin/drift").text)
    assert "Runs every night at 02:00 UTC, 2 servers at a time." in page
    answer = browser.submit("/admin/drift")
    run = runs(world)[-1]
    assert answer.headers["location"] == f"/admin/drift/{run.id}"
    text = browser.get(answer.headers["location"]).text
    assert "Looking at the servers" in text
    assert 'hx-trigger="every 2s"' in text
    browser.submit("/admin/drift")
    assert "a drift check is running already" in browser.get("/admin").text
    browser.submit(f"/admin/drift/{run.id}/cancel")
    text = browser.get(f"/admin/drift/{run.id}").text
    assert "Cancelled" in text
    assert "hx-trigger" not in text
    browser.submit(f"/admin/drift/{run.id}/cancel")
    assert "is over already" in browser.get("/admin").text


def test_an_estimate_is_said_when_there_is_something_to_go_by(world: World) -> None:
    with world.fleet.database.write() as session:
        begun = utcnow() - dt.timedelta(minutes=10)
        run = LongRun(kind="drift-check", title="Drift check", started_at=begun, total=100, done=50, report={})
        session.add(run)
        session.flush()
        run_id = run.id
    page = words(world.browser("support").get(f"/admin/drift/{run_id}").text)
    assert re.search(r"about 10 min [0-9] s left", page)
    assert "50 of 100 services" in page


def test_what_differs_is_repaired_once(world: World) -> None:
    browser, address = world.browser("operator"), f"/admin/drift/{world.drift_check}"
    page = browser.get(address).text
    assert "anna.example" in page
    assert "is missing" in page
    assert "Repair 1 service?" in page
    browser.submit(f"{address}/repair")
    page = browser.get(address).text
    assert "1 repair started." in page
    assert "Repair started" in page
    assert "Repair all" not in page
    browser.submit(f"{address}/repair")
    assert "anna.example (changed since)" in browser.get(address).text
    with world.fleet.database.read() as session:
        repairs = session.query(Pipeline).filter_by(service_id=world.anna_service, reason=Reason.REPAIR)
        assert repairs.count() == 1


def test_another_long_run_is_no_drift_check(world: World) -> None:
    with world.fleet.database.write() as session:
        run = LongRun(kind="push", title="Push")
        session.add(run)
        session.flush()
        run_id = run.id
    browser = world.browser("operator")
    assert browser.get(f"/admin/drift/{run_id}").status_code == 404
    assert browser.submit(f"/admin/drift/{run_id}/repair").status_code in (303, 404)


def test_a_verification_reads_as_a_list(world: World) -> None:
    browser, address = world.browser("operator"), f"/admin/services/{world.anna_service}/verification"
    assert "The details were cleaned away" in browser.get(address).text
    other = browser.get(f"/admin/services/{world.ben_service}/verification").text
    assert "Not verified yet" in other
    answer = browser.submit(f"/admin/services/{world.anna_service}/verify")
    assert answer.headers["location"] == address
    with world.fleet.database.read() as session:
        tasks = session.scalars(
            select(Task).join(Pipeline).where(Pipeline.reason == Reason.VERIFY, Task.service_id == world.anna_service)
        ).all()
        by_action = {task.action: task.id for task in tasks}
    text = words(browser.get(address).text)
    assert f"0 of {len(tasks)}" in text
    assert "Not looked at yet" in text
    with world.fleet.database.write() as session:
        for task in session.scalars(select(Task).where(Task.id.in_([task.id for task in tasks]))):
            task.status, task.changed, task.finished_at = TaskStatus.SUCCEEDED, False, utcnow()
        task = session.get_one(Task, by_action["web.domain"])
        task.changed = True
        task.result = {
            "diff": {"before": {"ip": "192.0.2.9", "aliases": []}, "after": {"ip": "192.0.2.11", "aliases": []}}
        }
        task = session.get_one(Task, by_action["mail.domain"])
        task.status, task.error = TaskStatus.FAILED, "the server said no"
        session.get_one(Pipeline, task.pipeline_id).finished_at = utcnow()
    text = words(browser.get(address).text)
    assert f"1 of {len(tasks)} differs" in text
    assert "ip: 192.0.2.9, should be 192.0.2.11" in text
    assert "Could not be looked at" in text
    assert "the server said no" in text
    assert "Repair this one" in text
    assert "Repair this one" not in world.browser("support").get(address).text
    browser.submit(f"/admin/services/{world.anna_service}/repair")
    with world.fleet.database.read() as session:
        newest = session.scalars(select(Pipeline).order_by(Pipeline.id.desc())).first()
        assert newest is not None
        assert newest.reason is Reason.REPAIR
        assert len(newest.tasks) < len(tasks)


def test_a_verification_over_the_api(world: World) -> None:
    browser = world.browser()
    headers = {"Authorization": f"Bearer {world.token}"}
    missing = browser.get(f"/api/v1/services/{world.ben_service}/verification", headers=headers)
    assert missing.status_code == 404
    services.verify(world.fleet, "test", world.ben_service)
    found = browser.get(f"/api/v1/services/{world.ben_service}/verification", headers=headers).json()
    assert found["done"] == 0
    assert found["total"] == len(found["things"]) > 8
    assert {thing["found"] for thing in found["things"]} == {"open"}
