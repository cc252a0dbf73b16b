"""What tasks report gets to its place: views and samples of servers, usage of services, pulled files."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import TaskStatus
from controller.engine import lifecycle
from controller.engine.fleet import Fleet
from controller.engine.lifecycle import Claim
from controller.engine.worker import Worker
from controller.operations import group_config, orders, server_actions, servers, standard_files, usage
from controller.store.fleet_models import ServerSample, ServerView, ServiceUsage, StandardFile, UsageSample
from controller.store.models import Account, Pipeline, Resource, Server, Task

FACTS = {
    "hostname": "w1.real.test",
    "load": 0.5,
    "cpu": 12.5,
    "memory_mb": 1000,
    "memory_used_mb": 250,
    "disk_mb": 0,
    "users": 7,
    "services": {"nginx": "running", "apache2": "stopped"},
    "views": {"config": {"WEB_PORT": "8080"}, "packages": [{"name": "default"}], "unknown": [1]},
}


def finish(fleet: Fleet, pipeline_id: int, facts: dict[str, object]) -> None:
    with fleet.database.read() as session:
        tasks = session.scalars(select(Task.id).where(Task.pipeline_id == pipeline_id)).all()
    for task_id in tasks:
        with fleet.database.write() as session:
            held = lifecycle.claim(session, task_id, "worker", fleet.settings)
            assert held is not None
            lifecycle.finish(session, held, Outcome(ok=True, facts=facts), 0)


def test_a_check_leaves_facts_views_and_one_sample(fleet: Fleet) -> None:
    for _ in range(2):
        task = servers.check(fleet, "test", "w1")
        finish(fleet, task.pipeline_id, FACTS)
    with fleet.database.read() as session:
        server = session.scalars(select(Server).where(Server.name == "w1")).one()
        assert (server.hostname, server.facts["load"], "views" in server.facts) == ("w1.real.test", 0.5, False)
        assert set(session.scalars(select(ServerView.kind))) == {"config", "packages"}
        sample = session.scalars(select(ServerSample)).one()
        assert (sample.cpu, sample.memory, sample.disk, sample.accounts) == (12.5, 25.0, None, 7)
        assert (sample.services_up, sample.services_all) == (1, 2)
        assert session.get_one(Task, task.id).result["facts"].keys() == FACTS.keys() - {"views", "users"}


def test_each_server_fills_in_what_it_hosts_of_a_service(fleet: Fleet) -> None:
    service = orders.order(
        fleet, "test", product="p", domain="customer.com", customer_email="a@customer.com", customer_name="Ada"
    )
    with fleet.database.read() as session:
        names = dict(
            session.execute(select(Server.name, Account.username).join(Account, Account.server_id == Server.id)).all()
        )
    pipeline = usage.refresh_all(fleet, "test")
    with fleet.database.read() as session:
        tasks = {task.server.name: task.id for task in session.get_one(Pipeline, pipeline.id).tasks}
    users = {
        "w1": {"disk": 100, "disk_web": 80, "bandwidth": 9, "databases": 2, "ftp_accounts": 1, "backups": 3},
        "m1": {"disk": 55, "disk_mail": 50, "mail_accounts": 4},
        "n1": {"dns_records": 99, "domains": {"dns": {"customer.com": 21}}},
        "n2": {"name": "somebody-else", "disk": 1},
    }
    for name, figures in users.items():
        facts = {"users": [{"name": names[name], **figures}]}
        with fleet.database.write() as session:
            held = lifecycle.claim(session, tasks[name], "worker", fleet.settings)
            assert held is not None
            lifecycle.finish(session, held, Outcome(ok=True, facts=facts), 0)
    with fleet.database.read() as session:
        row = session.scalars(select(ServiceUsage)).one()
        assert (row.service_id, row.web_disk, row.web_bandwidth, row.databases) == (service.id, 100, 9, 2)
        assert (row.mail_disk, row.mail_accounts, row.dns_records, row.web_backups) == (55, 4, 21, 3)
        sample = session.scalars(select(UsageSample)).one()
        assert (sample.web_disk, sample.mail_disk, sample.mail_accounts) == (100, 55, 4)
        assert session.scalar(select(func.count()).where(ServerView.kind == "users")) == 4


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_a_pulled_file_becomes_the_groups(fleet: Fleet, before: bool) -> None:
    if before:
        standard_files.override(fleet, "test", "g", "index", "old")
    pipeline = standard_files.pull(fleet, "ada", "g", "index", "w1")
    finish(fleet, pipeline.id, {"content": "<h1>pulled</h1>"})
    with fleet.database.read() as session:
        row = session.scalars(select(StandardFile)).one()
        assert (row.origin, row.content, row.server_name, row.updated_by) == ("pulled", "<h1>pulled</h1>", "w1", "ada")


def test_a_pulled_file_does_not_replace_what_was_written_meanwhile(fleet: Fleet) -> None:
    for content in ("new", ""):
        pipeline = standard_files.pull(fleet, "ada", "g", "index", "w1")
        if not content:
            standard_files.reset(fleet, "bob", "g", "index")
        else:
            standard_files.override(fleet, "bob", "g", "index", content)
        finish(fleet, pipeline.id, {"content": "old"})
        with fleet.database.read() as session:
            assert list(session.scalars(select(StandardFile.content))) == [content]
            (task,) = session.get_one(Pipeline, pipeline.id).tasks
            assert "changed meanwhile" in task.result["actions"][0]


def test_of_a_push_that_was_partly_refused_the_rest_is_known_and_the_reasons_too(fleet: Fleet) -> None:
    group_config.set_config(fleet, "test", "g", "all", {"LANGUAGE": "pl", "TITLE": "Acme"})
    finish(fleet, servers.check(fleet, "test", "w1").pipeline_id, {"views": {"config": {"LANGUAGE": "en"}}})

    def push(outcome: Outcome, *, check: bool = False) -> list[group_config.ConfigLine]:
        pipeline = server_actions.apply_config(fleet, "test", "w1", check=check)
        with fleet.database.write() as session:
            (task,) = session.get_one(Pipeline, pipeline.id).tasks
            held = lifecycle.claim(session, task.id, "worker", fleet.settings)
            assert held is not None
            lifecycle.finish(session, held, outcome, 0)
        with fleet.database.read() as session:
            lines = group_config.drift(session, session.scalars(select(Server).where(Server.name == "w1")).one())
        return sorted(lines, key=lambda line: line.key)

    facts = {
        "settings": {"LANGUAGE": "en", "TITLE": "Acme"},
        "refused": {"LANGUAGE": "language pl doesn't exist"},
        "asked": {"LANGUAGE": "pl"},
    }
    failed = Outcome(ok=False, changed=True, facts=facts, error_class=ErrorClass.BAD_ARGUMENT, error="1 of 2")
    assert [(line.matches, line.refused) for line in push(failed, check=True)] == [(False, ""), (False, "")]
    assert [(line.matches, line.refused) for line in push(failed)] == [
        (False, "language pl doesn't exist"),
        (True, ""),
    ]
    with fleet.database.read() as session:
        resource = session.scalars(select(Resource).where(Resource.action == "server.config")).one()
        assert resource.applied_generation < resource.generation
    # What ended at once says nothing about single settings.
    assert push(Outcome(ok=False, error_class=ErrorClass.BAD_ARGUMENT, error="no"))[0].refused
    # Nor does what was said of one value about another.
    for language, told in (("de", ""), ("pl", "language pl doesn't exist")):
        group_config.set_config(fleet, "test", "g", "all", {"LANGUAGE": language})
        with fleet.database.read() as session:
            server = session.scalars(select(Server).where(Server.name == "w1")).one()
            assert {line.key: line.refused for line in group_config.drift(session, server)}["LANGUAGE"] == told
    done = Outcome(ok=True, changed=True, facts={"settings": {"LANGUAGE": "pl", "TITLE": "Acme"}})
    assert [(line.matches, line.refused) for line in push(done)] == [(True, ""), (True, "")]


def test_a_result_that_the_database_does_not_take_fails_the_task_instead_of_coming_again_for_ever(
    fleet: Fleet,
) -> None:
    pipeline = standard_files.pull(fleet, "ada", "g", "index", "w1")
    with fleet.database.read() as session:
        (task_id,) = session.scalars(select(Task.id).where(Task.pipeline_id == pipeline.id))
    with fleet.database.write() as session:
        # As if a later version had left something there that this one cannot read.
        session.get_one(Task, task_id).arguments = {"group_id": "none", "file": "index"}
    worker = Worker(fleet)
    with fleet.database.write() as session:
        held = lifecycle.claim(session, task_id, worker.owner, fleet.settings)
    assert isinstance(held, Claim)
    worker._finish(held, Outcome(ok=True, facts={"content": "x"}), 0)
    with fleet.database.read() as session:
        task = session.get_one(Task, task_id)
        assert task.status in (TaskStatus.QUEUED, TaskStatus.FAILED)
        assert (task.error_class, task.error) == ("internal", "its result could not be stored (ValueError)")
