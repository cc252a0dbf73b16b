"""``init``, ``serve`` and ``worker``."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from typing import Annotated, Any

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    Failed,
    PasswordFromStdin,
    actor,
    opened,
    out,
    out_json,
    password_from,
)

OwnerEmail = Annotated[str, typer.Option("--owner-email", help="Also make an owner's login with this address.")]
OwnerName = Annotated[str, typer.Option("--owner-name", help="Name of the owner.")]


def init(
    owner_email: OwnerEmail = "",
    owner_name: OwnerName = "Owner",
    password_stdin: PasswordFromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Make the key, bring the database to this version; safe to repeat."""
    from controller.engine.fleet import Fleet
    from controller.operations import people
    from controller.settings import Settings
    from controller.store.schema import upgrade
    from controller.store.vault import create_key

    settings = Settings()
    # Asked first: nothing is half done when there is no password to be had.
    password = password_from(password_stdin, "Password of the owner") if owner_email else ""
    create_key(settings.key_file)
    upgrade(settings.effective_database_url)
    made: dict[str, Any] = {"home": str(settings.home), "key_file": str(settings.key_file), "owner": None}
    if owner_email:
        fleet = Fleet.open(settings)
        try:
            user = people.create_user(
                fleet, actor(), email=owner_email, name=owner_name, role="owner", password=password
            )
        finally:
            fleet.close()
        made["owner"] = user.email
    if as_json:
        out_json(made)
        return
    out(f"Ready in {settings.home}")
    if made["owner"]:
        out(f"Owner {made['owner']} may sign in")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
) -> None:
    """Serve the pages and the API until stopped."""
    import uvicorn

    from controller.web.app import create_app

    configure_logging()
    with opened() as fleet:
        app = create_app(fleet)

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # Open streams would hold the process until their deadline.
                app.state.live.close()
                await super().shutdown(sockets)

        server = Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                access_log=access_log,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=10,
                lifespan="on",
            )
        )
        listener = _listen(host, port)
        out(f"Serving on http://{_shown(host)}:{listener.getsockname()[1]}")
        sys.stdout.flush()
        # uvicorn raises the signal that stopped it once more when it is done: being told to stop is no failure.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: setattr(server, "should_exit", True))
        server.run(sockets=[listener])
        if not server.started:
            raise Failed("the web server could not start; see the log above")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as problem:
        raise Failed(f"cannot listen on {host} port {port}: {problem.strerror or problem}") from None
    os.set_inheritable(listener.fileno(), False)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def worker(
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Tasks to run side by side.", show_default=False)
    ] = None,
    nice: Annotated[int, typer.Option("--nice", min=0, max=19, help="How far to stand back for other processes.")] = 5,
) -> None:
    """Run tasks until stopped; tasks that run then are handed back."""
    from controller.automation.supervisor import stand_back
    from controller.engine.fleet import Fleet
    from controller.engine.worker import Worker
    from controller.settings import Settings

    configure_logging()
    with opened():
        pass
    fleet = Fleet.open(Settings() if workers is None else Settings(workers=workers))
    # An order has to be answered at once, a deployment can wait some milliseconds for it.
    stand_back(nice)
    try:
        Worker(fleet).serve()
    finally:
        fleet.close()


def configure_logging() -> None:
    """One line per event on stderr; ``HESTIA_FLEET_LOG_LEVEL`` sets how much."""
    level = os.environ.get("HESTIA_FLEET_LOG_LEVEL", "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        raise BadInput(f"HESTIA_FLEET_LOG_LEVEL: there is no level {level}")
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for chatty in ("alembic", "huey", "httpx2"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
