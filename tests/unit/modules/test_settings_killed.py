"""Modules that were killed in the middle of a push: whoever comes next on the server, the push is finished later."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from ansible.module_utils.hestia_config import Settings
from ansible.module_utils.hestia_files import StandardFiles
from ansible.module_utils.hestia_lock import LOCK_FILE, ServerLock, read_note
from ansible.module_utils.hestia_panel import PanelError

from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import start_module
from tests.unit.modules.stand_in import conf, run, twice, wish


def note_of(server: SandboxServer) -> dict[str, object]:
    found: dict[str, object] = read_note([str(server.root / "run/lock"), str(server.root / "var/lock")])
    return found


def kill_in(server: SandboxServer, command: str, point: str, settings: list[dict[str, str]]) -> None:
    """As a power cut would: module and command are gone at this point of the command."""
    server.faults.hang(command, 120, at=point)
    module = start_module(server, "hestia_config", settings=settings)
    deadline = time.monotonic() + 60
    while server.faults.pending and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not server.faults.pending
    left = int(str(note_of(server)["pid"]))
    module.send_signal(signal.SIGKILL)
    module.communicate(timeout=30)
    os.killpg(left, signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "point", "wanted", "words", "repaired"),
    [
        (
            "v-change-sys-port",
            "config",
            wish("BACKEND_PORT", "9401", "panel_port"),
            "9401 (not restarted)",
            ["v-restart-service"],
        ),
        (
            "v-add-sys-cgroups",
            "record",
            wish("RESOURCES_LIMIT", "yes", "cgroups"),
            "yes (not for every account)",
            ["v-add-sys-cgroups"],
        ),
    ],
)
def test_others_who_come_first_do_not_make_it_forgotten(
    server: SandboxServer, command: str, point: str, wanted: dict[str, str], words: str, repaired: list[str]
) -> None:
    kill_in(server, command, point, [wanted])
    key = wanted["key"]
    assert conf(server)[key] == wanted["value"]
    # Another module, and a push that is stopped before it comes to it.
    run(StandardFiles, files={"index": None})
    server.faults.fail("v-change-sys-config-value", 14)
    with pytest.raises(PanelError):
        run(Settings, settings=[wish("APP_NAME", f"Stopped {point}"), wanted])
    shown = run(Settings, check=True, settings=[wanted])
    assert shown["changed"]
    assert shown["diff"]["before"] == {key: words}
    done = twice(Settings, settings=[wanted])
    assert done["actions"] == repaired
    assert done["repaired"] == [f"what {key} stands for"]
    assert not run(Settings, check=True, settings=[wanted])["changed"]
    assert note_of(server) == {}


@pytest.mark.parametrize("web_server", ["apache2", "nginx"])
def test_a_web_server_does_not_lose_a_database_tool(server: SandboxServer, web_server: str) -> None:
    """The panel's command removes the include first, and what is not there looks as if it had never been."""
    wanted = wish("DB_PMA_ALIAS", f"lost-{web_server}", "pma_alias")
    kill_in(server, "v-change-sys-db-alias", f"{web_server.removesuffix('2')}-removed", [wanted])
    include = server.root / "etc" / web_server / "conf.d/phpmyadmin.inc"
    assert not include.exists()
    run(StandardFiles, files={"index": None})
    shown = run(Settings, check=True, settings=[wanted])
    assert f"{web_server} has lost it" in shown["diff"]["before"]["DB_PMA_ALIAS"]
    twice(Settings, settings=[wanted])
    assert f"/lost-{web_server} " in include.read_text()
    assert note_of(server) == {}


def test_a_command_that_was_killed_when_all_was_done_is_not_remembered(server: SandboxServer) -> None:
    """Who takes the tool off the server later does not get its includes back."""
    wanted = wish("DB_PMA_ALIAS", "all-done", "pma_alias")
    kill_in(server, "v-change-sys-db-alias", "end", [wanted])
    twice(Settings, settings=[wanted])
    assert note_of(server) == {}


def test_an_emptied_hestia_conf_comes_back_with_whatever_is_done_next(server: SandboxServer) -> None:
    path = server.hestia / "conf/hestia.conf"
    sound = path.read_text()
    for spare in (f"{path}.hestia-fleet", f"{path}.bak"):
        Path(spare).write_text(sound)
        path.write_text("")
        with pytest.raises(PanelError, match="missing or empty"):
            run(StandardFiles, check=True, files={"index": None})
        done = run(StandardFiles, files={"index": None})
        assert done["repaired"] == ["hestia.conf"]
        assert path.read_text() == sound
        assert not Path(spare).exists()


def test_a_note_with_the_end_of_a_longer_one_behind_it_is_read(tmp_path: Path) -> None:
    note = json.dumps({"pending": ["web"]})
    (tmp_path / LOCK_FILE).write_text(note + '"arguments": ["customer-com-web"]}')
    with ServerLock([str(tmp_path)], 1) as lock:
        assert lock.left == {"pending": ["web"]}
    assert read_note([str(tmp_path / "nowhere"), str(tmp_path)]) == {"pending": ["web"]}
    (tmp_path / LOCK_FILE).write_text("[]")
    assert read_note([str(tmp_path)]) == {}
