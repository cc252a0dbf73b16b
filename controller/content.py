"""Where the Ansible content and the pages lie: in the wheel, or in the checkout beside the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def content(*parts: str) -> Path:
    """Path of a shipped folder or file, for instance ``content("roles")``."""
    packaged = _PACKAGE / "_content"
    return (packaged if packaged.is_dir() else _PACKAGE.parent).joinpath(*parts)
