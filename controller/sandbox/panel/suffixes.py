"""The registered domain of a name, as far as ownership of subdomains needs it."""

from __future__ import annotations

#: Two-label suffixes under which domains are sold. The real panel fetches the public suffix list; this is the
#: part of it that a trial server meets.
_SECOND_LEVEL: dict[str, str] = {
    "au": "com net org edu gov id",
    "br": "com net org gov",
    "cn": "com net org gov edu",
    "cz": "co",
    "es": "com nom org",
    "fr": "asso com gouv",
    "hu": "co info org",
    "il": "ac co gov net org",
    "in": "ac co edu firm gen gov net org",
    "it": "edu gov",
    "jp": "ac ad co ed go gr lg ne or",
    "kr": "ac co go ne or re",
    "mx": "com edu gob net org",
    "nz": "ac co geek gen govt net org school",
    "pl": "aid agro atm auto biz com edu gmina gsm info mail media miasta net nieruchomosci nom org pc powiat "
    "priv rel sklep sos szkola targi tm tourism travel turystyka waw",
    "pt": "com edu gov net org",
    "ro": "com firm info nom org store tm www",
    "ru": "ac com edu gov int mil",
    "tr": "av bel biz com dr edu gen gov info name net org pol tel tv web",
    "tw": "com edu game gov idv net org",
    "ua": "co com edu gov in net org kiev kyiv lviv",
    "uk": "ac co gov ltd me net nhs org plc police sch",
    "za": "ac co gov law net nom org school web",
}


def is_second_level(suffix: str) -> bool:
    """Whether domains are registered under this two-label suffix (``co.uk``)."""
    second, _, top = suffix.rpartition(".")
    return second in _SECOND_LEVEL.get(top, "").split()


def base_domain(name: str) -> str:
    """``shop.acme.co.uk`` -> ``acme.co.uk``; ``shop.acme.test`` -> ``acme.test``."""
    labels = name.split(".")
    if len(labels) > 2 and is_second_level(".".join(labels[-2:])):
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
