"""Where templates and static files are, and the built files' names with their content hash."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from controller.content import content


class AssetsMissing(RuntimeError):
    """The front end was never built."""


def ui_folder() -> Path:
    """Folder of the user interface: in the installed package or the checkout."""
    folder = content("ui")
    if not (folder / "templates").is_dir():
        raise AssetsMissing("the ui folder is missing from this installation")
    return folder


class Assets:
    """The manifest that ``ui/build.py`` writes."""

    def __init__(self, ui: Path, prefix: str = "/static") -> None:
        self.folder = ui / "static" / "dist"
        self.prefix = prefix

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        path = self.folder / "manifest.json"
        if not path.is_file():
            raise AssetsMissing(f"{path} is missing: build the front end with 'python ui/build.py'")
        manifest: dict[str, Any] = json.loads(path.read_text())
        return manifest

    def load(self) -> None:
        """Read the manifest now; raises AssetsMissing."""
        _ = self._manifest

    def url(self, name: str) -> str:
        """Address of a built file by its logical name (``app.js``)."""
        return f"{self.prefix}/{self._manifest['files'][name]}"

    @cached_property
    def icons(self) -> frozenset[str]:
        """Names in the icon sprite."""
        return frozenset(self._manifest["icons"])
