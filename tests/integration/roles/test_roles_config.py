"""Settings of panels and standard files on sandbox servers: what they stand for, and what comes back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.domain.config_keys import for_scope
from controller.sandbox.fleet import SandboxFleet
from controller.sandbox.panel.records import parse_conf
from controller.sandbox.panel_files import PAGES
from controller.sandbox.server import SandboxServer
from tests.integration.roles.conftest import Driver, Step, account

WISHES = {
    # all
    "LANGUAGE": "pl",
    "APP_NAME": "Acme Hosting",
    "TITLE": "{{page}} - {{appname}}",
    "INACTIVE_SESSION_TIMEOUT": "45",
    "BACKEND_PORT": "8090",
    "API_SYSTEM": "2",
    "API_ALLOWED_IP": "192.0.2.2,2001:db8::2",
    # web
    "DB_PMA_ALIAS": "databases",
    "POLICY_SYNC_ERROR_DOCUMENTS": "no",
    "PLUGIN_APP_INSTALLER": "false",
    # mail
    "WEBMAIL_ALIAS": "post",
    # dns
    "DNS_CLUSTER_SYSTEM": "hestia-zone",
    "POLICY_USER_EDIT_DNS_TEMPLATES": "no",
}
WEB = {"DB_PMA_ALIAS", "POLICY_SYNC_ERROR_DOCUMENTS", "PLUGIN_APP_INSTALLER"}
MAIL = {"WEBMAIL_ALIAS"}
DNS = {"DNS_CLUSTER_SYSTEM", "POLICY_USER_EDIT_DNS_TEMPLATES"}
ALL = set(WISHES) - WEB - MAIL - DNS


def unsafe(value: Any) -> Any:
    """As the controller hands it over: no text of it is a template."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, list):
        return [unsafe(each) for each in value]
    return {key: unsafe(each) for key, each in value.items()} if isinstance(value, dict) else value


def config(settings: list[dict[str, str]], check: bool = False) -> Step:
    return Step("server.config", check=check, settings=unsafe(settings))


def setting(key: str, value: str, how: str = "value") -> Step:
    return config([{"key": key, "value": value, "how": how}])


def files(check: bool = False, **texts: str | None) -> Step:
    return Step("server.files", check=check, files=unsafe(texts))


def conf(server: SandboxServer) -> dict[str, str]:
    return parse_conf((server.hestia / "conf/hestia.conf").read_text())


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxFleet]:
    """A web and a mail server, and one with everything."""
    fleet = SandboxFleet(tmp_path_factory.mktemp("tiers"))
    fleet.add("web", {"web"}, ip="192.0.2.12")
    fleet.add("mail", {"mail"}, ip="192.0.2.13")
    fleet.add("both", {"web", "mail", "dns"}, ip="192.0.2.14")
    fleet.start()
    yield fleet
    fleet.stop()


@pytest.fixture
def on(tiers: SandboxFleet, tmp_path: Path) -> Callable[[str], Driver]:
    return lambda name: Driver(tiers[name], tmp_path)


@pytest.mark.parametrize(("name", "has"), [("web", ALL | WEB), ("mail", ALL | MAIL), ("both", ALL | WEB | MAIL | DNS)])
def test_every_server_gets_what_belongs_to_it(
    on: Callable[[str], Driver], tiers: SandboxFleet, name: str, has: set[str]
) -> None:
    server, driver = tiers[name], on(name)
    before = conf(server)
    settings = for_scope(WISHES, server.capabilities, "all")
    shown = driver.good(config(settings, check=True)).results[0]
    assert shown["changed"]
    assert conf(server) == before
    assert {key: (before.get(key, ""), WISHES[key]) for key in has} == {
        key: (shown["diff"]["before"][key], shown["diff"]["after"][key]) for key in has
    }

    done = driver.twice(config(settings)).results[0]
    assert done["changed"]
    assert done["facts"]["settings"] == {key: WISHES[key] for key in has}
    after = conf(server)
    assert {key for key in after if after[key] != before.get(key)} == has
    assert {key: after[key] for key in has} == {key: WISHES[key] for key in has}

    nginx = (server.root / "etc/nginx/conf.d/phpmyadmin.inc").read_text()
    assert ("location /databases {" in nginx) == ("DB_PMA_ALIAS" in has)
    assert "listen              8090 ssl;" in (server.hestia / "nginx/conf/nginx.conf").read_text()


def test_what_cannot_be_is_refused(driver: Driver, server: SandboxServer) -> None:
    before = (server.hestia / "conf/hestia.conf").read_text()
    play = driver.run(
        setting("WEB_PORT", "8081"),
        setting("APP_NAME", "Acme", "magic"),
        setting("LANGUAGE", "xx", "language"),
        setting("BACKEND_PORT", "8080", "panel_port"),
    )
    assert [result["error_class"] for result in play.results] == [
        "bad_argument",
        "bad_argument",
        "refused",
        "refused",
    ]
    assert (server.hestia / "conf/hestia.conf").read_text() == before


def test_what_is_refused_is_told_and_the_rest_is_done(driver: Driver, server: SandboxServer) -> None:
    before = conf(server)
    settings = [
        {"key": "LANGUAGE", "value": "xx", "how": "language"},
        {"key": "BACKEND_PORT", "value": "8080", "how": "panel_port"},
        {"key": "DB_PMA_ALIAS", "value": "tables", "how": "pma_alias"},
        {"key": "TITLE", "value": "{{page}} of Acme", "how": "value"},
    ]
    shown, done, again = driver.run(config(settings, check=True), config(settings), config(settings)).results
    assert (shown["failed"], shown["changed"]) == (False, True)
    assert set(shown["diff"]["after"]) == {"LANGUAGE", "BACKEND_PORT", "DB_PMA_ALIAS", "TITLE"}
    assert done["failed"]
    assert done["msg"].startswith("2 of 4 settings could not be set, the others are as wanted. LANGUAGE: v-change-")
    assert "; BACKEND_PORT: v-change-sys-port ended with 7 (is in use): Port is already used" in done["msg"]
    assert set(done["facts"]["refused"]) == {"LANGUAGE", "BACKEND_PORT"}
    assert done["facts"]["settings"]["TITLE"] == "{{page}} of Acme"
    # Tried again: only what is not right yet.
    assert again["msg"] == done["msg"]
    assert again["actions"] == ["v-change-sys-language", "v-change-sys-port"]
    assert conf(server) == before | {"DB_PMA_ALIAS": "tables", "TITLE": "{{page}} of Acme"}


# Standard files


def own(server: SandboxServer, name: str) -> Path:
    return server.hestia / "data/templates/web" / name


def test_files_are_replaced_and_come_back(driver: Driver, server: SandboxServer, name: str) -> None:
    robots = own(server, "skel/public_html/robots.txt")
    robots.chmod(0o755)
    texts = {
        "error_404": "<h1>{{ nothing }} here, ünd nowhere</h1>\n",
        "robots": "User-agent: *\nDisallow: /\n",
        "suspended": "<h1>{% unpaid %}</h1>\n",
        "unassigned": "",
    }
    before = {path: path.read_bytes() for path in (server.hestia / "data/templates/web").rglob("*.html")}
    shown = driver.good(files(check=True, **texts)).results[0]
    assert shown["changed"]
    assert shown["diff"]["before"]["robots"].startswith("the panel's own, 30 bytes")
    assert shown["diff"]["after"]["robots"].startswith("ours, 26 bytes")
    assert {path: path.read_bytes() for path in before} == before

    done = driver.twice(files(**texts)).results[0]
    assert done["facts"]["files"] == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    assert own(server, "skel/document_errors/404.html").read_text() == texts["error_404"]
    assert robots.read_text() == texts["robots"]
    assert robots.stat().st_mode & 0o7777 == 0o755
    assert own(server, "suspend/index.html").read_text() == texts["suspended"]
    assert (server.root / "var/www/html/index.html").read_text() == ""
    assert own(server, "unassigned/index.html").read_text() == PAGES["unassigned/index.html"]

    # Sites: a new one gets them, an old one its error pages when it is rebuilt, a suspended one at once.
    driver.good(account("web", name), Step("web.domain", user=name, domain=f"{name}.test"))
    site = server.root / "home" / name / "web" / f"{name}.test"
    assert (site / "document_errors/404.html").read_text() == texts["error_404"]
    assert (site / "public_html/robots.txt").read_text() == texts["robots"]
    driver.good(Step("web.account", user=name, state="suspended"))
    vhost = (server.root / f"home/{name}/conf/web/{name}.test/nginx.conf").read_text()
    assert "root /usr/local/hestia/data/templates/web/suspend;" in vhost
    driver.good(account("web", name), Step("web.domain", user=name, domain=f"{name}.test"))

    # Only what is named is touched; a second text does not become the panel's own.
    driver.twice(files(error_404="<h1>other</h1>\n"))
    assert own(server, "suspend/index.html").read_text() == texts["suspended"]
    back = driver.twice(files(**dict.fromkeys(texts))).results[0]
    assert back["diff"]["after"]["robots"].startswith("the panel's own, 30 bytes")
    assert {path: path.read_bytes() for path in before} == before
    assert (server.root / "var/www/html/index.html").read_text() == PAGES["unassigned/index.html"]
    assert robots.read_text() == PAGES["skel/public_html/robots.txt"]
    assert robots.stat().st_mode & 0o7777 == 0o755
    assert list((server.root / "var/lib/hestia-fleet/standard-files").iterdir()) == []

    assert server.panel("v-change-sys-config-value", "POLICY_SYNC_ERROR_DOCUMENTS", "no").returncode == 0
    server.panel("v-rebuild-web-domain", name, f"{name}.test", "no")
    assert (site / "document_errors/404.html").read_text() == texts["error_404"]
    server.panel("v-change-sys-config-value", "POLICY_SYNC_ERROR_DOCUMENTS", "yes")
    server.panel("v-rebuild-web-domain", name, f"{name}.test", "no")
    assert (site / "document_errors/404.html").read_text() == PAGES["skel/document_errors/404.html"]
    assert (site / "public_html/robots.txt").read_text() == texts["robots"]


def test_a_file_is_read(driver: Driver, server: SandboxServer) -> None:
    page = own(server, "skel/document_errors/50x.html")
    text = page.read_text()
    page.write_text("ünd {{ 7*7 }}\n")
    read, missing = driver.run(
        Step("server.pull", file="error_50x"), Step("server.files", files={"nonsense": "x"})
    ).results
    assert (read["changed"], read["facts"]) == (False, {"content": "ünd {{ 7*7 }}\n"})
    assert missing["error_class"] == "bad_argument"
    page.write_text(text)
