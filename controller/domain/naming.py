"""Domain names and the account names made from them: pure rules.

Panel rule for a new user (HestiaCP ``v-add-user``): 1 to 30 characters, letters, digits and ``-``, alphanumeric
ends; panels newer than 1.9.9 also want a letter first and no dot. Names made here satisfy both.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import idna
from publicsuffixlist import PublicSuffixList

ACCOUNT_NAME_MAX = 30
PANEL_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,63}")
ACCOUNT_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?")

# Users that Debian, Ubuntu or the panel's own services have, and names that mean something to the panel.
RESERVED_NAMES = frozenset(
    [
        "root",
        "daemon",
        "bin",
        "sys",
        "sync",
        "games",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "www-data",
        "backup",
        "list",
        "irc",
        "gnats",
        "nobody",
        "admin",
        "administrator",
        "user",
        "users",
        "guest",
        "test",
        "hestia",
        "hestiaweb",
        "hestiamail",
        "hestia-users",
        "system",
        "default",
        "debian-exim",
        "exim",
        "dovecot",
        "dovenull",
        "bind",
        "named",
        "mysql",
        "mariadb",
        "postgres",
        "vsftpd",
        "proftpd",
        "ftp",
        "sshd",
        "ntp",
        "chrony",
        "clamav",
        "spamd",
        "debian-spamd",
        "redis",
        "memcache",
        "memcached",
        "nginx",
        "apache",
        "apache2",
        "messagebus",
        "systemd-network",
        "systemd-resolve",
        "systemd-timesync",
        "systemd-coredump",
        "uuidd",
        "tcpdump",
        "landscape",
        "pollinate",
        "syslog",
        "tss",
        "lxd",
        "ubuntu",
        "debian",
        "sudo",
        "adm",
    ]
)


@dataclass(frozen=True)
class DomainName:
    """A domain in the form that goes to servers and the one people read."""

    ascii: str
    unicode: str


class DomainError(ValueError):
    """The text is not a domain that can be hosted; the message says why."""


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def parse_domain(text: str) -> DomainName:
    """Turn what a person typed into a domain; raises DomainError with the reason.

    IDNA 2008 with UTS 46 mapping; at most 253 octets, labels of at most 63 (RFC 1035).
    """
    name = text.strip().rstrip(".")
    if not name:
        raise DomainError("a domain is needed, for instance example.com")
    if "://" in name or "/" in name or "@" in name:
        raise DomainError("give the bare domain, for instance example.com, without http:// or a path")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        raise DomainError("an IP address is not a domain")
    try:
        ascii_name = idna.encode(name, uts46=True, std3_rules=True, transitional=False).decode().lower()
        unicode_name = idna.decode(ascii_name)
    except (idna.IDNAError, UnicodeError) as problem:
        raise DomainError(f"not a valid domain: {problem}") from None
    if len(ascii_name) > 253:
        raise DomainError("a domain has at most 253 characters")
    labels = ascii_name.split(".")
    if len(labels) < 2:
        raise DomainError("a domain needs an ending, for instance example.com")
    if labels[-1].isdigit():
        raise DomainError("the last part of a domain cannot be a number")
    if _suffixes().privatesuffix(ascii_name) is None:
        raise DomainError(f"{unicode_name} is an ending that many share, not a domain of its own")
    return DomainName(ascii_name, unicode_name)


def valid_account_name(name: str) -> bool:
    """Whether the panel takes the name for a new user and nothing else owns it by nature."""
    return bool(ACCOUNT_NAME.fullmatch(name)) and len(name) <= ACCOUNT_NAME_MAX and name not in RESERVED_NAMES


def account_base(domain: str) -> str:
    """What every account name of a domain begins with, as far as there is room."""
    base = re.sub(r"[^a-z0-9]+", "-", domain.lower()).strip("-")
    return base if base[:1].isalpha() else f"d-{base}".rstrip("-")


def account_name(domain: str, role: str, taken: Callable[[str], bool]) -> str:
    """Name of the account for one role of a domain: ``customer-com-web``.

    A name too long, reserved or taken gets six characters of a hash of the whole domain before the role,
    so that different domains stay apart however long their common beginning is.

    domain: A-label form. taken: says whether a name is used on the server already.
    """
    suffix = f"-{role}"
    base = account_base(domain)
    plain = base + suffix
    if valid_account_name(plain) and not taken(plain):
        return plain
    for attempt in range(1000):
        digest = hashlib.sha256(f"{domain}/{attempt}".encode()).hexdigest()[:6]
        room = ACCOUNT_NAME_MAX - len(suffix) - len(digest) - 1
        name = f"{base[:room].rstrip('-')}-{digest}{suffix}"
        if valid_account_name(name) and not taken(name):
            return name
    raise DomainError(f"no free account name for {domain}")


def panel_full_name(name: str, fallback: str) -> str:
    """A person's or firm's name in the characters the panel takes (letters, digits, space, ``.``, ``-``, ``_``)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"\s+", " ", re.sub(r"[^A-Za-z0-9 ._-]", " ", plain)).strip(" ._-")[:50].rstrip(" ._-")
    return plain or fallback


def panel_email(email: str, domain: str) -> str:
    """The address if the panel takes it (it knows only plain ASCII ones), else the domain's postmaster."""
    return email if PANEL_EMAIL.fullmatch(email) else f"postmaster@{domain}"


def www_alias(domain: str) -> list[str]:
    """``www.`` goes with a registered domain, not with a host below one."""
    return [f"www.{domain}"] if _suffixes().privatesuffix(domain) == domain else []
