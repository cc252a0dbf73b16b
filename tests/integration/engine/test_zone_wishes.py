"""What a group's variables make of its zones: names of nameservers, lines that fit together."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from controller.automation.zone_wishes import wanted_zone, zone_values
from controller.domain.zones import check_records
from controller.engine.fleet import Fleet
from controller.operations import groups, orders, zone_templates
from controller.operations.errors import Invalid
from controller.store.models import ServerGroup, Service


def ordered(fleet: Fleet) -> int:
    """Id of a service with a zone."""
    return orders.order(
        fleet, "test", product="p", domain="customer.com", customer_email="a@customer.com", customer_name="Ada"
    ).id


def test_nameservers_go_by_their_numbers(fleet: Fleet) -> None:
    service_id = ordered(fleet)

    def named(*numbers: int) -> tuple[str, dict[str, str]]:
        groups.set_variables(fleet, "test", "g", {f"ns{number}": f"ns{number}.example.net" for number in numbers})
        with fleet.database.read() as session:
            service = session.get_one(Service, service_id)
            values = {name: value for name, value in zone_values(service).items() if name.startswith("ns")}
            return wanted_zone(session, service).soa, values

    for numbers in (range(1, 12), (1, 3), (3, 20)):
        expected = {f"ns{number}": f"ns{number}.example.net" for number in numbers}
        assert named(*numbers) == (f"ns{numbers[0]}.example.net", expected)
    for name in ("ns0", "ns01", "ns100"):
        with pytest.raises(Invalid) as refused:
            groups.set_variables(fleet, "test", "g", {name: "ns.example.net"})
        assert [problem.field for problem in refused.value.problems] == [f"variables.{name}"]
    with fleet.database.write() as session:
        # As an earlier version took it.
        session.scalars(select(ServerGroup)).one().variables = {"ns0": "not a name!", "ns2": "ns2.example.net"}
    with fleet.database.read() as session:
        assert wanted_zone(session, session.get_one(Service, service_id)).soa == "ns2.example.net"


def test_lines_that_contradict_others_once_they_are_filled_are_left_out(fleet: Fleet) -> None:
    service_id = ordered(fleet)
    lines = [("@", "NS", "{ns1}."), ("www", "A", "192.0.2.1"), ("{alias}", "CNAME", "a.net."), ("x", "A", "{other}")]
    records = [{"name": name, "type": kind, "value": value} for name, kind, value in lines]
    zone_templates.create(fleet, "test", name="t", records=[*records, {"name": "x", "type": "A", "value": "192.0.2.2"}])
    zone_templates.set_default(fleet, "test", "t")
    for alias, other, left_out in (("shop", "192.0.2.3", []), ("WWW", "192.0.2.2", [("{alias}", "CNAME"), ("x", "A")])):
        groups.set_variables(fleet, "test", "g", {"alias": alias, "other": other})
        with fleet.database.read() as session:
            wanted = wanted_zone(session, session.get_one(Service, service_id))
        assert check_records(wanted.records) == []
        assert [(line.name, line.type) for line in wanted.left_out] == left_out
