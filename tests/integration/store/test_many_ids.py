"""More ids at once than a database takes values in one statement."""

from __future__ import annotations

from sqlalchemy import func, insert, select

from controller.domain.words import Driver, Mode, Reason, ServiceStatus, TaskStatus
from controller.engine import zone_rollout
from controller.engine.fleet import Fleet
from controller.operations import server_changes, task_bulk
from controller.store.base import utcnow
from controller.store.models import Customer, Pipeline, Product, Server, ServerGroup, Service, Task
from controller.store.task_queries import TaskFilter
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone

MANY = 40_000


def test_a_rollout_over_many_zones_that_are_named_takes_them_in_order(fleet: Fleet) -> None:
    there = range(1000, MANY + 1, 1000)
    common = {"product_id": 1, "customer_id": 1, "mode": Mode.SPLIT, "roles": ["web"], "status": ServiceStatus.ACTIVE}
    names = {number: f"s{number}.example" for number in there}
    with fleet.database.write() as session:
        session.add_all([ServerGroup(id=1, name="g"), Customer(id=1, email="a@example.net", name="a")])
        session.flush()
        session.add(Product(id=1, name="p", mode=Mode.SPLIT, roles=["web"], group_id=1))
        session.flush()
        rows = [{**common, "id": number, "domain": name, "domain_unicode": name} for number, name in names.items()]
        session.execute(insert(Service), rows)
        zones = [{"id": number, "service_id": number, "domain": name} for number, name in names.items()]
        session.execute(insert(Zone), zones)
        run = zone_rollout.start(session, "test", "all", "redeploy", zone_ids=[*range(1, MANY + 1)])
        assert run is not None
        assert run.total == len(there)
    for cursor, done in ((20_000, 20), (40_000, 40)):
        zone_rollout.advance(fleet)
        with fleet.database.read() as session:
            run = session.scalars(select(LongRun)).one()
            assert (run.cursor, run.done) == (cursor, done), "nothing of them is on a nameserver"


def test_a_server_goes_with_many_past_runs(fleet: Fleet) -> None:
    now = utcnow()
    common = {"server_id": 1, "action": "server.usage", "target": "w1", "label": "x", "status": TaskStatus.SUCCEEDED}
    numbers = range(1, MANY + 1)
    with fleet.database.write() as session:
        session.add(Server(name="w1", driver=Driver.HESTIACP, address="192.0.2.1", host_key="", can_web=True))
        session.flush()
        runs = [{"id": number, "reason": Reason.USAGE, "finished_at": now} for number in numbers]
        session.execute(insert(Pipeline), runs)
        tasks = [{**common, "id": number, "pipeline_id": number, "finished_at": now} for number in numbers]
        session.execute(insert(Task), tasks)
    with fleet.database.read() as session:
        told = task_bulk.removable(session, TaskFilter(), Task.id.is_(None))
    assert (told.done, told.at_most) == (MANY, True)
    server_changes.delete_server(fleet, "test", "w1")
    with fleet.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Task)) == 0
        assert session.scalar(select(func.count()).select_from(Pipeline)) == 0
