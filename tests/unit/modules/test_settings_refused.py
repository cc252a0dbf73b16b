"""A push of which the panel refuses something: the rest is done, all that was refused is told, nothing is half open."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.hestia_config import Settings
from ansible.module_utils.hestia_config_order import first_of
from ansible.module_utils.hestia_panel import PanelError

from controller.sandbox.server import SandboxServer
from tests.unit.modules.stand_in import conf, run, twice, wish

VALUE = "v-change-sys-config-value"
RESTARTED = "Error: ERROR: Restart of {} failed."


def refused(settings: list[dict[str, str]]) -> PanelError:
    with pytest.raises(PanelError) as caught:
        run(Settings, settings=settings)
    return caught.value


def reasons(error: PanelError) -> dict[str, str]:
    found: dict[str, str] = error.details["facts"]["refused"]
    return found


def test_what_is_refused_keeps_nothing_else_from_being_set(server: SandboxServer) -> None:
    before = conf(server)
    good = [wish("DB_PMA_ALIAS", "tables", "pma_alias"), wish("INACTIVE_SESSION_TIMEOUT", "41")]
    bad = [wish("LANGUAGE", "xx", "language"), wish("BACKEND_PORT", "8080", "panel_port")]
    settings = [bad[0], good[0], bad[1], good[1]]
    shown = run(Settings, check=True, settings=settings)
    assert set(shown["diff"]["after"]) == {each["key"] for each in settings}

    error = refused(settings)
    assert error.message == (
        "2 of 4 settings could not be set, the others are as wanted. "
        "LANGUAGE: v-change-sys-language ended with 3 (does not exist): language xx doesn't exist; "
        "BACKEND_PORT: v-change-sys-port ended with 7 (is in use): Port is already used by Hestia, "
        "please set anotherone!"
    )
    assert error.error_class == "refused"
    assert set(reasons(error)) == {"LANGUAGE", "BACKEND_PORT"}
    assert error.details["facts"]["settings"] == {
        "LANGUAGE": before["LANGUAGE"],
        "DB_PMA_ALIAS": "tables",
        "BACKEND_PORT": before["BACKEND_PORT"],
        "INACTIVE_SESSION_TIMEOUT": "41",
    }
    assert error.details["changed"]
    assert error.details["diff"]["before"]["DB_PMA_ALIAS"] == before["DB_PMA_ALIAS"]
    assert conf(server) == before | {"DB_PMA_ALIAS": "tables", "INACTIVE_SESSION_TIMEOUT": "41"}
    assert "location /tables {" in (server.root / "etc/nginx/conf.d/phpmyadmin.inc").read_text()

    # Again: only what is not right yet. Without it there is nothing to do.
    again = refused(settings)
    assert again.message == error.message
    assert not again.details["changed"]
    assert not run(Settings, settings=good)["changed"]


def test_one_refused_line_of_many_and_the_same_reason_for_several(server: SandboxServer) -> None:
    server.faults.fail(VALUE, 2, times=2, message="Error: not here")
    error = refused([wish("APP_NAME", "One"), wish("TITLE", "Two"), wish("HIDE_DOCS", "yes"), wish("THEME", "flat")])
    words = f"2 of 4 settings could not be set, the others are as wanted. APP_NAME, TITLE: {VALUE} ended with 2 "
    assert error.message == f"{words}(invalid value): not here"
    assert error.error_class == "bad_argument"
    assert (conf(server)["HIDE_DOCS"], conf(server)["THEME"]) == ("yes", "flat")
    alone = wish("LANGUAGE", "xx", "language")
    assert refused([alone]).message.startswith("LANGUAGE: v-change-sys-language ended with 3")
    both = refused([alone, wish("BACKEND_PORT", "8080", "panel_port")])
    assert both.message.startswith("LANGUAGE: v-change")
    assert "; BACKEND_PORT: v-change-sys-port ended with 7" in both.message


def test_a_command_this_panel_does_not_have_is_one_settings_trouble(server: SandboxServer) -> None:
    (server.hestia / "bin/v-add-sys-cgroups").rename(server.hestia / "bin/v-away")
    try:
        error = refused([wish("RESOURCES_LIMIT", "yes", "cgroups"), wish("LANGUAGE", "de", "language")])
    finally:
        (server.hestia / "bin/v-away").rename(server.hestia / "bin/v-add-sys-cgroups")
    assert reasons(error) == {"RESOURCES_LIMIT": "this panel has no command v-add-sys-cgroups"}
    assert conf(server)["LANGUAGE"] == "de"


@pytest.mark.parametrize(
    ("exit_code", "message", "kind"),
    [(14, "Error: load is high", "busy"), (2, "E: Could not get lock /var/lib/dpkg/lock", "busy"), (13, "", "no_room")],
)
def test_what_concerns_the_server_ends_the_push_at_once(
    server: SandboxServer, exit_code: int, message: str, kind: str
) -> None:
    before = conf(server)
    server.faults.fail(VALUE, exit_code, message=message)
    error = refused([wish("APP_NAME", f"At once {exit_code}"), wish("TITLE", f"At once {exit_code}")])
    assert error.error_class == kind
    assert conf(server) == before


def test_a_command_that_hangs_ends_the_push_at_once(server: SandboxServer) -> None:
    before = conf(server)
    server.faults.hang("v-change-sys-language", 60)
    with pytest.raises(PanelError, match="did not end within") as caught:
        run(
            Settings,
            command_timeout=0.5,
            settings=[wish("LANGUAGE", "fr", "language"), wish("BACKEND_PORT", "9200", "panel_port")],
        )
    assert caught.value.error_class == "timeout"
    assert conf(server) == before


def test_a_command_that_is_killed_every_time_is_one_settings_trouble(server: SandboxServer) -> None:
    server.faults.die("v-change-sys-language", "start", times=2)
    error = refused([wish("LANGUAGE", "it", "language"), wish("BACKEND_PORT", "9300", "panel_port")])
    assert reasons(error) == {"LANGUAGE": "v-change-sys-language was killed by signal 9"}
    assert error.error_class == "inconsistent"
    assert conf(server)["BACKEND_PORT"] == "9300"


def test_what_opens_a_door_comes_after_what_says_for_whom(server: SandboxServer) -> None:
    before = conf(server)
    page = server.hestia / "web/api/index.php"
    assert server.panel("v-change-sys-api", "disable").returncode == 0
    closed = page.read_text()
    settings = [
        wish("API", "yes", "api"),
        wish("API_SYSTEM", "2", "api"),
        wish("API_ALLOWED_IP", "192.0.2.7"),
        wish("FROM_NAME", "Acme"),
    ]
    server.faults.fail(VALUE, 2, message="Error: no")
    error = refused(settings)
    because = "not tried, because API_ALLOWED_IP has to be set first"
    assert reasons(error) == {"API_ALLOWED_IP": f"{VALUE} ended with 2 (invalid value): no"} | dict.fromkeys(
        ("API", "API_SYSTEM"), because
    )
    now = conf(server)
    assert (now["API"], now["API_SYSTEM"], now["FROM_NAME"]) == ("no", "0", "Acme")
    assert page.read_text() == closed
    twice(Settings, settings=settings)
    assert (conf(server)["API"], conf(server)["API_ALLOWED_IP"]) == ("yes", "192.0.2.7")
    twice(Settings, settings=[wish("API", before["API"], "api"), wish("API_SYSTEM", before["API_SYSTEM"], "api")])


@pytest.mark.parametrize(
    ("key", "wanted", "first"),
    [
        ("API", {"API": "no"}, ()),
        ("API_SYSTEM", {"API_SYSTEM": "0"}, ()),
        ("API_SYSTEM", {"API_SYSTEM": "1"}, ("API_ALLOWED_IP",)),
        ("API_ALLOWED_IP", {"API_ALLOWED_IP": "allow-all", "API": "no", "API_SYSTEM": "2"}, ("API",)),
        ("API_ALLOWED_IP", {"API_ALLOWED_IP": "allow-all", "API": "yes"}, ()),
        ("BACKUP_MODE", {"BACKUP_MODE": "gzip", "BACKUP_GZIP": "9"}, ("BACKUP_GZIP",)),
        ("BACKUP_GZIP", {"BACKUP_MODE": "gzip", "BACKUP_GZIP": "9"}, ()),
        ("BACKUP_MODE", {"BACKUP_MODE": "zstd", "BACKUP_GZIP": "19"}, ()),
        ("BACKUP_GZIP", {"BACKUP_MODE": "zstd", "BACKUP_GZIP": "19"}, ("BACKUP_MODE",)),
        ("BACKUP_GZIP", {"BACKUP_GZIP": "5"}, ()),
    ],
)
def test_what_comes_first(key: str, wanted: dict[str, str], first: tuple[str, ...]) -> None:
    assert first_of(key, wanted) == first


def test_backups_go_on_working(server: SandboxServer) -> None:
    gzip, nine = wish("BACKUP_MODE", "gzip"), wish("BACKUP_GZIP", "9")
    zstd, most = wish("BACKUP_MODE", "zstd"), wish("BACKUP_GZIP", "19")
    twice(Settings, settings=[most, zstd])
    assert reasons(refused([gzip])) == {
        "BACKUP_MODE": "backups would fail: with BACKUP_MODE gzip BACKUP_GZIP goes to 9, not to 19"
    }
    # In both directions, and in whatever order they are given; the second one waits for the first.
    server.faults.fail(VALUE, 2, message="Error: no")
    assert set(reasons(refused([gzip, nine]))) == {"BACKUP_MODE", "BACKUP_GZIP"}
    assert (conf(server)["BACKUP_MODE"], conf(server)["BACKUP_GZIP"]) == ("zstd", "19")
    twice(Settings, settings=[gzip, nine])
    server.faults.fail(VALUE, 2, message="Error: no")
    assert set(reasons(refused([most, zstd]))) == {"BACKUP_MODE", "BACKUP_GZIP"}
    assert (conf(server)["BACKUP_MODE"], conf(server)["BACKUP_GZIP"]) == ("gzip", "9")
    assert set(reasons(refused([most]))) == {"BACKUP_GZIP"}


@pytest.fixture
def tools(server: SandboxServer) -> Any:
    """Both database tools, phpMyAdmin under /mysql and phpPgAdmin under /postgres."""
    include = server.root / "etc/nginx/conf.d/phppgadmin.inc"
    include.write_text("location /postgres {\n}\n")
    pattern = server.hestia / "install/deb/nginx/phppgadmin.inc"
    pattern.write_text("location /%pga_alias% {\n}\n")
    twice(Settings, settings=aliases("mysql", "postgres"))
    yield server
    include.unlink()
    pattern.unlink()


def aliases(pma: str, pga: str) -> list[dict[str, str]]:
    return [wish("DB_PMA_ALIAS", pma, "pma_alias"), wish("DB_PGA_ALIAS", pga, "pga_alias")]


def test_a_path_is_free_before_the_other_tool_gets_it(tools: SandboxServer) -> None:
    done = twice(Settings, settings=aliases("postgres", "pgsql"))
    assert done["actions"].count("v-change-sys-db-alias") == 2
    lines = (tools.hestia / "log/system.log").read_text().splitlines()
    said = [line.rpartition("v-change-sys-db-alias")[2].split() for line in lines if "v-change-sys-db-alias" in line]
    assert said[-2:] == [["'pga'", "'pgsql'"], ["'pma'", "'postgres'"]]


def test_two_paths_that_wait_for_each_other_are_left_as_they_are(tools: SandboxServer) -> None:
    before = conf(tools)
    shown = run(Settings, check=True, settings=aliases("postgres", "mysql"))
    assert shown["changed"]
    error = refused(aliases("postgres", "mysql"))
    assert reasons(error) == {
        "DB_PMA_ALIAS": "not tried, because DB_PGA_ALIAS has to be set first",
        "DB_PGA_ALIAS": "not tried, because DB_PMA_ALIAS has to be set first",
    }
    assert error.error_class == "refused"
    assert conf(tools) == before


def test_a_path_that_is_not_freed_is_not_taken(tools: SandboxServer) -> None:
    before = conf(tools)
    tools.faults.fail("v-restart-service", at="start", exit_code=20, message=RESTARTED.format("nginx"))
    error = refused(aliases("postgres", "taken"))
    assert reasons(error) == {
        "DB_PGA_ALIAS": "nginx does not start with the path /taken; it is back on /postgres",
        "DB_PMA_ALIAS": "not tried, because DB_PGA_ALIAS has to be set first",
    }
    assert conf(tools) == before


def test_a_web_server_that_does_not_start_is_told_until_it_does(server: SandboxServer) -> None:
    """Also when the path is the right one by then, and beside what else was refused."""
    twice(Settings, settings=[wish("DB_PMA_ALIAS", "mysql", "pma_alias")])
    (server.root / "etc/nginx/conf.d/phpmyadmin.inc").write_text("# by hand\n")
    settings = [wish("DB_PMA_ALIAS", "mysql", "pma_alias"), wish("LANGUAGE", "xx", "language")]
    broken = RESTARTED.format("nginx")
    server.faults.fail("v-restart-service", at="start", exit_code=20, message=broken, times=9)
    error = refused(settings)
    assert error.error_class == "restart_failed"
    assert "DB_PMA_ALIAS: apache2 could not be restarted" in error.message.replace("nginx could", "apache2 could")
    assert "LANGUAGE: v-change-sys-language" in error.message
    assert f"; besides, {error.details['facts']['besides']}" in error.message
    server.faults.clear()
    server.faults.fail("v-restart-service", at="start", exit_code=20, message=broken, times=9)
    with pytest.raises(PanelError, match="v-restart-web ended with 20"):
        run(Settings, settings=settings[:1])
    server.faults.clear()
    done = run(Settings, settings=settings[:1])
    assert done["repaired"] == ["reload of web and proxy"]
    assert not run(Settings, settings=settings[:1])["changed"]


def test_a_folder_in_the_place_of_a_file_is_one_settings_trouble(server: SandboxServer) -> None:
    page = server.hestia / "web/api/index.php"
    text = page.read_text()
    page.unlink()
    page.mkdir()
    try:
        error = refused([wish("API_SYSTEM", "2", "api"), wish("LANGUAGE", "cs", "language")])
    finally:
        page.rmdir()
        page.write_text(text)
    assert "Is a directory" in reasons(error)["API_SYSTEM"]
    assert conf(server)["LANGUAGE"] == "cs"


def test_webmail_keeps_its_name_where_the_new_one_cannot_be_built(server: SandboxServer) -> None:
    for name in ("left", "moved"):
        assert server.panel("v-add-user", name, f"Secret.{name}", f"{name}@fleet.test").returncode == 0
        assert server.panel("v-add-mail-domain", name, f"{name}.test").returncode == 0
    alias = conf(server)["WEBMAIL_ALIAS"]
    server.faults.fail("v-add-mail-domain-webmail", 3, message="Error: IP 192.0.2.11 doesn't exist")
    error = refused([wish("WEBMAIL_ALIAS", "inbox", "webmail_alias"), wish("LANGUAGE", "nl", "language")])
    assert reasons(error) == {
        "WEBMAIL_ALIAS": "left.test: v-add-mail-domain-webmail ended with 3 (does not exist): "
        "IP 192.0.2.11 doesn't exist"
    }
    assert conf(server)["LANGUAGE"] == "nl"
    vhosts = server.state()["vhosts"]
    assert f"{alias}.left.test.conf" in vhosts
    assert "inbox.moved.test.conf" in vhosts
    assert f"{alias}.moved.test.conf" not in vhosts
    twice(Settings, settings=[wish("WEBMAIL_ALIAS", "inbox", "webmail_alias")])
    assert f"{alias}.left.test.conf" not in server.state()["vhosts"]
    twice(Settings, settings=[wish("WEBMAIL_ALIAS", alias, "webmail_alias")])
    for name in ("left", "moved"):
        assert server.panel("v-delete-user", name).returncode == 0


def test_of_a_line_that_is_there_twice_the_last_counts(server: SandboxServer) -> None:
    """As the panel reads them; setting it makes both the same."""
    twice(Settings, settings=[wish("HIDE_DOCS", "no")])
    path = server.hestia / "conf/hestia.conf"
    path.write_text(path.read_text() + "HIDE_DOCS='yes'\n")
    assert not run(Settings, settings=[wish("HIDE_DOCS", "yes")])["changed"]
    assert run(Settings, settings=[wish("HIDE_DOCS", "no")])["changed"]
    assert "HIDE_DOCS='yes'" not in path.read_text()


def test_odd_values_stay_what_they_are(server: SandboxServer) -> None:
    for value in ("{{ 7*7 }} %s $HOME `id` ; # /../", "ünïcode – ✓", "-n", "=", "x  y", "x" * 2000):
        done = twice(Settings, settings=[wish("TITLE", value)])
        assert done["facts"]["settings"]["TITLE"] == value
