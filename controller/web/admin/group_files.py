"""A group's standard files: the panel's own, a version of the group's, or one pulled from a server."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import TextAreaField

from controller.domain.standard_files import STANDARD_FILES, StandardFileSpec
from controller.domain.words import FINAL_TASK_STATES, PULL_ACTION
from controller.operations import standard_files as operations
from controller.operations.errors import OperationError
from controller.store.fleet_models import StandardFile
from controller.store.group_queries import not_applied, own_files, standard_files, web_servers
from controller.store.models import Pipeline, Task
from controller.web.access import Access, page
from controller.web.admin.group_frame import find, group_tab
from controller.web.forms import FleetForm
from controller.web.request_tools import actor_of, database_of, fleet_of, path_id
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

STATES = {"": ("The panel’s own", "quiet"), "overridden": ("Overridden", "busy"), "pulled": ("Pulled", "good")}
RECENT_PULLS = 30


class ContentForm(FleetForm):
    content = TextAreaField("Content", id="file-content")


def state_of(own: StandardFile | None) -> tuple[str, str]:
    """Words and tone of a file's version."""
    words, tone = STATES.get(own.origin if own else "", STATES[""])
    return (f"{words} from {own.server_name}" if own and own.server_name else words), tone


def pulls(session: Session, group_id: int) -> dict[str, Task]:
    """The last task that read each file on a server, by the file's name."""
    query = (
        select(Task)
        .join(Pipeline, Pipeline.id == Task.pipeline_id)
        .options(selectinload(Task.server))
        .where(Pipeline.group_id == group_id, Task.action == PULL_ACTION)
        # A sum, so that the group's runs are what is gone through, not all tasks from the newest on.
        .order_by((Task.id + 0).desc())
        .limit(RECENT_PULLS)
    )
    found: dict[str, Task] = {}
    for task in session.scalars(query):
        found.setdefault(str(task.arguments.get("file", "")), task)
    return found


def _is_open(task: Task | None) -> bool:
    return task is not None and task.status not in FINAL_TASK_STATES


def file_list(request: Request) -> Response:
    with database_of(request).read() as session:
        group = find(session, request)
        wanted = standard_files(session, group.id)
        files, late = own_files(wanted), not_applied(session, web_servers(session, group.id), wanted)
        return group_tab(
            request,
            session,
            group,
            "files",
            specs=list(STANDARD_FILES.values()),
            files=files,
            file_states={
                name: STATES.get(files[name].origin if name in files else "", STATES[""]) for name in STANDARD_FILES
            },
            late=late,
            waiting=sorted({name for names in late.values() for name in names}),
            pulling={name: task for name, task in pulls(session, group.id).items() if _is_open(task)},
        )


def _page(
    request: Request, session: Session, spec: StandardFileSpec, form: ContentForm | None = None, status: int = 200
) -> Response:
    group = find(session, request)
    wanted = standard_files(session, group.id)
    own = own_files(wanted).get(spec.name)
    servers = web_servers(session, group.id)
    last = pulls(session, group.id).get(spec.name)
    return render(
        request,
        "admin/groups/file.html",
        status,
        group=group,
        spec=spec,
        own=own,
        state=state_of(own),
        size=f"{len(own.content.encode()):,} bytes".replace(",", "\u202f") if own else "",
        form=form or ContentForm(None, data={"content": own.content if own else ""}),
        servers=servers,
        waiting=not_applied(session, servers, wanted).get(spec.name, []),
        pulling=last if _is_open(last) else None,
        pulled=None if _is_open(last) else last,
    )


def _show(spec: StandardFileSpec) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        with database_of(request).read() as session:
            return _page(request, session, spec)

    return endpoint


def _save(spec: StandardFileSpec) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        form = ContentForm.of(request)
        # Browsers send every line end as two characters.
        content = (form.content.data or "").replace("\r\n", "\n")
        if not content.strip():
            form.content.errors = ["This is empty. Type or paste it, or pull it from a server."]
            with database_of(request).read() as session:
                return _page(request, session, spec, form, 422)
        try:
            operations.override(fleet_of(request), actor_of(request), path_id(request), spec.name, content)
        except OperationError as problem:
            form.refuse(problem)
            with database_of(request).read() as session:
                return _page(request, session, spec, form, 422)
        flash(request, f"{spec.title}: saved. No server has been changed yet.")
        return RedirectResponse(f"/admin/groups/{path_id(request)}/files", 303)

    return endpoint


def _reset(spec: StandardFileSpec) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        with refusal_flashed(request):
            operations.reset(fleet_of(request), actor_of(request), path_id(request), spec.name)
            flash(request, f"{spec.title}: the panel’s own again, with the next push.")
        return RedirectResponse(f"/admin/groups/{path_id(request)}/files", 303)

    return endpoint


def _pull(spec: StandardFileSpec) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        with refusal_flashed(request):
            server = str(request.state.form.get("server", ""))
            operations.pull(fleet_of(request), actor_of(request), path_id(request), spec.name, server)
        return RedirectResponse(f"/admin/groups/{path_id(request)}/files/{spec.name}", 303)

    return endpoint


def _routes(spec: StandardFileSpec) -> list[BaseRoute]:
    home = f"/admin/groups/{{id:int}}/files/{spec.name}"
    return [
        page(home, _show(spec), Access.STAFF),
        page(home, _save(spec), Access.OPERATOR, methods=["POST"]),
        page(f"{home}/reset", _reset(spec), Access.OPERATOR, methods=["POST"]),
        page(f"{home}/pull", _pull(spec), Access.OPERATOR, methods=["POST"]),
    ]


routes: list[BaseRoute] = [
    page("/admin/groups/{id:int}/files", file_list, Access.STAFF),
    *(route for spec in STANDARD_FILES.values() for route in _routes(spec)),
]
