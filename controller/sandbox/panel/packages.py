"""Packages: named sets of limits in ``data/packages/NAME.pkg``."""

from __future__ import annotations

import os

from . import checks
from .core import E_EXISTS, E_INVALID, E_NOTEXIST, Panel, Stop
from .records import Record, parse_conf, words
from .show import fields, json_objects, plain
from .system_users import shell_path
from .templates import backend_template, dns_template, proxy_template, web_template

KEYS = words(
    "WEB_TEMPLATE PROXY_TEMPLATE BACKEND_TEMPLATE DNS_TEMPLATE WEB_DOMAINS WEB_ALIASES DNS_DOMAINS "
    "DNS_RECORDS MAIL_DOMAINS MAIL_ACCOUNTS RATE_LIMIT DATABASES CRON_JOBS DISK_QUOTA CPU_QUOTA "
    "CPU_QUOTA_PERIOD MEMORY_LIMIT SWAP_LIMIT BANDWIDTH NS SHELL BACKUPS BACKUPS_INCREMENTAL"
)
#: Keys that may say "unlimited", in the order in which they are checked.
_LIMITS = words("WEB_DOMAINS WEB_ALIASES DNS_DOMAINS DNS_RECORDS MAIL_DOMAINS MAIL_ACCOUNTS DATABASES CRON_JOBS")
_TIGHT = ("CPU_QUOTA", "CPU_QUOTA_PERIOD", "MEMORY_LIMIT", "SWAP_LIMIT", "BANDWIDTH")
_LISTED = words(
    "WEB_TEMPLATE PROXY_TEMPLATE DNS_TEMPLATE WEB_DOMAINS WEB_ALIASES DNS_DOMAINS DNS_RECORDS "
    "MAIL_DOMAINS MAIL_ACCOUNTS DATABASES CRON_JOBS DISK_QUOTA CPU_QUOTA CPU_QUOTA_PERIOD MEMORY_LIMIT "
    "SWAP_LIMIT BANDWIDTH NS SHELL BACKUPS TIME DATE"
)
_ONE = words(
    "WEB_TEMPLATE BACKEND_TEMPLATE PROXY_TEMPLATE DNS_TEMPLATE WEB_DOMAINS WEB_ALIASES DNS_DOMAINS "
    "DNS_RECORDS MAIL_DOMAINS MAIL_ACCOUNTS RATE_LIMIT DATABASES CRON_JOBS DISK_QUOTA CPU_QUOTA "
    "CPU_QUOTA_PERIOD MEMORY_LIMIT SWAP_LIMIT BANDWIDTH NS SHELL BACKUPS BACKUPS_INCREMENTAL TIME DATE"
)


def read(panel: Panel, package: str) -> Record:
    return parse_conf(panel.disk.read(panel.data("packages", f"{package}.pkg")))


def _consistent(panel: Panel, conf: Record) -> None:
    for key in _LIMITS:
        if conf.get(key) != "unlimited":
            checks.int_format(panel, conf.get(key, ""), key)
    checks.int_format(panel, conf.get("RATE_LIMIT", ""), "RATE_LIMIT")
    for key in ("DISK_QUOTA", "BANDWIDTH"):
        if conf.get(key) != "unlimited":
            checks.int_format(panel, conf.get(key, ""), key)
    checks.int_format(panel, conf.get("BACKUPS", ""), "BACKUPS")
    incremental = conf.get("BACKUPS_INCREMENTAL", "")
    if incremental not in ("yes", "no"):
        checks.invalid(panel, "BACKUPS_INCREMENTAL", incremental)
    for key, check in (
        ("WEB_TEMPLATE", web_template),
        ("BACKEND_TEMPLATE", backend_template),
        ("PROXY_TEMPLATE", proxy_template),
        ("DNS_TEMPLATE", dns_template),
    ):
        if conf.get(key):
            check(panel, conf[key])
    for number, name in enumerate(conf.get("NS", "").split(","), 1):
        checks.domain_format(panel, name, f"ns{number}")


def add_user_package(panel: Panel) -> None:
    path, package, rewrite = panel.arg(1), panel.arg(2), panel.arg(3) == "yes"
    panel.usage(2, "PKG_DIR PACKAGE")
    checks.object_format(panel, package, "package")
    target = panel.data("packages", f"{package}.pkg")
    if rewrite:
        checks.package_exists(panel, package)
    elif os.path.exists(target):
        panel.say(f"Error: package {package} already exists.")
        panel.log(E_EXISTS)
        raise Stop(E_EXISTS)
    if not os.path.isfile(path):
        panel.say(f"{path} does not exists")
        raise Stop(E_NOTEXIST)
    conf = parse_conf(panel.disk.read(path))
    # A package without a shell takes that of whoever runs the command.
    shell = conf.get("SHELL") or os.path.basename(os.environ.get("SHELL", "bash"))
    _consistent(panel, conf)
    if not shell_path(panel, shell):
        panel.say(f"Error: shell {shell} is not valid")
        panel.log(E_INVALID)
        raise Stop(E_INVALID)
    conf["SHELL"] = os.path.basename(shell)
    lines = [f"{key}='{conf.get(key, '')}'" for key in KEYS]
    panel.disk.write(target, "\n".join([*lines, f"TIME='{panel.time}'", f"DATE='{panel.date}'", "", ""]), 0o644)
    said = "Package limits updated" if rewrite else "Package added"
    panel.history("system", "Packages", f"{said} (Name: {package}).")
    panel.log(0)


def update_user_package(panel: Panel) -> None:
    """Give the package's present limits to all its users."""
    package = panel.arg(1)
    panel.usage(1, "PACKAGE")
    checks.object_format(panel, package, "package")
    checks.package_exists(panel, package)
    for user in panel.users():
        if panel.user_conf(user).get("PACKAGE") == package:
            panel.call("v-change-user-package", user, package, "yes")
    panel.log(0)


def delete_user_package(panel: Panel) -> None:
    package = panel.arg(1)
    panel.usage(1, "PACKAGE")
    checks.object_format(panel, package, "package")
    checks.package_exists(panel, package)
    holders = [
        user
        for user in sorted(os.listdir(panel.data("users")))
        if f"PACKAGE='{package}" in panel.disk.read(panel.user_data(user, "user.conf"))
    ]
    # With one user's file only, grep prints no file name, and the line is taken for the user's name.
    if len(os.listdir(panel.data("users"))) == 1:
        holders = [f"PACKAGE='{panel.user_conf(holders[0]).get('PACKAGE')}'"] if holders else []
    for user in holders:
        panel.call("v-change-user-package", user, "default")
    panel.disk.remove(panel.data("packages", f"{package}.pkg"))
    panel.history("system", "System", f"Deleted package (Name: {package}).")
    panel.log(0)


def list_user_package(panel: Panel) -> None:
    package = panel.arg(1)
    panel.usage(1, "PACKAGE [FORMAT]")
    checks.object_format(panel, package, "package")
    checks.package_exists(panel, package)
    conf = read(panel, package)
    if panel.arg(2) == "json":
        body = fields(conf, _ONE, tight=_TIGHT[:4]).replace(
            '        "BACKUPS_INCREMENTAL"', '\t\t\t\t"BACKUPS_INCREMENTAL"'
        )
        json_objects(panel, [(package, body)])
    else:
        plain(panel, [[package, *(conf.get(key, "") for key in _ONE)]])


def list_user_packages(panel: Panel) -> None:
    # The panel lists them as ``ls -t`` does: the newest file first.
    folder = panel.data("packages")
    names = [name[:-4] for name in os.listdir(folder) if name.endswith(".pkg")]
    names.sort(key=lambda name: (-os.stat(f"{folder}/{name}.pkg").st_mtime_ns, name))
    confs = [(name, read(panel, name)) for name in names]
    if panel.arg(1) == "json":
        json_objects(panel, [(name, fields(conf, _LISTED, tight=_TIGHT[:4])) for name, conf in confs])
    else:
        plain(panel, [[name, *(conf.get(key, "") for key in _LISTED)] for name, conf in confs])
