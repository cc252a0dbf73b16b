"""One server with its tabs: how it is doing, what its panel has, what its group wants, its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from controller.automation.hostkeys import HostKey
from controller.domain.config_keys import KEYS, READ_ONLY, VALUE, ConfigKey, Tier
from controller.domain.failures import CLASS_WORDS, ErrorClass
from controller.domain.words import FINAL_TASK_STATES, Driver
from controller.operations.errors import NotFound
from controller.operations.group_config import drift
from controller.operations.records import must
from controller.store.fleet_models import ServerView
from controller.store.models import Server, Task
from controller.store.operation_log_queries import LogFilter, known, log_page
from controller.store.queries import is_id
from controller.store.server_queries import (
    RANGES,
    account_owners,
    latest_tasks,
    own_work,
    server_activity,
    server_history,
    server_loads,
    server_view,
)
from controller.store.task_queries import next_check, waiting_for_server
from controller.web import server_figures
from controller.web.access import Access, page
from controller.web.admin.group_runs import Place
from controller.web.admin.operation_log import RESULT_STATES
from controller.web.group_state import shown
from controller.web.panel_users import OWNERSHIP, PanelUser, users_page
from controller.web.present import grouped, megabytes
from controller.web.request_tools import database_of, page_number, path_id, query
from controller.web.templating import render
from controller.web.verification import found_by
from controller.web.waiting import Wait, waits

TABS: Mapping[Driver, tuple[tuple[str, str], ...]] = {
    Driver.HESTIACP: (
        ("overview", "Overview"),
        ("config", "System config"),
        ("group-config", "Group config"),
        ("services", "Services"),
        ("users", "Users"),
        ("packages", "Packages"),
        ("addresses", "IPs"),
        ("maintenance", "Maintenance"),
        ("log", "Log"),
    ),
    Driver.POWERDNS: (("overview", "Overview"), ("maintenance", "Maintenance"), ("log", "Log")),
}
LOG_LINES = 30
PACKAGE_COLUMNS = (
    ("disk_quota", "Disk", "MB"),
    ("bandwidth", "Traffic", "MB"),
    ("web_domains", "Websites", ""),
    ("databases", "Databases", ""),
    ("cron_jobs", "Cron jobs", ""),
    ("mail_domains", "Mail domains", ""),
    ("mail_accounts", "Mailboxes", ""),
    ("dns_domains", "DNS zones", ""),
    ("dns_records", "DNS records", ""),
    ("backups", "Backups", ""),
)
"""Key, title and unit of what a package is mostly looked up for."""

PACKAGE_WORDS = {"ns": "Nameservers", "rate_limit": "E-mails an hour", "shell": "Shell"}
HOW_WORDS = {
    VALUE: "Written into the panel’s settings, which it reads each time",
    READ_ONLY: "Only shown, never pushed",
}


@dataclass(frozen=True)
class Doing:
    """What is being done to the server itself, and the task that was asked for last."""

    tasks: Sequence[Task]
    waits: Mapping[int, Wait]

    def __bool__(self) -> bool:
        return bool(self.tasks)

    @property
    def busy(self) -> bool:
        """Whether any of it is not over."""
        return any(task.status not in FINAL_TASK_STATES for task in self.tasks)


def find(session: Session, request: Request) -> Server:
    """The server in the path, or NotFound."""
    server_id = path_id(request)
    return must(session.get(Server, server_id), "server", server_id)


def _doing(session: Session, request: Request, server: Server) -> Doing:
    tasks = list(own_work(session, server.id))
    asked = query(request, "task")
    if is_id(asked) and int(asked) not in {task.id for task in tasks}:
        task = session.get(Task, int(asked))
        if task is not None and task.server_id == server.id:
            tasks.insert(0, task)
    return Doing(tasks, waits(session, tasks))


def server_tab(
    request: Request, session: Session, server: Server, tab: str, status: int = 200, /, **context: Any
) -> Response:
    """A tab of a server with what all of them show; NotFound for one that its driver does not have."""
    if tab not in dict(TABS[server.driver]):
        raise NotFound("tab", tab)
    return render(
        request,
        f"admin/servers/{tab.replace('-', '_')}.html",
        status,
        server=server,
        tab=tab,
        tabs=TABS[server.driver],
        figures=server_figures,
        doing=_doing(session, request, server),
        class_words=CLASS_WORDS[ErrorClass(server.blocked_cause or ErrorClass.UNREACHABLE)],
        waiting=waiting_for_server(session, server.id) if server.blocked_since else 0,
        next_check=next_check(session, server.id) if server.blocked_since else None,
        **context,
    )


def overview(request: Request) -> Response:
    span = query(request, "range")
    span = span if span in RANGES else "24h"
    with database_of(request).read() as session:
        server = find(session, request)
        history = server_history(session, server.id, span)
        return server_tab(
            request,
            session,
            server,
            "overview",
            load=server_loads(session, [server.id]).get(server.id, 0),
            fingerprint=HostKey(server.host_key).fingerprint if server.host_key else "",
            tasks=latest_tasks(session, server.id),
            span=span,
            spans=RANGES,
            charts=server_figures.charts(history, server.driver),
            samples=server_figures.sampled(history),
        )


@dataclass(frozen=True)
class Setting:
    """One line of a panel's settings."""

    key: str
    value: str
    entry: ConfigKey | None
    """What the catalogue knows about it."""

    def holds(self, text: str) -> bool:
        """Whether a search finds it."""
        title = self.entry.title if self.entry else ""
        return text in f"{self.key}\n{title}\n{self.value}".lower()


def config(request: Request) -> Response:
    search = query(request, "search")
    with database_of(request).read() as session:
        server = find(session, request)
        view = server_view(session, server.id, "config")
        data = view.data if view and isinstance(view.data, dict) else {}
        settings = [Setting(key, str(value), KEYS.get(key)) for key, value in sorted(data.items())]
        found = [one for one in settings if one.holds(search.lower())]
        return server_tab(request, session, server, "config", view=view, found=found, search=search, shown=shown)


def group_config(request: Request) -> Response:
    """Key by key what the group wants and what is there; the last preview of this server."""
    with database_of(request).read() as session:
        server = find(session, request)
        lines = drift(session, server)
        asked = query(request, "task")
        task = session.get(Task, int(asked)) if is_id(asked) else None
        place = None
        if task is not None and task.server_id == server.id and task.action == "server.config":
            places = [
                Place(thing, task.check_mode)
                for _, things in found_by(session, task.pipeline).servers
                for thing in things
            ]
            place = next((one for one in places if one.task.id == task.id), None)
        return server_tab(
            request,
            session,
            server,
            "group-config",
            view=server_view(session, server.id, "config"),
            lines=lines,
            counts={
                "match": sum(line.matches is True for line in lines),
                "drift": sum(line.matches is False for line in lines),
            },
            keys=KEYS,
            tiers=[tier for tier in Tier if tier is Tier.ALL or tier.value in server.capabilities],
            place=place,
            shown=shown,
            how=how,
        )


def how(word: str) -> str:
    """How a setting really gets to work, in words."""
    return HOW_WORDS.get(word, "By the panel’s own command, which also changes what the setting stands for")


def services(request: Request) -> Response:
    with database_of(request).read() as session:
        server = find(session, request)
        view = server_view(session, server.id, "services")
        rows = _rows(view)
        running = sum(row.get("state") == "running" for row in rows)
        return server_tab(request, session, server, "services", view=view, rows=rows, running=running)


def users(request: Request) -> Response:
    """The panel's accounts; which are ours is asked in one query, whatever the page."""
    search, owned, sort = query(request, "search"), query(request, "owned"), query(request, "sort") or "name"
    with database_of(request).read() as session:
        server = find(session, request)
        view = server_view(session, server.id, "users")
        owners = account_owners(session, server.id)
        everybody = [PanelUser.of(row, owners) for row in _rows(view)]
        return server_tab(
            request,
            session,
            server,
            "users",
            view=view,
            found=users_page(everybody, search=search, owned=owned, sort=sort, page=page_number(request)),
            total=len(everybody),
            strangers=sum(user.is_stranger for user in everybody),
            search=search,
            owned=owned,
            ownership=OWNERSHIP,
            sort=sort,
        )


def packages(request: Request) -> Response:
    with database_of(request).read() as session:
        server = find(session, request)
        view = server_view(session, server.id, "packages")
        search = query(request, "search")
        packages = [{str(key).lower(): value for key, value in row.items()} for row in _rows(view)]
        rows = [row for row in packages if search.lower() in str(row.get("name", "")).lower()]
        return server_tab(
            request,
            session,
            server,
            "packages",
            view=view,
            rows=rows,
            columns=PACKAGE_COLUMNS,
            other_limits=_other_limits,
            limit=_limit,
            search=search,
        )


def _other_limits(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and value of what has no column."""
    shown_already = {"name", *(key for key, *_ in PACKAGE_COLUMNS)}
    return [(_limit_title(key), _limit(row, key)) for key in row if key not in shown_already]


def _limit_title(key: str) -> str:
    words = key.replace("_", " ").capitalize()
    return PACKAGE_WORDS.get(key) or words.replace("Dns", "DNS").replace("Cpu", "CPU")


def _limit(row: Mapping[str, Any], key: str, unit: str = "") -> str:
    """A limit of a package; what the panel said as it is when it is no number."""
    value = str(row.get(key, "—"))
    if value == "unlimited":
        return "∞"
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        return value.replace(",", ", ")
    return megabytes(int(value)) if unit == "MB" else grouped(int(value))


def addresses(request: Request) -> Response:
    with database_of(request).read() as session:
        server = find(session, request)
        view = server_view(session, server.id, "addresses")
        return server_tab(request, session, server, "addresses", view=view, rows=_rows(view))


def _rows(view: ServerView | None) -> list[dict[str, Any]]:
    data = view.data if view else []
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def log(request: Request) -> Response:
    before, after = query(request, "before"), query(request, "after")
    with database_of(request).read() as session:
        server = find(session, request)
        position = {"after": int(after)} if is_id(after) else {"before": int(before)} if is_id(before) else {}
        found = log_page(session, LogFilter(server_id=server.id), limit=LOG_LINES, **position)
        return server_tab(
            request,
            session,
            server,
            "log",
            found=found,
            known=known(session, found.items),
            states=RESULT_STATES,
            activity=server_activity(session, server.id),
        )


routes: list[BaseRoute] = [
    page("/admin/servers/{id:int}", overview, Access.STAFF),
    page("/admin/servers/{id:int}/config", config, Access.STAFF),
    page("/admin/servers/{id:int}/group-config", group_config, Access.STAFF),
    page("/admin/servers/{id:int}/services", services, Access.STAFF),
    page("/admin/servers/{id:int}/users", users, Access.STAFF),
    page("/admin/servers/{id:int}/packages", packages, Access.STAFF),
    page("/admin/servers/{id:int}/addresses", addresses, Access.STAFF),
    page("/admin/servers/{id:int}/log", log, Access.STAFF),
]
