"""Orders while everything breaks: ``python -m tests.fault.storm --orders 100 --seed 7 --storage both``.

The seed decides what is ordered, what happens to it later, which faults come and when. When all orders are in, faults
stop, what failed for good is tried again as staff would, and then everything must be as the database says: on the
servers, in the logs, in the process list. The last line is one JSON object; the exit code is 0 only if all held.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from controller.domain.words import FINAL_TASK_STATES, Desired, TaskStatus
from controller.operations import services, tasks
from controller.operations.errors import Refused
from controller.sandbox.demo import PRODUCT, Demo
from controller.sandbox.processes import command_line
from controller.store.models import Service, Task
from tests.support import truth
from tests.support.demo import installation, leftovers, nothing_is_left_of_runs
from tests.support.mischief import Mischief
from tests.support.options import quick_retries
from tests.support.storages import NAMES, Storage, servers

LEASE = 4.0
BUSY_SECONDS = 3.0
PACE = 0.1
PLANTED = 8
ROUNDS = 6
"""How often staff try again what failed for good."""


@dataclass
class Report:
    """What a storm came to."""

    storage: str
    seed: int
    orders: int
    home: str
    violations: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all held."""
        return not self.violations

    def line(self) -> str:
        """All of it in one line."""
        shown = {"ok": self.ok, "storage": self.storage, "seed": self.seed, "orders": self.orders, **self.figures}
        return json.dumps(shown | {"faults": dict(self.faults), "violations": self.violations})


class Customers(threading.Thread):
    """Orders over the API, and what becomes of them later: suspended, brought back, deployed again, terminated.

    A request that gets no answer is sent again, as a billing system does it.
    """

    def __init__(self, client: httpx2.Client, chance: random.Random, orders: int, every: float) -> None:
        super().__init__(daemon=True)
        self._client, self._chance, self._every = client, chance, every
        self._orders = orders
        self._wishes: list[tuple[float, int, str]] = []
        self.repeated = 0
        self.asked: Counter[str] = Counter()
        self.trouble: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        """Everything is drawn in the same order whatever happens meanwhile."""
        try:
            for number in range(self._orders):
                self._order(number)
                self._later(number)
                self.stop.wait(self._chance.expovariate(1 / self._every))
            while self._wishes and not self.stop.is_set():
                self._do_wishes()
                self.stop.wait(0.2)
        except Exception as problem:
            self.trouble.append(f"customers: {type(problem).__name__}: {problem}")

    def _order(self, number: int) -> None:
        body = {
            "product": PRODUCT,
            "domain": _domain(number),
            "customer": {"email": f"customer{number}@demo.test", "name": f"Customer {number}"},
        }
        self._send("/services", body, {"Idempotency-Key": f"order {number}"}, {202})
        self.asked["order"] += 1

    def _later(self, number: int) -> None:
        """What will be asked for this one, and when; what has been, now that its time has come."""
        plan = self._chance.choices(
            ((), ("redeploy",), ("suspend",), ("suspend", "unsuspend"), ("terminate",), ("suspend", "terminate")),
            (60, 10, 8, 8, 8, 6),
        )[0]
        at = time.monotonic()
        for wish in plan:
            at += self._chance.uniform(2, 12) * max(self._every, 0.5)
            self._wishes.append((at, number, wish))
        self._do_wishes()

    def _do_wishes(self) -> None:
        for each in sorted(self._wishes):
            at, number, wish = each
            if at > time.monotonic():
                break
            if wish == "terminate" or self._is_whole(number):
                self._wishes.remove(each)
                self._send(f"/services/{_domain(number)}/{wish}", None, {}, {202, 409})
                self.asked[wish] += 1

    def _is_whole(self, number: int) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            answer = self._client.get(f"/services/{_domain(number)}")
            return answer.status_code == 200 and answer.json()["status"] in ("active", "suspended")
        return False

    def _send(self, path: str, body: Any, headers: dict[str, str], good: set[int]) -> None:
        while not self.stop.is_set():
            with contextlib.suppress(httpx2.HTTPError):
                answer = self._client.post(path, json=body, headers=headers)
                if answer.status_code in good and "in-progress" not in answer.text:
                    return
                if answer.status_code < 500 and "in-progress" not in answer.text:
                    self.trouble.append(f"{path} was answered {answer.status_code}: {answer.text}")
                    return
            self.repeated += 1
            self.stop.wait(0.3)


def _domain(number: int) -> str:
    return f"storm{number:03d}.com"


def run_storm(
    storage: Storage,
    *,
    orders: int,
    seed: int,
    home: Path,
    workers: int = 2,
    every: float = 2.0,
    calm: float = 3.0,
    lasts: float = 240.0,
    limit: float = 3600.0,
    say: Callable[[str], None] = print,
) -> Report:
    """One storm. ``every``: mean seconds between two orders; ``calm``: between two faults; ``lasts``: how long there
    are faults; ``limit``: longest wait for things to settle once they are over."""
    report = Report(storage.name, seed, orders, str(home))
    settings = {"LEASE_SECONDS": str(LEASE), "DATABASE_BUSY_SECONDS": str(BUSY_SECONDS), "WORKERS": "3"}
    begin = time.monotonic()
    with installation(home, pace=PACE, storage=storage, **settings) as demo, demo.api("storm") as client:
        quick_retries(demo.fleet, attempts=25, delay=0.5)
        client.timeout = 10
        mischief = Mischief(
            demo, random.Random(f"{seed} faults"), workers=workers, busy_seconds=BUSY_SECONDS, lease=LEASE
        )
        customers = Customers(client, random.Random(f"{seed} orders"), orders, every)
        mischief.plant(PLANTED)
        customers.start()
        _faults(demo, mischief, customers, random.Random(f"{seed} script"), calm, lasts)
        mischief.heal()
        report.figures["storm_s"] = round(time.monotonic() - begin, 1)
        say(f"{storage.name}: the storm is over after {report.figures['storm_s']} s, {_open(demo)} tasks are open")
        report.figures["staff_retries"] = _mend(demo, mischief, customers, limit, report)
        customers.stop.set()
        customers.join(60)
        report.violations += customers.trouble
        mischief.settle_accounts()
        report.faults = mischief.counts
        report.figures |= _figures(demo, customers)
        report.violations += truth.everything(demo.fleet, demo.servers)
        with contextlib.suppress(AssertionError):
            nothing_is_left_of_runs(demo)
        report.violations += [f"still running: {line}" for line in leftovers(demo)]
        report.violations += [f"run folder left: {path.name}" for path in demo.settings.run_dir.glob("task-*")]
        database = demo.fleet.database
    report.violations += [f"still running after the end: {line}" for line in _processes_of(home)]
    database.dispose()
    report.figures["seconds"] = round(time.monotonic() - begin, 1)
    return report


def _faults(
    demo: Demo, mischief: Mischief, customers: Customers, chance: random.Random, calm: float, lasts: float
) -> None:
    """Faults for a while, or until nothing is left to disturb; each kind once, then as it comes."""
    script = _script(mischief, chance)
    began = time.monotonic()
    next_at = began + calm
    while time.monotonic() < began + lasts and (customers.is_alive() or script.first_round or _open(demo)):
        with contextlib.suppress(DBAPIError):
            mischief.tend()
            if time.monotonic() >= next_at:
                next_at = time.monotonic() + chance.expovariate(1 / calm)
                script.next()()
        time.sleep(0.1)


@dataclass
class _Script:
    """Which fault comes next: every kind once in a random order, then any."""

    first_round: list[Callable[[], None]]
    kinds: list[Callable[[], None]]
    chance: random.Random

    def next(self) -> Callable[[], None]:
        return self.first_round.pop() if self.first_round else self.chance.choice(self.kinds)


def _script(mischief: Mischief, chance: random.Random) -> _Script:
    kinds = mischief.kinds
    first_round = list({kind.__name__: kind for kind in kinds}.values())
    chance.shuffle(first_round)
    return _Script(first_round, kinds, chance)


def _open(demo: Demo) -> int:
    with contextlib.suppress(DBAPIError), demo.fleet.database.read() as session:
        query = select(func.count()).select_from(Task)
        return session.scalar(query.where(Task.status.not_in((*FINAL_TASK_STATES, TaskStatus.HELD)))) or 0
    return 1000


def _mend(demo: Demo, mischief: Mischief, customers: Customers, limit: float, report: Report) -> int:
    """Wait until nothing moves; try again what failed for good, as staff would. Returns how many tasks that were."""
    deadline = time.monotonic() + limit
    retried = 0
    for _ in range(ROUNDS):
        while _open(demo):
            if time.monotonic() > deadline:
                report.violations.append(f"{_open(demo)} tasks are still open {limit:.0f} s after the faults ended")
                return retried
            mischief.tend()
            time.sleep(0.2)
        again = _retry_failed(demo)
        if not again and not customers.is_alive():
            break
        retried += again
        customers.join(2.0)
    return retried


def _retry_failed(demo: Demo) -> int:
    """Staff's retry for every task that failed and still matters; a redeploy where nothing is left to retry."""
    retried = 0
    with demo.fleet.database.read() as session:
        wrong = [
            service.id
            for service in session.scalars(select(Service))
            if service.status != truth.LAST_WISH[service.desired]
        ]
    for service_id in wrong:
        with demo.fleet.database.read() as session:
            query = select(Task.id).where(Task.service_id == service_id, Task.resource_id.is_not(None))
            newest = select(func.max(Task.pipeline_id)).where(Task.service_id == service_id).scalar_subquery()
            failed = list(session.scalars(query.where(Task.status == TaskStatus.FAILED, Task.pipeline_id == newest)))
        for task_id in failed:
            with contextlib.suppress(Refused):
                tasks.retry(demo.fleet, "staff", task_id)
        if not failed:
            services.redeploy(demo.fleet, "staff", service_id)
        retried += len(failed) or 1
    return retried


def _figures(demo: Demo, customers: Customers) -> dict[str, Any]:
    with demo.fleet.database.read() as session:
        rows = session.execute(select(Service.desired, func.count()).group_by(Service.desired))
        wishes = {desired: number for desired, number in rows}  # noqa: C416
        count, claims = session.execute(select(func.count(), func.sum(Task.fence)).select_from(Task)).one()
    return {
        "services": {desired.value: wishes.get(desired, 0) for desired in Desired},
        "asked": dict(customers.asked),
        "requests_repeated": customers.repeated,
        "tasks": count,
        "claims": int(claims or 0),
    }


def _processes_of(home: Path) -> Iterator[str]:
    """What still runs of an installation that was stopped; shared SSH masters end by themselves."""
    for entry in Path("/proc").glob("[0-9]*"):
        command = command_line(int(entry.name))
        if str(home) in command and "[mux]" not in command:
            yield command


def table(report: Report) -> str:
    """Faults and how often, for a person."""
    rows = "\n".join(f"  {name:<28}{count:>6}" for name, count in sorted(report.faults.items()))
    return f"{report.storage}: {sum(report.faults.values())} faults\n{rows}"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 if everything held on every storage."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.storm", description=__doc__)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--storage", choices=(*NAMES, "both"), default="both")
    parser.add_argument("--workers", type=int, default=2, choices=(1, 2, 3), help="worker processes")
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    good = True
    for name in NAMES if given.storage == "both" else (given.storage,):
        folder = Path(tempfile.mkdtemp(prefix=f"hestia-fleet-storm-{name}-"))
        with contextlib.ExitStack() as stack:
            storage = Storage(name)
            if name != "sqlite":
                storage = stack.enter_context(stack.enter_context(servers()).storage())
            report = run_storm(
                storage, orders=given.orders, seed=given.seed, home=folder / "home", workers=given.workers
            )
        print(table(report))
        for words in report.violations:
            print(f"  VIOLATION {words}")
        print(report.line(), flush=True)
        good = good and report.ok
        if report.ok:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"everything is kept in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
