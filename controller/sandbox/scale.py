"""What a big fleet costs: every page and listing call on the server's side, the inventory, collecting usage."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from controller.domain.words import USAGE_ACTION
from controller.engine.fleet import Fleet
from controller.operations import people, tokens, usage
from controller.sandbox.big_fleet import fill
from controller.settings import Settings
from controller.store.models import Service, Task, User
from controller.store.schema import upgrade
from controller.store.vault import create_key
from controller.web.app import create_app

ROUNDS = 3
PASSWORD = "a fleet of many servers"
NOT_PAGES = ("stream", "events", ".csv", ".jsonl", ".txt", "/static", "/logout", "/docs")
TOKEN = re.compile(r'name="csrf[^"]*" value="([^"]+)"|csrf_token"[^>]*value="([^"]+)"')
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def measure(home: Path, servers: int = 200, services: int = 20_000) -> dict[str, Any]:
    """Fill a new installation in ``home`` and measure it; milliseconds and seconds as the names say."""
    settings = Settings(home=home, login_rate="1000/minute")
    create_key(settings.key_file)
    upgrade(settings.effective_database_url)
    fleet = Fleet.open(settings)
    with fleet.database.read() as session:
        is_empty = session.scalar(select(func.count()).select_from(Service)) == 0
    if is_empty:
        fill(fleet, servers, services)
        with fleet.database.write() as session:
            session.connection().exec_driver_sql("ANALYZE")
    found = _pages(fleet, services)
    slow = sorted(found, key=found.__getitem__, reverse=True)
    inventory = _inventory(home)
    pipeline = usage.refresh_all(fleet, "scale")
    with fleet.database.read() as session:
        asked = session.scalar(select(func.count()).where(Task.pipeline_id == pipeline.id, Task.action == USAGE_ACTION))
    fleet.close()
    return {
        "servers": servers,
        "services": services,
        "inventory_s": round(inventory, 2),
        "usage_tasks": asked,
        "pages": len(found),
        "page_ms_median": round(statistics.median(found.values()), 1),
        "page_ms_max": round(found[slow[0]], 1),
        "slowest": {path: round(found[path], 1) for path in slow[:15]},
    }


def _inventory(home: Path) -> float:
    """Seconds that ``ansible-inventory --list`` takes with the plugin, start to end; the best of three."""
    source = home / "scale.hestia_fleet.yml"
    source.write_text("plugin: hestia_fleet\n")
    root = Path(__file__).resolve().parents[2]
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(source), "--list"]
    environment = {**os.environ, "HESTIA_FLEET_HOME": str(home), "ANSIBLE_CONFIG": str(root / "ansible.cfg")}
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, env=environment, cwd=root, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return min(times)


def _pages(fleet: Fleet, services: int) -> dict[str, float]:
    """Milliseconds until a page or call begins to come (all but downloads come in one go): the median of some rounds
    after a first one."""
    app, other = create_app(fleet), create_app(fleet)
    clock = _Clock(app)
    _, plain = tokens.create(fleet, "scale", name=f"scale {time.time_ns()}", scope="admin")
    with fleet.database.read() as session:
        users = session.scalars(select(User.id)).all()
    for user_id in users:
        people.set_password(fleet, "scale", user_id, PASSWORD)
    times: dict[str, float] = {}
    with TestClient(clock, follow_redirects=False) as staff, TestClient(other, follow_redirects=False) as customer:
        _sign_in(staff, "staff@big.test")
        _sign_in(customer, "customer1@example.com")
        for path in sorted(set(_paths(app, services))):
            client = customer if path.startswith("/panel") else staff
            headers = {"authorization": f"Bearer {plain}"} if path.startswith("/api") else {"accept": "text/html"}
            rounds = []
            for _ in range(ROUNDS + 1):
                began = time.perf_counter()
                answer = client.get(path, headers=headers)
                until = time.perf_counter() if client is customer else clock.first_byte
                rounds.append(1000 * (until - began))
            if answer.status_code == 200:
                times[path] = statistics.median(rounds[1:])
    return times


class _Clock:
    """An application and when the first byte of its last answer came."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self.first_byte = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.first_byte = 0.0

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body" and message.get("body") and not self.first_byte:
                self.first_byte = time.perf_counter()
            await send(message)

        await self.app(scope, receive, sent)


def _sign_in(client: TestClient, email: str) -> None:
    found = TOKEN.search(client.get("/login", headers={"accept": "text/html"}).text)
    assert found is not None
    token = found[1] or found[2]
    answer = client.post("/login", data={"csrf_token": token, "email": email, "password": PASSWORD})
    assert answer.status_code == 303, answer.text


def _paths(app: Starlette, services: int) -> Iterator[str]:
    """Every GET address, with an id or name that exists in place of its parameter, and the sorts lists offer."""
    middle = services // 2
    ids = {
        "services": middle,
        "tasks": 13 * middle + 12,
        "zones": middle,
        "pipelines": middle,
        "customers": 1,
        "servers": 2,
        "groups": 1,
        "products": 1,
    }
    for path in _patterns(app.routes):
        if any(word in path for word in NOT_PAGES):
            continue
        parts = path.split("/")
        noun = next((part for part in parts if part in ids), "")
        number = 1 if path.startswith("/panel") else ids.get(noun, 1)
        yield PARAMETER.sub(partial(_value, number), path)
    yield from (
        "/admin/services?search=site19",
        "/admin/services?sort=customer&page=500",
        "/admin/tasks?state=failed",
        "/admin/tasks?search=site01234",
        "/admin/tasks?search=site",
        "/admin/tasks?search=site0",
        "/admin/tasks?search=dns",
        "/admin/tasks?search=refused",
        "/admin/tasks?search=Removing+SSL",
        "/admin/tasks?search=nowhere",
        "/admin/tasks?sort=-finished",
        "/admin/tasks?sort=server",
        "/admin/servers?capability=web&sort=-capacity",
        "/admin/servers?sort=-disk&page=4",
        "/admin/statistics?sort=-web_disk",
        "/admin/statistics?sort=domain&page=300",
        "/admin/statistics?search=site19",
        "/admin/zones?state=differs",
        "/admin/zones?search=site19&page=20",
        "/api/v1/services?per_page=100&page=100",
        "/api/v1/zones?per_page=100",
        "/api/v1/usage?sort=-web_disk",
    )


def _value(number: int, parameter: re.Match[str]) -> str:
    name = parameter.group(1)
    return {"tab": "config", "kind": "config", "scope": "web", "view": "config"}.get(name, str(number))


def _patterns(routes: list[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _patterns(list(route.routes), prefix + route.path)
        elif isinstance(route, Route) and "GET" in (route.methods or {"GET"}):
            yield prefix + route.path
