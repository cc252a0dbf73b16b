"""What the panel checks before it acts, in its words and with its exit codes."""

from __future__ import annotations

import os
import re

from .core import (
    E_DISABLED,
    E_EXISTS,
    E_FORBIDDEN,
    E_INVALID,
    E_LIMIT,
    E_NOTEXIST,
    E_SUSPENDED,
    E_UNSUSPENDED,
    Panel,
    Stop,
)
from .records import Record, Table, parse, parse_conf
from .suffixes import base_domain

_BAD_DOMAIN = re.compile(r"""[!|@#$^&*()+={}:,<>?_/"';%` \t]""")
_BAD_ALIAS = re.compile(r"""[!|@#$^&()+={}:<>?_/"';%` ]""")
_BAD_COMMON = re.compile(r"""[!|#$^&()+={}:<>?/"';%` ]""")
_EMAIL = re.compile(r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9]{2,63})$")


def invalid(panel: Panel, what: str, value: str) -> None:
    panel.fail(E_INVALID, f"invalid {what} format :: {value}")


def user_format(panel: Panel, value: str, what: str = "user", most: int = 30) -> None:
    pattern = rf"[A-Za-z0-9]|[A-Za-z0-9][-|._A-Za-z0-9]{{0,{most - 2}}}[A-Za-z0-9]"
    if value and not re.fullmatch(pattern, value):
        invalid(panel, what, value)


def account_format(panel: Panel, value: str, what: str = "account") -> None:
    if value and not re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9_.-]{2,64}", value):
        invalid(panel, what, value)


def domain_format(panel: Panel, value: str, what: str = "domain") -> None:
    if not value:
        return
    if _BAD_DOMAIN.search(value) or value.isdigit() or ".." in value or value == "www":
        invalid(panel, what, value)
    if "\n" in value:
        panel.fail(E_INVALID, f"invalid value :: {value}")


def alias_format(panel: Panel, values: str) -> None:
    for value in values.replace(",", " ").split():
        bad = (
            _BAD_ALIAS.search(value)
            or ".." in value
            or ".-" in value
            or "-." in value
            or value[0] in "-."
            or value[-1] in "-."
            or ("*" in value and not value.startswith("*."))
        )
        if bad:
            invalid(panel, "alias", value)


def is_ip4(value: str) -> bool:
    parts = value.split(".")
    return len(parts) == 4 and all(
        part.isdigit() and part.isascii() and int(part) < 256 and str(int(part)) == part for part in parts
    )


def ip_format(panel: Panel, value: str) -> None:
    if value and not is_ip4(value):
        panel.fail(E_INVALID, f"invalid ip :: {value}")


def email_format(panel: Panel, value: str) -> None:
    if value and not _EMAIL.match(value):
        invalid(panel, "email", value)


def object_format(panel: Panel, value: str, what: str) -> None:
    if value and not re.fullmatch(r"[A-Za-z0-9][-|._A-Za-z0-9]{0,64}[A-Za-z0-9]", value):
        invalid(panel, what, value)


def int_format(panel: Panel, value: str, what: str) -> None:
    if not (value.isdigit() and value.isascii()):
        invalid(panel, what, value)


def boolean_format(panel: Panel, value: str, what: str) -> None:
    if value and value not in ("yes", "no"):
        invalid(panel, what, value)


def restart_format(panel: Panel, value: str) -> None:
    if value and value not in ("yes", "no", "ssl", "reload", "updatessl", "scheduled"):
        invalid(panel, "restart", value)


def name_format(panel: Panel, value: str, what: str = "name") -> None:
    if re.search(r"""['|"<>]""", value):
        panel.fail(E_INVALID, f"Invalid {what} contains qoutes (\" or ') :: {value}")
    if "\n" in value:
        panel.fail(E_INVALID, f"invalid value :: {value}")


def common_format(panel: Panel, value: str, what: str) -> None:
    """The panel's general check (record names, extensions, config keys)."""
    if not value:
        return
    bad = (
        _BAD_COMMON.search(value)
        or len(value) >= 400
        or ("@" in value and len(value) > 1)
        or ("*" in value and value != "*" and "*." not in value)
        or not re.match(r"[A-Za-z0-9_*@]", value[0])
        or not re.match(r"[A-Za-z0-9_*@.]", value[-1])
        or ".." in value
        or "--" in value
        or "__" in value
    )
    if bad:
        invalid(panel, what, value)


def enabled(panel: Panel, key: str) -> None:
    if panel.system.get(key, "") in ("", "no"):
        panel.fail(E_DISABLED, f"{key} is not enabled")


def user_exists(panel: Panel, user: str) -> None:
    if "/" in user or not user or not os.path.isdir(panel.user_data(user)):
        panel.fail(E_NOTEXIST, f"user {user} doesn't exist")


def user_active(panel: Panel, user: str) -> None:
    # The panel looks for the words anywhere in the file.
    if "SUSPENDED='yes'" in panel.disk.read(panel.user_data(user, "user.conf")):
        panel.fail(E_SUSPENDED, f"user {user} is suspended")


def require(panel: Panel, table: Table, value: str, what: str) -> Record:
    """The record, or exit 3 in the words "WHAT VALUE doesn't exist"."""
    record = table.find(value)
    if record is None:
        panel.fail(E_NOTEXIST, f"{what} {value} doesn't exist")
    return record


def active(panel: Panel, record: Record, what: str, name: str) -> None:
    if record.get("SUSPENDED") == "yes":
        panel.fail(E_SUSPENDED, f"{what} {name} is suspended")


def suspended(panel: Panel, record: Record, what: str, name: str) -> None:
    if record.get("SUSPENDED") != "yes":
        panel.fail(E_UNSUSPENDED, f"{what} {name} is not suspended")


def limit(panel: Panel, user: str, key: str, used: int, over: bool = False) -> None:
    """Exit 8 when a limit of the user's package is reached; ``over``: ``used`` already counts the new one."""
    allowed = panel.user_conf(user).get(key)
    if allowed == "unlimited":
        return
    if (used > int(allowed or 0)) if over else (used >= int(allowed or 0)):
        panel.fail(E_LIMIT, f"{key} limit is reached :: upgrade user package")


def package_exists(panel: Panel, package: str) -> None:
    if not os.path.exists(panel.data("packages", f"{package}.pkg")):
        panel.fail(E_NOTEXIST, f"package {package} doesn't exist")


def password_from(value: str) -> str:
    """A password argument that names a file under /tmp/ means that file's first line."""
    if value.startswith("/tmp/") and "../" not in value and os.path.isfile(value):
        with open(value, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().rstrip("\n")
    return value


def _owners(panel: Panel, kind: str, name: str) -> list[str]:
    """Users that have a domain of this kind by this name."""
    found = []
    for user in sorted(os.listdir(panel.data("users"))):
        if kind == "web":
            there = f"DOMAIN='{name}'" in panel.disk.read(panel.user_data(user, "web.conf"))
        else:
            there = os.path.exists(panel.user_data(user, kind, f"{name}.conf"))
        if there:
            found.append(user)
    return found


def _alias_taken(panel: Panel, name: str) -> bool:
    for user in os.listdir(panel.data("users")):
        for line in panel.disk.lines(panel.user_data(user, "web.conf")):
            if name in line and name in parse(line).get("ALIAS", "").split(","):
                return True
    return False


def taken(panel: Panel, user: str, kind: str, name: str) -> tuple[int, str] | None:
    """Why a domain of this kind cannot be added: (exit code, message), or None.

    ``kind`` "" asks only whether another user has it, whatever for.
    """
    for system, system_kind, word in (
        ("WEB_SYSTEM", "web", "Web"),
        ("DNS_SYSTEM", "dns", "DNS"),
        ("MAIL_SYSTEM", "mail", "Mail"),
    ):
        if not panel.system.get(system):
            continue
        owners = _owners(panel, system_kind, name)
        if owners and (kind == system_kind or owners[0] != user):
            return E_EXISTS, f"{word} domain {name} exists"
        if system_kind == "web" and kind == "web" and _alias_taken(panel, name):
            return E_EXISTS, f"Web alias {name} exists"
        if system_kind == "mail" and kind == "mail":
            first, _, rest = name.partition(".")
            for reserved in ("mail", panel.system.get("WEBMAIL_ALIAS", "webmail")):
                if _owners(panel, "mail", f"{reserved}.{name}"):
                    return E_EXISTS, f'Required subdomain "{reserved}.{name}" already exists'
                if first == reserved and _owners(panel, "mail", rest):
                    return E_INVALID, f'The subdomain "{first}." is reserved by "{rest}"'
    return None


def domain_new(panel: Panel, user: str, kind: str, names: str) -> None:
    for name in names.replace(",", " ").split():
        reason = taken(panel, user, kind, name)
        if reason:
            panel.fail(*reason)


def base_owner(panel: Panel, user: str, names: str) -> None:
    """Exit 4 when the registered domain above a name belongs to another user."""
    if panel.system.get("ENFORCE_SUBDOMAIN_OWNERSHIP") != "yes":
        return
    for name in names.replace(",", " ").split():
        if name == "none":
            continue
        base = base_domain(name)
        open_to_all = any(
            record.get("ALLOW_USERS") == "yes"
            for owner in _owners(panel, "web", base)
            if (record := panel.webs(owner).find(base))
        )
        if not open_to_all and taken(panel, user, "", base):
            panel.say(f"Error: Unable to add {name}. {base} belongs to a different user")
            raise Stop(E_EXISTS)


def user_ip(panel: Panel, user: str, wanted: str) -> tuple[str, str]:
    """(address to publish, address on the server) for a new object; exit 3 or 10 when there is none."""
    folder = panel.data("ips")
    addresses = {name: parse_conf(panel.disk.read(f"{folder}/{name}")) for name in sorted(os.listdir(folder))}
    if wanted:
        local = wanted if wanted in addresses else ""
        for name, conf in addresses.items():
            if not local and conf.get("NAT") == wanted:
                local = name
        if not local:
            panel.fail(E_NOTEXIST, f"IP {wanted} doesn't exist")
        owner, status = addresses[local].get("OWNER"), addresses[local].get("STATUS")
        if owner != user and (status == "dedicated" or owner != panel.root_user):
            panel.fail(E_FORBIDDEN, f"{user} user can't use IP {wanted}")
        return wanted, local
    usable = [name for name, conf in addresses.items() if conf.get("OWNER") == user]
    usable += [
        name
        for name, conf in addresses.items()
        if conf.get("OWNER") == panel.root_user and conf.get("STATUS") == "shared" and name not in usable
    ]
    if not usable:
        panel.fail(E_NOTEXIST, "no IP is available")
    return addresses[usable[0]].get("NAT") or usable[0], usable[0]
