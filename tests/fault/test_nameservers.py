"""Two nameservers with a panel and a PowerDNS one: after every change all say the same, whatever happens to them."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

import httpx2
import pytest
from sqlalchemy import func, select

from controller.domain.options import RetryOptions
from controller.domain.words import Capability, ServiceStatus, TaskStatus
from controller.operations import groups, products, server_changes, services, zone_templates, zones
from controller.sandbox.demo import GROUP, Demo
from controller.store.base import utcnow
from controller.store.models import Pipeline, Product, Server, Service, Task
from controller.store.options import save
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone, ZoneRecord
from tests.support import truth
from tests.support.demo import by_load, installation, order, settle, tasks, until, wait_for
from tests.support.nameservers import nameserver, values, verdict, wrong
from tests.support.sold import sold

MACHINES = (
    ("web01", ("web",), "192.0.2.11", "web01.fleet.test"),
    ("mx01", ("mail",), "192.0.2.21", "mx01.fleet.test"),
    ("ns1", ("dns",), "192.0.2.31", "ns1.fleet.test"),
    ("ns2", ("dns",), "192.0.2.32", "ns2.fleet.test"),
    ("ns4", ("dns",), "192.0.2.34", "ns4.fleet.test"),
)
POWERDNS = (("ns3", "ns3.fleet.test"), ("ns5", "ns5.fleet.test"))
WEB, DNS = Capability.WEB, Capability.DNS
THREE = ["ns1", "ns2", "ns3"]
PROMISE = 60.0
"""Seconds after which a nameserver that is back agrees, on a machine that has nothing else to do."""

ZONE_FILE = """\
$ORIGIN imported.example.
$TTL 1800
@       IN SOA ns.elsewhere.example. root.elsewhere.example. 7 7200 3600 1209600 180
@       IN NS  ns.elsewhere.example.
@       IN TXT "v=spf1 include:_spf.elsewhere.example -all"
shop    IN A 192.0.2.70
shop    IN A 192.0.2.71
shop 60 IN AAAA 2001:db8::70
files   IN CNAME shop
long    IN TXT ( "LONG" "TEXT" )
_sip._tcp IN SRV 5 10 5060 shop
away    IN NS ns1.elsewhere.example.
@       IN CAA 0 issue "ca.elsewhere.example"
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("nameservers") / "home"
    with installation(home, machines=MACHINES, nameservers=POWERDNS, pages=False) as running:
        groups.attach_dns(running.fleet, "test", GROUP, THREE)
        # The promise about a nameserver that is back holds with the settings that everybody has.
        with running.fleet.database.write() as session:
            save(session, RetryOptions(), "test")
        yield running


@pytest.fixture(scope="module")
def domain(demo: Demo) -> str:
    """A service that is live."""
    wait_for(demo, order(demo, "same-everywhere.com").id, ServiceStatus.ACTIVE)
    return "same-everywhere.com"


def all_say_the_same(demo: Demo, domain: str, names: Sequence[str] = THREE, also: Sequence[str] = ()) -> None:
    """Once nothing is open: at once by our own questions, and soon by what the product says."""
    settle(demo)
    assert wrong(demo, names, domain, also) == []
    wanted = (True, {name: (True, True, []) for name in names})
    until(lambda: verdict(demo, domain) == wanted, 30, f"the product says {verdict(demo, domain)}")


def answered(demo: Demo, name: str, kind: str, names: Sequence[str] = THREE) -> list[str]:
    """What all of them answer."""
    said = {tuple(values(nameserver(demo, each), name, kind)) for each in names}
    assert len(said) == 1, said
    return list(said.pop())


def record_id(demo: Demo, domain: str, name: str) -> int:
    with demo.fleet.database.read() as session:
        query = select(ZoneRecord.id).join(Zone).where(Zone.domain == domain, ZoneRecord.name == name)
        return session.scalars(query).one()


def account_on(demo: Demo, domain: str, server: str) -> str:
    with demo.fleet.database.read() as session:
        service = session.scalars(select(Service).where(Service.domain == domain)).one()
        return next(one.username for one in service.accounts if one.server.name == server)


# -- changes ---------------------------------------------------------------------------------------------------


def test_after_every_change_of_its_records_all_say_the_same(demo: Demo, domain: str) -> None:
    fleet = demo.fleet
    all_say_the_same(demo, domain)
    assert answered(demo, f"www.{domain}", "A") == ["192.0.2.11"]
    assert answered(demo, f"mail._domainkey.{domain}", "TXT")[0].startswith("v=DKIM1; k=rsa; p=MII")

    zones.add_record(fleet, "test", domain, name="blog", type="A", value="192.0.2.50")
    zones.add_record(fleet, "test", domain, name="www", type="A", value="192.0.2.51", ttl=300)
    zones.add_record(fleet, "test", domain, name="*.dev", type="TXT", value="any; of (them) & {{ 7 * 7 }}")
    all_say_the_same(demo, domain, also=["any.dev"])
    assert answered(demo, f"blog.{domain}", "A") == ["192.0.2.50"]
    assert answered(demo, f"www.{domain}", "A") == ["192.0.2.51"]
    assert answered(demo, f"x.dev.{domain}", "TXT") == ["any; of (them) & {{ 7 * 7 }}"]

    number = record_id(demo, domain, "blog")
    zones.edit_record(fleet, "test", domain, number, name="blog", type="CNAME", value="www", ttl="60")
    all_say_the_same(demo, domain)
    assert answered(demo, f"blog.{domain}", "CNAME") == [f"www.{domain}."]

    zones.delete_record(fleet, "test", domain, number)
    zones.delete_record(fleet, "test", domain, record_id(demo, domain, "www"))
    all_say_the_same(demo, domain, also=["blog"])
    assert answered(demo, f"blog.{domain}", "A") == []
    assert answered(demo, f"www.{domain}", "A") == ["192.0.2.11"], "the template's record is not back"

    file = ZONE_FILE.replace("imported.example", domain).replace("LONG", "a" * 255).replace("TEXT", "b" * 200)
    zones.import_records(fleet, "test", domain, file)
    all_say_the_same(demo, domain, also=["host.away"])
    assert answered(demo, f"shop.{domain}", "A") == ["192.0.2.70", "192.0.2.71"]
    assert answered(demo, f"long.{domain}", "TXT") == ["a" * 255 + "b" * 200]
    assert answered(demo, domain, "CAA") == ['0 issue "ca.elsewhere.example"']


def test_after_a_change_of_its_template_and_of_its_key_all_say_the_same(demo: Demo, domain: str) -> None:
    fleet = demo.fleet
    template = zone_templates.copy_built_in(fleet, "test", "Own lines")
    zones.choose_template(fleet, "test", domain, template.id)
    lines = [line for line in zone_templates.built_in() if line["name"] != "ftp"]
    lines.append({"name": "status", "type": "CNAME", "value": "{status_page}."})
    zone_templates.edit(fleet, "test", template.id, name="Own lines", records=lines)
    groups.set_variables(fleet, "test", GROUP, {"status_page": "status.fleet.test"})
    zone_templates.redeploy(fleet, "test", template.id)
    rollouts_are_over(demo)
    all_say_the_same(demo, domain, also=["ftp"])
    assert answered(demo, f"status.{domain}", "CNAME") == ["status.fleet.test."]
    assert answered(demo, f"ftp.{domain}", "A") == []

    before = answered(demo, f"mail._domainkey.{domain}", "TXT")
    assert demo.servers["mx01"].panel("v-delete-mail-domain", account_on(demo, domain, "mx01"), domain).returncode == 0
    services.redeploy(fleet, "test", domain)
    all_say_the_same(demo, domain)
    after = answered(demo, f"mail._domainkey.{domain}", "TXT")
    assert after != before
    assert after[0].startswith("v=DKIM1; k=rsa; p=MII")


def test_nameservers_come_and_go(demo: Demo, domain: str) -> None:
    fleet = demo.fleet
    groups.attach_dns(fleet, "test", GROUP, [*THREE, "ns4"])
    rollouts_are_over(demo)
    four = [*THREE, "ns4"]
    all_say_the_same(demo, domain, four)
    assert answered(demo, domain, "NS", four) == [f"ns{number}.fleet.test." for number in (1, 2, 3, 4)]

    # Away and wanted again before it has gone: it stays, or comes back.
    server_changes.set_status(fleet, "test", "ns4", "maintenance")
    groups.attach_dns(fleet, "test", GROUP, THREE)
    rollouts_are_over(demo)
    groups.attach_dns(fleet, "test", GROUP, four)
    rollouts_are_over(demo)
    server_changes.set_status(fleet, "test", "ns4", "active")
    all_say_the_same(demo, domain, four)
    assert answered(demo, domain, "NS", four) == [f"ns{number}.fleet.test." for number in (1, 2, 3, 4)]

    groups.attach_dns(fleet, "test", GROUP, THREE)
    rollouts_are_over(demo)
    all_say_the_same(demo, domain)
    assert answered(demo, domain, "NS") == [f"ns{number}.fleet.test." for number in (1, 2, 3)]
    assert values(nameserver(demo, "ns4"), domain, "SOA") == []
    assert list(demo.servers["ns4"].state()["users"]) == ["admin"]


def rollouts_are_over(demo: Demo) -> None:
    def over() -> bool:
        with demo.fleet.database.read() as session:
            return session.scalar(select(LongRun.id).where(LongRun.finished_at.is_(None)).limit(1)) is None

    until(over, 180, "a rollout goes on and on")


@pytest.mark.long
def test_a_nameserver_that_comes_while_a_service_is_built_has_its_key_too(demo: Demo) -> None:
    fleet, name = demo.fleet, "still-coming.com"
    demo.servers["mx01"].faults.hang("v-add-mail-domain", 4, times=1)
    built = order(demo, name)
    until(lambda: ("mail.domain", "mx01", "running") in [each[:3] for each in tasks(demo, built.id)], 60)
    groups.attach_dns(fleet, "test", GROUP, [*THREE, "ns4"])
    rollouts_are_over(demo)
    wait_for(demo, built.id, ServiceStatus.ACTIVE)
    all_say_the_same(demo, name, [*THREE, "ns4"])
    groups.attach_dns(fleet, "test", GROUP, THREE)
    rollouts_are_over(demo)
    settle(demo)


def test_the_zone_outlives_a_suspension_and_ends_with_the_service(demo: Demo) -> None:
    fleet, name = demo.fleet, "comes-and-goes.com"
    service = order(demo, name)
    wait_for(demo, service.id, ServiceStatus.ACTIVE)
    services.suspend(fleet, "test", name)
    wait_for(demo, service.id, ServiceStatus.SUSPENDED)
    all_say_the_same(demo, name)
    zones.add_record(fleet, "test", name, name="note", type="TXT", value="suspended")
    all_say_the_same(demo, name)
    assert answered(demo, f"note.{name}", "TXT") == ["suspended"]
    services.unsuspend(fleet, "test", name)
    wait_for(demo, service.id, ServiceStatus.ACTIVE)
    all_say_the_same(demo, name)
    services.terminate(fleet, "test", name)
    wait_for(demo, service.id, ServiceStatus.TERMINATED)
    for each in THREE:
        assert values(nameserver(demo, each), name, "SOA") == [], each


# -- damage by hand --------------------------------------------------------------------------------------------


def in_the_panels_files(demo: Demo, domain: str) -> None:
    """Somebody edits a zone of ns1 and has named read it."""
    server = demo.servers["ns1"]
    user = account_on(demo, domain, "ns1")
    for path in (
        server.root / f"home/{user}/conf/dns/{domain}.db",
        server.hestia / f"data/users/{user}/dns/{domain}.conf",
    ):
        text = path.read_text()
        assert "192.0.2.11" in text
        path.write_text(text.replace("192.0.2.11", "192.0.2.66"))
    rndc = ["rndc", "-c", str(server.root / "etc/bind/rndc.conf"), "reload"]
    subprocess.run(rndc, check=True, capture_output=True)
    until(lambda: values(server, f"www.{domain}", "A") == ["192.0.2.66"], 10)


def in_powerdns(demo: Demo, domain: str) -> None:
    """Somebody deletes a record from PowerDNS."""
    server = demo.servers.nameservers["ns3"]
    change = {"rrsets": [{"name": f"www.{domain}.", "type": "A", "changetype": "DELETE"}]}
    answer = httpx2.patch(
        f"{server.api_url}/api/v1/servers/localhost/zones/{domain}.",
        json=change,
        headers={"X-API-Key": server.api_key},
    )
    assert answer.status_code == 204, answer.text
    until(lambda: values(server, f"www.{domain}", "A") == [], 10)


@pytest.mark.parametrize(
    ("damage", "server", "words"),
    [
        (in_the_panels_files, "ns1", "www A: has 192.0.2.66 and lacks 192.0.2.11"),
        (in_powerdns, "ns3", "www A: there is no such name"),
    ],
)
def test_damage_by_hand_is_seen_and_mended(
    demo: Demo, domain: str, damage: Callable[[Demo, str], None], server: str, words: str
) -> None:
    all_say_the_same(demo, domain)
    damage(demo, domain)
    assert wrong(demo, THREE, domain) != []
    zones.check_now(demo.fleet, "test", domain)
    until(lambda: verdict(demo, domain)[0] is False, 30, f"the damage is not seen: {verdict(demo, domain)}")
    said = verdict(demo, domain)[1]
    assert words in said.pop(server)[2]
    assert list(said.values()) == [(True, True, [])] * 2
    zones.redeploy(demo.fleet, "test", domain)
    all_say_the_same(demo, domain)


# -- away ------------------------------------------------------------------------------------------------------


def change_ten_times(demo: Demo, domain: str, mark: str) -> list[str]:
    """Seven records come, two change, one goes; the names."""
    fleet = demo.fleet
    names = [f"{mark}{number}" for number in range(7)]
    for number, name in enumerate(names):
        zones.add_record(fleet, "test", domain, name=name, type="A", value=f"198.51.100.{number + 1}")
    for name in names[:2]:
        number = record_id(demo, domain, name)
        zones.edit_record(fleet, "test", domain, number, name=name, type="TXT", value=f"changed {name}", ttl=120)
    zones.delete_record(fleet, "test", domain, record_id(demo, domain, names[2]))
    return names


def agrees_after(demo: Demo, domain: str, names: Sequence[str], what: str) -> float:
    """Seconds until all say the same and the product says so."""
    begin = time.monotonic()
    until(lambda: not wrong(demo, THREE, domain, names), 2 * PROMISE, f"{wrong(demo, THREE, domain, names)}")
    same = time.monotonic() - begin
    until(lambda: verdict(demo, domain)[0], 2 * PROMISE, f"the product says {verdict(demo, domain)}")
    seen = time.monotonic() - begin
    print(f"\n{what}: all answer the same after {same:.1f} s, the product says so after {seen:.1f} s")
    return max(same, seen)


def as_if_away_for_an_hour(demo: Demo, name: str) -> None:
    """The next check of the server comes after the longest pause."""
    with demo.fleet.database.write() as session:
        server = session.scalars(select(Server).where(Server.name == name)).one()
        assert server.blocked_since is not None
        query = select(Task).where(Task.server_id == server.id, Task.action == "server.status")
        for task in session.scalars(query.where(Task.status == TaskStatus.QUEUED)):
            # What the pause after this many failures may be at most: 30 s, and a quarter of it by chance.
            task.tries = {"unreachable": 100}
            task.not_before = utcnow() + dt.timedelta(seconds=37.5)


def stay_away(demo: Demo, domain: str, name: str, *, long: bool) -> None:
    all_say_the_same(demo, domain)
    server = nameserver(demo, name)
    others = [each for each in THREE if each != name]
    server.stop()
    try:
        names = change_ten_times(demo, domain, f"{name}{'long' if long else 'short'}")
        until(lambda: not wrong(demo, others, domain, names), 180, f"{wrong(demo, others, domain, names)}")
        until(lambda: verdict(demo, domain)[1].get(name, (True,))[0] is False, 60, f"{verdict(demo, domain)}")
        assert verdict(demo, domain)[0] is False
        assert "does not answer" in verdict(demo, domain)[1][name][2][0]
        if long:
            until(lambda: is_waited_for(demo, name), 30)
            as_if_away_for_an_hour(demo, name)
    finally:
        server.start()
    kind = "PowerDNS" if name == "ns3" else "HestiaCP"
    seconds = agrees_after(demo, domain, names, f"{kind}, {'an hour' if long else 'a moment'} away")
    assert seconds < by_load(PROMISE)
    settle(demo)
    with demo.fleet.database.read() as session:
        left = select(Task.label, Task.error).where(Task.status.in_((TaskStatus.FAILED, TaskStatus.HELD)))
        assert session.execute(left).all() == []


def is_waited_for(demo: Demo, name: str) -> bool:
    """Its breaker is open and a check is due later."""
    with demo.fleet.database.read() as session:
        query = select(Task.id).join(Server).where(Server.name == name, Server.blocked_since.is_not(None))
        return session.scalar(query.where(Task.action == "server.status", Task.status == TaskStatus.QUEUED)) is not None


@pytest.mark.parametrize("name", ["ns2", "ns3"])
def test_a_nameserver_that_was_away_during_ten_changes_agrees_within_a_minute(
    demo: Demo, domain: str, name: str
) -> None:
    stay_away(demo, domain, name, long=False)


@pytest.mark.long
@pytest.mark.parametrize("name", ["ns2", "ns3"])
def test_one_that_was_away_for_an_hour_agrees_within_a_minute_too(demo: Demo, domain: str, name: str) -> None:
    stay_away(demo, domain, name, long=True)


def test_a_nameserver_in_maintenance_catches_up_and_gets_what_was_ordered_meanwhile(demo: Demo, domain: str) -> None:
    fleet, fresh = demo.fleet, "ordered-meanwhile.com"
    all_say_the_same(demo, domain)
    for name in ("ns2", "ns3"):
        server_changes.set_status(fleet, "test", name, "maintenance")
    names = change_ten_times(demo, domain, "quiet")
    wait_for(demo, order(demo, fresh).id, ServiceStatus.ACTIVE)
    assert values(nameserver(demo, "ns1"), fresh, "SOA") != []
    for name in ("ns2", "ns3"):
        assert values(nameserver(demo, name), fresh, "SOA") == []
        assert values(nameserver(demo, name), f"quiet3.{domain}", "A") == []
    for name in ("ns2", "ns3"):
        server_changes.set_status(fleet, "test", name, "active")
    assert agrees_after(demo, domain, names, "Out of maintenance") < by_load(PROMISE)
    rollouts_are_over(demo)
    all_say_the_same(demo, fresh)
    assert answered(demo, fresh, "NS") == [f"ns{number}.fleet.test." for number in (1, 2, 3)]


# -- many at once ----------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(("new", "many"), [("ns4", 30), ("ns5", 30)])
def test_a_worker_killed_in_the_middle_of_a_rollout_loses_no_zone_and_starts_none_twice(
    demo: Demo, new: str, many: int
) -> None:
    fleet, two = demo.fleet, ["ns3", new]
    group = groups.create(fleet, "test", name=f"Many zones for {new}")
    groups.attach_dns(fleet, "test", group.id, ["ns3"])
    product = products.create(
        fleet, "test", name=f"Only its zone on {new}", mode="split", roles=["web", "dns"], group=group.id
    )
    names = [f"many-{number}-{new}.com" for number in range(many)]
    with fleet.database.write() as session:
        for name in names:
            sold(session, fleet, session.get_one(Product, product.id), name, {WEB: ["web01"], DNS: ["ns3"]})
    begin = time.monotonic()
    groups.attach_dns(fleet, "test", group.id, two)
    until(lambda: 3 <= served(demo, new, names) < many, 180, "the rollout does not begin, or is over at once")
    worker = demo._worker
    assert worker is not None
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    then = served(demo, new, names)
    demo.start_worker()
    rollouts_are_over(demo)
    settle(demo)
    print(f"\n{many} zones attached in {time.monotonic() - begin:.1f} s, the worker killed after {then}")
    for name in names:
        for server in two:
            assert values(nameserver(demo, server), name, "NS") == ["ns3.fleet.test.", f"{new}.fleet.test."], name
    with fleet.database.read() as session:
        run = session.scalars(select(LongRun).order_by(LongRun.id.desc()).limit(1)).one()
        assert (run.total, run.done, run.failed) == (many, many, 0)
        per_service = select(Pipeline.service_id, func.count()).where(Pipeline.run_id == run.id)
        assert [count for _, count in session.execute(per_service.group_by(Pipeline.service_id))] == [1] * many
        per_resource = select(Task.resource_id).join(Pipeline, Pipeline.id == Task.pipeline_id)
        doubled = per_resource.where(Pipeline.run_id == run.id).group_by(Task.resource_id).having(func.count() > 1)
        assert session.execute(doubled).all() == []
    if new == "ns4":
        assert truth.on_server(fleet, demo.servers[new]) == []
    assert truth.tasks(fleet) == []
    assert truth.logs(fleet) == []


def served(demo: Demo, server: str, names: Sequence[str]) -> int:
    """How many of the zones a nameserver has."""
    return sum(bool(values(nameserver(demo, server), name, "SOA")) for name in names)
