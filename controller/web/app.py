"""The web application: routes, middleware, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import BaseRoute, Mount
from starlette_wtf import CSRFProtectMiddleware

from controller.engine.fleet import Fleet
from controller.web import admin, auth, customer, health, metrics
from controller.web.access import close_undeclared
from controller.web.api import PREFIX
from controller.web.api.routes import routes as api_routes
from controller.web.assets import Assets, ui_folder
from controller.web.errors import handlers
from controller.web.live import Live
from controller.web.metrics import Metrics, TimingMiddleware
from controller.web.rate_limit import LoginLimiter
from controller.web.security import SecurityHeadersMiddleware
from controller.web.static import static_files
from controller.web.templating import make_environment

MAX_BODY = 1_000_000
"""Bytes; the largest thing anybody sends is a private key."""


def create_app(fleet: Fleet) -> Starlette:
    """The whole web side of an installation. Raises AssetsMissing when the front end was never built."""
    settings = fleet.settings
    ui = ui_folder()
    assets = Assets(ui)
    assets.load()
    live = Live(fleet.database)
    measured = Metrics(fleet.database)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with live.running():
            yield

    session_seconds = settings.session_hours * 3600
    session_key = fleet.vault.session_key
    app = Starlette(
        routes=close_undeclared(
            [
                *auth.routes,
                *health.routes,
                *metrics.routes,
                *admin.routes,
                *customer.routes,
                *api(),
                static_files(assets.folder),
            ]
        ),
        middleware=[
            Middleware(TimingMiddleware, metrics=measured),
            Middleware(SecurityHeadersMiddleware, https=settings.secure_cookies),
            Middleware(
                SessionMiddleware,
                secret_key=session_key,
                session_cookie="fleet_session",
                max_age=session_seconds,
                same_site="lax",
                https_only=settings.secure_cookies,
            ),
            Middleware(CSRFProtectMiddleware, csrf_secret=session_key, csrf_time_limit=session_seconds),
        ],
        exception_handlers=handlers,
        lifespan=lifespan,
        max_body_size=MAX_BODY,
    )
    app.state.fleet = fleet
    app.state.live = live
    app.state.metrics = measured
    app.state.login_limiter = LoginLimiter(settings)
    app.state.templates = make_environment(ui, assets)
    return app


def api() -> list[BaseRoute]:
    """The JSON API; it checks its bearer tokens by itself."""
    return [Mount(PREFIX, routes=api_routes)]
