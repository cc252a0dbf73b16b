"""Services: the list, one service with its tabs, and what staff can do with it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.domain.words import ServiceStatus
from controller.engine.fleet import Fleet
from controller.operations import services as operations
from controller.operations.records import must
from controller.store.models import Activity, Pipeline, Service, Task
from controller.store.queries import current_pipeline, last_verification, progress, recent_activity, service_page
from controller.store.task_queries import TaskFilter, task_page
from controller.web.access import Access, page
from controller.web.live import after_of, live_of, stream_response
from controller.web.request_tools import actor_of, database_of, fleet_of, page_number, path_id, query
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render
from controller.web.verification import found_by

Operation = Callable[[Fleet, str, int | str], object]


def find(session: Session, request: Request) -> Service:
    """The service in the path, or NotFound."""
    service_id = path_id(request)
    return must(session.get(Service, service_id), "service", service_id)


def last_activity(session: Session, service_id: int) -> int:
    """Where a page that is drawn now begins to follow."""
    return session.scalar(select(func.max(Activity.id)).where(Activity.service_id == service_id)) or 0


def service_list(request: Request) -> Response:
    search, status, sort = query(request, "search"), query(request, "status"), query(request, "sort") or "-id"
    with database_of(request).read() as session:
        found = service_page(session, search=search, status=status, sort=sort, page=page_number(request))
        return render(request, "admin/services/list.html", found=found, search=search, status=status, sort=sort)


def overview(request: Request) -> Response:
    with database_of(request).read() as session:
        service = find(session, request)
        return _tab(request, session, service, "overview", activity=recent_activity(session, service.id, 12))


def deploy(request: Request) -> Response:
    """One run, the newest unless ``?run=`` names an older one."""
    with database_of(request).read() as session:
        service = find(session, request)
        runs = session.scalars(
            select(Pipeline).where(Pipeline.service_id == service.id).order_by(Pipeline.id.desc()).limit(20)
        ).all()
        wanted = query(request, "run")
        chosen = next((run for run in runs if str(run.id) == wanted), None) or current_pipeline(session, service.id)
        return _tab(request, session, service, "deploy", runs=runs, run=chosen)


def service_tasks(request: Request) -> Response:
    with database_of(request).read() as session:
        service = find(session, request)
        sort = query(request, "sort") or "-id"
        found = task_page(session, TaskFilter(service_id=service.id), sort=sort, page=page_number(request))
        return _tab(request, session, service, "tasks", found=found, sort=sort)


def verification(request: Request) -> Response:
    """What the last look at the servers found."""
    with database_of(request).read() as session:
        service = find(session, request)
        run = last_verification(session, service.id)
        return _tab(request, session, service, "verification", checked=found_by(session, run) if run else None)


def _tab(request: Request, session: Session, service: Service, tab: str, **context: object) -> Response:
    # Read first: what happens while the page is drawn comes again by the stream.
    last = last_activity(session, service.id)
    count = session.scalar(select(func.count()).select_from(Task).where(Task.service_id == service.id))
    return render(
        request,
        f"admin/services/{tab}.html",
        service=service,
        tab=tab,
        last=last,
        task_count=count,
        progress=progress(session, service.id),
        gone=service.status in (ServiceStatus.TERMINATING, ServiceStatus.TERMINATED),
        **context,
    )


async def stream(request: Request) -> Response:
    live = live_of(request)
    service_id = path_id(request)
    await run_in_threadpool(_exists, request)
    return stream_response(live.service(service_id, after_of(request)))


def _exists(request: Request) -> None:
    with database_of(request).read() as session:
        find(session, request)


def action(operation: Operation, done: str, tab: str = "deploy") -> Callable[[Request], Response]:
    """A button's endpoint: do it, say so, show the deployment."""

    def endpoint(request: Request) -> Response:
        return _run(request, operation, done, tab)

    return endpoint


def _run(request: Request, operation: Operation, done: str, tab: str = "deploy") -> Response:
    service_id = path_id(request)
    address = f"/admin/services/{service_id}"
    with refusal_flashed(request):
        operation(fleet_of(request), actor_of(request), service_id)
        flash(request, done)
        address += f"/{tab}"
    return RedirectResponse(address, 303)


def terminate(request: Request) -> Response:
    """Removes data, so the domain has to be typed."""
    with database_of(request).read() as session:
        service = find(session, request)
    typed = str(request.state.form.get("domain", "")).strip().lower()
    if typed not in (service.domain, service.domain_unicode.lower()):
        flash(request, f"Nothing was removed: the name typed was not {service.domain_unicode}.", "danger")
        return RedirectResponse(f"/admin/services/{service.id}", 303)
    return _run(request, operations.terminate, f"{service.domain_unicode} is being removed.")


routes: list[BaseRoute] = [
    page("/admin/services", service_list, Access.STAFF),
    page("/admin/services/{id:int}", overview, Access.STAFF),
    page("/admin/services/{id:int}/deploy", deploy, Access.STAFF),
    page("/admin/services/{id:int}/tasks", service_tasks, Access.STAFF),
    page("/admin/services/{id:int}/verification", verification, Access.STAFF),
    page("/admin/services/{id:int}/stream", stream, Access.STAFF),
    page(
        "/admin/services/{id:int}/verify",
        action(operations.verify, "The servers are being looked at.", "verification"),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/services/{id:int}/repair",
        action(operations.repair, "Repair started."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/services/{id:int}/redeploy",
        action(operations.redeploy, "Redeploy started."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/services/{id:int}/suspend",
        action(operations.suspend, "Suspension started."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page(
        "/admin/services/{id:int}/unsuspend",
        action(operations.unsuspend, "The service is coming back."),
        Access.OPERATOR,
        methods=["POST"],
    ),
    page("/admin/services/{id:int}/terminate", terminate, Access.OPERATOR, methods=["POST"]),
]
