"""Everything that is on a stand-in server, in one dict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from controller.sandbox.panel.records import parse, parse_conf

#: Values that differ from run to run without meaning anything.
VOLATILE = frozenset({"TIME", "DATE", "RKEY", "MD5", "SERIAL"})


def _records(path: Path, key: str) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    rows = [parse(line) for line in path.read_text(errors="surrogateescape").splitlines() if line]
    return {row.get(key, ""): row for row in rows}


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def _user(data: Path, home: Path) -> dict[str, Any]:
    zones = _records(data / "dns.conf", "DOMAIN")
    mails = _records(data / "mail.conf", "DOMAIN")
    conf = data / "user.conf"
    return {
        "conf": parse_conf(conf.read_text()) if conf.exists() else None,
        "web": _records(data / "web.conf", "DOMAIN"),
        "mail": mails,
        "mail_accounts": {path.stem: _records(path, "ACCOUNT") for path in sorted((data / "mail").glob("*.conf"))},
        "dkim": sorted(path.stem for path in (data / "mail").glob("*.pem")),
        "dns": zones,
        "dns_records": {
            path.stem: list(_records(path, "ID").values()) for path in sorted((data / "dns").glob("*.conf"))
        },
        "web_folders": _folders(home / "web"),
        "web_conf": {path.name: _folders(path) for path in sorted((home / "conf/web").glob("*")) if path.is_dir()},
        "mail_conf": {path.name: _folders(path) for path in sorted((home / "conf/mail").glob("*")) if path.is_dir()},
        "zone_files": _folders(home / "conf/dns"),
    }


def everything(root: Path) -> dict[str, Any]:
    """Users with all they own, packages, addresses, system accounts, homes, zone lines and the SFTP jail.

    Keys: ``users``, ``packages``, ``ips``, ``passwd``, ``homes``, ``zones`` (domain -> number of its lines in
    named.conf), ``jail``, ``pools``, ``vhosts``.
    """
    data = root / "usr/local/hestia/data"
    named_conf = root / "etc/bind/named.conf"
    lines = re.findall(r'^zone "([^"]+)"', named_conf.read_text(), re.M) if named_conf.exists() else []
    jail = re.search(r"^# Hestia SFTP Chroot\nMatch User (.*)$", (root / "etc/ssh/sshd_config").read_text(), re.M)
    return {
        "users": {path.name: _user(path, root / "home" / path.name) for path in sorted((data / "users").iterdir())},
        "packages": {path.stem: parse_conf(path.read_text()) for path in sorted((data / "packages").glob("*.pkg"))},
        "ips": {path.name: parse_conf(path.read_text()) for path in sorted((data / "ips").iterdir())},
        "passwd": {line.split(":")[0]: line for line in (root / "etc/passwd").read_text().splitlines()},
        "homes": _folders(root / "home"),
        "zones": {domain: lines.count(domain) for domain in lines},
        "jail": jail.group(1).split(",") if jail else [],
        "pools": sorted(path.stem for path in (root / "etc/php").glob("*/fpm/pool.d/*.conf")),
        "vhosts": _folders(root / "etc/nginx/conf.d/domains"),
    }


def without_volatile(state: Any) -> Any:
    """The same without times, serials and hashes, for comparing two states."""
    if isinstance(state, dict):
        return {key: without_volatile(value) for key, value in state.items() if key not in VOLATILE}
    if isinstance(state, list):
        return [without_volatile(value) for value in state]
    return state
