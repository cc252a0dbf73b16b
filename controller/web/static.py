"""Built files, compressed and cached for good: their names change with their content."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from controller.web.access import Access, declare


class HashedFiles(StaticFiles):
    """Static files that never change under their name; nothing hidden, no manifest."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    def lookup_path(self, path: str) -> tuple[str, object]:  # type: ignore[override]
        if Path(path).name.startswith(".") or path == "manifest.json":
            return "", None
        return super().lookup_path(path)


def static_files(folder: Path) -> Mount:
    """The mount for ``/static``."""
    # The table of types is read from files when it is first asked; not while a request waits.
    mimetypes.init()
    return Mount("/static", declare(GZipMiddleware(HashedFiles(directory=folder)), Access.OPEN))
