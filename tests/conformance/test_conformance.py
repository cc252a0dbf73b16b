"""HestiaCP's behaviour as a table, held against the stand-in (always) and real servers (when an inventory is named)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import CASES, Target, check, clean_up, load, names, real_targets

from controller.sandbox.fleet import SandboxFleet

REAL = {target.name: target for target in real_targets()}

# One server takes one change at a time, so all of this runs in one worker.
pytestmark = pytest.mark.xdist_group("conformance")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    fleet = SandboxFleet(tmp_path_factory.mktemp("fleet"))
    server = fleet.add("all01", ip="192.0.2.11")
    server.start()
    hosts = server.folder / "known_hosts"
    hosts.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
    options = ["-i", str(server.folder / "login_key"), "-o", f"UserKnownHostsFile={hosts}", "-o", "IdentitiesOnly=yes"]
    target = Target(server.name, server.address, server.port, server.user, options, real=False)
    yield target
    target.close()
    fleet.stop()


@pytest.fixture(scope="module", params=["sandbox", *REAL])
def target(request: pytest.FixtureRequest) -> Target:
    if request.param == "sandbox":
        found: Target = request.getfixturevalue("sandbox")
        return found
    return REAL[request.param]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_commands(path: Path, target: Target) -> None:
    values = names(target)
    assert values["ip"], "the server has no address, or cannot be reached"
    wrong: list[str] = []
    try:
        for step in load(path, values):
            wrong += check(step, target)
    finally:
        clean_up(target, values)
    assert not wrong, f"{len(wrong)} differences\n\n" + "\n\n".join(wrong)
