"""Pages for customers."""

from __future__ import annotations

from starlette.routing import BaseRoute

from controller.web.customer import profile, services

routes: list[BaseRoute] = [*services.routes, *profile.routes]
