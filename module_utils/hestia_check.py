# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rules for the values a module is given. What passes here is safe to hand to the panel as data."""

from __future__ import annotations

import ipaddress
import re

from ansible.module_utils.hestia_panel import PanelError

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,28}[A-Za-z0-9])?")
_OBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,64}[A-Za-z0-9]")
_TEMPLATE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,64}[A-Za-z0-9])?")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]{2,59})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def bad(parameter: str, reason: str) -> PanelError:
    """A bad_argument failure that names the parameter."""
    return PanelError(f"{parameter}: {reason}", error_class="bad_argument")


def text(parameter: str, value: str) -> str:
    """Any one-line text."""
    if _CONTROL.search(value):
        raise bad(parameter, "must be one line without control characters")
    return value


def domain(parameter: str, value: str) -> str:
    """A domain name in its ASCII form, lower case, without a final dot."""
    name = text(parameter, value).lower()
    if not _DOMAIN.fullmatch(name) or len(name) > 253 or name.rpartition(".")[2].isdigit():
        raise bad(parameter, f"{value!r} is not a domain name")
    return name


def alias(parameter: str, value: str) -> str:
    """A web alias: a domain name, possibly with a first label `*`."""
    name = text(parameter, value).lower()
    if name.startswith("*."):
        return "*." + domain(parameter, name[2:])
    return domain(parameter, name)


def user(parameter: str, value: str) -> str:
    """A panel account name: 1 to 30 characters, letters, digits, `-`, `.`, `_` inside."""
    if not _USER.fullmatch(text(parameter, value)):
        raise bad(parameter, f"{value!r} is not a name the panel accepts for an account")
    return value


def package(parameter: str, value: str) -> str:
    if not _OBJECT.fullmatch(text(parameter, value)):
        raise bad(parameter, f"{value!r} is not a name the panel accepts for a package")
    return value


def template(parameter: str, value: str) -> str:
    if not _TEMPLATE.fullmatch(text(parameter, value)):
        raise bad(parameter, f"{value!r} is not a template name")
    return value


def email(parameter: str, value: str) -> str:
    if not _EMAIL.fullmatch(text(parameter, value)):
        raise bad(parameter, f"{value!r} is not an email address")
    return value


def ipv4(parameter: str, value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text(parameter, value)))
    except ValueError:
        raise bad(parameter, f"{value!r} is not an IPv4 address") from None


def person(parameter: str, value: str) -> str:
    """A person's or company's name. The panel refuses straight quotes, so they become typographic ones."""
    name = " ".join(text(parameter, value).split())
    name = name.replace("'", "\u2019").replace('"', "\u201d")
    if re.search(r"[<>|\\`$]", name):
        raise bad(parameter, "must not hold any of < > | \\ ` $")
    if len(name) > 200:
        raise bad(parameter, "is longer than 200 characters")
    return name


def password(parameter: str, value: str) -> str:
    """A password for chpasswd: one line, not empty, and not a path that the panel would read a file from."""
    if not text(parameter, value):
        raise bad(parameter, "is empty")
    if value.startswith("/tmp/"):
        raise bad(parameter, "must not be a path")
    return value


def number(parameter: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise bad(parameter, f"{value} is not between {low} and {high}")
    return value
