"""Staff's own profile."""

from __future__ import annotations

from starlette.routing import BaseRoute

from controller.web import profile
from controller.web.access import Access, page

LAYOUT = "admin/layout.html"

routes: list[BaseRoute] = [
    page("/admin/profile", profile.show(LAYOUT), Access.STAFF),
    page("/admin/profile", profile.change_password(LAYOUT), Access.STAFF, methods=["POST"]),
]
