"""What is done to all servers of a group: the buttons, the preview that only looks, the run itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.domain.config_keys import KEYS, Tier
from controller.domain.standard_files import STANDARD_FILES
from controller.domain.words import CONFIG_ACTION, FILES_ACTION, STATUS_ACTION, TaskStatus
from controller.engine.fleet import Fleet
from controller.operations import group_runs as operations
from controller.operations.records import must
from controller.store.group_queries import (
    GroupRun,
    find_group_run,
    group_runs,
    member_page,
    newer_run,
    reach,
    views,
)
from controller.store.models import Pipeline, ServerGroup, Task
from controller.web.access import Access, page
from controller.web.admin.group_frame import find, group_tab
from controller.web.group_state import drift_state, shown
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render
from controller.web.verification import Found, Thing, found_by

KINDS = {CONFIG_ACTION: "config", FILES_ACTION: "files", STATUS_ACTION: "status"}
PUSHES = (CONFIG_ACTION, FILES_ACTION)
CHECKED = {
    Found.SAME: ("Nothing to change", "good"),
    Found.DIFFERS: ("Would change", "warn"),
    Found.UNKNOWN: ("Could not look", "bad"),
    Found.OPEN: ("Waiting", "quiet"),
}
APPLIED = {
    Found.SAME: ("Nothing to change", "good"),
    Found.DIFFERS: ("Changed", "good"),
    Found.UNKNOWN: ("Did not work", "bad"),
    Found.OPEN: ("Waiting", "quiet"),
}


@dataclass(frozen=True)
class Change:
    """One setting that changes on a server."""

    title: str
    key: str
    before: str
    after: str


@dataclass(frozen=True)
class Refusal:
    """One setting or file that could not be set on a server."""

    title: str
    key: str
    reason: str


@dataclass(frozen=True)
class Place:
    """A run on one server."""

    thing: Thing
    check: bool

    @property
    def task(self) -> Task:
        return self.thing.task

    @property
    def state(self) -> tuple[str, str]:
        """Words and tone."""
        if self.task.status is TaskStatus.RUNNING:
            return ("Looking" if self.check else "Working"), "busy"
        if self.task.status is TaskStatus.CANCELLED:
            return "Cancelled", "quiet"
        if self.task.action not in PUSHES and self.thing.found is Found.SAME:
            return "Done", "good"
        if self.refusals:
            return f"{len(self.refusals)} could not be set", "bad"
        return (CHECKED if self.check else APPLIED)[self.thing.found]

    @property
    def bad(self) -> bool:
        return self.thing.found is Found.UNKNOWN

    @property
    def differs(self) -> bool:
        return self.thing.found is Found.DIFFERS

    @property
    def changes(self) -> Sequence[Change]:
        """What is another now, or would be: setting by setting, file by file; also where others could not be set."""
        if self.task.action not in PUSHES or not self.task.changed:
            return []
        diff = self.task.result.get("diff")
        before, after = _mapping(diff, "before"), _mapping(diff, "after")
        return [_change(key, before.get(key), after[key]) for key in after if before.get(key) != after[key]]

    @property
    def refusals(self) -> Sequence[Refusal]:
        """What could not be set, each with its reason."""
        facts = self.task.result.get("facts") if self.bad else None
        return [_refusal(key, str(reason)) for key, reason in _mapping(facts, "refused").items()]

    @property
    def trouble(self) -> str:
        """Why it did not work, as far as the refusals do not tell."""
        if self.refusals:
            return str(self.task.result["facts"].get("besides", ""))
        return " ".join(self.lines) if self.bad else ""

    @property
    def lines(self) -> Sequence[str]:
        """What differs or why it did not work, in words."""
        return self.thing.lines


def _mapping(diff: Any, name: str) -> dict[str, Any]:
    value = diff.get(name) if isinstance(diff, dict) else None
    return value if isinstance(value, dict) else {}


def _change(key: str, before: Any, after: Any) -> Change:
    old, new = str(before or ""), str(after or "")
    if key in STANDARD_FILES:
        return Change(STANDARD_FILES[key].title, "", old or "none", new or "none")
    entry = KEYS.get(key)
    if entry is None:
        return Change(key, "", old or "not set", new or "not set")
    return Change(entry.title, key, shown(entry, old), shown(entry, new))


def _refusal(key: str, reason: str) -> Refusal:
    if key in STANDARD_FILES:
        return Refusal(STANDARD_FILES[key].title, "", reason)
    return Refusal(KEYS[key].title, key, reason) if key in KEYS else Refusal(key, "", reason)


def asked_for(tasks: Sequence[Task]) -> tuple[str, str] | None:
    """Kind and scope of a run, from its tasks; None when they were cleaned away."""
    if not tasks or tasks[0].action not in KINDS:
        return None
    kind = KINDS[tasks[0].action]
    if kind == "config":
        first = tasks[0]
        return kind, first.resource.name if first.resource is not None else first.target
    return kind, Tier.ALL.value


def run_state(run: GroupRun) -> tuple[str, str]:
    """Words and tone."""
    if not run.finished:
        return ("Looking" if run.pipeline.check else "Running"), "busy"
    if run.failed:
        return (f"{run.failed} of {run.total} did not work", "bad") if run.total > 1 else ("Did not work", "bad")
    if not run.changed:
        return ("Nothing to change" if run.action in PUSHES else "Done"), "good"
    servers = f"{run.changed} server{'' if run.changed == 1 else 's'}"
    return (f"{servers} would change", "warn") if run.pipeline.check else (f"{servers} changed", "good")


def actions(request: Request) -> Response:
    sort = query(request, "sort") or "name"
    with database_of(request).read() as session:
        group = find(session, request)
        found = member_page(session, group.id, sort=sort, page=page_number(request))
        known = views(session, [server.id for server in found.items], "config")
        runs = group_runs(session, group.id)
        return group_tab(
            request,
            session,
            group,
            "actions",
            found=found,
            sort=sort,
            reach=reach(session, group.id),
            drifts={server.id: drift_state(server, known.get(server.id)) for server in found.items},
            runs=runs,
            run_states={run.pipeline.id: run_state(run) for run in runs},
            running=any(not run.finished for run in runs),
        )


def detail(request: Request) -> Response:
    with database_of(request).read() as session:
        group = find(session, request)
        run = must(find_group_run(session, group.id, path_id(request, "run")), "run", path_id(request, "run"))
        return _run_page(request, session, run, group=group)


def _run_page(
    request: Request, session: Session, run: Pipeline, group: ServerGroup | None = None, **context: Any
) -> Response:
    found = found_by(session, run)
    places = [Place(thing, run.check) for _, things in found.servers for thing in things]
    asked = asked_for([place.task for place in places])
    summary = GroupRun(
        run,
        action=places[0].task.action if places else "",
        total=len(places),
        done=found.done,
        failed=found.count(Found.UNKNOWN),
        changed=found.count(Found.DIFFERS),
    )
    over = run.check and run.finished_at is not None
    newer = newer_run(session, run) if over else None
    as_shown = not over or group is None or asked is None or operations.is_as_shown(session, group, run, *asked)
    return render(
        request,
        "admin/groups/run.html",
        run=run,
        places=places,
        done=found.done,
        state=run_state(summary),
        verdict=_verdict(summary),
        confirm=summary.changed if over and newer is None and as_shown else 0,
        again=asked if run.finished_at is not None and asked and asked[0] != "status" else None,
        stale=_stale(summary, newer, as_shown=as_shown),
        group=group,
        **context,
    )


def _verdict(run: GroupRun) -> str:
    if not run.finished:
        return "Looking, nothing is changed" if run.pipeline.check else "One server after the other"
    return "Finished; nothing was changed" if run.pipeline.check else "Finished"


def _stale(run: GroupRun, newer: Pipeline | None, *, as_shown: bool) -> tuple[str, str] | None:
    """Why a preview is not to be confirmed any more, or what confirming it leaves out."""
    if newer is not None:
        return "This preview is old", "Something was applied to the group since. Look again to see how it is now."
    if not as_shown:
        return "This preview is old", "What the group wants has changed since. Look again before it is applied."
    if run.pipeline.check and run.finished and run.failed and run.changed:
        return (
            "Not every server could be looked at",
            "Applying reaches these too, as soon as they answer: whatever differs there is changed.",
        )
    return None


def preview(request: Request) -> Response:
    """Look, in check mode; its page asks for the confirmation."""
    form = request.state.form
    kind, scope = str(form.get("kind", "")), str(form.get("scope", ""))
    return _started(request, lambda fleet, actor, group: operations.preview(fleet, actor, group, kind, scope))


def refresh(request: Request) -> Response:
    """Look at every server anew; changes nothing, so it asks nothing."""
    return _started(request, lambda fleet, actor, group: operations.apply(fleet, actor, group, "status", Tier.ALL))


def _started(request: Request, start: Callable[[Fleet, str, int], Pipeline]) -> Response:
    group_id = path_id(request)
    address = f"/admin/groups/{group_id}"
    with refusal_flashed(request):
        address += f"/runs/{start(fleet_of(request), actor_of(request), group_id).id}"
    return RedirectResponse(address, 303)


def confirm(request: Request) -> Response:
    """Do what a preview has shown."""
    group_id = path_id(request)
    with database_of(request).read() as session:
        group = find(session, request)
        run = must(find_group_run(session, group.id, path_id(request, "run")), "run", path_id(request, "run"))
        asked = asked_for(run.tasks)
    address = f"/admin/groups/{group_id}/runs/{run.id}"
    if asked is None or not run.check:
        flash(request, "Nothing was done: this is no preview, or its details were cleaned away.", "danger")
        return RedirectResponse(address, 303)
    with refusal_flashed(request):
        started = operations.apply(fleet_of(request), actor_of(request), group_id, *asked, shown=run.id)
        address = f"/admin/groups/{group_id}/runs/{started.id}"
    return RedirectResponse(address, 303)


routes: list[BaseRoute] = [
    page("/admin/groups/{id:int}", actions, Access.STAFF),
    page("/admin/groups/{id:int}/preview", preview, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/refresh", refresh, Access.OPERATOR, methods=["POST"]),
    page("/admin/groups/{id:int}/runs/{run:int}", detail, Access.STAFF),
    page("/admin/groups/{id:int}/apply/{run:int}", confirm, Access.OPERATOR, methods=["POST"]),
]
