"""A customer's services: the list, and one service, which shows what it is at by itself."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from controller.domain.words import Reason, ServiceStatus
from controller.operations.errors import NotFound
from controller.store.models import Activity, Service, Task
from controller.store.queries import current_pipeline, progress
from controller.web.access import Access, page
from controller.web.admin.services import last_activity
from controller.web.customer.facts import panel_facts
from controller.web.customer.order import products_for_customers
from controller.web.customer_lines import AWAY, hints, lines_of
from controller.web.live import after_of, live_of, stream_response
from controller.web.request_tools import database_of, path_id
from controller.web.session import person_of
from controller.web.templating import render

WORKING = (ServiceStatus.PENDING, ServiceStatus.DEPLOYING, ServiceStatus.TERMINATING)


def find_own(session: Session, request: Request) -> Service:
    """The service in the path if it is this customer's; NotFound also when it is somebody else's."""
    service_id = path_id(request)
    service = session.get(Service, service_id)
    if service is None or service.customer_id != person_of(request).customer_id:
        raise NotFound("service", service_id)
    return service


def service_list(request: Request) -> Response:
    with database_of(request).read() as session:
        services = session.scalars(
            select(Service)
            .options(selectinload(Service.product))
            .where(Service.customer_id == person_of(request).customer_id)
            .order_by(Service.status == ServiceStatus.TERMINATED, Service.id.desc())
            .limit(500)
        ).all()
        steps = {service.id: progress(session, service.id) for service in services if service.status in WORKING}
        can_order = bool(products_for_customers(session))
        return render(request, "customer/services.html", services=services, steps=steps, can_order=can_order)


def service_page(request: Request) -> Response:
    """The deployment while it runs, the control panel's first page afterwards."""
    with database_of(request).read() as session:
        service = find_own(session, request)
        # Read first: what happens while the page is drawn comes again by the stream.
        last = last_activity(session, service.id)
        pipeline = current_pipeline(session, service.id)
        tasks = pipeline.tasks if pipeline else []
        first_setup = service.activated_at is None and (pipeline is None or pipeline.reason is not Reason.TERMINATE)
        return render(
            request,
            f"customer/{_view(service, first_setup)}.html",
            service=service,
            last=last,
            steps=progress(session, service.id),
            tasks=tasks,
            lines=lines_of(session, tasks),
            hints=hints(tasks),
            away=AWAY,
            waiting=f"{AWAY}." in hints(tasks).values(),
            reason=pipeline.reason if pipeline else None,
            activity=_activity(session, service.id),
            working=service.status in WORKING,
            facts=panel_facts(service),
        )


def _view(service: Service, first_setup: bool) -> str:
    if service.status is ServiceStatus.TERMINATED:
        return "ended"
    if first_setup or service.status is ServiceStatus.TERMINATING:
        return "setup"
    return "panel"


def _activity(session: Session, service_id: int) -> list[Activity]:
    """The last lines a customer understands, newest first."""
    return list(
        session.scalars(
            select(Activity).where(Activity.service_id == service_id).order_by(Activity.id.desc()).limit(12)
        )
    )


async def stream(request: Request) -> Response:
    await run_in_threadpool(_own, request)
    return stream_response(live_of(request).service(path_id(request), after_of(request)))


async def step_stream(request: Request) -> Response:
    """The lines of one step of one's own service, in words for customers."""
    task_id = await run_in_threadpool(_own_step, request)
    return stream_response(live_of(request).step(task_id, after_of(request)))


def _own_step(request: Request) -> int:
    with database_of(request).read() as session:
        service, task_id = find_own(session, request), path_id(request, "step")
        task = session.get(Task, task_id)
        if task is None or task.service_id != service.id:
            raise NotFound("step", task_id)
        return task.id


def _own(request: Request) -> None:
    with database_of(request).read() as session:
        find_own(session, request)


routes: list[BaseRoute] = [
    page("/panel", service_list, Access.CUSTOMER),
    page("/panel/services/{id:int}", service_page, Access.CUSTOMER),
    page("/panel/services/{id:int}/stream", stream, Access.CUSTOMER),
    page("/panel/services/{id:int}/steps/{step:int}/stream", step_stream, Access.CUSTOMER),
]
