"""Templates: which there are, and that a named one is there."""

from __future__ import annotations

import os

from .core import E_NOTEXIST, Panel


def names(folder: str, ending: str = ".tpl") -> list[str]:
    """Template names in a folder, sorted; [] when there is no folder."""
    try:
        return sorted(name[: -len(ending)] for name in os.listdir(folder) if name.endswith(ending))
    except FileNotFoundError:
        return []


def folder(panel: Panel, kind: str) -> str:
    """Where templates of a kind lie: ``web``, ``backend``, ``proxy``, ``dns``."""
    return (
        panel.data("templates")
        + {
            "web": "/web/apache2/php-fpm",
            "backend": "/web/php-fpm",
            "proxy": "/web/nginx",
            "dns": "/dns",
        }[kind]
    )


def _check(panel: Panel, kind: str, name: str) -> None:
    if not os.path.exists(f"{folder(panel, kind)}/{name}.tpl"):
        panel.fail(E_NOTEXIST, f"{name} {kind} template doesn't exist")


def web_template(panel: Panel, name: str) -> None:
    if panel.system.get("WEB_SYSTEM"):
        _check(panel, "web", name)


def backend_template(panel: Panel, name: str) -> None:
    if panel.system.get("WEB_BACKEND"):
        _check(panel, "backend", name)


def proxy_template(panel: Panel, name: str) -> None:
    if panel.system.get("PROXY_SYSTEM"):
        _check(panel, "proxy", name)


def dns_template(panel: Panel, name: str) -> None:
    _check(panel, "dns", name)
