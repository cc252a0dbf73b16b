"""Settings and standard files on a stand-in server: what was changed behind them, killed commands, a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils.hestia_config import Settings
from ansible.module_utils.hestia_files import StandardFiles
from ansible.module_utils.hestia_mail import MailDomain
from ansible.module_utils.hestia_panel import PanelError
from ansible.module_utils.hestia_web import WebDomain

from controller.domain.config_keys import for_scope
from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.panel_files import PAGES
from controller.sandbox.server import SandboxServer
from tests.unit.modules.stand_in import conf, do, run, twice, wish


def test_one_tier_only(server: SandboxServer) -> None:
    wishes = {"BACKUP_MODE": "gzip", "PLUGIN_APP_INSTALLER": "false", "POLICY_USER_EDIT_DNS_TEMPLATES": "no"}
    twice(Settings, settings=for_scope(wishes, server.capabilities, "web"))
    after = conf(server)
    assert after["PLUGIN_APP_INSTALLER"] == "false"
    assert (after["BACKUP_MODE"], after["POLICY_USER_EDIT_DNS_TEMPLATES"]) == ("zstd", "yes")


def test_visitors_addresses_go_with_the_name_they_were_logged_for(server: SandboxServer) -> None:
    do(server, "v-add-user", "logged", "Secret.logged", "ops@logged.test")
    do(server, "v-add-web-domain", "logged", "logged.test")
    do(server, "v-add-mail-domain", "logged", "logged.test")
    folder = server.root / "var/log/nginx/domains"
    folder.mkdir(parents=True, exist_ok=True)

    def visited(host: str) -> None:
        for ending in ("log", "log.1", "log.2.gz", "error.log", "bytes"):
            (folder / f"{host}.{ending}").touch()

    def left() -> set[str]:
        return {path.name for path in folder.iterdir()}

    alias = conf(server)["WEBMAIL_ALIAS"]
    visited(f"{alias}.logged.test")
    twice(Settings, settings=[wish("WEBMAIL_ALIAS", "inbox", "webmail_alias")])
    assert not left()
    for host in ("inbox.logged.test", "logged.test", "logged.test.login"):
        visited(host)
    gone = {"user": "logged", "domain": "logged.test", "state": "absent"}
    twice(WebDomain, **gone, ip=None, aliases=None, backend_template=None, proxy_template=None)
    twice(MailDomain, **gone, dkim=True, dkim_bits=2048, antispam=False, antivirus=False)
    assert left() == {f"logged.test.login.{ending}" for ending in ("log", "log.1", "log.2.gz", "error.log", "bytes")}
    do(server, "v-delete-user", "logged")
    twice(Settings, settings=[wish("WEBMAIL_ALIAS", alias, "webmail_alias")])


def test_a_label_that_was_changed_alone_is_drift(server: SandboxServer) -> None:
    twice(Settings, settings=[wish("DB_PMA_ALIAS", "mysql", "pma_alias"), wish("BACKEND_PORT", "9001", "panel_port")])
    do(server, "v-change-sys-config-value", "DB_PMA_ALIAS", "elsewhere")
    do(server, "v-change-sys-config-value", "BACKEND_PORT", "9002")
    wishes = [wish("DB_PMA_ALIAS", "elsewhere", "pma_alias"), wish("BACKEND_PORT", "9002", "panel_port")]
    shown = run(Settings, check=True, settings=wishes)
    assert shown["diff"]["before"] == {
        "DB_PMA_ALIAS": "elsewhere (apache2 has it under /mysql, nginx has it under /mysql)",
        "BACKEND_PORT": "9002 (the panel listens on 9001)",
    }
    assert shown["diff"]["after"] == {"DB_PMA_ALIAS": "elsewhere", "BACKEND_PORT": "9002"}
    done = twice(Settings, settings=wishes)
    assert done["actions"] == ["v-change-sys-db-alias", "v-change-sys-port"]
    assert done["repaired"] == ["what DB_PMA_ALIAS stands for", "what BACKEND_PORT stands for"]
    # The other way round: the port is right, only the label is not. The panel's own command would leave it.
    do(server, "v-change-sys-config-value", "BACKEND_PORT", "8083")
    assert twice(Settings, settings=wishes[1:])["actions"] == ["v-change-sys-config-value"]


def test_a_port_with_which_the_panel_does_not_start_is_taken_back(server: SandboxServer) -> None:
    twice(Settings, settings=[wish("BACKEND_PORT", "9001", "panel_port")])
    server.faults.fail("v-restart-service", at="start", exit_code=20, message="Error: ERROR: Restart of hestia failed.")
    with pytest.raises(PanelError, match="does not start with port 9003; it is back on 9001") as failed:
        run(Settings, settings=[wish("BACKEND_PORT", "9003", "panel_port")])
    assert failed.value.error_class == "refused"
    assert conf(server)["BACKEND_PORT"] == "9001"
    assert " 9001 ssl;" in (server.hestia / "nginx/conf/nginx.conf").read_text()
    assert not run(Settings, settings=[wish("BACKEND_PORT", "9001", "panel_port")])["changed"]


def test_a_path_with_which_a_web_server_does_not_start_is_taken_back(server: SandboxServer) -> None:
    twice(Settings, settings=[wish("DB_PMA_ALIAS", "mysql", "pma_alias")])
    broken = "Error: ERROR: Restart of apache2 failed."
    server.faults.fail("v-restart-service", at="start", exit_code=20, message=broken)
    with pytest.raises(PanelError, match="apache2 does not start with the path /taken; it is back on /mysql"):
        run(Settings, settings=[wish("DB_PMA_ALIAS", "taken", "pma_alias")])
    assert conf(server)["DB_PMA_ALIAS"] == "mysql"
    assert not run(Settings, settings=[wish("DB_PMA_ALIAS", "mysql", "pma_alias")])["changed"]
    # When the server does not start with the old one either, it is something else.
    server.faults.fail("v-restart-service", at="start", exit_code=20, message=broken, times=9)
    with pytest.raises(PanelError, match="apache2 could not be restarted"):
        run(Settings, settings=[wish("DB_PMA_ALIAS", "taken", "pma_alias")])


def test_a_tool_that_is_not_installed_has_only_a_label(server: SandboxServer) -> None:
    done = twice(Settings, settings=[wish("DB_PGA_ALIAS", "postgres", "pga_alias")])
    assert done["facts"] == {"settings": {"DB_PGA_ALIAS": "postgres"}}
    assert not (server.root / "etc/nginx/conf.d/phppgadmin.inc").exists()


def test_the_api_page_is_opened_with_the_setting(server: SandboxServer) -> None:
    do(server, "v-change-sys-api", "disable")
    assert not run(Settings, settings=[wish("API_SYSTEM", "0", "api"), wish("API", "no", "api")])["changed"]
    done = twice(Settings, settings=[wish("API_SYSTEM", "1", "api")])
    assert done["actions"] == ["v-change-sys-api", "v-change-sys-config-value"]
    assert '\n//die("Error: Disabled")' in (server.hestia / "web/api/index.php").read_text()


def test_webmail_gets_another_name(server: SandboxServer) -> None:
    for name in ("usual", "off", "asleep"):
        do(server, "v-add-user", name, f"Secret.{name}", f"{name}@fleet.test")
        do(server, "v-add-mail-domain", name, f"{name}.test")
    do(server, "v-add-mail-domain-webmail", "off", "off.test", "disabled", "no")
    do(server, "v-suspend-mail-domain", "asleep", "asleep.test")
    before = server.state()
    alias = wish("WEBMAIL_ALIAS", "post", "webmail_alias")

    shown = run(Settings, check=True, settings=[alias])
    assert shown["diff"]["before"] == {"WEBMAIL_ALIAS": "webmail"}
    done = twice(Settings, settings=[alias])
    assert done["actions"].count("v-restart-web") == done["actions"].count("v-restart-proxy") == 1
    assert done["repaired"] == []
    after = server.state()
    for name, links in (("usual", True), ("off", True), ("asleep", False)):
        # No domain loses its client, as it would with the panel's own command.
        assert after["users"][name]["mail"] == before["users"][name]["mail"]
        assert (f"post.{name}.test.conf" in after["vhosts"]) == links
        assert f"webmail.{name}.test.conf" not in after["vhosts"]
    assert "domains/post.*.conf" in (server.root / "etc/apache2/apache2.conf").read_text()
    usual = {"user": "usual", "domain": "usual.test", "state": "present", "dkim": True, "dkim_bits": 2048}
    assert not run(MailDomain, check=True, **usual, antispam=False, antivirus=False)["changed"]
    do(server, "v-unsuspend-mail-domain", "asleep", "asleep.test", "no")
    assert "post.asleep.test.conf" in server.state()["vhosts"]

    # A label that was changed alone.
    do(server, "v-change-sys-config-value", "WEBMAIL_ALIAS", "mail")
    shown = run(Settings, check=True, settings=[wish("WEBMAIL_ALIAS", "mail", "webmail_alias")])
    assert shown["diff"]["before"]["WEBMAIL_ALIAS"].startswith("mail (3 mail domains have it under another name, ")

    # Killed in the middle: the rest is done all the same, and nothing is left behind.
    server.faults.die("v-add-mail-domain-webmail", "start")
    done = twice(Settings, settings=[wish("WEBMAIL_ALIAS", "webmail", "webmail_alias")])
    vhosts = server.state()["vhosts"]
    assert {f"webmail.{name}.test.conf" for name in ("usual", "off", "asleep")} <= set(vhosts)
    assert not [name for name in vhosts if name.startswith(("post.", "mail."))]
    assert server.state()["users"]["off"]["mail"]["off.test"]["WEBMAIL"] == "disabled"


def test_without_web_servers_webmail_is_only_a_label(
    server: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SandboxFleet(tmp_path).add("ns", {"dns"})
    monkeypatch.setenv("HESTIA", str(other.hestia))
    done = twice(Settings, settings=[wish("WEBMAIL_ALIAS", "post", "webmail_alias")])
    assert done["actions"] == ["v-change-sys-config-value"]


@pytest.mark.parametrize(
    ("command", "point", "key", "value", "how"),
    [
        ("v-change-sys-config-value", "moved", "APP_NAME", "Acme", "value"),
        ("v-change-sys-port", "record", "BACKEND_PORT", "9101", "panel_port"),
        ("v-change-sys-port", "config", "BACKEND_PORT", "9102", "panel_port"),
        ("v-change-sys-db-alias", "record", "DB_PMA_ALIAS", "pma1", "pma_alias"),
        ("v-change-sys-db-alias", "apache-removed", "DB_PMA_ALIAS", "pma2", "pma_alias"),
        ("v-change-sys-db-alias", "nginx-removed", "DB_PMA_ALIAS", "pma3", "pma_alias"),
        ("v-add-sys-cgroups", "record", "RESOURCES_LIMIT", "yes", "cgroups"),
        ("v-delete-sys-cgroups", "slices", "RESOURCES_LIMIT", "no", "cgroups"),
    ],
)
def test_a_killed_command_is_made_whole(
    server: SandboxServer, command: str, point: str, key: str, value: str, how: str
) -> None:
    before = conf(server)
    server.faults.die(command, point)
    done = twice(Settings, settings=[wish(key, value, how)])
    assert done["repaired"] or point == "slices"
    after = conf(server)
    assert after == before | {key: value}
    for path, words in (
        ("etc/apache2/conf.d/phpmyadmin.inc", f"Alias /{after['DB_PMA_ALIAS']} "),
        ("etc/nginx/conf.d/phpmyadmin.inc", f"location /{after['DB_PMA_ALIAS']} "),
        ("usr/local/hestia/nginx/conf/nginx.conf", f" {after['BACKEND_PORT']} ssl;"),
    ):
        assert words in (server.root / path).read_text()


def test_a_server_that_staff_s_command_left_without_hestia_conf(server: SandboxServer) -> None:
    server.faults.die("v-change-sys-config-value", "moved")
    assert server.panel("v-change-sys-config-value", "APP_NAME", "Hand").returncode != 0
    with pytest.raises(PanelError, match=r"hestia\.conf is missing"):
        run(Settings, check=True, settings=[wish("APP_NAME", "Ours")])
    done = twice(Settings, settings=[wish("APP_NAME", "Ours")])
    assert "hestia.conf" in done["repaired"]
    assert conf(server)["WEB_SYSTEM"] == "apache2"


def test_a_full_disk_does_not_cost_the_panel_its_settings(server: SandboxServer) -> None:
    before = conf(server)
    server.faults.full()
    with pytest.raises(PanelError) as caught:
        run(Settings, settings=[wish("INACTIVE_SESSION_TIMEOUT", "33")])
    assert caught.value.error_class == "no_room"
    assert conf(server) == before
    server.faults.clear()
    twice(Settings, settings=[wish("INACTIVE_SESSION_TIMEOUT", "33")])


def test_what_somebody_removed_after_a_module_was_killed_stays_away(server: SandboxServer) -> None:
    path = server.hestia / "conf/hestia.conf"
    spare = server.hestia / "conf/hestia.conf.hestia-fleet"
    spare.write_text(path.read_text() + "DNS_CLUSTER='yes'\n")
    done = twice(Settings, settings=[wish("INACTIVE_SESSION_TIMEOUT", "35")])
    assert done["repaired"] == []
    assert "DNS_CLUSTER=" not in path.read_text()
    assert not spare.exists()


def test_a_module_that_was_killed_leaves_no_empty_hestia_conf(server: SandboxServer) -> None:
    path = server.hestia / "conf/hestia.conf"
    (server.hestia / "conf/hestia.conf.hestia-fleet").write_text(path.read_text())
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if line < "MAIL_SYSTEM"))
    done = twice(Settings, settings=[wish("INACTIVE_SESSION_TIMEOUT", "34")])
    assert done["repaired"] == ["hestia.conf"]
    assert conf(server)["MAIL_SYSTEM"] == "exim4"


# Standard files


def own(server: SandboxServer, name: str) -> Path:
    return server.hestia / "data/templates/web" / name


def test_a_second_text_does_not_become_the_panels_own(server: SandboxServer) -> None:
    page = own(server, "skel/public_html/index.html")
    for text in ("ours", "ours too"):
        twice(StandardFiles, files={"index": text})
        assert page.read_text() == text
    done = twice(StandardFiles, files={"index": None})
    assert done["diff"]["after"]["index"].startswith("the panel's own, ")
    assert page.read_text() == PAGES["skel/public_html/index.html"]
    assert list((server.root / "var/lib/hestia-fleet/standard-files").iterdir()) == []


def test_a_text_like_the_panels_own_is_ours_from_then_on(server: SandboxServer) -> None:
    text = PAGES["skel/public_html/index.html"]
    assert twice(StandardFiles, files={"index": text})["changed"]
    assert twice(StandardFiles, files={"index": None})["changed"]
    assert own(server, "skel/public_html/index.html").read_text() == text


def test_a_file_the_panel_lacks_is_removed_again(server: SandboxServer) -> None:
    page = own(server, "skel/document_errors/410.html")
    page.unlink()
    assert not run(StandardFiles, files={"error_410": None})["changed"]
    shown = run(StandardFiles, check=True, files={"error_410": "gone"})
    assert shown["diff"]["before"] == {"error_410": "none"}
    twice(StandardFiles, files={"error_410": "gone"})
    assert page.read_text() == "gone"
    assert page.stat().st_mode & 0o7777 == 0o644
    assert twice(StandardFiles, files={"error_410": None})["facts"]["files"] == {"error_410": ""}
    assert not page.exists()


def test_a_deleted_file_of_ours_comes_back_and_so_does_the_panels(server: SandboxServer) -> None:
    page = own(server, "suspend/index.html")
    page.chmod(0o640)
    twice(StandardFiles, files={"suspended": "ours"})
    page.unlink()
    assert twice(StandardFiles, files={"suspended": "ours"})["changed"]
    page.unlink()
    twice(StandardFiles, files={"suspended": None})
    assert page.read_text() == PAGES["suspend/index.html"]
    assert page.stat().st_mode & 0o7777 == 0o640


def test_an_update_of_the_panel_in_between(server: SandboxServer) -> None:
    page = own(server, "skel/document_errors/403.html")
    package = server.hestia / "install/common/templates/web/skel/document_errors/403.html"
    page.write_text("by hand")
    twice(StandardFiles, files={"error_403": "ours"})
    for path in (package, page):
        path.write_text("of the update")
    assert twice(StandardFiles, files={"error_403": "ours"})["changed"]
    twice(StandardFiles, files={"error_403": None})
    assert page.read_text() == "of the update"

    # Without an update it is what was there, by whomever.
    page.write_text("by hand")
    twice(StandardFiles, files={"error_403": "ours"})
    twice(StandardFiles, files={"error_403": None})
    assert page.read_text() == "by hand"


def test_a_link_stays_a_link(server: SandboxServer, tmp_path: Path) -> None:
    page = own(server, "skel/document_errors/404.html")
    target = tmp_path / "shared.html"
    target.write_text("shared")
    page.unlink()
    page.symlink_to(target)
    twice(StandardFiles, files={"error_404": "ours"})
    assert page.is_symlink()
    assert target.read_text() == "ours"
    twice(StandardFiles, files={"error_404": None})
    assert target.read_text() == "shared"
