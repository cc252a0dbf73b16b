"""Nameservers that come, go, are away and are lost while services live, change and end, in any order: every zone is
answered for at every moment, and in the end each nameserver has what it should have and nothing else."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from controller.domain.failures import ErrorClass
from controller.domain.words import ZONE_ACTION, Desired, ServerStatus, ServiceStatus
from controller.operations import groups, orders, server_loss, services, zone_templates, zones
from controller.operations import servers as server_operations
from controller.operations import tasks as task_operations
from controller.operations.errors import Conflict, Invalid, NotFound, Refused
from controller.store.models import Account, GroupDnsServer, Product, Resource, Server, ServerLock, Service, Task
from controller.store.zone_models import Zone, ZoneRecord
from tests.property import promises
from tests.property.nameserver_world import LINES, NAMESERVERS, SERVERS, NameserverWorld
from tests.property.settings import COMMON
from tests.property.test_services_machine import ACTOR, KINDS, NUMBER, SERVICE, Services

PRODUCT = st.sampled_from(("g", "g", "h"))
DOMAINS = ("one.com", "two.com", "three.com")
SERVER = st.sampled_from(tuple(SERVERS))
LIVE = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


class Nameservers(Services):
    """Two groups that share a nameserver, up to three services, workers that may die, staff that does anything."""

    world: NameserverWorld
    change_product = None

    @initialize(product=PRODUCT, steps=st.integers(0, 12), calm=st.booleans())
    def open(self, product: str, steps: int, calm: bool = False) -> None:
        """``calm``: servers and workers may go, but nothing is refused, and staff leaves the tasks alone."""
        self.calm, self.is_edited = calm, False
        self.world = NameserverWorld()
        self.fleet = self.world.fleet
        self.wishes = {}
        self.hands, self.lost = [], []
        self.fences, self.successes = {}, set()
        self.order(product, "one.com")
        self.work(steps)

    # -- customers and staff: services and zones ---------------------------------------------------------

    @precondition(lambda self: len(self.wishes) < 3)
    @rule(product=PRODUCT, domain=st.sampled_from(DOMAINS))
    def order(self, product: str, domain: str) -> None:
        try:
            service = orders.order(
                self.fleet, ACTOR, product=product, domain=domain, customer_email="a@one.com", customer_name="Ada"
            )
        except Conflict:
            assert any(s.domain == domain and s.status is not ServiceStatus.TERMINATED for s in self.services())
        except Invalid:
            usable = {server.id for server in self.world.rows(Server) if server.status is ServerStatus.ACTIVE}
            home = SERVERS["a" if product == "g" else "b"]
            assert home not in usable or not self.attached(product) & usable, "there was room"
        else:
            self.wishes[service.id] = Desired.ACTIVE

    @rule(which=SERVICE, verb=st.sampled_from(("add", "change", "delete", "redeploy")), number=NUMBER)
    def change_zone(self, which: int, verb: str, number: int) -> None:
        service = self.service(which)
        record = {"name": f"x{number % 2}", "type": "TXT", "value": f"v{number}"}
        try:
            zone = next((zone for zone in self.world.rows(Zone) if zone.service_id == service.id), None)
            own = [row for row in self.world.rows(ZoneRecord) if zone is not None and row.zone_id == zone.id]
            match verb:
                case "add":
                    zones.add_record(self.fleet, ACTOR, service.domain, **record)
                case "change" if own:
                    zones.edit_record(self.fleet, ACTOR, service.domain, own[number % len(own)].id, **record)
                case "delete" if own:
                    zones.delete_record(self.fleet, ACTOR, service.domain, own[number % len(own)].id)
                case "redeploy":
                    zones.redeploy(self.fleet, ACTOR, service.domain)
        except Invalid as problem:
            assert "already" in str(problem) or "twice" in str(problem), problem
        except Refused:
            current = self.service_by_id(service.id)
            assert current.desired is Desired.ABSENT or current.status is ServiceStatus.PENDING
        except NotFound:
            assert all(s.status is ServiceStatus.TERMINATED for s in self.services() if s.domain == service.domain)

    @rule(number=NUMBER, redeploy=st.booleans())
    def edit_template(self, number: int, redeploy: bool) -> None:
        version = {"name": "version", "type": "TXT", "value": f"n{number}"}
        zone_templates.edit(self.fleet, ACTOR, "t", name="t", records=[*LINES, version])
        self.is_edited = True
        if redeploy:
            self.redeploy_template()

    def redeploy_template(self) -> None:
        try:
            zone_templates.redeploy(self.fleet, ACTOR, "t")
        except Refused:
            assert all(service.desired is Desired.ABSENT for service in self.services())

    @rule()
    def redeploy_all_zones(self) -> None:
        try:
            zones.redeploy_many(self.fleet, ACTOR, [zone.id for zone in self.world.rows(Zone)])
        except Refused:
            assert all(service.desired is Desired.ABSENT for service in self.services())

    # -- staff: nameservers ------------------------------------------------------------------------------

    @rule(group=st.sampled_from(tuple(NAMESERVERS)), chosen=st.sets(st.sampled_from("anup"), min_size=1, max_size=3))
    def attach(self, group: str, chosen: set[str]) -> None:
        wanted = sorted(chosen & set(NAMESERVERS[group])) or ["u"]
        try:
            groups.attach_dns(self.fleet, ACTOR, group, wanted)
        except Refused as problem:
            assert "takes zones now" in str(problem)

    @rule(server=SERVER, group=st.sampled_from(tuple(NAMESERVERS)), there=st.booleans())
    def come_or_go(self, server: str, group: str, there: bool) -> None:
        """One nameserver more or less."""
        if server not in NAMESERVERS[group]:
            return
        names = {name for name, number in SERVERS.items() if number in self.attached(group)}
        names = names | {server} if there else names - {server}
        try:
            groups.attach_dns(self.fleet, ACTOR, group, sorted(names))
        except Refused as problem:
            assert "takes zones now" in str(problem) or "at least one" in str(problem)

    @rule(server=SERVER, status=st.sampled_from(ServerStatus))
    def change_server(self, server: str, status: ServerStatus) -> None:
        self.world.set_status(SERVERS[server], status)

    @rule(server=SERVER, away=st.booleans())
    def go_away_or_come_back(self, server: str, away: bool) -> None:
        (self.world.panels.away.add if away else self.world.panels.away.discard)(SERVERS[server])

    @rule(server=SERVER)
    def lose(self, server: str) -> None:
        """A server is given up, and put up anew."""
        number = SERVERS[server]
        try:
            server_loss.give_up(self.fleet, ACTOR, number)
        except Refused:
            return
        self.world.panels.wipe(number)
        left = [one for one in self.world.rows(Resource) if one.server_id == number]
        assert not left, "nothing is left of what is lost"

    @rule(what=st.sampled_from(("priority", "check", "renew", "early", "flush")), number=NUMBER)
    def a_small_thing(self, what: str, number: int) -> None:
        match what:
            case "priority":
                self.change_priority(self.task(number), 1 + number)
            case "check":
                server_operations.check(self.fleet, ACTOR, 1 + number % len(SERVERS))
            case "renew":
                self.renew()
            case "early" if self.hands:
                self.take_back_too_early(self.hands[number % len(self.hands)])
            case "flush":
                self.fleet.queue.flush()

    # -- what does not happen in a calm world ------------------------------------------------------------

    @precondition(lambda self: not self.calm)
    @rule(number=NUMBER, verb=st.sampled_from(("retry", "cancel", "force_fail")))
    def handle_task(self, number: int, verb: str) -> None:
        super().handle_task(number, verb)

    @precondition(lambda self: not self.calm)
    @rule(first=NUMBER, count=st.integers(1, 30), only_broken=st.booleans())
    def delete_tasks(self, first: int, count: int, only_broken: bool) -> None:
        super().delete_tasks(first, count, only_broken)

    @precondition(lambda self: not self.calm)
    @rule(number=NUMBER)
    def something_fails_for_good(self, number: int) -> None:
        super().something_fails_for_good(number)

    @precondition(lambda self: self.hands)
    @rule(number=NUMBER, kind=KINDS, done=st.booleans())
    def fail(self, number: int, kind: ErrorClass, done: bool) -> None:
        super().fail(number, ErrorClass.UNREACHABLE if self.calm else kind, done)

    # -- what must hold ----------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "world"):
            return
        lease = dt.timedelta(seconds=self.fleet.settings.lease_seconds)
        with self.fleet.database.read() as session:
            promises.check(session, lease, zones_apart=True)
        self.fences_only_rise()
        for service in self.services():
            assert service.desired is self.wishes[service.id], "the latest wish is the one that counts"
        going = {service.id for service in self.services() if service.desired is Desired.ABSENT}
        back = [one for one in self.world.rows(Resource) if one.service_id in going and one.desired != Desired.ABSENT]
        assert not back, "nothing of a service that goes away is wanted again"

    def way_out(self) -> None:
        """Everything works again: what nobody broke ends as wished, the rest does when staff have helped."""
        self.world.panels.away.clear()
        for server in self.world.rows(Server):
            self.world.set_status(server.id, ServerStatus.ACTIVE)
        for attempt in [*self.hands, *self.lost]:
            self.world.expire(attempt)
        self.world.run_to_the_end()
        self.promises_hold()
        self.nothing_moves()
        broken = self.broken()
        assert not broken or not self.calm, f"nobody broke {broken}: {self.world.story()}"
        for service in self.services():
            if service.id not in broken:
                self.is_as_wished(service)
        assert broken or not self.world.open_runs(), f"a rollout never ends: {self.world.story()}"
        self.help_all()
        if self.is_edited:
            self.redeploy_template()
            self.world.run_to_the_end()
        self.promises_hold()
        self.nothing_moves()
        assert not self.world.open_runs(), f"a rollout never ends: {self.world.story()}"
        for service in self.services():
            self.is_as_wished(service)
            self.zone_is_as_wished(service)
        self.nothing_is_left_over()

    def nothing_moves(self) -> None:
        stuck = [task for task in self.world.rows(Task) if task.status in promises.MOVING]
        assert not stuck, self.world.story()
        assert not self.world.rows(ServerLock)
        assert all(server.blocked_since is None for server in self.world.rows(Server))

    def broken(self) -> set[int]:
        """Services that staff see trouble with: in error, or with something that is behind and that nothing does."""
        behind = {
            one.service_id
            for one in self.world.rows(Resource)
            if one.applied_generation != one.generation and one.action.startswith("dns.")
        }
        return behind | {service.id for service in self.services() if service.status is ServiceStatus.ERROR}

    def help_all(self) -> None:
        """Staff try again what failed, redeploy a service in error, and a service whose zone is behind somewhere."""
        for service in self.services():
            if service.status is ServiceStatus.ERROR:
                self.help(service)
        self.world.run_to_the_end()
        for resource in self.world.rows(Resource):
            if resource.applied_generation == resource.generation or not resource.action.startswith("dns."):
                continue
            mine = [task for task in self.world.rows(Task) if task.resource_id == resource.id and not task.check_mode]
            if mine and mine[-1].status in promises.DEAD:
                task_operations.retry(self.fleet, ACTOR, mine[-1].id)
        self.world.run_to_the_end()
        behind = {
            one.service_id
            for one in self.world.rows(Resource)
            if one.applied_generation != one.generation and one.action.startswith("dns.")
        }
        for service_id in sorted(behind):
            services.redeploy(self.fleet, ACTOR, service_id)
        self.world.run_to_the_end()

    def is_as_wished(self, service: Service) -> None:
        service = self.service_by_id(service.id)
        assert promises.SETTLED.get(service.status) is self.wishes[service.id], f"{service.status}{self.world.story()}"
        resources = [one for one in self.world.rows(Resource) if one.service_id == service.id]
        accounts = {one.id: one for one in self.world.rows(Account) if one.service_id == service.id}
        if service.status is ServiceStatus.TERMINATED:
            assert not resources
            assert not accounts
            return
        panels = self.world.panels
        for one in resources:
            user = accounts[one.account_id].username if one.account_id is not None else ""
            found = panels.state(one.server_id, user, one.action, one.name)
            words = f"{one.action} {one.name} on {one.server_id} is {found}: {panels}{self.world.story()}"
            if service.status is ServiceStatus.ACTIVE:
                assert found is False, words
            elif one.action.endswith(".domain"):
                assert found is not False, words
            elif one.action == ZONE_ACTION:
                assert found is False, words
        placed = {one.server_id for one in resources if one.action == ZONE_ACTION}
        assert placed == self.attached_to(service), f"{placed}{self.world.story()}"
        assert {one.account_id for one in resources} - {None} == set(accounts), "an account stands for something"

    def zone_is_as_wished(self, service: Service) -> None:
        """Each nameserver of its group has exactly the wanted records, no other has any."""
        with self.fleet.database.read() as session:
            mine = session.get_one(Service, service.id)
            if mine.status is ServiceStatus.TERMINATED:
                return
            wanted = self.world.wanted(session, mine)
        found = {
            place[0]: records for place, records in self.world.panels.records.items() if place[3] == service.domain
        }
        assert found == dict.fromkeys(self.attached_to(service), wanted), self.world.story()

    def nothing_is_left_over(self) -> None:
        """On the servers is what the database says, and nothing else."""
        panels, rows = self.world.panels, self.world.rows
        names = {(one.server_id, one.username) for one in rows(Account)}
        assert set(panels.accounts) <= names
        assert panels.packages <= names
        made = {(one.server_id, one.action, one.name) for one in rows(Resource)}
        assert {(place[0], place[2], place[3]) for place in panels.things} <= made
        live = {service.domain for service in self.services() if service.status is not ServiceStatus.TERMINATED}
        assert {place[3] for place in panels.records} <= live
        assert {zone.domain for zone in rows(Zone)} <= live

    # -- small things ------------------------------------------------------------------------------------

    def attached(self, group: str) -> set[int]:
        """Ids of a group's nameservers."""
        number = list(NAMESERVERS).index(group) + 1
        return {row.server_id for row in self.world.rows(GroupDnsServer) if row.group_id == number}

    def attached_to(self, service: Service) -> set[int]:
        product = next(one for one in self.world.rows(Product) if one.id == service.product_id)
        return self.attached(product.name)


TestNameservers = Nameservers.TestCase
TestNameservers.settings = settings(COMMON, max_examples=4, stateful_step_count=30)


@pytest.mark.long
class TestNameserversLong(Nameservers.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(COMMON, max_examples=600, stateful_step_count=80)
