"""Addresses of webhooks: what one may look like. Pure rules."""

from __future__ import annotations

from urllib.parse import urlsplit

URL_MAX = 500


def url_problem(url: str) -> str | None:
    """Why this cannot be called; None when it can."""
    if not url:
        return "is needed"
    if len(url) > URL_MAX:
        return f"must be at most {URL_MAX} characters"
    if not url.isprintable() or " " in url or "\\" in url:
        return "must not have spaces, backslashes or control characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https"):
        return "must begin with https:// or http://"
    if not host or port == 0 or host.startswith((".", "-")):
        return "must name a host"
    if "@" in parts.netloc:
        return "must not have a user name or password in it; the signature shows who calls"
    if "#" in url:
        return "must not have a # part"
    return None
