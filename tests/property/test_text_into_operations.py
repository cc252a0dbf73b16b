"""Whatever is typed into the fleet's forms: a clear answer and nothing written, or something that servers can take."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from controller.automation.group_wishes import server_settings
from controller.automation.zone_wishes import wanted_zone
from controller.domain.config_keys import KEYS, Tier
from controller.domain.words import Capability
from controller.domain.zone_files import format_zone_file
from controller.domain.zones import TYPES
from controller.engine.fleet import Fleet
from controller.operations import (
    group_config,
    groups,
    server_changes,
    servers,
    standard_files,
    zone_templates,
    zones,
)
from controller.operations.errors import Invalid, OperationError
from controller.settings import Settings
from controller.store.models import Product, Server, ServerGroup, Service
from controller.store.zone_models import ZoneRecord, ZoneTemplate
from tests.property.settings import COMMON
from tests.property.world import prepared
from tests.support.sold import sold

DOMAIN = "typed-into.com"
SHELL = set("'\"|&\\`$<>^\n\r\t\0")

NASTY = (
    "", " ", "\t", "\0", "\n", "a\nb", "x\r\ny", "\u2028", "\u202e", "\ud800", "²", "١٢", "-1", "0", "1e5", "0x10",
    "NaN", "@", ".", "..", "*", "*.*", "_", "-", "a" * 64, "a" * 300, "a" * 20_000, "a." * 130, "xn--", "xn--a", "ä.ö",
    "' OR 1=1 --", "'; DROP TABLE servers; --", "$(reboot)", "`reboot`", "; reboot", "| reboot", "&& reboot",
    "{{ 7 * 7 }}", "{% for x in y %}", "{domain}", "{", "}", "{}", "{a b}", "%s", "%quote%", "%domain%",
    "<script>alert(1)</script>", "../../etc/passwd", '"', "\\", "''", '"" ""', '"a" b', "\\\\", "\\000", ";", "(", ")",
)  # fmt: skip
PLAUSIBLE = (
    "www", "mail", "ns1", "sub", "ns.sub", "a.sub", "_dmarc", "*", "@", "ftp", DOMAIN, f"www.{DOMAIN}.", "example.com",
    "192.0.2.1", "2001:db8::1", "10 mail", "5 5060 sip", '0 issue "ca.example"', "0 iodef mailto:a@example.com",
    "3 1 1 " + "ab" * 32, "12345 13 2 " + "0f" * 32, "v=spf1 -all", "yes", "no", "true", "9000", "60", "en", "mail.",
    "security@example.com", "http://192.0.2.53:8081", "localhost", "web-7", "192.0.2.1,2001:db8::2", "postmaster",
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(PLAUSIBLE), st.sampled_from(NASTY), st.text(st.characters(exclude_categories=()), max_size=40)
)
numbers = st.one_of(st.none(), st.integers(-10, 2**40), texts)
names = st.one_of(st.from_regex(r"[A-Za-z][A-Za-z0-9 ._-]{0,12}[a-z]", fullmatch=True), texts)
RIGHT = {
    "A": "192.0.2.1", "AAAA": "2001:db8::1", "CNAME": "www", "MX": "10 mail", "NS": "ns.example.com",
    "TXT": "{{ b }}; c", "SRV": "5 5060 mail", "CAA": '0 issue "ca.example"', "PTR": "www.example.com",
    "TLSA": "3 1 1 " + "ab" * 32, "DS": "12345 13 2 " + "0f" * 32,
}  # fmt: skip
owners = st.sampled_from(("www", "mail", "sub", "a.sub", "*", "@", "_dmarc", "x", "y"))
right = st.builds(lambda name, kind: (name, kind, RIGHT[kind], None, None), owners, st.sampled_from(list(RIGHT)))
kinds = st.one_of(st.sampled_from(TYPES), texts)
FEW = settings(COMMON, max_examples=40)


class Typist:
    """Types into operations and looks at what comes of it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._watch = sqlite3.connect(fleet.settings.home / "fleet.db")

    def _version(self) -> int:
        """Another number whenever somebody else has committed a change."""
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def types(self, operation: Callable[..., Any], *given: Any, **fields: Any) -> bool:
        """Whether it was accepted; a refusal is in words and has written nothing."""
        before = self._version()
        try:
            operation(self.fleet, "test", *given, **fields)
        except OperationError as answer:
            assert self._version() == before, "refused, and yet something is written"
            problems = answer.problems if isinstance(answer, Invalid) else []
            said = [text for each in problems for text in (each.field, each.reason)] or [answer.message]
            assert all(words.strip() and len(words) < 1000 for words in said), said
            return False
        return True

    def zone_file(self) -> str:
        """The zone of the service as it shall be now."""
        with self.fleet.database.read() as session:
            service = session.scalars(select(Service).where(Service.domain == DOMAIN)).one()
            wanted = wanted_zone(session, service)
            return format_zone_file(DOMAIN, wanted.records, wanted.ttl, wanted.soa)

    def close(self) -> None:
        self._watch.close()


def loads(text: str) -> None:
    """named takes the zone, and nothing was left out of it."""
    assert "; left out" not in text, re.findall(r"; left out.*", text)
    line = ["named-checkzone", "-i", "local", "-k", "fail", DOMAIN, "/dev/stdin"]
    done = subprocess.run(line, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def typist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typist]:
    home = tmp_path_factory.mktemp("typed") / "home"
    shutil.copytree(prepared(), home)
    fleet = Fleet.open(Settings(home=home))
    with fleet.database.write() as session:
        session.execute(update(Server).where(Server.name == "n").values(hostname="ns1.fleet.test"))
        product = session.scalars(select(Product).where(Product.name == "all")).one()
        places = {Capability.WEB: ["a"], Capability.MAIL: ["a"], Capability.DNS: ["n"]}
        service = sold(session, fleet, product, DOMAIN, places)
        facts = {"dkim_public_key": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"}
        for resource in service.resources:
            if resource.action == "mail.domain":
                resource.facts = {**resource.facts, **facts}
        session.add(Server(name="pdns", driver="powerdns", address="192.0.2.9", can_dns=True, host_key="", ssh_user=""))
    made = Typist(fleet)
    loads(made.zone_file())
    yield made
    made.close()
    fleet.close()


@FEW
@given(
    names,
    texts,
    st.dictionaries(st.one_of(texts, st.sampled_from(["server_ipv6", "ns1", "caa_contact"])), texts, max_size=2),
)
@example("ok", "", {"server_ipv6": "no address"})
@example("ok", "", {"caa_contact": 'a"b@example.com'})
@example("ok", "", {"ns1": "192.0.2.1"})
@example("ok", "", {"ns1": "a" * 64 + ".com", "mail_server_ipv6": "192.0.2.1"})
def test_groups(typist: Typist, name: str, description: str, variables: Mapping[str, str]) -> None:
    typist.types(groups.create, name=name, description=description, variables=variables)
    if typist.types(groups.set_variables, "g", variables):
        text = typist.zone_file()
        groups.set_variables(typist.fleet, "test", "g", {})
        loads(text)
    with typist.fleet.database.read() as session:
        group = session.scalars(select(ServerGroup).where(ServerGroup.name == "g")).one()
    if typist.types(groups.edit, group.id, name=name, description=description, zone_template=name, zone_ttl=3600):
        groups.edit(typist.fleet, "test", group.id, name="g", description="", zone_template=None, zone_ttl=3600)
    typist.types(groups.edit, name, name=description, description="", zone_template=None, zone_ttl=60)


@FEW
@given(
    st.one_of(st.sampled_from(list(Tier)), texts),
    st.one_of(
        st.dictionaries(st.one_of(st.sampled_from(list(KEYS)), texts), texts, max_size=4),
        st.builds(lambda key, text: {key: text}, st.sampled_from(list(KEYS)), texts),
    ),
)
def test_settings_of_a_group(typist: Typist, tier: str, values: Mapping[str, str]) -> None:
    typist.types(group_config.set_config, "g", tier, values)
    for key, text in values.items():
        if key in KEYS:
            typist.types(group_config.set_config, "g", KEYS[key].tier.value, {key: text})
    with typist.fleet.database.read() as session:
        for server in session.scalars(select(Server)):
            for line in server_settings(server, "all"):
                assert line["value"], line
                assert not set(line["value"]) & SHELL, line
                assert line["value"].isprintable(), line
                assert KEYS[line["key"]].tier.value in ("all", *server.capabilities), (server.name, line)


@FEW
@given(st.lists(st.one_of(right, st.tuples(texts, kinds, texts, numbers, numbers)), min_size=1, max_size=4))
@example([("sub", "NS", "ns.sub", None, None)])
@example([("sub", "NS", "ns", None, None)])
@example([("sub", "NS", "ns", None, None), ("ns", "A", "192.0.2.1", None, None)])
@example([("sub", "NS", "www", None, None), ("www", "CNAME", "example.com", None, None)])
@example([("mail", "CNAME", "mail.example.com", None, None)])
@example([("@", "MX", "nowhere", 5, None)])
@example([("@", "MX", ".", 0, None)])
@example([("x", "DS", "12345 13 2 " + "0f" * 32, None, None)])
@example([("*", "NS", "ns1.example.com", None, None)])
@example([("mail", "NS", "ns1.example.com", None, None)])
def test_records_of_a_zone(typist: Typist, records: list[tuple[Any, ...]]) -> None:
    with typist.fleet.database.write() as session:
        session.execute(delete(ZoneRecord))
    for name, kind, value, priority, ttl in records:
        fields = {"name": name, "type": kind, "value": value, "priority": priority, "ttl": ttl}
        if typist.types(zones.add_record, DOMAIN, **fields):
            loads(typist.zone_file())
    with typist.fleet.database.read() as session:
        rows = session.scalars(select(ZoneRecord.id)).all()
    for number, (name, kind, value, priority, ttl) in zip(rows, reversed(records), strict=False):
        fields = {"name": name, "type": kind, "value": value, "priority": priority, "ttl": ttl}
        if typist.types(zones.edit_record, DOMAIN, number, **fields):
            loads(typist.zone_file())
    for number in rows[:1]:
        if typist.types(zones.delete_record, DOMAIN, number):
            loads(typist.zone_file())


GOOD_LINES = right.map(lambda line: f"{line[0]} {line[1]} {'5 ' * (line[1] == 'SRV')}" + line[2].replace(";", ","))
LINES = st.builds("{} {} {} {}".format, texts, st.sampled_from(["", "300", "IN", "300 IN"]), kinds, texts)


@FEW
@given(st.lists(st.one_of(GOOD_LINES, GOOD_LINES, GOOD_LINES, LINES, texts), max_size=5), st.booleans())
def test_zone_files(typist: Typist, lines: list[str], replace: bool) -> None:
    with typist.fleet.database.write() as session:
        session.execute(delete(ZoneRecord))
    if typist.types(zones.import_records, DOMAIN, "\n".join(lines), replace=replace):
        loads(typist.zone_file())


def lines_of_templates() -> st.SearchStrategy[dict[str, Any]]:
    words = st.one_of(
        texts, st.sampled_from(["{domain}.", "{server_ip}", "{anything}", "mail.{mail_domain}.", "{ns1}."])
    )
    return right.map(lambda line: dict(zip(("name", "type", "value"), line, strict=False))) | st.fixed_dictionaries(
        {"name": words, "type": kinds, "value": words}, optional={"priority": numbers, "ttl": numbers}
    )


@FEW
@given(names, texts, st.lists(lines_of_templates(), max_size=4))
@example("short", "", [{"name": "@", "type": "NS", "value": "ns.{domain}."}])
@example("short", "", [{"name": "@", "type": "A", "value": "192.0.2.1"}])
def test_zone_templates(typist: Typist, name: str, description: str, records: list[dict[str, Any]]) -> None:
    # Beside the built-in lines, and alone.
    for number, lines in enumerate(([*zone_templates.built_in(), *records], records)):
        fresh = f"{name}{number}"
        if not typist.types(zone_templates.create, name=fresh, description=description, records=lines):
            continue
        with typist.fleet.database.read() as session:
            template = session.scalars(select(ZoneTemplate).order_by(ZoneTemplate.id.desc())).first()
        assert template is not None
        zones.choose_template(typist.fleet, "test", DOMAIN, template.id)
        text = typist.zone_file()
        zones.choose_template(typist.fleet, "test", DOMAIN, None)
        zone_templates.delete_template(typist.fleet, "test", template.id)
        loads(text)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("name", "address", "hostname", "dns_address", "api_url", "api_key", "api_server_id"), texts),
        **dict.fromkeys(("port", "capacity", "dns_port", "command_timeout"), numbers),
        **dict.fromkeys(("group", "zone_template"), texts),
        **dict.fromkeys(("capabilities", "closed_roles"), st.one_of(texts, st.lists(texts, max_size=3))),
    },
)


@FEW
@given(FIELDS)
def test_fields_of_servers(typist: Typist, fields: dict[str, Any]) -> None:
    fleet = typist.fleet
    for name in ("b", "pdns"):
        with fleet.database.read() as session:
            number = session.scalars(select(Server.id).where(Server.name == name)).one()
        if typist.types(server_changes.edit, number, **fields):
            with fleet.database.write() as session:
                group_id = session.scalars(select(ServerGroup.id).where(ServerGroup.name == "g")).one()
                server = session.get_one(Server, number)
                assert server.can_dns or server.driver != "powerdns"
                server.name, server.can_web, server.can_dns = name, name == "b", name != "b"
                server.group_id = group_id if name == "b" else None
    whole = {"name": "added", "address": "192.0.2.8", "hostname": "ns.fleet.test", "capabilities": ["dns"]}
    whole |= {"api_url": "http://192.0.2.8:8081", "api_key": "secret", **fields}
    for unknown in ("zone_template", "closed_roles"):
        whole.pop(unknown, None)
    if typist.types(servers.add, driver="powerdns", **whole):
        with fleet.database.read() as session:
            added = session.scalars(select(Server.id).order_by(Server.id.desc())).first()
        with fleet.database.write() as session:
            row = session.get_one(Server, added)
            row.dns_groups.clear()
        server_changes.delete_server(fleet, "test", added or 0)


@FEW
@given(texts, texts)
def test_standard_files(typist: Typist, name: str, content: str) -> None:
    typist.types(standard_files.override, "g", name, content)
    typist.types(standard_files.override, "g", "robots", content)
    typist.types(standard_files.reset, "g", name)


@FEW
@given(texts, texts)
def test_keys_of_things(typist: Typist, key: str, text: str) -> None:
    """What names a thing in an address may be anything."""
    typist.types(server_changes.edit, key, hostname=text)
    typist.types(server_changes.set_status, key, text)
    typist.types(zones.redeploy, f"{key}.nowhere")
    typist.types(zone_templates.set_default, key)
    typist.types(groups.attach_dns, "g", [key, text])
