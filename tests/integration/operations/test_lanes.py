"""Members of a tier are changed one after another, whoever asks for it and on whichever page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from controller.automation.runner import Outcome
from controller.domain.words import Driver, ServerStatus
from controller.engine import dispatch, lifecycle
from controller.engine.fleet import Fleet
from controller.operations import group_config, group_runs, groups, server_actions
from controller.operations.lanes import lanes
from controller.store.models import Server, ServerGroup, Task


def carried_out(fleet: Fleet) -> list[list[str]]:
    """Round for round the servers that are changed in the same moment."""
    rounds: list[list[str]] = []
    while True:
        with fleet.database.read() as session:
            due = [task_id for task_id, _ in dispatch.due(session)]
        held = []
        for task_id in due:
            with fleet.database.write() as session:
                held.append(lifecycle.claim(session, task_id, "worker", fleet.settings))
        running = [claim for claim in held if claim is not None]
        if not running:
            return rounds
        with fleet.database.read() as session:
            rounds.append([session.get_one(Task, claim.task_id).server.name for claim in running])
        for claim in running:
            with fleet.database.write() as session:
                lifecycle.finish(session, claim, Outcome(ok=True), 0)


def applied_on_their_pages(fleet: Fleet) -> None:
    for name in ("n1", "n2"):
        server_actions.apply_config(fleet, "test", name, "all")


def pushed_by_two_groups(fleet: Fleet) -> None:
    # Web and mail servers are left alone, so that both pushes are for the nameservers.
    with fleet.database.write() as session:
        session.execute(update(Server).where(~Server.can_dns).values(status=ServerStatus.MAINTENANCE))
    groups.create(fleet, "test", name="other")
    groups.attach_dns(fleet, "test", "other", ["n2"])
    group_runs.apply(fleet, "test", "g", "config", "all")
    group_config.set_config(fleet, "test", "other", "dns", {"SUPPORT_DNSSEC": "no"})
    group_runs.apply(fleet, "test", "other", "config", "dns")


def restarted_and_rebuilt(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        group = session.scalars(select(ServerGroup)).one()
        common = {"driver": Driver.HESTIACP, "address": "127.0.0.1", "host_key": "ssh-ed25519 AAAA"}
        session.add(Server(name="w2", can_web=True, group=group, **common))
    server_actions.restart_service(fleet, "test", "w1", "nginx")
    server_actions.rebuild(fleet, "test", "w2", "web")


@pytest.mark.parametrize("asked", [applied_on_their_pages, pushed_by_two_groups, restarted_and_rebuilt])
def test_no_two_members_are_changed_in_the_same_moment(fleet: Fleet, asked: Callable[[Fleet], None]) -> None:
    group_config.set_config(fleet, "test", "g", "all", {"API": "no"})
    asked(fleet)
    rounds = carried_out(fleet)
    assert len(rounds) >= 2
    assert all(len(together) == 1 for together in rounds), rounds


def test_groups_with_only_nameservers_in_common_do_not_wait_for_each_other(fleet: Fleet) -> None:
    group_config.set_config(fleet, "test", "g", "all", {"API": "no"})
    groups.create(fleet, "test", name="other")
    groups.attach_dns(fleet, "test", "other", ["n2"])
    with fleet.database.write() as session:
        other = session.scalars(select(ServerGroup).where(ServerGroup.name == "other")).one()
        common = {"driver": Driver.HESTIACP, "address": "127.0.0.1", "host_key": "ssh-ed25519 AAAA"}
        session.add(Server(name="w2", can_web=True, group=other, **common))
    group_config.set_config(fleet, "test", "other", "all", {"API": "no"})
    group_runs.apply(fleet, "test", "g", "config", "all")
    group_runs.apply(fleet, "test", "other", "config", "all")
    rounds = carried_out(fleet)
    assert sorted(name for together in rounds for name in together) == ["m1", "n1", "n2", "w1", "w2"]
    assert set(rounds[0]) == {"m1", "n1", "w2"}
    assert not any({"w1", "m1"} <= set(together) or {"n1", "n2"} <= set(together) for together in rounds), rounds


def test_a_server_of_two_tiers_joins_their_lanes(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        servers = list(session.scalars(select(Server).order_by(Server.name)))
        before = lanes(session, servers)
        session.execute(update(Server).where(Server.name == "n1").values(group_id=servers[-1].group_id))
        after = lanes(session, servers)
        alone = Server(name="z", driver=Driver.HESTIACP, address="127.0.0.1", host_key="ssh-ed25519 AAAA")
        session.add(alone)
        session.flush()
        assert lanes(session, [alone]) == {}
    assert len(set(before.values())) == 2
    assert len(set(after.values())) == 1
    assert set(before) == set(after) == {server.id for server in servers}
