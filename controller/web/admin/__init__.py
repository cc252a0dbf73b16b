"""Pages for staff, one module per subject."""

from __future__ import annotations

from starlette.routing import BaseRoute

from controller.web.admin import (
    customers,
    groups,
    home,
    order,
    products,
    profile,
    servers,
    services,
    staff,
    task_queue,
    tasks,
    tokens,
)

routes: list[BaseRoute] = [
    *home.routes,
    *order.routes,
    *services.routes,
    *customers.routes,
    *products.routes,
    *servers.routes,
    *groups.routes,
    *task_queue.routes,
    *tasks.routes,
    *staff.routes,
    *tokens.routes,
    *profile.routes,
]
