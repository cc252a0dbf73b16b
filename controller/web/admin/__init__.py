"""Pages for staff, one module per subject."""

from __future__ import annotations

from starlette.routing import BaseRoute

routes: list[BaseRoute] = []
