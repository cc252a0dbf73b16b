"""Periodic jobs: how each is doing, and one run now."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from controller.operations import jobs as operations
from controller.operations.errors import Refused
from controller.web.access import Access, page
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import flash, refusal_flashed
from controller.web.templating import render

HOME = "/admin/settings/jobs"


def job_list(request: Request) -> Response:
    with database_of(request).read() as session:
        jobs = operations.list_jobs(session)
    return render(request, "admin/settings/jobs.html", jobs=jobs, tab="jobs")


def run_now(request: Request) -> Response:
    with refusal_flashed(request, Refused):
        job = operations.run_now(fleet_of(request), actor_of(request), request.path_params["name"])
        flash(request, f"“{job.title}” starts as soon as a worker looks.", "info")
    return RedirectResponse(HOME, 303)


routes: list[BaseRoute] = [
    page(HOME, job_list, Access.STAFF),
    page(f"{HOME}/{{name}}/run", run_now, Access.OWNER, methods=["POST"]),
]
