"""What the panel counts by night: disk and traffic of an account's domains."""

from __future__ import annotations

import os

from . import checks
from .core import Panel
from .names import to_ascii

_MB = 2**20


def _user(panel: Panel, system: str) -> str:
    user = panel.arg(1)
    panel.usage(1, "USER")
    checks.user_format(panel, user)
    checks.enabled(panel, system)
    checks.user_exists(panel, user)
    return user


def _size(folder: str) -> int:
    """MB of a folder, the last one begun counts; 0 when there is none."""
    if not os.path.isdir(folder):
        return 0
    size = 0
    for place, _, files in os.walk(folder):
        size += 4096 + sum(os.lstat(f"{place}/{name}").st_size for name in files)
    return -(-size // _MB)


def _sum_up(panel: Panel, user: str) -> None:
    """The account's total from its parts."""
    web = sum(int(row.get("U_DISK") or 0) for row in panel.webs(user).all())
    mail = sum(int(row.get("U_DISK") or 0) for row in panel.mails(user).all())
    conf = panel.user_conf(user)
    values = conf.all()
    total = web + mail + sum(int(values.get(key) or 0) for key in ("U_DISK_DIRS", "U_DISK_DB"))
    conf.set({"U_DISK_WEB": str(web), "U_DISK_MAIL": str(mail), "U_DISK": str(total)})


def update_web_domains_disk(panel: Panel) -> None:
    user = _user(panel, "WEB_SYSTEM")
    for row in panel.webs(user).all():
        size = _size(panel.home(user, "web", row["DOMAIN"]))
        panel.webs(user).update(row["DOMAIN"], {"U_DISK": str(size)})
    _sum_up(panel, user)
    panel.log(0)


def update_mail_domains_disk(panel: Panel) -> None:
    user = _user(panel, "MAIL_SYSTEM")
    for row in panel.mails(user).all():
        accounts = panel.accounts(user, row["DOMAIN"])
        total = 0
        for account in accounts.all():
            size = _size(panel.home(user, "mail", to_ascii(row["DOMAIN"]), account["ACCOUNT"]))
            accounts.update(account["ACCOUNT"], {"U_DISK": str(size)})
            total += size
        panel.mails(user).update(row["DOMAIN"], {"U_DISK": str(total)})
    _sum_up(panel, user)
    panel.log(0)


def update_databases_disk(panel: Panel) -> None:
    """No database server runs beside a stand-in: its databases stay as large as they are recorded."""
    user = _user(panel, "DB_SYSTEM")
    _sum_up(panel, user)
    panel.log(0)


def update_web_domains_traff(panel: Panel) -> None:
    """Take in what the web server has logged: whole MB count, the rest is gone. A month starts at zero."""
    user = _user(panel, "WEB_SYSTEM")
    for row in panel.webs(user).all():
        if row.get("SUSPENDED") != "no":
            continue
        log = f"{panel.prefix}/var/log/{panel.system['WEB_SYSTEM']}/domains/{row['DOMAIN']}.bytes"
        served = sum(int(line) for line in panel.disk.lines(log) if line.isdigit())
        before = 0 if panel.date.endswith("-01") else int(row.get("U_BANDWIDTH") or 0)
        panel.disk.write(log, "\n", 0o640)
        panel.webs(user).update(row["DOMAIN"], {"U_BANDWIDTH": str(before + served // _MB)})
    total = sum(int(row.get("U_BANDWIDTH") or 0) for row in panel.webs(user).all())
    panel.user_conf(user).set({"U_BANDWIDTH": str(total)})
