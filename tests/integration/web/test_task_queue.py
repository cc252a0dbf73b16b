"""The task queue page, bulk actions and clean-up, and the page of one task."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from sqlalchemy import select

from controller.domain.words import TaskStatus
from controller.engine.fleet import Fleet
from controller.operations import servers
from controller.store.base import utcnow
from controller.store.models import OperationLog, Pipeline, Server, ServerLock, Task, TaskEvent
from controller.store.work_models import WorkerProcess
from tests.integration.web.test_customer import words
from tests.integration.web.world import World, log


def tasks_of(fleet: Fleet, service_id: int) -> list[Task]:
    with fleet.database.read() as session:
        return list(session.scalars(select(Task).where(Task.service_id == service_id).order_by(Task.id)))


def change(fleet: Fleet, task_id: int, **values: object) -> None:
    with fleet.database.write() as session:
        task = session.get_one(Task, task_id)
        for name, value in values.items():
            setattr(task, name, value)


def worker(fleet: Fleet, seconds_ago: float) -> None:
    with fleet.database.write() as session:
        seen = utcnow() - dt.timedelta(seconds=seconds_ago)
        session.merge(WorkerProcess(name="w", host="h", places=4, seen_at=seen))


def test_it_warns_when_nobody_works(world: World) -> None:
    browser = world.browser("support")
    assert "No worker is running" in browser.get("/admin/tasks").text
    worker(world.fleet, 3)
    text = words(browser.get("/admin/tasks").text)
    assert "No worker is running" not in text
    assert "0 of 4 places busy" in text
    worker(world.fleet, 40)
    assert "No worker is running" in browser.get("/admin/tasks").text
    with world.fleet.database.write() as session:
        for server in session.scalars(select(Server)):
            server.blocked_since = utcnow()
    assert "No worker is running" not in browser.get("/admin/tasks").text, "all wait for their servers"
    servers.check(world.fleet, "test", world.server_id)
    assert "1 task is due and nobody takes it" in words(browser.get("/admin/tasks").text)


def test_a_server_that_is_away_is_named_with_what_waits(world: World) -> None:
    with world.fleet.database.write() as session:
        server = session.get_one(Server, world.server_id)
        server.blocked_since, server.blocked_cause = utcnow() - dt.timedelta(minutes=5), "unreachable"
    page = words(world.browser("support").get("/admin/tasks").text)
    assert re.search(r"web01 has not answered for 5 minutes; (1 task waits|no task waits|\d+ tasks wait)\.", page)
    server_page = words(world.browser("operator").get(f"/admin/servers/{world.server_id}").text)
    assert "web01 has not answered for 5 minutes" in server_page
    assert "Check now" in server_page


def test_an_open_page_looks_again_without_taking_messages(world: World) -> None:
    browser = world.browser("operator")
    browser.submit("/admin/tasks/bulk", {"do": "cancel"})
    part = browser.get("/admin/tasks/strip", headers={"HX-Request": "true"}).text
    assert "No worker is running" in part
    assert "<html" not in part
    assert "Choose at least one task" in browser.get("/admin/tasks").text


def test_filters_narrow_the_list(world: World) -> None:
    browser = world.browser("support")
    text = browser.get("/admin/tasks?service=ben&action=web.account").text
    assert "ben-example-web" in text
    assert "anna-example-web" not in text
    assert "Nothing found" in browser.get("/admin/tasks?state=stuck").text
    assert "Nothing found" not in browser.get(f"/admin/tasks?group={world.group_id}").text
    assert "Nothing found" in browser.get("/admin/tasks?group=999").text
    assert "Nothing found" not in browser.get("/admin/tasks?server=%C2%B2&sort=nonsense&page=9").text


def test_ticked_tasks_are_cancelled_and_the_page_says_how_many(world: World) -> None:
    browser = world.browser("operator")
    first, second, *_ = tasks_of(world.fleet, world.ben_service)
    done = tasks_of(world.fleet, world.anna_service)[0]
    data = {"do": "cancel", "task": [first.id, second.id, done.id], "service": "ben", "sort": "-id"}
    answer = browser.submit("/admin/tasks/bulk", data)
    assert answer.headers["location"] == "/admin/tasks?service=ben&sort=-id", "the filter stays"
    text = browser.get("/admin/tasks").text
    assert "2 tasks cancelled or being stopped. 1 left as it is" in text
    assert "is succeeded already" in text
    states = {task.id: task.status for task in tasks_of(world.fleet, world.ben_service)}
    assert states[first.id] is states[second.id] is TaskStatus.CANCELLED


def test_everything_that_matches_is_meant_when_it_is_ticked(world: World) -> None:
    browser = world.browser("operator")
    browser.submit("/admin/tasks/bulk", {"do": "priority", "priority": "10", "everything": "1", "service": "ben"})
    assert {task.priority for task in tasks_of(world.fleet, world.ben_service)} == {10}
    assert {task.priority for task in tasks_of(world.fleet, world.anna_service)} == {50}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"do": "cancel"}, "Choose at least one task"),
        ({"do": "explode", "task": "1"}, "must be one of"),
        ({"do": "priority", "task": "1", "priority": "soon"}, "whole number"),
        ({"do": "cancel", "task": "²"}, "Choose at least one task"),
    ],
)
def test_bad_input_changes_nothing(world: World, data: dict[str, object], said: str) -> None:
    browser = world.browser("operator")
    assert browser.submit("/admin/tasks/bulk", data).status_code == 303
    assert said in browser.get("/admin/tasks").text
    with world.fleet.database.read() as session:
        assert session.query(OperationLog).filter(OperationLog.action.startswith("task.bulk")).count() == 0


def test_clean_up_says_what_will_go_and_takes_just_that(world: World) -> None:
    browser = world.browser("operator")
    with world.fleet.database.write() as session:
        for pipeline in session.scalars(select(Pipeline).where(Pipeline.service_id == world.anna_service)):
            pipeline.finished_at = utcnow()
    before = len(tasks_of(world.fleet, world.anna_service))
    assert "Nothing to delete" in browser.get("/admin/tasks/clean-up?days=1&states=succeeded").text
    assert f"{before} tasks will be deleted" in browser.get("/admin/tasks/clean-up?days=0&states=succeeded").text
    for wrong in ("days=x&states=succeeded", "days=-1&states=succeeded", "days=1", "days=1&states=running"):
        page = browser.get(f"/admin/tasks/clean-up?{wrong}").text
        assert "will be deleted" not in page, wrong
        assert "note-danger" in page, wrong
    assert browser.submit("/admin/tasks/clean-up", {"days": "x", "states": "succeeded"}).status_code == 422
    assert len(tasks_of(world.fleet, world.anna_service)) == before
    assert browser.submit("/admin/tasks/clean-up", {"days": "0", "states": "succeeded"}).status_code == 303
    assert tasks_of(world.fleet, world.anna_service) == []
    assert tasks_of(world.fleet, world.ben_service)
    assert browser.get(f"/admin/services/{world.anna_service}/deploy").status_code == 200
    assert world.browser("anna").get(f"/panel/services/{world.anna_service}").status_code == 200


def test_what_is_stuck_is_made_to_fail_at_once(world: World) -> None:
    browser = world.browser("operator")
    task = tasks_of(world.fleet, world.ben_service)[0]
    long_ago = utcnow() - dt.timedelta(hours=1)
    change(world.fleet, task.id, status=TaskStatus.RUNNING, started_at=long_ago, lease_until=long_ago)
    assert task.label in browser.get("/admin/tasks?state=stuck").text
    browser.submit("/admin/tasks/fail-stuck")
    assert tasks_of(world.fleet, world.ben_service)[0].status is TaskStatus.FAILED
    browser.submit("/admin/tasks/fail-stuck")
    assert "No task is stuck." in browser.get("/admin").text


def test_a_task_says_why_it_waits(world: World) -> None:
    browser = world.browser("support")
    tasks = tasks_of(world.fleet, world.ben_service)
    package = next(task for task in tasks if task.action == "web.package")
    account = next(task for task in tasks if task.action == "web.account")

    def said(task: Task) -> str:
        return words(browser.get(f"/admin/tasks/{task.id}").text)

    assert "Waits for: Configuring web plan" in said(account)
    assert "Starts as soon as a worker has a place" in said(package)
    soon = utcnow() + dt.timedelta(seconds=20)
    change(
        world.fleet,
        package.id,
        not_before=soon,
        error="locked",
        error_class="busy",
        attempt=3,
        tries={"busy": 3},
        max_attempts=10,
    )
    text = said(package)
    assert re.search(r"Next try in (19|20) s \(3 of 10 for: Server busy\)", text)
    assert "Last try: Server busy" in text
    assert "holds a lock, or the load is high" in text
    assert "Server busy: 3" in text
    change(world.fleet, package.id, not_before=None)
    with world.fleet.database.write() as session:
        until = utcnow() + dt.timedelta(minutes=1)
        session.add(ServerLock(server_id=package.server_id, task_id=account.id, fence=1, until=until))
    name = package.target and "web0"
    assert f"Waits for another change on {name}" in said(package)
    with world.fleet.database.write() as session:
        session.get_one(Server, package.server_id).blocked_since = utcnow()
    assert re.search(r"Waiting for web0\d to come back", said(package))
    change(world.fleet, package.id, status=TaskStatus.FAILED)
    change(world.fleet, account.id, status=TaskStatus.HELD)
    assert "Waits because “Configuring web plan” failed" in said(account)


def test_priority_and_force_fail_of_one_task(world: World) -> None:
    browser = world.browser("operator")
    task = tasks_of(world.fleet, world.ben_service)[0]
    browser.submit(f"/admin/tasks/{task.id}/priority", {"priority": "90"})
    assert tasks_of(world.fleet, world.ben_service)[0].priority == 90
    for wrong in ("", "0", "100", "²", "9" * 30):
        browser.submit(f"/admin/tasks/{task.id}/priority", {"priority": wrong})
        assert tasks_of(world.fleet, world.ben_service)[0].priority == 90
        assert "priority" in browser.get("/admin").text
    page = browser.get(f"/admin/tasks/{task.id}").text
    assert "counts as failed at once" in page, "it says what it means"
    browser.submit(f"/admin/tasks/{task.id}/force-fail")
    assert tasks_of(world.fleet, world.ben_service)[0].status is TaskStatus.FAILED


def test_the_log_is_downloaded_whole(world: World) -> None:
    task_id = tasks_of(world.fleet, world.ben_service)[0].id
    with world.fleet.database.write() as session:
        task = session.get_one(Task, task_id)
        for number in range(1, 1205):
            if number != 700:
                log(session, task, f"line {number}\nmore", seq=number)
        session.add(TaskEvent(task_id=task_id, seq=1205, attempt=2, kind="runner_on_ok", text="", data={"ü": [1]}))
    browser = world.browser("support")
    answer = browser.get(f"/admin/tasks/{task_id}/log.jsonl")
    assert answer.headers["content-disposition"] == f'attachment; filename="task-{task_id}.log.jsonl"'
    events = [json.loads(line) for line in answer.text.splitlines()]
    assert [event["seq"] for event in events] == [number for number in range(1, 1206) if number != 700]
    assert events[-1]["data"] == {"ü": [1]}
    assert set(events[0]) == {"seq", "attempt", "at", "kind", "text", "data"}
    text = browser.get(f"/admin/tasks/{task_id}/log.txt").text
    assert "-- missing: 700\n" in text
    assert "        line 1204\n        more\n" in text
    assert 'data {"ü": [1]}' in text
    assert browser.get("/admin/tasks/999999/log.txt").status_code == 404
    assert world.browser("ben").get(f"/admin/tasks/{task_id}/log.txt").status_code == 403


def test_a_log_that_is_not_complete_says_so(world: World) -> None:
    task = tasks_of(world.fleet, world.anna_service)[0]
    browser = world.browser("support")
    assert "The log is not complete" not in browser.get(f"/admin/tasks/{task.id}").text
    change(world.fleet, task.id, events_expected=5)
    assert "4 of 5 lines are missing" in browser.get(f"/admin/tasks/{task.id}").text
