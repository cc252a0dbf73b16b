"""Whether a record's value fits its type."""

from __future__ import annotations

import re

from .checks import is_ip4
from .core import E_INVALID, Panel
from .records import words

_TYPES = words("A AAAA NS CNAME MX TXT SRV DNSKEY KEY IPSECKEY PTR SPF TLSA CAA DS")
_HOST = re.compile(
    r"(?=.{1,253}\.?$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?"
)
#: How many words, and that the first ones are numbers up to these.
_NUMBERS: dict[str, tuple[int, ...]] = {
    "DNSKEY": (65535, 255, 255),
    "KEY": (65535, 255, 255),
    "IPSECKEY": (255, 3, 255),
    "TLSA": (255, 255, 255),
    "DS": (65535, 255, 255),
}


def _is_host(value: str) -> bool:
    return bool(_HOST.fullmatch(value))


def _is_number(value: str, most: int) -> bool:
    return value.isascii() and value.isdigit() and int(value) <= most and str(int(value)) == value


def _is_ip6(value: str) -> bool:
    import socket

    try:
        socket.inet_pton(socket.AF_INET6, value)
    except OSError:
        return False
    return True


def _fits(kind: str, value: str, priority: str) -> bool:
    if kind == "A":
        return is_ip4(value)
    if kind == "AAAA":
        return _is_ip6(value)
    if kind in ("NS", "PTR"):
        return _is_host(value)
    if kind == "CNAME":
        return 0 < len(value.rstrip(".")) <= 253
    if kind == "MX":
        return _is_host(value) and _is_number(priority, 65535)
    if kind in ("TXT", "SPF"):
        return 0 < len(value) <= 65535 and all(" " <= letter <= "~" for letter in value)
    if kind == "CAA":
        return bool(re.fullmatch(r'\d{1,3} [a-z0-9]+ "[^"]*"|\d{1,3} [a-z0-9]+ [^" ]+', value))
    words = value.split()
    limits = _NUMBERS.get(kind, ())
    return len(words) > len(limits) and all(_is_number(word, most) for word, most in zip(words, limits, strict=False))


def check_value(panel: Panel, kind: str, value: str, priority: str) -> tuple[str, str]:
    """(value, priority) to store; exit 2 if type or value is refused."""
    if kind not in _TYPES:
        panel.fail(E_INVALID, f"invalid dns record type format :: {kind}")
    if "\n" in value:
        panel.fail(E_INVALID, f"invalid value :: {value}")
    if kind == "SRV":
        # Only with the priority as the value's first number.
        words = value.split()
        target = words[-1] if words else ""
        good = (
            len(words) == 4
            and all(_is_number(word, 65535) for word in words[:3])
            and (target == "." or _is_host(target))
        )
        if good:
            return " ".join(words[1:]), words[0]
    elif _fits(kind, value, priority):
        return value, priority
    return panel.fail(E_INVALID, f"dns record validation failed :: {value}")
