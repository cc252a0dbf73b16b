"""A whole installation to try: sandbox servers, worker and web in one go, filled once and found again later."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
from sqlalchemy import select

from controller.automation.supervisor import die_with_parent
from controller.domain.words import Role
from controller.engine.fleet import Fleet
from controller.operations import groups, people, products, servers, tokens
from controller.operations.errors import Conflict
from controller.sandbox.fleet import SandboxFleet, free_port
from controller.settings import Settings
from controller.store.models import Customer, User
from controller.store.queries import find_customer, find_group, find_product, find_server
from controller.store.schema import upgrade
from controller.store.vault import create_key

ACTOR = "demo"
GROUP = "Demo group"
PRODUCT = "Web Hosting M"
STAFF = "staff@demo.test"
CUSTOMER = "customer@demo.test"
CUSTOMER_NAME = "Ada Customer"

ServerSpec = tuple[str, tuple[str, ...], str, str]
"""Name, capabilities, address in a documentation network (RFC 5737), host name."""
SERVERS: tuple[ServerSpec, ...] = (
    ("web01", ("web",), "192.0.2.11", "web01.fleet.test"),
    ("web02", ("web",), "192.0.2.12", "web02.fleet.test"),
    ("mx01", ("mail",), "192.0.2.21", "mx01.fleet.test"),
    ("mx02", ("mail",), "192.0.2.22", "mx02.fleet.test"),
    ("ns1", ("dns",), "192.0.2.31", "ns1.fleet.test"),
    ("ns2", ("dns",), "192.0.2.32", "ns2.fleet.test"),
)
NameserverSpec = tuple[str, str]
"""Name and host name of a nameserver without a panel (PowerDNS)."""
NAMESERVERS: tuple[NameserverSpec, ...] = (("ns3", "ns3.fleet.test"),)
"""Of the demo that people look at."""


class DemoError(RuntimeError):
    """The demo could not come up; the message says what to do."""


class Demo:
    """An installation in one folder. Use as a context manager: everything started is stopped at the end."""

    def __init__(
        self,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        pace: float = 1.0,
        machines: Sequence[ServerSpec] = SERVERS,
        nameservers: Sequence[NameserverSpec] = (),
        pages: bool = True,
    ) -> None:
        self.home = home.resolve()
        self.host, self.port = host, port or free_port()
        self.pace, self.machines, self.nameservers, self.pages = pace, machines, nameservers, pages
        self.settings = Settings(home=self.home)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._worker: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bring everything up and wait until the pages, if there shall be some, answer."""
        self.home.mkdir(parents=True, exist_ok=True)
        create_key(self.settings.key_file)
        upgrade(self.settings.effective_database_url)
        self.servers = SandboxFleet(self.home / "sandbox")
        for name, capabilities, ip, hostname in self.machines:
            if name not in self.servers.servers:
                self.servers.add(name, set(capabilities), ip=ip, hostname=hostname)
        for name, hostname in self.nameservers:
            if name not in self.servers.nameservers:
                self.servers.add_powerdns(name, hostname)
        for server in self.servers:
            server.faults.pace = self.pace
        self.servers.start()
        self.fleet = Fleet.open(self.settings)
        self.start_worker()
        if self.pages:
            self.start_web()
        self._fill()
        if self.pages:
            self._wait_ready()

    def stop(self) -> None:
        """Stop web, worker and servers, in this order; the data stays."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        with contextlib.suppress(AttributeError):
            self.servers.stop()
        with contextlib.suppress(AttributeError):
            self.fleet.close()

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a (new) worker process."""
        self._worker = self._spawn("worker")
        return self._worker

    def start_web(self) -> subprocess.Popen[bytes]:
        """Start a (new) process for pages and API."""
        return self._spawn("serve", "--host", self.host, "--port", str(self.port))

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "HESTIA_FLEET_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        log = (self.home / f"{arguments[0]}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "controller.cli", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is ours to handle: children are stopped in order.
            start_new_session=True,
            # ... and should this process be killed, they end too.
            preexec_fn=partial(die_with_parent, signal.SIGTERM),
        )
        log.close()
        self._processes.append(process)
        return process

    def _wait_ready(self, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for process in self._processes:
                if process.poll() is not None:
                    raise DemoError(f"a process ended at once; see the .log files in {self.home}")
            with contextlib.suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise DemoError(f"the pages do not answer at {self.url}; see {self.home / 'serve.log'}")

    # -- what it is filled with ----------------------------------------------------------------------

    @property
    def staff_password(self) -> str:
        """Password of the demo's owner login; made from the installation's key, stored nowhere."""
        return self.fleet.vault.passphrase("demo staff")

    @property
    def customer_password(self) -> str:
        """Password of the demo's customer login."""
        return self.fleet.vault.passphrase("demo customer")

    def _fill(self) -> None:
        """Everything a first start needs; a later start finds it there."""
        with self.fleet.database.read() as session:
            have_group = find_group(session, GROUP) is not None
            have_product = find_product(session, PRODUCT) is not None
            names = [machine[0] for machine in self.machines] + [name for name, _ in self.nameservers]
            have_servers = {name for name in names if find_server(session, name) is not None}
            have_customer = find_customer(session, CUSTOMER) is not None
            have_logins = set(session.scalars(select(User.email)))
        if not have_group:
            groups.create(self.fleet, ACTOR, name=GROUP, description="Web, mail and DNS servers of the demo")
        for name, capabilities, _, _ in self.machines:
            if name not in have_servers:
                server = self.servers[name]
                servers.add(
                    self.fleet,
                    ACTOR,
                    name=name,
                    address=server.address,
                    port=server.port,
                    capabilities=list(capabilities),
                    group=GROUP,
                    ssh_user=server.user,
                    ssh_private_key=server.private_key,
                    ssh_become=False,
                    capacity=100,
                    dns_port=server.dns_port or 53,
                )
        for name, hostname in self.nameservers:
            if name not in have_servers:
                nameserver = self.servers.nameservers[name]
                servers.add(
                    self.fleet,
                    ACTOR,
                    name=name,
                    address=nameserver.address,
                    driver="powerdns",
                    capabilities=["dns"],
                    group=GROUP,
                    hostname=hostname,
                    api_url=nameserver.api_url,
                    api_key=nameserver.api_key,
                    dns_port=nameserver.dns_port,
                )
        if not have_product:
            products.create(
                self.fleet,
                ACTOR,
                name=PRODUCT,
                mode="split",
                roles=["web", "mail", "dns"],
                group=GROUP,
                description="Website, mailboxes and DNS, each on a server of its own",
                self_service=True,
            )
        if STAFF not in have_logins:
            people.create_user(
                self.fleet, ACTOR, email=STAFF, name="Demo Staff", role=Role.OWNER, password=self.staff_password
            )
        if not have_customer:
            with self.fleet.database.write() as session:
                session.add(Customer(email=CUSTOMER, name=CUSTOMER_NAME))
        if CUSTOMER not in have_logins:
            with self.fleet.database.read() as session:
                customer = find_customer(session, CUSTOMER)
                assert customer is not None
            people.create_user(
                self.fleet,
                ACTOR,
                email=CUSTOMER,
                name=CUSTOMER_NAME,
                role=Role.CUSTOMER,
                password=self.customer_password,
                customer_id=customer.id,
            )

    @contextlib.contextmanager
    def api(self, name: str = "demo") -> Iterator[httpx2.Client]:
        """An HTTP client with a fresh admin token; the token is revoked at the end."""
        try:
            token, plain = tokens.create(self.fleet, ACTOR, name=name, scope="admin")
        except Conflict:
            token, plain = tokens.create(self.fleet, ACTOR, name=f"{name} {time.time_ns()}", scope="admin")
        with httpx2.Client(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {plain}"}, timeout=30
        ) as client:
            yield client
        tokens.revoke(self.fleet, ACTOR, token.id)

    def banner(self) -> str:
        """What a person needs to know."""
        names = [spec[0] for spec in self.machines] + [spec[0] for spec in self.nameservers]
        return f"""
Hestia Fleet is running.

  Open      {self.url}
  Staff     {STAFF}      password  {self.staff_password}
  Customer  {CUSTOMER}   password  {self.customer_password}

  {len(names)} sandbox servers: {", ".join(names)}
  Data in {self.home}

Sign in as customer, order hosting, and watch it being built; or as staff, and see it all.
Ctrl-C stops everything; the data stays for the next start.
"""


def run_demo(home: Path, host: str, port: int) -> None:
    """Run until Ctrl-C or SIGTERM."""
    stop = False

    def ask_to_stop(*_: object) -> None:
        nonlocal stop
        stop = True

    with Demo(home, host=host, port=port, nameservers=NAMESERVERS) as demo:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, ask_to_stop)
        print(demo.banner(), flush=True)  # noqa: T201
        while not stop:
            for process in demo._processes:
                if process.poll() is not None:
                    raise DemoError(f"a process ended; see the .log files in {demo.home}")
            time.sleep(0.2)
        print("Stopping ...", flush=True)  # noqa: T201
