"""What waits for what."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.pipelines import Node, Step, arrange, label, plan, with_dependents
from controller.domain.words import Desired, Reason, TaskStatus

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


def test_what_is_missing_of_a_suspended_service_is_made_before_its_account_is_suspended() -> None:
    nodes = [
        Node(n.resource_id, n.action, n.server_id, n.account_id, Desired.ACTIVE if n.entry == "package" else n.desired)
        for n in split(Desired.SUSPENDED)
        if n.server_id in (WEB, MAIL) and n.action != "web.certificate"
    ]
    for reason in (Reason.SUSPEND, Reason.REDEPLOY, Reason.CHANGE_PRODUCT):
        needs = needs_by_action(reason, nodes)
        assert needs[("web.domain", WEB)] == set()
        assert needs[("web.account", WEB)] == {("web.package", WEB), ("web.domain", WEB)}
        assert needs[("mail.account", MAIL)] == {("mail.package", MAIL), ("mail.domain", MAIL)}


ACTIONS = sorted({node.action for node in split()})
LIVING = st.sampled_from((Desired.ACTIVE, Desired.SUSPENDED))


@given(
    st.dictionaries(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 3)), LIVING, max_size=20),
    st.sampled_from(Reason),
    st.booleans(),
)
def test_no_plan_has_a_circle_or_a_need_outside_itself(
    wanted: dict[tuple[str, int], Desired], reason: Reason, is_going: bool
) -> None:
    nodes = [
        Node(number, action, server, server, Desired.ABSENT if is_going else desired)
        for number, ((action, server), desired) in enumerate(wanted.items())
    ]
    planned = plan(reason, nodes)
    assert {node.resource_id for node, _ in planned} == {node.resource_id for node in nodes}
    order = list(TopologicalSorter({node.resource_id: needs for node, needs in planned}).static_order())
    assert set(order) == {node.resource_id for node in nodes}


@given(st.data())
def test_what_is_wrong_takes_along_all_that_stands_on_it_and_nothing_else(data: st.DataObject) -> None:
    nodes = split()
    wrong = data.draw(st.sets(st.sampled_from([node.resource_id for node in nodes])))
    needs = {node.resource_id: set(needed) for node, needed in plan(Reason.REPAIR, nodes)}

    def stands_on_wrong(one: int) -> bool:
        return one in wrong or any(stands_on_wrong(needed) for needed in needs[one])

    assert with_dependents(wrong, nodes) == {one for one in needs if stands_on_wrong(one)}


# -- a running pipeline --------------------------------------------------------------------------------------

W, Q, R, OK, BAD, OFF, H = (
    TaskStatus.WAITING,
    TaskStatus.QUEUED,
    TaskStatus.RUNNING,
    TaskStatus.SUCCEEDED,
    TaskStatus.FAILED,
    TaskStatus.CANCELLED,
    TaskStatus.HELD,
)


@pytest.mark.parametrize(
    ("chain", "changes"),
    [
        ((OK, W, W), {1: Q}),
        ((R, W, W), {}),
        ((BAD, W, W), {1: H, 2: H}),
        ((OFF, H, W), {2: H}),
        ((Q, H, H), {1: W, 2: W}),
        ((OK, H, H), {1: Q, 2: W}),
        ((OK, OK, OK), {}),
        ((OK, BAD, H), {}),
    ],
)
def test_what_follows_waits_is_held_or_starts(chain: tuple[TaskStatus, ...], changes: dict[int, TaskStatus]) -> None:
    steps = {number: Step(status, (number - 1,) if number else ()) for number, status in enumerate(chain)}
    assert arrange(steps) == changes


def test_a_need_that_was_cleaned_away_has_succeeded() -> None:
    assert arrange({7: Step(W, (1, 2))}) == {7: Q}


@given(st.data())
def test_a_pipeline_is_never_left_with_a_step_that_nothing_moves(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    steps = {
        number: Step(
            data.draw(st.sampled_from(TaskStatus)),
            tuple(sorted(data.draw(st.sets(st.integers(0, number - 1), max_size=3)))) if number else (),
        )
        for number in range(count)
    }
    after = {number: Step(arrange(steps).get(number, step.status), step.needs) for number, step in steps.items()}
    assert {number for number in arrange(steps) if steps[number].status not in (W, H)} == set()

    def is_dead(number: int) -> bool:
        status = after[number].status
        return status in (BAD, OFF) or (status in (W, H) and any(is_dead(need) for need in after[number].needs))

    for step in after.values():
        if step.status is H:
            assert any(is_dead(need) for need in step.needs)
        if step.status is W:
            assert any(after[need].status in (Q, R, W) for need in step.needs)
    assert not arrange(after), "once is enough"


@pytest.mark.parametrize("desired", list(Desired))
def test_every_step_has_words_for_people(desired: Desired) -> None:
    for node in split(desired):
        words = label(node.action, "ns1.example.net", desired)
        assert words != node.action
        assert "{" not in words


def test_words_are_never_longer_than_there_is_room_for_them() -> None:
    server = ".".join(["a" * 60] * 4)
    for desired, check in ((Desired.ACTIVE, True), (Desired.ABSENT, False)):
        words = label("dns.zone", server, desired, check=check)
        assert (len(words), words[-1]) == (200, "…")
