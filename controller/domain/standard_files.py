"""Standard files of web servers: what a group can replace by its own. No I/O.

Where they lie and what keeps the panel's own safe is the servers' business (``module_utils/hestia_files.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.domain.problems import Problem

MAX_BYTES = 256 * 1024

_COPIED = (
    "New sites get it when they are made. Existing sites get it when they are rebuilt, unless the setting "
    "“Sites follow new error pages” is no; until then they keep theirs."
)
_FIRST = "New sites get it when they are made; existing sites are their owners’ and keep theirs."


@dataclass(frozen=True)
class StandardFileSpec:
    """One file: what people call it, what it is for, and where it is found (in words)."""

    name: str
    title: str
    explanation: str
    path: str
    media_type: str = "text/html"


_SPECS = (
    StandardFileSpec("error_403", "Error 403", f"Access is forbidden. {_COPIED}", "a site’s document_errors/403.html"),
    StandardFileSpec("error_404", "Error 404", f"Page not found. {_COPIED}", "a site’s document_errors/404.html"),
    StandardFileSpec("error_410", "Error 410", f"Page is gone. {_COPIED}", "a site’s document_errors/410.html"),
    StandardFileSpec(
        "error_50x", "Errors 500 to 505", f"The site does not work. {_COPIED}", "a site’s document_errors/50x.html"
    ),
    StandardFileSpec(
        "index",
        "Default page",
        f"What a site shows before its owner has put anything there; %domain% is filled in. {_FIRST}",
        "a site’s public_html/index.html",
    ),
    StandardFileSpec(
        "robots",
        "robots.txt",
        f"What a site tells search engines at first; %domain% is filled in. {_FIRST}",
        "a site’s public_html/robots.txt",
        "text/plain",
    ),
    StandardFileSpec(
        "suspended",
        "Suspended page",
        "What every suspended site shows. All of them are served from this one file, so it changes at once.",
        "templates/web/suspend/index.html of the panel",
    ),
    StandardFileSpec(
        "unassigned",
        "Unassigned address",
        "What the server shows for its bare address and for names that no site has. It changes at once.",
        "/var/www/html/index.html of the server",
    ),
)
STANDARD_FILES: Mapping[str, StandardFileSpec] = {spec.name: spec for spec in _SPECS}


def check(name: str, content: str) -> list[Problem]:
    """What is wrong with this content of a standard file."""
    problems = []
    if name not in STANDARD_FILES:
        problems.append(Problem("name", f"unknown file; known are {', '.join(STANDARD_FILES)}"))
    if "\0" in content or any("\ud800" <= character <= "\udfff" for character in content):
        problems.append(Problem("content", "must be text"))
    elif len(content.encode()) > MAX_BYTES:
        problems.append(Problem("content", f"is larger than {MAX_BYTES // 1024} KiB"))
    return problems
