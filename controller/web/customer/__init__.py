"""Pages for customers."""

from __future__ import annotations

from starlette.routing import BaseRoute

from controller.web.customer import order, profile, services

routes: list[BaseRoute] = [*services.routes, *order.routes, *profile.routes]
