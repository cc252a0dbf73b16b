"""The first look at a server: real SSH, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from controller.engine.fleet import Fleet
from controller.operations.errors import Invalid
from controller.operations.server_look import look, look_powerdns
from controller.sandbox.fleet import SandboxFleet, free_port
from controller.sandbox.server import SandboxServer
from controller.sandbox.sshd import make_key
from controller.store.models import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    fleet = SandboxFleet(tmp_path_factory.mktemp("look"))
    made = fleet.add("web01", {"web"})
    fleet.start()
    yield made
    fleet.remove()


def test_it_tells_what_is_there_and_another_key_does_not_get_in_on_the_connection_of_the_first(
    fleet: Fleet, server: SandboxServer, tmp_path: Path
) -> None:
    door = {"address": server.address, "port": server.port, "ssh_user": server.user, "ssh_become": False}
    found = look(fleet, **door, ssh_private_key=server.private_key)
    assert (found.ok, found.problem) == (True, "")
    assert found.key is not None
    assert found.key.line == server.host_key
    assert (found.facts["panel_version"], found.facts["hostname"]) == ("1.9.9", "web01.fleet.test")
    make_key(tmp_path / "other", "other")
    refused = look(fleet, **door, ssh_private_key=(tmp_path / "other").read_text())
    assert not refused.ok
    assert refused.problem.startswith("Login refused")
    with fleet.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Server)) == 0
    assert not list(fleet.settings.run_dir.glob("look-*"))


def test_where_nothing_answers_the_address_is_named(fleet: Fleet, server: SandboxServer) -> None:
    with pytest.raises(Invalid, match="address: no SSH answer"):
        look(fleet, address="127.0.0.1", port=free_port(), ssh_private_key=server.private_key)
    nobody = look_powerdns(fleet, api_url=f"http://127.0.0.1:{free_port()}", api_key="secret")
    assert not nobody.ok
    assert nobody.problem.startswith("Server does not answer")
