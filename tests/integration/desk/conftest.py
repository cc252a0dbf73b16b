"""An installation with two servers, on each storage, and receivers for what it sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update

from controller.domain.failures import ErrorClass
from controller.domain.options import MailOptions, TicketOptions
from controller.domain.words import Driver, Reason, TaskStatus
from controller.engine.fleet import Fleet
from controller.settings import Settings
from controller.store.base import utcnow
from controller.store.desk_models import Delivery
from controller.store.models import Pipeline, Server, Task
from controller.store.options import save
from controller.store.vault import create_key
from tests.support.storages import Storage


@pytest.fixture
def fleet(tmp_path: Path, storage: Storage) -> Iterator[Fleet]:
    settings = Settings(home=tmp_path, public_url="https://fleet.test/", **storage.settings)
    create_key(settings.key_file)
    opened = Fleet.open(settings)
    with opened.database.write() as session:
        for name in ("web01", "web02"):
            session.add(Server(name=name, driver=Driver.HESTIACP, address="127.0.0.1", host_key="k", can_web=True))
    yield opened
    opened.close()


TaskMaker = Callable[..., int]


@pytest.fixture
def ended(fleet: Fleet) -> TaskMaker:
    """Writes a task that has ended; returns its id."""

    def make(
        kind: ErrorClass | None = None,
        *,
        action: str = "web.domain",
        target: str = "a.com",
        server: int = 1,
        check: bool = False,
        error: str = "the panel said no",
    ) -> int:
        with fleet.database.write() as session:
            pipeline = Pipeline(reason=Reason.REDEPLOY)
            session.add(pipeline)
            session.flush()
            task = Task(
                pipeline_id=pipeline.id,
                server_id=server,
                action=action,
                target=target,
                label="Configuring web hosting",
                check_mode=check,
                status=TaskStatus.FAILED if kind else TaskStatus.SUCCEEDED,
                attempt=3,
                error_class=kind.value if kind else None,
                error=error if kind else None,
                finished_at=utcnow(),
            )
            session.add(task)
            session.flush()
            return task.id

    return make


@dataclass
class Receiver:
    """A real HTTP server; answers with the statuses it was given, then with 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    hang: threading.Event | None = None
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    servers: list[ThreadingHTTPServer] = []

    def start() -> Receiver:
        receiver = Receiver()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((dict(self.headers), body))
                if receiver.hang is not None:
                    receiver.hang.wait(120)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        return receiver

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """What a real SMTP server has taken; ``refuse`` names recipients that it does not take."""

    port: int = 0
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address in self.refuse:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


@pytest.fixture
def mailbox(fleet: Fleet) -> Iterator[Mailbox]:
    """A mail server, and an installation that writes to two people over it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        box = Mailbox(port=free.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    with fleet.database.write() as session:
        options = MailOptions(host="127.0.0.1", port=box.port, security="none", sender="fleet@host.test")
        save(session, options, "test")
        save(session, TicketOptions(email_to=["ops@host.test", "boss@host.test"]), "test")
    yield box
    controller.stop()


@pytest.fixture
def make_due(fleet: Fleet) -> Callable[[], None]:
    """Takes the waiting out of back-off."""

    def run() -> None:
        with fleet.database.write() as session:
            session.execute(update(Delivery).values(not_before=utcnow()))

    return run
