"""Pages for staff, one module per subject."""

from __future__ import annotations

from starlette.routing import BaseRoute

from controller.web.admin import (
    customers,
    drift,
    groups,
    home,
    jobs,
    operation_log,
    order,
    products,
    profile,
    server_door,
    servers,
    services,
    settings,
    staff,
    task_queue,
    tasks,
    tickets,
    tokens,
    webhooks,
)

routes: list[BaseRoute] = [
    *home.routes,
    *order.routes,
    *services.routes,
    *customers.routes,
    *products.routes,
    *servers.routes,
    *server_door.routes,
    *groups.routes,
    *drift.routes,
    *task_queue.routes,
    *tasks.routes,
    *tickets.routes,
    *webhooks.routes,
    *staff.routes,
    *tokens.routes,
    *operation_log.routes,
    *settings.routes,
    *jobs.routes,
    *profile.routes,
]
