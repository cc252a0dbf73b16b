"""A form with several wrong fields says at once, at each of them, what is wrong, and writes nothing."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import inspect, text

from controller.operations import groups, zone_templates
from tests.integration.web.world import World

LONG = "x" * 1001
CONNECTION = {"driver": "hestiacp", "address": "192.0.2.77", "port": "22", "ssh_user": "root", "door": "password"}
LOOKED_AT = CONNECTION | {"ssh_password": "secret", "fingerprint": "SHA256:x", "step": "save"}
RECORDS = {
    "record_name": ["@", "a b", "www"],
    "record_type": ["A", "A", "MX"],
    "record_priority": ["", "", "high"],
    "record_ttl": ["", "", "1"],
    "record_value": ["nonsense", "192.0.2.1", "mail.example.com."],
}
FORMS: list[tuple[str, dict[str, object], dict[str, str]]] = [
    (
        "/admin/groups/new",
        {"name": "", "description": LONG, "variables": "nonsense\nns1 = not a host!\nns2 = a.example\nns2 = b.example"},
        {"name": "Give the group a name.", "description": "1000", "variables": "Line 1 is not “name = value”."},
    ),
    (
        "/admin/groups/new",
        {"name": "Taken", "description": "a\nb", "variables": "nonsense\nns1 = not a host!\nns2 = a.example\nns2 = b"},
        {
            "name": "There is a group Taken already.",
            "description": "one line",
            "variables": "Line 4: ns2 comes twice. ns1: This must be an IP address",
        },
    ),
    (
        "/admin/groups/{group_id}/general",
        {"name": "Taken", "description": LONG},
        {"name": "There is a group Taken already.", "description": "1000"},
    ),
    (
        "/admin/groups/{group_id}/variables",
        {"name": ["", "ns1", "ns1", "server_ipv6"], "value": ["x", "not a host!", "b.example", "192.0.2.1"]},
        {
            "name-1": "Give it a name.",
            "value-2": "host name",
            "name-3": "There is one of this name already.",
            "value-4": "IPv6",
        },
    ),
    (
        "/admin/groups/{group_id}/dns/zones",
        {"zone_template": "999", "zone_ttl": "1"},
        {"zone_template": "Choose one of the list.", "zone_ttl": "must be between"},
    ),
    (
        "/admin/products/new",
        {
            "name": "",
            "description": LONG,
            "group": "999",
            "roles": ["dns"],
            "limit_web_disk_quota": "lots",
            "limit_mail_accounts": "-1",
        },
        {
            "name": "Give the product a name.",
            "description": "1000",
            "group": "Choose one of the list.",
            "roles": "Web or mail is needed.",
            "limit_web_disk_quota": "must be",
            "limit_mail_accounts": "must be",
        },
    ),
    (
        "/admin/products/new",
        {"name": "Business", "group": "{group_id}", "roles": ["dns"], "limit_web_disk_quota": "lots"},
        {"name": "already", "roles": "Web or mail is needed.", "limit_web_disk_quota": "must be"},
    ),
    (
        "/admin/products/{product_id}/edit",
        {"name": "<b>", "description": LONG, "zone_template": "999"},
        {"name": "letters, digits", "description": "1000", "zone_template": "Choose one of the list."},
    ),
    (
        "/admin/zone-templates/new",
        {"name": "Taken", "description": LONG, **RECORDS},
        {"name": "already", "description": "1000", "record-1": "", "record-2": "", "record-3": ""},
    ),
    (
        "/admin/servers/new",
        CONNECTION | {"address": "", "port": "99999", "ssh_user": "Not One", "ssh_password": ""},
        {
            "address": "Enter the address.",
            "port": "from 1 to 65535",
            "ssh_user": "must be a Unix user name",
            "ssh_password": "Enter the password.",
        },
    ),
    (
        "/admin/servers/new",
        CONNECTION | {"address": "no host!", "ssh_user": "Not One", "ssh_password": "a\nb"},
        {"address": "host name", "ssh_user": "must be a Unix user name", "ssh_password": "must be one line"},
    ),
    (
        "/admin/servers/new",
        {"driver": "powerdns", "api_url": "nowhere", "api_key": "", "api_server_id": "a b"},
        {"api_url": "must be an address", "api_key": "This is needed.", "api_server_id": "must be of letters"},
    ),
    (
        "/admin/servers/new",
        LOOKED_AT
        | {
            "name": "web01",
            "group": "999",
            "capacity": "many",
            "hostname": "no host!",
            "dns_address": "no host!",
            "dns_port": "0",
            "command_timeout": "-1",
        },
        {
            "name": "already",
            "capabilities": "Tick at least one.",
            "group": "Choose one of the list.",
            "capacity": "whole number",
            "hostname": "host name",
            "dns_address": "host name",
            "dns_port": "port",
            "command_timeout": "from 0 to",
        },
    ),
    (
        "/admin/servers/{server_id}/edit",
        {
            "name": "web02",
            "address": "",
            "port": "0",
            "capabilities": ["dns"],
            "ssh_user": "Not One",
            "ssh_private_key": "none",
            "group": "999",
            "capacity": "many",
            "hostname": "no host!",
            "dns_address": "no host!",
            "dns_port": "53",
            "command_timeout": "0",
            "zone_template": "999",
        },
        {
            "name": "already",
            "address": "Enter a host name",
            "port": "from 1 to 65535",
            "capabilities": "is needed as web server",
            "ssh_user": "must be a Unix user name",
            "ssh_private_key": "OpenSSH private key",
            "group": "Choose one of the list.",
            "capacity": "whole number",
            "hostname": "host name",
            "dns_address": "host name",
            "zone_template": "Choose one of the list.",
        },
    ),
    (
        "/admin/servers/{server_id}/door/login",
        {"ssh_user": "Not One", "door": "key", "ssh_private_key": ""},
        {"ssh_user": "must be a Unix user name", "ssh_private_key": "This is needed."},
    ),
]


@pytest.fixture(scope="module")
def taken(shared_world: World) -> World:
    """With a group and a template of a name that is then taken."""
    groups.create(shared_world.fleet, "test", name="Taken")
    zone_templates.create(shared_world.fleet, "test", name="Taken", records=zone_templates.built_in())
    return shared_world


def said(page: str) -> dict[str, str]:
    """What stands at the fields, by the field's name."""
    found = re.findall(r'id="([\w-]+)-error"[^>]*>.*?<span>(.*?)</span>', page, re.DOTALL)
    return {name: unescape(words) for name, words in found}


def written(world: World) -> dict[str, int]:
    with world.fleet.database.read() as session:
        names = inspect(world.fleet.database.engine).get_table_names()
        return {name: session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}


@pytest.mark.parametrize(("path", "typed", "expected"), FORMS, ids=[form[0] for form in FORMS])
def test_all_that_is_wrong_is_said_at_its_field(
    path: str, typed: dict[str, object], expected: dict[str, str], taken: World
) -> None:
    numbers = {name: getattr(taken, name) for name in ("group_id", "product_id", "server_id")}
    filled = {name: value.format_map(numbers) if isinstance(value, str) else value for name, value in typed.items()}
    before = written(taken)
    answer = taken.operator.submit(path.format_map(numbers), filled)
    assert answer.status_code == 422
    found = said(answer.text)
    assert found.keys() == expected.keys(), found
    for name, words in expected.items():
        assert words in found[name], name
    assert written(taken) == before
