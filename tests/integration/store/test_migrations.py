"""A database of an older version comes to this one with nothing lost."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, inspect, select

from controller.store.database import Database, make_engine
from controller.store.models import OperationLog, Service, Task
from controller.store.schema import config, upgrade

AT = dt.datetime(2026, 3, 1, 12, 30, 15, 123456)
LATER = AT + dt.timedelta(seconds=42)

# One installation at revision 0001, as it looks in the middle of its life: a live service, one in error
# with a running, a held and a failed task, and one that is gone.
ROWS: dict[str, list[dict[str, Any]]] = {
    "customers": [{"id": 1, "email": "ada@customer.test", "name": "Ada Ünal", "created_at": AT}],
    "users": [
        {"id": 1, "email": "owner@fleet.test", "name": "Owner", "role": "owner", "password_hash": "$argon2id$x",
         "customer_id": None, "session_epoch": 3, "disabled": False, "created_at": AT, "last_login_at": LATER},
        {"id": 2, "email": "ada@customer.test", "name": "Ada", "role": "customer", "password_hash": None,
         "customer_id": 1, "session_epoch": 0, "disabled": True, "created_at": AT, "last_login_at": None},
    ],
    "api_tokens": [
        {"id": 1, "name": "billing", "scope": "admin", "token_hash": "0" * 64, "created_at": AT,
         "last_used_at": LATER, "revoked_at": None},
    ],
    "server_groups": [
        {"id": 1, "name": "Europe 1", "description": "", "variables": {"ns1": "ns1.fleet.test"}, "created_at": AT},
    ],
    "servers": [
        {"id": number, "name": name, "driver": "hestiacp", "status": status, "address": "192.0.2.1", "port": 22,
         "can_web": name == "web01", "can_mail": name == "mx01", "can_dns": name == "ns1",
         "group_id": None if name == "ns1" else 1, "capacity": 10, "ssh_user": "root", "become": False,
         "ssh_password": None, "ssh_private_key": "gAAAAA", "host_key": "ssh-ed25519 AAAA", "hostname": name,
         "facts": {"ips": ["192.0.2.1"]}, "checked_at": AT, "problem": problem, "created_at": AT}
        for number, name, status, problem in (
            (1, "web01", "active", None), (2, "mx01", "maintenance", "does not answer"), (3, "ns1", "closed", None),
        )
    ],
    "group_dns_servers": [{"group_id": 1, "server_id": 3}],
    "products": [
        {"id": 1, "name": "Web Hosting M", "description": "", "mode": "split", "roles": ["web", "mail", "dns"],
         "group_id": 1, "limits": {"web_disk_quota": 1000}, "active": True, "self_service": False, "created_at": AT},
    ],
    "services": [
        {"id": number, "reference": f"R{number}", "product_id": 1, "customer_id": 1, "domain": "xn--mnchen-3ya.de",
         "domain_unicode": "münchen.de", "mode": "split", "roles": ["web"], "limits": {"web_disk_quota": 1000},
         "options": {}, "desired": desired, "status": status, "error": error, "created_at": AT,
         "activated_at": AT, "terminated_at": gone}
        for number, desired, status, error, gone in (
            (1, "absent", "terminated", None, LATER), (2, "active", "error", "“Preparing SSL” ...", None),
        )
    ],
    "accounts": [
        {"id": 1, "service_id": 2, "server_id": 1, "username": "xn-mnchen-web", "roles": ["web"], "password": "gAAAAA"},
    ],
    "resources": [
        {"id": number, "service_id": 2, "account_id": 1, "server_id": 1, "action": action, "name": "x", "spec": {},
         "desired": "active", "generation": 2, "applied_generation": number - 1, "applied_at": AT,
         "facts": {"ip": "192.0.2.1"}}
        for number, action in enumerate(("web.package", "web.account", "web.domain"), 1)
    ],
    "pipelines": [
        {"id": 1, "service_id": 1, "reason": "order", "actor": "billing", "created_at": AT, "finished_at": LATER},
        {"id": 2, "service_id": 2, "reason": "redeploy", "actor": "ada", "created_at": AT, "finished_at": None},
        {"id": 3, "service_id": None, "reason": "check", "actor": "", "created_at": AT, "finished_at": LATER},
    ],
    "tasks": [
        {"id": number, "pipeline_id": pipeline, "service_id": service, "server_id": 1, "resource_id": resource,
         "action": "web.domain", "target": "xn--mnchen-3ya.de", "label": "Configuring web hosting",
         "check_mode": False, "status": status, "priority": 50, "attempt": 2, "max_attempts": 3, "fence": 4,
         "not_before": None, "lease_owner": lease and "host/1/a", "lease_until": lease, "cancel_requested": False,
         "created_at": AT, "queued_at": AT, "started_at": AT, "finished_at": None, "changed": None, "generation": 2,
         "error_class": error, "error": error, "result": {"facts": {"ip": "192.0.2.1"}}, "events_expected": 2}
        for number, pipeline, service, resource, status, lease, error in (
            (1, 1, 1, None, "succeeded", None, None), (2, 2, 2, 1, "failed", None, "refused"),
            (3, 2, 2, 2, "held", None, None), (4, 2, 2, 3, "running", LATER, None),
            (5, 3, None, None, "cancelled", None, None),
        )
    ],
    "task_needs": [{"task_id": 3, "needs_id": 2}],
    "task_events": [
        {"id": 10 * task + seq, "task_id": task, "seq": seq, "attempt": 1, "at": AT, "kind": "runner_on_ok",
         "text": f"ok: {seq}", "data": {"res": {"changed": True}}}
        for task in (1, 2, 4) for seq in (1, 2)
    ],
    "server_locks": [{"server_id": 1, "task_id": 4, "fence": 4, "until": LATER}],
    "activity": [
        {"id": 1, "at": AT, "actor": "billing", "service_id": 1, "server_id": None, "task_id": None,
         "kind": "pipeline.order", "message": "Order accepted"},
        {"id": 2, "at": LATER, "actor": "", "service_id": 2, "server_id": 1, "task_id": 2, "kind": "task.failed",
         "message": "Configuring web hosting"},
    ],
    "idempotency_keys": [
        {"id": 1, "token_id": 1, "key": "k", "request_hash": "1" * 64, "status": 202, "body": "{}", "created_at": AT},
    ],
    "audit": [
        {"id": 1, "at": AT, "actor": "owner@fleet.test", "action": "server.add", "target": "web01",
         "detail": {"address": "192.0.2.1", "port": 22}},
        {"id": 5, "at": LATER, "actor": "token billing", "action": "service.order", "target": "münchen.de",
         "detail": {}},
    ],
}  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'fleet.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = make_engine(url)
    yield opened
    opened.dispose()


@pytest.fixture
def old(url: str, engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """A database at the first revision with rows in every table; answers what is in it."""
    with engine.execution_options(write=True).begin() as connection:
        alembic = config(url)
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, "0001")
    with engine.execution_options(write=True).begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.insert(), ROWS[table.name])
    return content(engine)


def content(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table as the database itself keeps it."""
    with engine.connect() as connection:
        return {
            name: [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1, 2").mappings()]
            for name in inspect(connection).get_table_names()
            if name != "alembic_version"
        }


def test_the_rows_of_this_test_fill_every_table_of_the_first_revision(old: dict[str, list[dict[str, Any]]]) -> None:
    assert set(old) == set(ROWS)
    assert all(len(rows) == len(ROWS[table]) for table, rows in old.items())


def test_nothing_is_lost_on_the_way_to_this_version(
    url: str, engine: Engine, old: dict[str, list[dict[str, Any]]]
) -> None:
    upgrade(url)
    new = content(engine)
    for table, rows in old.items():
        if table == "audit":
            continue
        kept = [{column: value for column, value in row.items() if column in rows[0]} for row in new[table]]
        assert kept == rows, table
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_who_did_what_is_told_by_the_operation_log(
    url: str, engine: Engine, old: dict[str, list[dict[str, Any]]]
) -> None:
    upgrade(url)
    lines = content(engine)["operation_log"]
    assert "audit" not in inspect(engine).get_table_names()
    assert len(lines) == len(old["audit"])
    for line, row in zip(lines, old["audit"], strict=True):
        assert {key: line[key] for key in ("at", "actor", "action", "target")} == {
            key: row[key] for key in ("at", "actor", "action", "target")
        }
        assert json.loads(line["detail"]) == json.loads(row["detail"])
        assert (line["result"], line["message"]) == ("done", "")


def test_what_was_there_is_read_by_the_models(url: str, old: dict[str, list[dict[str, Any]]]) -> None:
    upgrade(url)
    database = Database(url)
    with database.read() as session:
        assert [line.detail for line in session.scalars(select(OperationLog).order_by(OperationLog.at))][1] == {}
        task = session.get_one(Task, 3)
        assert (task.tries, task.pipeline.run_id, task.server.blocked_since) == ({}, None, None)
        assert [need.id for need in task.needs] == [2]
        assert len(session.get_one(Service, 2).resources) == 3
    database.dispose()


def test_bringing_it_up_to_date_twice_changes_nothing(
    url: str, engine: Engine, old: dict[str, list[dict[str, Any]]]
) -> None:
    upgrade(url)
    once = content(engine)
    upgrade(url)
    assert content(engine) == once


def test_models_and_migrations_tell_the_same(url: str, engine: Engine) -> None:
    upgrade(url)
    command.check(config(url))
    with engine.connect() as connection:
        head = ScriptDirectory.from_config(config(url)).get_current_head()
        assert MigrationContext.configure(connection).get_current_revision() == head


def test_there_is_one_line_of_revisions(url: str) -> None:
    script = ScriptDirectory.from_config(config(url))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
