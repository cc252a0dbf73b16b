"""What waits for what."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.pipelines import Node, label, plan
from controller.domain.words import Desired, Reason

WEB, MAIL, NS1, NS2 = 1, 2, 3, 4


def split(desired: Desired = Desired.ACTIVE) -> list[Node]:
    """Resources of a Split service on a web, a mail and two DNS servers."""
    wanted = [
        (WEB, ["web.package", "web.account", "web.domain", "web.certificate"]),
        (MAIL, ["mail.package", "mail.account", "mail.domain"]),
        (NS1, ["dns.package", "dns.account", "dns.zone"]),
        (NS2, ["dns.package", "dns.account", "dns.zone"]),
    ]
    flat = [(server, action) for server, actions in wanted for action in actions]
    return [Node(number, action, server, server, desired) for number, (server, action) in enumerate(flat, start=1)]


def needs_by_action(reason: Reason, nodes: list[Node]) -> dict[tuple[str, int], set[tuple[str, int]]]:
    by_id = {node.resource_id: (node.action, node.server_id) for node in nodes}
    return {(node.action, node.server_id): {by_id[need] for need in needs} for node, needs in plan(reason, nodes)}


def test_an_order_builds_from_the_ground_up() -> None:
    needs = needs_by_action(Reason.ORDER, split())
    assert needs[("web.package", WEB)] == set()
    assert needs[("web.account", WEB)] == {("web.package", WEB)}
    assert needs[("web.domain", WEB)] == {("web.account", WEB)}
    assert needs[("web.certificate", WEB)] == {("web.domain", WEB)}
    assert needs[("mail.package", MAIL)] == set()


def test_a_zone_waits_for_the_addresses_and_the_dkim_key() -> None:
    needs = needs_by_action(Reason.ORDER, split())
    assert needs[("dns.zone", NS1)] == {("dns.account", NS1), ("web.domain", WEB), ("mail.domain", MAIL)}


def test_independent_branches_start_at_once() -> None:
    ready = {key for key, needs in needs_by_action(Reason.ORDER, split()).items() if not needs}
    assert ready == {("web.package", WEB), ("mail.package", MAIL), ("dns.package", NS1), ("dns.package", NS2)}


def test_termination_goes_the_other_way_and_servers_do_not_wait_for_each_other() -> None:
    nodes = [node for node in split(Desired.ABSENT) if node.action != "web.certificate"]
    needs = needs_by_action(Reason.TERMINATE, nodes)
    assert needs[("web.domain", WEB)] == set()
    assert needs[("web.account", WEB)] == {("web.domain", WEB)}
    assert needs[("web.package", WEB)] == {("web.account", WEB)}
    assert needs[("dns.zone", NS1)] == set()


def test_suspension_takes_the_domain_before_its_account() -> None:
    nodes = [n for n in split(Desired.SUSPENDED) if n.action in ("mail.account", "mail.domain")]
    assert needs_by_action(Reason.SUSPEND, nodes)[("mail.account", MAIL)] == {("mail.domain", MAIL)}


def test_a_zone_that_shares_the_account_is_looked_at_after_its_mail_domain() -> None:
    nodes = [Node(1, "mail.domain", 1, 1, Desired.SUSPENDED), Node(2, "dns.zone", 1, 1, Desired.ACTIVE)]
    assert needs_by_action(Reason.SUSPEND, nodes)[("dns.zone", 1)] == {("mail.domain", 1)}


def test_verification_waits_for_nothing() -> None:
    assert all(not needs for needs in needs_by_action(Reason.VERIFY, split()).values())


@given(
    st.lists(
        st.tuples(st.sampled_from([a for n in split() for a in [n.action]]), st.integers(1, 3)),
        unique=True,
        max_size=20,
    ),
    st.sampled_from(Reason),
    st.sampled_from(Desired),
)
def test_no_plan_has_a_circle_or_a_need_outside_itself(
    wanted: list[tuple[str, int]], reason: Reason, desired: Desired
) -> None:
    nodes = [Node(number, action, server, server, desired) for number, (action, server) in enumerate(wanted)]
    planned = plan(reason, nodes)
    assert {node.resource_id for node, _ in planned} == {node.resource_id for node in nodes}
    order = list(TopologicalSorter({node.resource_id: needs for node, needs in planned}).static_order())
    assert set(order) == {node.resource_id for node in nodes}


@pytest.mark.parametrize("desired", list(Desired))
def test_every_step_has_words_for_people(desired: Desired) -> None:
    for node in split(desired):
        words = label(node.action, "ns1.example.net", desired)
        assert words != node.action
        assert "{" not in words
