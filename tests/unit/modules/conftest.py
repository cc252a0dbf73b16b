"""The modules' shared code is found as on a server: below ansible.module_utils."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ansible.module_utils
import pytest

from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.server import SandboxServer

_SHARED = str(Path(__file__).parents[3] / "module_utils")
if _SHARED not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_SHARED)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A web and mail server; nothing of it needs to run, the commands are called here."""
    fleet = SandboxFleet(tmp_path_factory.mktemp("fleet"))
    yield fleet.add("server", {"web", "mail"})


@pytest.fixture
def server(made: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    monkeypatch.setenv("HESTIA", str(made.hestia))
    made.faults.clear()
    yield made
    made.faults.clear()
