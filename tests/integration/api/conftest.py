"""The real application over a real database file and queue file; no worker unless a test starts one."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from api_world import API, fill
from starlette.applications import Starlette
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.operations import tokens
from controller.settings import Settings
from controller.web.app import create_app


@pytest.fixture
def filled(fleet: Fleet) -> Fleet:
    fill(fleet)
    return fleet


@pytest.fixture
def app(filled: Fleet) -> Starlette:
    return create_app(filled)


@pytest.fixture
def token(filled: Fleet) -> str:
    return tokens.create(filled, "test", name="admin", scope="admin")[1]


@pytest.fixture
def anyone(app: Starlette) -> TestClient:
    """A client without a token."""
    return TestClient(app, base_url="http://testserver" + API)


@pytest.fixture
def client(app: Starlette, token: str) -> Iterator[TestClient]:
    """A client that may do everything."""
    headers = {"Authorization": f"Bearer {token}"}
    with TestClient(app, base_url="http://testserver" + API, headers=headers) as client:
        yield client


@pytest.fixture
def reader(app: Starlette, filled: Fleet) -> Iterator[TestClient]:
    """A client that may only read."""
    plain = tokens.create(filled, "test", name="reader", scope="read")[1]
    headers = {"Authorization": f"Bearer {plain}"}
    with TestClient(app, base_url="http://testserver" + API, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def world(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Fleet]]:
    """One installation for all examples of a module, with a client that may do everything."""
    home = tmp_path_factory.mktemp("world") / "home"
    shutil.copytree(empty_home, home)
    fleet = Fleet.open(Settings(home=home))
    fill(fleet)
    plain = tokens.create(fleet, "test", name="world", scope="admin")[1]
    headers = {"Authorization": f"Bearer {plain}"}
    yield TestClient(create_app(fleet), base_url="http://testserver" + API, headers=headers), fleet
    fleet.close()


@pytest.fixture
def address(app: Starlette) -> Iterator[str]:
    """Base address of the API, served by uvicorn on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{API}"
        app.state.live.close()
        server.should_exit = True
        thread.join(60)
