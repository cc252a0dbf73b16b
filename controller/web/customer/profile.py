"""A customer's own profile."""

from __future__ import annotations

from starlette.routing import BaseRoute

from controller.web import profile
from controller.web.access import Access, page

LAYOUT = "customer/layout.html"

routes: list[BaseRoute] = [
    page("/panel/profile", profile.show(LAYOUT), Access.CUSTOMER),
    page("/panel/profile", profile.change_password(LAYOUT), Access.CUSTOMER, methods=["POST"]),
]
