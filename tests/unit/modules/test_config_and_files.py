"""What the modules for settings and standard files refuse, and what they know is what the controller knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.hestia_config import FACTS, Settings
from ansible.module_utils.hestia_config_ways import all_ways
from ansible.module_utils.hestia_files import MAX_BYTES, NAMES, StandardFiles, file_text
from ansible.module_utils.hestia_panel import Panel, PanelError

from controller.domain import standard_files
from controller.domain.config_keys import KEYS, READ_ONLY, VALUE, check


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Panel:
    home = tmp_path / "usr/local/hestia"
    for folder in ("conf", "data/ips", "data/templates/web/skel/document_errors"):
        (home / folder).mkdir(parents=True)
    (home / "conf/hestia.conf").write_text("WEB_SYSTEM='apache2'\nPROXY_SYSTEM='nginx'\n")
    (home / "data/ips/192.0.2.1").touch()
    monkeypatch.setenv("HESTIA", str(home))
    return Panel(check_mode=True)


def test_the_module_knows_what_cannot_be_set() -> None:
    assert {key for key, entry in KEYS.items() if entry.how == READ_ONLY} == FACTS


def test_the_module_knows_every_way_of_its_own(panel: Panel) -> None:
    ways = {key: word for word, way in all_ways(panel).items() for key in way.keys}
    assert ways == {key: entry.how for key, entry in KEYS.items() if entry.how not in (READ_ONLY, VALUE)}


def test_what_the_catalogue_allows_the_module_takes(panel: Panel) -> None:
    examples = {"FROM_EMAIL": "panel@example.com", "API_ALLOWED_IP": "2001:db8::1,192.0.2.1", "TITLE": "{{page}} (é)"}
    settings = []
    for entry in KEYS.values():
        if entry.managed:
            usual = next(iter(entry.choices), str(entry.maximum) if entry.maximum >= 10_080 else "5")
            value = check(entry.key, examples.get(entry.key, usual))
            settings.append({"key": entry.key, "value": value, "how": entry.how})
    assert len(Settings(panel, {"settings": settings}).settings) == len(settings) > 40


@pytest.mark.parametrize(
    ("key", "value", "how", "word"),
    [
        ("WEB_PORT", "8081", "value", "tells what the server has"),
        ("WEB_PORT", "8081", "read_only", "tells what the server has"),
        ("ANTIVIRUS_SYSTEM", "clamav-daemon", "value", "tells what the server has"),
        ("APP_NAME", "Acme", "magic", "there is no way 'magic'"),
        ("DB_PMA_ALIAS", "pma", "value", "is applied as 'pma_alias'"),
        ("APP_NAME", "Acme", "language", "is applied as 'value'"),
        ("APP_NAME", "x'; touch /tmp/pwned; '", "value", "must not hold any of"),
        ("APP_NAME", "a|b", "value", "must not hold any of"),
        ("APP_NAME", "Smith & Sons", "value", "must not hold any of"),
        ("APP_NAME", "two\nlines", "value", "one line"),
        ("APP_NAME", "", "value", "must have 1 to 2000"),
        ("app name", "Acme", "value", "is not a setting"),
        ("DB_PMA_ALIAS", "../etc", "pma_alias", "is not a value it can have"),
        ("WEBMAIL_ALIAS", "www", "webmail_alias", "is not a value it can have"),
        ("BACKEND_PORT", "80", "panel_port", "is not a value it can have"),
        ("BACKEND_PORT", "70000", "panel_port", "is not between"),
        ("API", "2", "api", "is not a value it can have"),
    ],
)
def test_bad_settings_are_refused(panel: Panel, key: str, value: str, how: str, word: str) -> None:
    with pytest.raises(PanelError) as caught:
        Settings(panel, {"settings": [{"key": key, "value": value, "how": how}]})
    assert caught.value.error_class == "bad_argument"
    assert word in caught.value.message


def test_a_setting_is_given_once(panel: Panel) -> None:
    one = {"key": "APP_NAME", "value": "Acme", "how": "value"}
    with pytest.raises(PanelError, match="more than once"):
        Settings(panel, {"settings": [one, one]})


def test_module_and_catalogue_know_the_same_files() -> None:
    assert set(NAMES) == set(standard_files.STANDARD_FILES)
    assert MAX_BYTES == standard_files.MAX_BYTES


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"nonsense": "x"}, "is not a standard file"),
        ({"../../conf/hestia.conf": "x"}, "is not a standard file"),
        ({"index": "x" * (MAX_BYTES + 1)}, "larger than 256 KiB"),
        ({"index": ["x"]}, "must be text"),
        ({"index": 5}, "must be text"),
        ({"index": "a\0b"}, "must be text"),
        ({"index": "\ud800"}, "must be UTF-8 text"),
    ],
)
def test_bad_files_are_refused(panel: Panel, files: dict[str, Any], word: str) -> None:
    with pytest.raises(PanelError) as caught:
        StandardFiles(panel, {"files": files})
    assert caught.value.error_class == "bad_argument"
    assert word in caught.value.message


@pytest.mark.parametrize(
    ("content", "word", "error_class"),
    [
        (b"x" * (MAX_BYTES + 1), "larger than 256 KiB", "refused"),
        (b"\xff\xfe", "not UTF-8 text", "refused"),
        (b"a\0b", "not text", "refused"),
        (None, "has no /usr/local/hestia/data/templates/web/skel/document_errors/404.html", "not_found"),
    ],
)
def test_what_cannot_be_shown_is_said(panel: Panel, content: bytes | None, word: str, error_class: str) -> None:
    page = Path(panel.data("templates/web/skel/document_errors/404.html"))
    if content is not None:
        page.write_bytes(content)
    with pytest.raises(PanelError) as caught:
        file_text(panel, "error_404")
    assert caught.value.error_class == error_class
    assert word in caught.value.message


def test_a_folder_is_no_file(panel: Panel) -> None:
    Path(panel.data("templates/web/skel/document_errors/404.html")).mkdir()
    with pytest.raises(PanelError, match="is not a file"):
        file_text(panel, "error_404")


def test_the_page_of_unassigned_addresses_must_be_served(panel: Panel) -> None:
    site, proxy = (Path(panel.path("etc", name, "conf.d/192.0.2.1.conf")) for name in ("apache2", "nginx"))
    for path in (site, proxy):
        path.parent.mkdir(parents=True)
    proxy.write_text("server { location / { proxy_pass http://192.0.2.1:8080; } }")
    subject = StandardFiles(panel, {"files": {"unassigned": "ours", "index": "ours"}})
    state = subject.look()
    site.write_text("DocumentRoot /srv/pages/")
    # The other files are written first.
    assert subject.next_step(state)
    state.contents["index"] = b"ours"
    state.kept.add("index")
    with pytest.raises(PanelError, match=r"apache2/conf.d/192.0.2.1.conf does not serve /var/www/html"):
        subject.next_step(state)
    site.write_text("DocumentRoot /var/www/html/")
    assert subject.next_step(state)
