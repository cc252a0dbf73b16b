"""The operation log in the browser: filters, pages, links, download."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest
from sqlalchemy import insert

from controller.store.models import OperationLog
from controller.store.operation_log_queries import LogFilter, LogPage, log_count, log_page
from tests.integration.web.world import World

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def lines(world: World) -> World:
    """120 lines, one an hour, the last ones first on the page."""
    results = ("succeeded", "failed", "cancelled", "done")
    with world.fleet.database.write() as session:
        session.execute(OperationLog.__table__.delete())
        session.execute(
            insert(OperationLog),
            [
                {
                    "at": START + dt.timedelta(hours=n),
                    "actor": "Engine" if n % 2 else "owner@example.net",
                    "action": "service.order" if n % 10 == 0 else "web.domain",
                    "target": "anna.example",
                    "result": results[n % 4],
                    "message": f"line {n:03d} 100%",
                    "service_id": world.anna_service if n % 3 == 0 else 4711,
                    "server_id": world.server_id if n % 5 == 0 else None,
                    "task_id": 1 if n == 119 else 99_999,
                }
                for n in range(120)
            ],
        )
    return world


def shown(world: World, query: str = "") -> list[str]:
    """The numbers of the lines on a page."""
    answer = world.browser("support").get(f"/admin/log{query}")
    assert answer.status_code == 200
    return re.findall(r"line (\d+) 100%", answer.text)


def numbers(*chosen: int) -> list[str]:
    return [f"{n:03d}" for n in chosen]


def test_pages_go_by_id_and_back(lines: World) -> None:
    browser = lines.browser("support")
    first = browser.get("/admin/log").text
    assert "120 lines" in first
    assert 'rel="prev"' not in first
    older = re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    assert shown(lines) == numbers(*range(119, 69, -1))
    assert shown(lines, older.removeprefix("/admin/log")) == numbers(*range(69, 19, -1))
    second = browser.get(older).text
    newer = re.findall(r'href="([^"]+)" rel="prev"', second)[0].replace("&amp;", "&")
    assert shown(lines, newer.removeprefix("/admin/log")) == numbers(*range(119, 69, -1))


def test_filters(lines: World) -> None:
    assert shown(lines, "?search=LINE+017") == numbers(17)
    assert shown(lines, "?search=017+100%25") == numbers(17)
    assert shown(lines, "?search=1_0") == []
    assert shown(lines, "?result=failed&since=2026-03-02&until=2026-03-02") == numbers(45, 41, 37, 33, 29, 25)
    assert shown(lines, "?area=service&actor=OWNER") == numbers(*range(110, -1, -10))
    assert shown(lines, "?area=serv") == []
    assert shown(lines, "?service=anna.example&server=web01") == numbers(*range(105, -1, -15))
    assert shown(lines, f"?service={lines.anna_service}&area=service") == numbers(90, 60, 30, 0)
    assert shown(lines, "?task=1") == numbers(119)
    assert shown(lines, "?service=4711&since=2026-03-05T20:00:00Z") == numbers(119, 118, 116)


@pytest.mark.parametrize(
    "odd",
    ["since=x", "since=2026-13-01", "until=0", "server=nonsense", "service=nonsense", "result=x", "area=%C3%84",
     "task=x", "before=x", "after=-1", "before=99999999999999999999", "search=%00",
     "since=2026-02-02&until=2026-01-01"],
)  # fmt: skip
def test_odd_filters_are_told_or_taken_as_none(lines: World, odd: str) -> None:
    text = lines.browser("support").get(f"/admin/log?{odd}").text
    if odd.startswith(("before", "after")):
        assert "120 lines" in text
    elif not odd.startswith("search"):
        assert "This filter cannot be used" in text


def test_links_lead_to_what_is_still_there(lines: World) -> None:
    text = lines.browser("support").get("/admin/log").text
    assert f'href="/admin/services/{lines.anna_service}"' in text
    assert "/admin/services/4711" not in text
    assert f'href="/admin/servers/{lines.server_id}"' in text
    assert 'href="/admin/tasks/1"' in text
    assert "/admin/tasks/99999" not in text
    assert f'href="/admin/log?service={lines.anna_service}"' in (
        lines.browser("support").get(f"/admin/services/{lines.anna_service}").text
    )
    assert f'href="/admin/log?server={lines.server_id}"' in (
        lines.browser("support").get(f"/admin/servers/{lines.server_id}/log").text
    )


def test_the_download_has_all_lines_of_the_filter_and_no_formula(lines: World) -> None:
    with lines.fleet.database.write() as session:
        session.add(OperationLog(actor="=cmd|' /C calc'!A0", action="a.b", target="+1", message='two\nlines, "quoted"'))
    browser = lines.browser("support")
    answer = browser.get("/admin/log/download")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 121
    assert (rows[0]["who"], rows[0]["target"]) == ("'=cmd|' /C calc'!A0", "'+1")
    assert rows[0]["message"] == 'two\nlines, "quoted"'
    assert rows[1]["time"] == "2026-03-05T23:00:00+00:00"
    few = list(csv.DictReader(io.StringIO(browser.get("/admin/log/download?result=failed&area=service").text)))
    assert {row["result"] for row in few} <= {"failed"}
    assert browser.get("/admin/log/download?since=x").status_code == 422
    assert lines.browser("anna").get("/admin/log/download").status_code == 403


def test_much_is_neither_counted_nor_slow(lines: World) -> None:
    line = {"actor": "engine", "action": "web.domain", "target": "t", "result": "succeeded"}
    with lines.fleet.database.write() as session:
        session.execute(insert(OperationLog), [line] * 12_000)
    text = lines.browser("support").get("/admin/log").text
    assert "More than 10 000 lines" in text
    with lines.fleet.database.read() as session:
        page = log_page(session, LogFilter(result="failed"))
        assert log_count(session, LogFilter(result="failed"), page) == 30
        assert log_count(session, LogFilter(search="t"), LogPage([], newer=False, older=True)) is None
    download = lines.browser("support").get("/admin/log/download").text
    assert download.count("\n") == 12_121


def test_an_empty_log(world: World) -> None:
    with world.fleet.database.write() as session:
        session.execute(OperationLog.__table__.delete())
    browser = world.browser("support")
    assert "Nothing happened yet" in browser.get("/admin/log").text
    assert "Nothing found" in browser.get("/admin/log?search=x").text
    assert browser.get("/admin/log/download").text.startswith("id,time,who")
