"""A push of standard files of which some cannot be written, and what a killed module leaves beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.hestia_files import StandardFiles
from ansible.module_utils.hestia_panel import PanelError

from controller.sandbox.panel_files import PAGES
from controller.sandbox.server import SandboxServer
from tests.unit.modules.stand_in import run, twice


def own(server: SandboxServer, name: str) -> Path:
    return server.hestia / "data/templates/web" / name


@pytest.fixture
def folder_in_place(server: SandboxServer) -> Iterator[Path]:
    """Somebody has made a folder where the robots.txt of new sites was."""
    page = own(server, "skel/public_html/robots.txt")
    page.unlink()
    page.mkdir()
    yield page
    if page.is_dir():
        page.rmdir()
    page.write_text(PAGES["skel/public_html/robots.txt"])


@pytest.fixture
def unserved(server: SandboxServer) -> Iterator[Path]:
    """The web server's page for unassigned addresses is another one."""
    site = next((server.root / "etc/apache2/conf.d").glob("*.*.*.*.conf"))
    text = site.read_text()
    site.write_text("DocumentRoot /srv/pages/\n")
    yield site
    site.write_text(text)


def test_a_file_that_cannot_be_written_keeps_no_other_from_it(
    server: SandboxServer, folder_in_place: Path, unserved: Path
) -> None:
    files = {"unassigned": "ours", "robots": "ours", "index": "ours", "suspended": "ours"}
    shown = run(StandardFiles, check=True, files=files)
    assert set(shown["diff"]["after"]) == set(files)
    assert shown["diff"]["before"]["robots"].endswith("robots.txt is not a file")
    with pytest.raises(PanelError) as caught:
        run(StandardFiles, files=files)
    error = caught.value
    assert error.message.startswith("2 of 4 files could not be written, the others are as wanted. unassigned: ")
    assert error.error_class == "refused"
    assert set(error.details["facts"]["refused"]) == {"unassigned", "robots"}
    assert own(server, "skel/public_html/index.html").read_text() == "ours"
    assert own(server, "suspend/index.html").read_text() == "ours"
    assert (server.root / "var/www/html/index.html").read_text() == PAGES["unassigned/index.html"]
    # What nobody wants otherwise is left alone, whatever it is.
    assert not run(StandardFiles, files={"robots": None, "index": "ours", "suspended": "ours"})["changed"]
    # The panel's own comes back beside what is in the way.
    with pytest.raises(PanelError, match="1 of 3 files could not be written") as caught:
        run(StandardFiles, files={"robots": "ours", "index": None, "suspended": None})
    assert own(server, "suspend/index.html").read_text() == PAGES["suspend/index.html"]
    assert caught.value.details["changed"]
    folder_in_place.rmdir()
    twice(StandardFiles, files={"robots": "ours", "index": None})
    twice(StandardFiles, files={"robots": None})
    assert not folder_in_place.exists(), "there was none before"


def test_a_link_to_itself_is_one_files_trouble(server: SandboxServer) -> None:
    page = own(server, "skel/document_errors/404.html")
    text = page.read_text()
    page.unlink()
    page.symlink_to(page)
    with pytest.raises(PanelError, match=r"1 of 2 files could not be written.*error_404: .*symbolic links"):
        run(StandardFiles, files={"error_404": "ours", "index": "ours"})
    assert own(server, "skel/public_html/index.html").read_text() == "ours"
    page.unlink()
    page.write_text(text)
    twice(StandardFiles, files={"error_404": None, "index": None})


def test_a_reload_that_fails_is_told_beside_what_could_not_be_written(
    server: SandboxServer, folder_in_place: Path
) -> None:
    broken = "Error: ERROR: Restart of nginx failed."
    server.faults.fail("v-restart-service", at="start", exit_code=20, message=broken, times=9)
    with pytest.raises(PanelError) as caught:
        run(StandardFiles, files={"robots": "ours", "suspended": "ours"})
    assert caught.value.error_class == "restart_failed"
    assert "robots: " in caught.value.message
    assert "; besides, v-restart-proxy ended with 20" in caught.value.message
    server.faults.clear()
    folder_in_place.rmdir()
    done = run(StandardFiles, files={"robots": None, "suspended": None})
    assert done["changed"]
    assert not run(StandardFiles, files={"robots": None, "suspended": None})["changed"]


def test_half_a_file_of_a_killed_module_reaches_no_new_site(server: SandboxServer) -> None:
    half = own(server, "skel/public_html/index.html.hestia-fleet")
    half.write_text("ha")
    run(StandardFiles, check=True, files={"index": None})
    assert half.exists()
    done = run(StandardFiles, files={"index": None})
    assert done["repaired"] == ["half a file beside /usr/local/hestia/data/templates/web/skel/public_html/index.html"]
    assert not half.exists()
