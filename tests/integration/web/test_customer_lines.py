"""What a customer sees of a step's log: our own words, and never anything of the servers."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from controller.domain.failures import CUSTOMER_WORDS, ErrorClass
from controller.domain.words import TaskStatus
from controller.store.base import utcnow
from controller.store.models import Server, Task, TaskEvent
from controller.web.customer_lines import AWAY, STEPS, line
from controller.web.live import Live
from tests.integration.web.world import World

ADDRESS, USER, COMMAND, PATH = "192.0.2.13", "ben-example-web", "v-add-web-domain", "/usr/local/hestia/bin"
INTERNALS = f"fatal: [web01]: FAILED! => {COMMAND} {USER} on {ADDRESS} at {PATH}/x, password=hunter2"

EVENTS = (
    ("fleet_attempt", 1, "Attempt 1", {}),
    ("playbook_on_start", 1, INTERNALS, {}),
    ("playbook_on_task_start", 1, f"TASK [hestia_web : {INTERNALS}]", {"task": "Bring the domain to its state"}),
    ("playbook_on_task_start", 1, INTERNALS, {"task": f"hestia_web : {INTERNALS}"}),
    ("runner_on_failed", 1, INTERNALS, {"task": "Bring the domain to its state", "res": {"msg": INTERNALS}}),
    ("fleet_result", 1, f"failed (busy): {INTERNALS}", {}),
    ("fleet_secret", 1, INTERNALS, {}),
    ("fleet_attempt", 2, f"Attempt 2 {INTERNALS}", {}),
    ("fleet_result", 2, "done, something was changed", {}),
)
TOLD = ["Started", "Working on the domain", CUSTOMER_WORDS[ErrorClass.BUSY], "Trying again", "Finished"]
LEAKS = re.compile(r"192\.0\.2|ben-example-web|v-[a-z]+-|/usr/|hunter2|fatal|web01|\.fleet\.test(?!<)")


def fill(world: World, status: TaskStatus = TaskStatus.RUNNING) -> int:
    """A step of Ben's in this state, with a log full of internals."""
    with world.fleet.database.write() as session:
        task = session.scalars(
            select(Task).where(Task.service_id == world.ben_service, Task.action == "web.domain")
        ).one()
        task.status, task.error, task.started_at = status, INTERNALS, utcnow()
        for number, (kind, attempt, text, data) in enumerate(EVENTS, 1):
            session.add(TaskEvent(task_id=task.id, seq=number, attempt=attempt, kind=kind, text=text, data=data))
        return task.id


def test_a_step_opens_and_shows_plain_words_only(world: World) -> None:
    task_id = fill(world)
    page = world.browser("ben").get(f"/panel/services/{world.ben_service}").text
    step = page[page.index(f'id="step-{task_id}"') :].split('<li class="step ')[0]
    assert re.findall(r"</time><span>([^<]*)</span>", step) == TOLD
    assert f"/panel/services/{world.ben_service}/steps/{task_id}/stream?after=9" in step
    assert not LEAKS.search(step)
    main = page[page.index("<main") :]
    for leak in (ADDRESS, USER, COMMAND, PATH, "hunter2", "fatal"):
        assert leak not in main


@pytest.mark.parametrize("state", list(TaskStatus))
def test_no_state_of_a_step_shows_internals(world: World, state: TaskStatus) -> None:
    fill(world, state)
    main = world.browser("ben").get(f"/panel/services/{world.ben_service}").text
    for leak in (ADDRESS, USER, COMMAND, PATH, "hunter2", "fatal"):
        assert leak not in main


async def test_the_stream_tells_the_same_and_nothing_else(world: World) -> None:
    task_id = await run_in_threadpool(fill, world, TaskStatus.SUCCEEDED)
    live, told, raw = Live(world.fleet.database), [], ""
    async with live.running(), contextlib.aclosing(live.step(task_id, 0)) as stream:
        async for event in stream:
            raw += str(event.data)
            if event.event == "line":
                told.append(json.loads(event.data)["text"])
    assert told == TOLD
    assert not LEAKS.search(raw)


async def test_the_stream_of_staff_is_as_before(world: World) -> None:
    task_id = await run_in_threadpool(fill, world, TaskStatus.SUCCEEDED)
    live = Live(world.fleet.database)
    async with live.running(), contextlib.aclosing(live.task(task_id, 0)) as stream:
        events = [json.loads(event.data) async for event in stream if event.event == "line"]
    assert [event["seq"] for event in events] == list(range(1, 10))
    assert INTERNALS in [event["text"] for event in events]
    assert "customer" not in events[0]


def test_nobody_follows_a_step_of_somebody_else(world: World) -> None:
    task_id = fill(world)
    anna, ben = world.browser("anna"), world.browser("ben")
    for service in (world.ben_service, world.anna_service):
        assert anna.head(f"/panel/services/{service}/steps/{task_id}/stream").status_code == 404
    assert ben.head(f"/panel/services/{world.ben_service}/steps/{task_id}/stream").status_code == 200
    assert ben.head(f"/panel/services/{world.ben_service}/steps/{world.anna_task}/stream").status_code == 404
    assert ben.get(f"/admin/tasks/{task_id}/log.txt").status_code == 403
    assert ben.get(f"/admin/tasks/{task_id}/stream").status_code == 403


def test_a_server_that_is_away_is_said_without_its_name(world: World) -> None:
    with world.fleet.database.write() as session:
        task = session.scalars(
            select(Task).where(Task.service_id == world.ben_service, Task.status == TaskStatus.QUEUED)
        ).first()
        assert task is not None
        server = session.get_one(Server, task.server_id)
        server.blocked_since, server.problem = utcnow(), INTERNALS
    page = world.browser("ben").get(f"/panel/services/{world.ben_service}").text
    assert AWAY in page
    assert server.address not in page
    assert INTERNALS not in page


FIXED = {*STEPS.values(), *CUSTOMER_WORDS.values(), "Started", "Trying again", "Finished", "Stopped"} | {
    "Finished; it was right already",
    "This try did not work.",
}


@given(
    kind=st.sampled_from(["fleet_attempt", "fleet_result", "fleet_x", "playbook_on_task_start", "runner_on_ok"]),
    text=st.one_of(st.text(), st.sampled_from(["done ", "stopped ", "failed (busy) ", "failed (x) "]).map(str)),
    task=st.one_of(st.text(), st.sampled_from(sorted(STEPS)), st.none()),
    attempt=st.integers(0, 9),
)
def test_whatever_an_event_holds_only_fixed_words_come_out(kind: str, text: str, task: str, attempt: int) -> None:
    event = TaskEvent(seq=1, attempt=attempt, at=utcnow(), kind=kind, text=text, data={"task": task})
    told = line(event)
    assert told is None or told["text"] in FIXED
