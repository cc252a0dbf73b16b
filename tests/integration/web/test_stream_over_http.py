"""The streams as a browser sees them, on a real server; and an end of the server that does not hang on them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest

from controller.store.models import Activity
from tests.integration.web.world import PASSWORD, TOKEN, World

SERVE = """
import sys, uvicorn
from pathlib import Path
from controller.engine.fleet import Fleet
from controller.settings import Settings
from controller.web.app import create_app
app = create_app(Fleet.open(Settings(home=Path(sys.argv[1]))))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


@pytest.fixture
def served(world: World) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(world.fleet.settings.home), str(port)])
    address = f"http://127.0.0.1:{port}"
    for _ in range(150):
        try:
            httpx2.get(f"{address}/healthz")
            break
        except httpx2.TransportError:
            time.sleep(0.1)
    yield process, address
    if process.poll() is None:
        process.kill()
    process.wait()


def signed_in(address: str, who: str) -> httpx2.Client:
    client = httpx2.Client(base_url=address, timeout=60)
    found = TOKEN.search(client.get("/login").text)
    assert found
    form = {"csrf_token": found[1], "email": f"{who}@example.net", "password": PASSWORD}
    assert client.post("/login", data=form).status_code == 303
    return client


def test_replay_from_the_last_event_id(world: World, served: tuple[subprocess.Popen[bytes], str]) -> None:
    _, address = served
    path = f"/panel/services/{world.ben_service}/stream"
    with world.fleet.database.write() as session:
        rows = [Activity(service_id=world.ben_service, kind="test", message=f"number {n}") for n in range(4)]
        session.add_all(rows)
        session.flush()
        numbers = [row.id for row in rows]
    client = signed_in(address, "ben")
    # The page was drawn long ago, but the browser knows better.
    headers = {"last-event-id": str(numbers[1]), "accept": "text/event-stream"}
    with client.stream("GET", f"{path}?after=0", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert "no-store" in answer.headers["cache-control"]
        lines = []
        for line in answer.iter_lines():
            lines.append(line)
            if "number 3" in line:
                break
    got = [int(line.removeprefix("id: ")) for line in lines if line.startswith("id:")]
    assert got == numbers[2:]
    assert "retry: 1000" in lines


def test_the_server_stops_with_pages_open(world: World, served: tuple[subprocess.Popen[bytes], str]) -> None:
    process, address = served
    client = signed_in(address, "anna")
    with client.stream("GET", f"/panel/services/{world.anna_service}/stream") as answer:
        lines = answer.iter_lines()
        next(lines)
        process.send_signal(signal.SIGINT)
        for _line in lines:
            pass  # to its end: a stream that was cut off would raise here
        process.wait(timeout=60)
