"""The operation log's questions, on every storage."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import insert, select

from controller.engine.fleet import Fleet
from controller.operations import settings
from controller.operations.operation_log import log_filter
from controller.store.models import OperationLog
from controller.store.operation_log_queries import LogFilter, known, log_lines, log_page
from controller.store.work_models import Setting

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def lines(fleet: Fleet) -> Fleet:
    with fleet.database.write() as session:
        session.execute(
            insert(OperationLog),
            [
                {
                    "at": START + dt.timedelta(hours=n),
                    "actor": "Engine" if n % 2 else "Owner@example.net",
                    "action": "service.order" if n % 10 == 0 else "web.domain",
                    "target": "a.example",
                    "result": "failed" if n % 4 == 0 else "succeeded",
                    "message": f"Line {n} 100% of_it \\",
                    "server_id": 1 if n % 5 == 0 else 4711,
                }
                for n in range(60)
            ],
        )
    return fleet


def found(fleet: Fleet, **asked: str) -> list[int]:
    """Numbers of the lines that a filter takes."""
    with fleet.database.read() as session:
        page = log_page(session, log_filter(session, **asked), limit=100)
    return [int(line.message.split()[1]) for line in page.items]


def test_filters(lines: Fleet) -> None:
    assert found(lines, search="LINE 17 ") == [17]
    assert found(lines, search="% of_it \\") == list(range(59, -1, -1))
    assert found(lines, search="100_ of") == []
    assert found(lines, actor="OWNER", area="service", result="failed") == [40, 20, 0]
    assert found(lines, server="w1", since="2026-03-02", until="2026-03-02") == [45, 40, 35, 30, 25]
    assert found(lines, since="2026-03-03T09:00:00+01:00") == [59, 58, 57, 56]


def test_pages_meet_without_gap_or_overlap(lines: Fleet) -> None:
    with lines.database.read() as session:
        every = list(session.scalars(select(OperationLog.id).order_by(OperationLog.id.desc())))
        seen: list[int] = []
        page = log_page(session, LogFilter(), limit=7)
        while True:
            seen += [line.id for line in page.items]
            if not page.older:
                break
            page = log_page(session, LogFilter(), before=seen[-1], limit=7)
        back = log_page(session, LogFilter(), after=every[-1], limit=7)
        there = known(session, page.items)
    assert seen == every == [line.id for line in log_lines(lines.database, LogFilter())]
    assert [line.id for line in back.items] == every[-8:-1]
    assert back.newer
    assert there.servers == {1: "w1"}


def test_settings_are_stored(fleet: Fleet) -> None:
    settings.change(fleet, "o", "retention", {"activity": "7"})
    settings.change(fleet, "o", "retention", {"activity": "8"})
    with fleet.database.read() as session:
        assert session.get_one(Setting, "retention").value["activity"] == 8
        assert settings.show(session, "retention")["activity"] == 8
