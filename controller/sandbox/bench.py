"""Figures of one run on the sandbox at the recorded panel speed.

``order_ms_*``: POST /services while deployments run. ``order_to_live_s``: an order on an otherwise idle fleet,
median of three. ``bare_ssh_s``: the panel commands of such an order one after another over one live SSH
connection per server. ``idle_pickup_ms``: from a task being written to its start, the first of an order, idle worker.
``handover_ms_p50``: from a task's end to the start of the one that waited only for it.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import select

from controller.domain.limits import panel_limits, resolve
from controller.sandbox.demo import PRODUCT, Demo
from controller.sandbox.demo_check import Remote, expect, follow
from controller.store.models import Task, TaskNeed

LIVE_ORDERS = 3
LOAD_ORDERS = 60
LOAD_EVERY_SECONDS = 0.25


def run_bench(say: Any = print) -> dict[str, float]:
    """Measure everything; ``say`` takes progress lines."""
    with tempfile.TemporaryDirectory(prefix="hestia-fleet-") as folder, contextlib.ExitStack() as stack:
        demo = stack.enter_context(Demo(Path(folder) / "home", pace=1.0))
        client = stack.enter_context(demo.api("bench"))
        remotes = {server.name: Remote(server, Path(folder)) for server in demo.servers}
        for remote in remotes.values():
            stack.callback(remote.close)
        _wait_idle(demo)
        say("bare SSH, the same panel commands one after another ...")
        bare = _bare_ssh(remotes)
        say(f"  {bare:.1f} s")
        say(f"order to live on an idle fleet, {LIVE_ORDERS} times ...")
        lives, pickups = [], []
        for number in range(LIVE_ORDERS):
            live, pickup = _order_to_live(client, demo, f"live{number}.test")
            lives.append(live)
            pickups.append(pickup)
            say(f"  {live:.1f} s, picked up after {pickup:.0f} ms")
        handover = _handover(demo)
        say(f"{LOAD_ORDERS} orders while deployments run ...")
        orders = sorted(_orders_under_load(client))
        result = {
            "order_ms_p50": round(statistics.median(orders), 1),
            "order_ms_p99": round(orders[min(len(orders) - 1, int(len(orders) * 0.99))], 1),
            "order_to_live_s": round(statistics.median(lives), 2),
            "bare_ssh_s": round(bare, 2),
            "idle_pickup_ms": round(statistics.median(pickups), 1),
            "handover_ms_p50": round(handover, 1),
        }
        say(f"order to live is {result['order_to_live_s'] / result['bare_ssh_s']:.2f} of bare SSH")
        return result


def _wait_idle(demo: Demo, seconds: float = 60) -> None:
    """Until no task waits or runs (the servers' first look)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with demo.fleet.database.read() as session:
            if session.scalar(select(Task.id).where(Task.finished_at.is_(None)).limit(1)) is None:
                return
        time.sleep(0.2)
    raise RuntimeError("the fleet did not come to rest")


def _order(client: httpx2.Client, domain: str) -> httpx2.Response:
    body = {"product": PRODUCT, "domain": domain, "customer": {"email": "bench@demo.test", "name": "Bench"}}
    answer = client.post("/services", json=body)
    expect(answer.status_code == 202, f"the order was answered {answer.status_code}: {answer.text}")
    return answer


def _order_to_live(client: httpx2.Client, demo: Demo, domain: str) -> tuple[float, float]:
    """Seconds to live, and milliseconds until the first task started."""
    begin = time.perf_counter()
    service_id = _order(client, domain).json()["id"]
    follow(client, service_id, "active", 120)
    live = time.perf_counter() - begin
    with demo.fleet.database.read() as session:
        tasks = session.scalars(select(Task).where(Task.service_id == service_id)).all()
    waits = [(task.started_at - task.created_at).total_seconds() for task in tasks if task.started_at]
    _wait_idle(demo)
    return live, min(waits) * 1000


def _handover(demo: Demo) -> float:
    """Median milliseconds from the end of the last need of a task to its own start."""
    gaps = []
    with demo.fleet.database.read() as session:
        tasks = {task.id: task for task in session.scalars(select(Task))}
        needs: dict[int, list[Task]] = {}
        for need in session.scalars(select(TaskNeed)):
            needs.setdefault(need.task_id, []).append(tasks[need.needs_id])
    for task_id, needed in needs.items():
        ends = [task.finished_at for task in needed]
        started = tasks[task_id].started_at
        if started is not None and all(ends):
            gaps.append((started - max(end for end in ends if end)).total_seconds() * 1000)
    return statistics.median(gaps)


def _orders_under_load(client: httpx2.Client) -> list[float]:
    """Milliseconds of each order; the first few only make the load."""
    taken = []
    for number in range(LOAD_ORDERS + 4):
        begin = time.perf_counter()
        _order(client, f"load{number}.test")
        spent = time.perf_counter() - begin
        if number >= 4:
            taken.append(spent * 1000)
        time.sleep(max(0.0, LOAD_EVERY_SECONDS - spent))
    return taken


def _bare_ssh(remotes: dict[str, Remote], domain: str = "bare.test") -> float:
    """Seconds for the panel commands of a Split service, over connections that are open already."""
    for remote in remotes.values():
        expect(remote.run("true").returncode == 0, f"no SSH to {remote.server.name}")
    limits, _ = resolve({}, {})
    total = 0.0

    def timed(remote: Remote, *command: str) -> str:
        nonlocal total
        begin = time.perf_counter()
        done = remote.run(*command)
        total += time.perf_counter() - begin
        expect(done.returncode == 0, f"{command[0]} on {remote.server.name}: exit {done.returncode} {done.stdout}")
        return done.stdout

    def package(remote: Remote, role: str) -> str:
        lines = {"WEB_TEMPLATE": "default", "PROXY_TEMPLATE": "default", "BACKEND_TEMPLATE": "default"}
        lines |= {"DNS_TEMPLATE": "default", **{k: str(v) for k, v in panel_limits([role], limits).items()}}
        lines |= dict.fromkeys(("CPU_QUOTA", "CPU_QUOTA_PERIOD", "MEMORY_LIMIT", "SWAP_LIMIT"), "unlimited")
        lines |= {"NS": "ns1.fleet.test,ns2.fleet.test", "SHELL": "nologin", "BACKUPS_INCREMENTAL": "no"}
        path = f"/tmp/bench-{remote.server.port}.pkg"
        Path(path).write_text("".join(f"{key}='{value}'\n" for key, value in lines.items()))
        name = f"bare-test-{role}"
        timed(remote, "v-add-user-package", path, name)
        timed(remote, "v-add-user", name, "Bench.2026x", "bench@demo.test", name, "Bench")
        Path(path).unlink()
        return name

    web, mail = remotes["web01"], remotes["mx01"]
    user = package(web, "web")
    timed(web, "v-add-web-domain", user, domain)
    with tempfile.TemporaryDirectory(dir="/tmp") as certificates:
        Path(certificates).chmod(0o755)
        begin = time.perf_counter()
        subject = ["-subj", f"/CN={domain}", "-days", "90"]
        files = ["-keyout", f"{certificates}/{domain}.key", "-out", f"{certificates}/{domain}.crt"]
        web.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files)
        total += time.perf_counter() - begin
        timed(web, "v-add-web-domain-ssl", user, domain, certificates)
    timed(mail, "v-add-mail-domain", package(mail, "mail"), domain)
    records = "".join(
        f"ID='{number}' RECORD='r{number}' TYPE='A' PRIORITY='' VALUE='192.0.2.11' "
        "SUSPENDED='no' TIME='12:00:00' DATE='2026-01-01'\n"
        for number in range(3, 21)
    )
    records = (
        "ID='1' RECORD='@' TYPE='NS' PRIORITY='' VALUE='ns1.fleet.test.' SUSPENDED='no' TIME='12:00:00' "
        "DATE='2026-01-01'\n"
        "ID='2' RECORD='@' TYPE='A' PRIORITY='' VALUE='192.0.2.11' SUSPENDED='no' TIME='12:00:00' "
        "DATE='2026-01-01'\n" + records
    )
    zone = (
        f"DOMAIN='{domain}' IP='192.0.2.11' TPL='default' TTL='3600' EXP='2030-01-01' SOA='ns1.fleet.test' "
        "SERIAL='2026010101' RECORDS='20' DNSSEC='no' KEY='' SLAVE='no' MASTER='' SUSPENDED='no'"
    )
    for remote in (remotes["ns1"], remotes["ns2"]):
        user = package(remote, "dns")
        path = Path(f"/tmp/bench-{remote.server.port}.records")
        path.write_text(records)
        timed(remote, "v-insert-dns-domain", user, zone)
        timed(remote, "v-insert-dns-records", user, domain, str(path))
        timed(remote, "v-rebuild-dns-domain", user, domain)
        timed(remote, "v-update-user-counters", user)
    return total
