"""Settings of panels that a group manages: their check, and which of them concern a server. No I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from controller.domain.config_catalogue import CATALOGUE, READ_ONLY, VALUE, ConfigKey, Kind, Tier

__all__ = ["KEYS", "READ_ONLY", "VALUE", "ConfigKey", "Kind", "Tier", "check", "for_scope"]

KEYS: Mapping[str, ConfigKey] = {entry.key: entry for entry in CATALOGUE}

# The panel refuses quotes and pipes. It writes the line with sed, to which & and \ mean something, and some of its
# files are read by shells and browsers.
_REFUSED = "'\"|&\\`$<>^"
_EMAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_NUMBER = re.compile(r"[0-9]{1,9}")


def check(key: str, text: str) -> str:
    """The value to store. Raises ValueError with words when the key cannot be set or the value is none of its."""
    entry = KEYS.get(key)
    if entry is None:
        raise ValueError(f"{key!r} is not a setting of the panel")
    if not entry.managed:
        raise ValueError(f"cannot be set from here: {entry.explanation}")
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    value = text.strip()
    if not value:
        raise ValueError("is empty; leave the setting out if it is not to be managed")
    match entry.kind:
        case Kind.CHOICE:
            return _choice(entry, value)
        case Kind.NUMBER:
            return _number(entry, value)
        case Kind.ADDRESSES:
            return _addresses(entry, value)
        case _:
            return _text(entry, value)


def for_scope(config: Mapping[str, str], capabilities: Iterable[str], scope: str) -> list[dict[str, str]]:
    """What a server gets of its group's settings: ``{key, value, how}`` in the catalogue's order.

    A key is left out when its tier is none of the server's capabilities or outside the scope, and so is a stored
    value that the catalogue (of a later version, say) does not allow.
    """
    tiers = {Tier.ALL, *(Tier(name) for name in capabilities)}
    if Tier(scope) is not Tier.ALL:
        tiers &= {Tier(scope)}
    settings = []
    for entry in CATALOGUE:
        if entry.key not in config or entry.tier not in tiers:
            continue
        try:
            value = check(entry.key, config[entry.key])
        except ValueError:
            continue
        settings.append({"key": entry.key, "value": value, "how": entry.how})
    return settings


def _choice(entry: ConfigKey, value: str) -> str:
    if value in entry.choices:
        return value
    small = value.lower()
    if small in entry.choices:
        return small
    raise ValueError(f"must be one of {', '.join(entry.choices)}")


def _number(entry: ConfigKey, value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise ValueError("must be a whole number")
    if not entry.minimum <= int(value) <= entry.maximum:
        raise ValueError(f"must be between {entry.minimum} and {entry.maximum}")
    return str(int(value))


def _addresses(entry: ConfigKey, value: str) -> str:
    if value.lower() == "allow-all":
        return "allow-all"
    found: list[str] = []
    for word in re.split(r"[,\s]+", value.strip(", ")):
        try:
            # A zone behind % is a name of the machine that reads it, and may be anything.
            address = str(ipaddress.ip_address(word.replace("%", " ")))
        except ValueError:
            raise ValueError(f"{word!r} is not an IP address") from None
        if address not in found:
            found.append(address)
    return _bounded(entry, ",".join(found))


def _text(entry: ConfigKey, value: str) -> str:
    if entry.pattern and not re.fullmatch(entry.pattern, value):
        raise ValueError(f"must be {entry.pattern_words}")
    if entry.kind is Kind.EMAIL and not _EMAIL.fullmatch(value):
        raise ValueError("is not an e-mail address")
    if refused := sorted(set(_REFUSED) & set(value)):
        raise ValueError(f"must not hold {' '.join(refused)}")
    return _bounded(entry, value)


def _bounded(entry: ConfigKey, value: str) -> str:
    if len(value) > entry.maximum:
        raise ValueError(f"is longer than {entry.maximum} characters")
    return value
