"""Users of the panel: the accounts that own domains."""

from __future__ import annotations

import os

from . import checks, system_users
from .core import E_EXISTS, E_INVALID, E_LIMIT, E_RESTART, Panel, Stop
from .packages import KEYS, read
from .records import Conf, Record, format_conf, words
from .secrets import word
from .show import fields, json_names, json_objects, plain

_RESERVED = words("aria aria_log mysql mysql_upgrade ib ib_buffer ddl ddl_recovery performance sudo")
_DOT_FOLDERS = words(".config .cache .local .composer .vscode-server .ssh .npm .wp-cli")
_FILES = words("backup.conf history.log stats.log web.conf dns.conf mail.conf db.conf cron.conf")
_SUSPENDED = [f"SUSPENDED_{kind}" for kind in ("USERS", "WEB", "DNS", "MAIL", "DB", "CRON")]
_USED = words(
    "U_USERS U_DISK U_DISK_DIRS U_DISK_WEB U_DISK_MAIL U_DISK_DB U_BANDWIDTH U_WEB_DOMAINS U_WEB_SSL "
    "U_WEB_ALIASES U_DNS_DOMAINS U_DNS_RECORDS U_MAIL_DOMAINS U_MAIL_DKIM U_MAIL_ACCOUNTS U_DATABASES "
    "U_CRON_JOBS U_BACKUPS"
)
_LIMITS = words(
    "WEB_DOMAINS WEB_ALIASES DNS_DOMAINS DNS_RECORDS MAIL_DOMAINS MAIL_ACCOUNTS DATABASES CRON_JOBS DISK_QUOTA"
)
_HEAD = ["NAME", "PACKAGE", "WEB_TEMPLATE", "BACKEND_TEMPLATE", "PROXY_TEMPLATE", "DNS_TEMPLATE"]
#: Order of the limits in user.conf after a change of package (the package's own order differs a little).
_PACKAGE_ORDER = ["WEB_TEMPLATE", "BACKEND_TEMPLATE", "PROXY_TEMPLATE", *KEYS[3:]]
_ONE = [
    *_HEAD, *_LIMITS, "BANDWIDTH", "HOME", "NS", "SHELL", "BACKUPS", "CONTACT", "CRON_REPORTS", "RKEY", "TWOFA",
    "QRCODE", "ROLE", "SUSPENDED", *_SUSPENDED, "IP_AVAIL", "IP_OWNED", *_USED, "BACKUPS_INCREMENTAL", "LANGUAGE",
    "THEME", "NOTIFICATIONS", "PREF_UI_SORT", "LOGIN_DISABLED", "LOGIN_USE_IPLIST", "LOGIN_ALLOW_IPS", "PHPCLI",
    "TIME", "DATE",
]  # fmt: skip
_ONE_PLAIN = [
    *_HEAD, *_LIMITS, "BANDWIDTH", "NS", "HOME", "SHELL", "BACKUPS", "CONTACT", "CRON_REPORTS", "RKEY", "SUSPENDED",
    *_SUSPENDED, "IP_AVAIL", "IP_OWNED", *_USED, "LANGUAGE", "THEME", "TIME", "DATE",
]  # fmt: skip
_ALL = [
    *_HEAD, *_LIMITS, "CPU_QUOTA", "CPU_QUOTA_PERIOD", "MEMORY_LIMIT", "SWAP_LIMIT", "BANDWIDTH", "NS", "SHELL",
    "BACKUPS", "CONTACT", "CRON_REPORTS", "RKEY", "ROLE", "SUSPENDED", *_SUSPENDED, "IP_AVAIL", "IP_OWNED", *_USED,
    "LANGUAGE", "TIME", "DATE",
]  # fmt: skip


def _new_conf(panel: Panel, name: str, package: str, email: str, hashed: str, role: str = "user") -> Record:
    conf: Record = {"NAME": name, "PACKAGE": package}
    conf.update({key: value for key, value in read(panel, package).items() if key not in ("TIME", "DATE")})
    shared = sum("STATUS='shared'" in panel.disk.read(panel.data("ips", ip)) for ip in os.listdir(panel.data("ips")))
    conf.update(
        CONTACT=email, CRON_REPORTS="yes", MD5=hashed, RKEY=word(), TWOFA="", QRCODE="", PHPCLI="", ROLE=role,
        SUSPENDED="no",
    )  # fmt: skip
    conf.update(dict.fromkeys(_SUSPENDED, "0"))
    conf.update(IP_AVAIL=str(shared), IP_OWNED="0")
    conf.update(dict.fromkeys(_USED, "0"))
    conf.update(
        LANGUAGE="", THEME="", NOTIFICATIONS="no", PREF_UI_SORT="name", LOGIN_DISABLED="no", LOGIN_USE_IPLIST="no",
        LOGIN_ALLOW_IPS="", TIME=panel.time, DATE=panel.date,
    )  # fmt: skip
    return conf


def add_user(panel: Panel) -> None:
    panel.hidden = 2
    user, password, email, package = panel.arg(1), panel.arg(2), panel.arg(3), panel.arg(4, "default")
    name = " ".join(part for part in (panel.arg(5), panel.arg(6)) if part)
    panel.usage(3, "USER PASSWORD EMAIL [PACKAGE] [NAME] ")
    checks.user_format(panel, user)
    checks.email_format(panel, email)
    checks.object_format(panel, package, "package")
    checks.name_format(panel, name)
    if user.lower() in _RESERVED:
        panel.fail(
            E_INVALID,
            f"The user name '{user}' is reserved and cannot be used. List of reserved names: {' '.join(_RESERVED)}",
        )
    if system_users.entry(panel, user) or os.path.exists(panel.user_data(user)):
        panel.fail(E_EXISTS, f"user {user} exists")
    password = checks.password_from(password)
    checks.package_exists(panel, package)

    conf = read(panel, package)
    if not system_users.add(panel, user, system_users.shell_path(panel, conf.get("SHELL", "nologin")), email):
        panel.fail(E_INVALID, "user creation failed")
    panel.point("system-user", 0.2)
    if not password:
        # The account goes again, its home stays.
        for _ in range(3):
            panel.warn("No password has been supplied.")
        panel.warn(f"chpasswd: (user {user}) pam_chauthtok() failed, error:")
        panel.warn("Authentication token manipulation error")
        panel.warn(f"chpasswd: (line 1, user {user}) password not changed")
        system_users.remove(panel, user)
        panel.say("Error: Password not accepted due to PAM restrictions")
        raise Stop(E_INVALID)
    hashed = system_users.set_password(panel, user, password)

    disk = panel.disk
    disk.mkdir(panel.home(user, "conf"))
    if panel.system.get("WEB_SYSTEM"):
        disk.mkdir(panel.home(user, "conf/web"), 0o751)
        disk.mkdir(panel.home(user, "web"))
        disk.mkdir(panel.home(user, "tmp"), 0o700)
    if panel.system.get("MAIL_SYSTEM"):
        disk.mkdir(panel.home(user, "conf/mail"))
        disk.mkdir(panel.home(user, "mail"), 0o751)
    if panel.system.get("DNS_SYSTEM"):
        disk.mkdir(panel.home(user, "conf/dns"), 0o771)
    for folder in _DOT_FOLDERS:
        disk.mkdir(panel.home(user, folder))
    panel.point("home", 0.4)
    os.makedirs(panel.user_data(user), 0o770, exist_ok=True)
    for folder in ("ssl", "dns", "mail"):
        os.makedirs(panel.user_data(user, folder), 0o770, exist_ok=True)
    for file in _FILES:
        disk.write(panel.user_data(user, file), "")
    panel.point("data", 0.6)
    disk.write(panel.user_data(user, "user.conf"), format_conf(_new_conf(panel, name, package, email, hashed)))
    panel.point("record", 0.7)
    panel.user_conf(panel.root_user).add_to("U_USERS", 1)
    system_users.jail(panel, user)
    panel.history("system", "Users", f"User account added (Name: {user}).")
    panel.history(user, "System", "Welcome!")
    panel.log(0)


def delete_user(panel: Panel) -> None:
    user, restart = panel.arg(1), panel.arg(2)
    panel.usage(1, "USER [RESTART]")
    checks.user_format(panel, user)
    checks.user_exists(panel, user)
    if user == panel.root_user:
        return
    for kind, table in (("web", panel.webs(user)), ("dns", panel.zones(user)), ("mail", panel.mails(user))):
        if not panel.system.get(f"{kind.upper()}_SYSTEM"):
            continue
        for record in table.all():
            # Whether one could be deleted, nobody looks at ...
            panel.call(f"v-delete-{kind}-domain", user, record["DOMAIN"], "no", quiet=True)
        for service in {"web": ("web", "proxy"), "dns": ("dns",)}.get(kind, ()):
            # ... but a failing restart stops the rest: system account, home and data stay.
            if panel.call(f"v-restart-{service}", restart, quiet=True):
                panel.fail(E_RESTART, f"{kind} domain deletion failed")
        panel.point(kind)
    panel.point("domains", 0.5)
    if os.path.exists(panel.user_data(user, "user.conf")):
        panel.call("v-unsuspend-user", user, quiet=True)
    _release_ips(panel, user)
    system_users.unjail(panel, user)
    panel.point("jail", 0.7)
    system_users.remove(panel, user)
    panel.point("system-user", 0.8)
    panel.disk.remove(panel.home(user))
    panel.disk.remove(panel.user_data(user))
    panel.point("data")
    panel.user_conf(panel.root_user).add_to("U_USERS", -1)
    panel.history("system", "Users", f"User deleted (User: {user}).")
    panel.log(0)


def _release_ips(panel: Panel, user: str) -> None:
    for ip in sorted(os.listdir(panel.data("ips"))):
        conf = Conf(panel.disk, panel.data("ips", ip))
        values = conf.all()
        named = [each for each in values.get("U_SYS_USERS", "").split(",") if each and each != user]
        changes = {"U_SYS_USERS": ",".join(named)}
        if values.get("OWNER") == user:
            changes.update(OWNER=panel.root_user, STATUS="shared")
        if any(values.get(key) != value for key, value in changes.items()):
            conf.set(changes)


def _existing(panel: Panel, count: int, usage: str, active: bool = True) -> str:
    """The first argument as a user that is there (and not suspended)."""
    user = panel.arg(1)
    panel.usage(count, usage)
    checks.user_format(panel, user)
    checks.user_exists(panel, user)
    if active:
        checks.user_active(panel, user)
    return user


def _shown(panel: Panel, user: str) -> Record:
    conf = panel.user_conf(user).all()
    conf["HOME"] = f"/home/{user}"
    return conf


def list_user(panel: Panel) -> None:
    user = _existing(panel, 1, "USER [FORMAT]", active=False)
    conf = _shown(panel, user)
    top = panel.user_conf(panel.root_user).all()
    conf["U_USERS"] = top.get("U_USERS", "")
    conf["SUSPENDED_USERS"] = top.get("SUSPENDED_USERS", "")
    if panel.arg(2) == "json":
        json_objects(panel, [(user, fields(conf, _ONE))], close="        }")
    else:
        plain(panel, [[user, *(conf.get(key, "") for key in _ONE_PLAIN)]])


def list_users(panel: Panel) -> None:
    users = panel.users()
    if panel.arg(1) == "list":
        plain(panel, [[user] for user in users])
    elif panel.arg(1) == "json":
        entries = [(user, fields(_shown(panel, user), _ALL)) for user in users]
        json_objects(panel, entries, close="        }", last="")
    else:
        shown = [(user, _shown(panel, user)) for user in users]
        plain(panel, [[user, *(conf.get(key, "") for key in _ALL)] for user, conf in shown], end="\t")


def list_sys_users(panel: Panel) -> None:
    if panel.arg(1) == "json":
        json_names(panel, panel.users())
    else:
        plain(panel, [[user] for user in panel.users()])


def change_user_package(panel: Panel) -> None:
    user, package = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER PACKAGE [FORCE]")
    checks.user_format(panel, user)
    checks.object_format(panel, package, "package")
    checks.user_exists(panel, user)
    checks.package_exists(panel, package)
    conf, wanted = panel.user_conf(user).all(), read(panel, package)
    if panel.arg(3) != "yes":
        for limit, used, word_ in (
            ("WEB_DOMAINS", "U_WEB_DOMAINS", "WEB_DOMAIN"),
            ("DNS_DOMAINS", "U_DNS_DOMAINS", "DNS_DOMAIN"),
            ("MAIL_DOMAINS", "U_MAIL_DOMAINS", "MAIL_DOMAIN"),
            ("DATABASES", "U_DATABASES", "DATABASE"),
            ("CRON_JOBS", "U_CRON_JOBS", "CRON"),
            ("DISK_QUOTA", "U_DISK", "DISK"),
            ("BANDWIDTH", "U_BANDWIDTH", "BANDWIDTH"),
        ):
            most = wanted.get(limit, "0")
            if most != "unlimited" and int(most or 0) < int(conf.get(used, "0") or 0):
                panel.fail(E_LIMIT, f"Package doesn't cover {word_} usage")
    new: Record = {"NAME": conf.get("NAME", ""), "PACKAGE": package}
    new.update({key: wanted.get(key, conf.get(key, "")) for key in _PACKAGE_ORDER})
    new.update({key: value for key, value in conf.items() if key not in new})
    panel.disk.write(panel.user_data(user, "user.conf"), format_conf(new))
    panel.call("v-change-user-shell", user, wanted.get("SHELL", "nologin"))
    panel.history(user, "System", f"You have been assigned a new package ({package}).")
    panel.history("system", "System", f"Package limits applied to user (Package: {package}, User: {user}).")
    panel.log(0)


def change_user_password(panel: Panel) -> None:
    panel.hidden = 2
    user = _existing(panel, 1, "USER [PASSWORD]")
    import sys

    # Without the argument the password comes in on stdin.
    given = panel.arg(2) or sys.stdin.readline().rstrip("\n")
    password = checks.password_from(given)
    if not password:
        panel.say("Error: Password not accepted due to PAM restrictions")
        raise Stop(E_INVALID)
    hashed = system_users.set_password(panel, user, password)
    panel.user_conf(user).set({"RKEY": word(), "MD5": hashed})
    panel.history("system", "Security", f"Password changed (User: {user}).", "Warning")
    panel.history(user, "Security", "Password changed.", "Warning")
    panel.log(0)


def change_user_contact(panel: Panel) -> None:
    panel.usage(2, "USER EMAIL")
    checks.email_format(panel, panel.arg(2))
    user = _existing(panel, 2, "USER EMAIL")
    panel.user_conf(user).set({"CONTACT": panel.arg(2)})
    system_users.set_comment(panel, user, panel.arg(2))
    panel.history(user, "System", f"Email address changed (Value: {panel.arg(2)}).")
    panel.log(0)


def change_user_name(panel: Panel) -> None:
    panel.usage(2, "USER NAME [LAST_NAME]")
    checks.name_format(panel, panel.arg(2))
    user = _existing(panel, 2, "USER NAME [LAST_NAME]")
    name = " ".join(part for part in (panel.arg(2), panel.arg(3)) if part)
    panel.user_conf(user).set({"NAME": name})
    panel.history(user, "System", f"User display name changed (Value: {panel.arg(2)}).")
    panel.log(0)


def change_user_shell(panel: Panel) -> None:
    shell = panel.arg(2)
    panel.usage(2, "USER SHELL")
    checks.user_format(panel, panel.arg(1))
    path = system_users.shell_path(panel, shell)
    if not path:
        panel.say(f"Error: shell {shell} is not valid")
        panel.log(E_INVALID)
        raise Stop(E_INVALID)
    user = _existing(panel, 2, "USER SHELL")
    system_users.set_shell(panel, user, path)
    shell = os.path.basename(path)
    if shell in ("nologin", "rssh"):
        system_users.jail(panel, user)
    else:
        system_users.unjail(panel, user)
    panel.user_conf(user).set({"SHELL": shell})
    panel.history("system", "System", f"User SSH shell changed (Shell: {shell}, User: {user}).")
    panel.log(0)


def add_user_sftp_jail(panel: Panel) -> None:
    panel.usage(1, "USER [RESTART]")
    checks.user_format(panel, panel.arg(1))
    system_users.jail(panel, panel.arg(1))
    panel.log(0)


def suspend_user(panel: Panel) -> None:
    user = _existing(panel, 1, "USER [RESTART]")
    if user == panel.root_user:
        return
    system_users.lock(panel, user, True)
    _each_domain(panel, user, "suspend")
    panel.point("domains", 0.8)
    _restart_all(panel, panel.arg(2))
    panel.user_conf(user).set({"SUSPENDED": "yes"})
    panel.user_conf(panel.root_user).add_to("SUSPENDED_USERS", 1)
    panel.history("system", "Users", f"Suspended user account (Name: {user}).")
    panel.log(0)


def unsuspend_user(panel: Panel) -> None:
    user = _existing(panel, 1, "USER [RESTART]", active=False)
    if user == panel.root_user:
        return
    system_users.lock(panel, user, False)
    panel.user_conf(user).set({"SUSPENDED": "no"})
    panel.user_conf(panel.root_user).add_to("SUSPENDED_USERS", -1)
    panel.point("record", 0.2)
    _each_domain(panel, user, "unsuspend")
    _restart_all(panel, panel.arg(2))
    panel.history("system", "Users", f"Unsuspended user account (User: {user}).")
    panel.log(0)


def _each_domain(panel: Panel, user: str, verb: str) -> None:
    """Suspend or unsuspend all domains; what already is so, is left alone."""
    wanted = "no" if verb == "suspend" else "yes"
    tables = {"web": panel.webs(user), "mail": panel.mails(user), "dns": panel.zones(user)}
    order = ("web", "mail", "dns") if verb == "suspend" else ("web", "dns", "mail")
    for kind, table in ((kind, tables[kind]) for kind in order):
        if panel.system.get(f"{kind.upper()}_SYSTEM"):
            for record in table.all():
                if record.get("SUSPENDED") == wanted:
                    panel.call(f"v-{verb}-{kind}-domain", user, record["DOMAIN"], "no")


def _restart_all(panel: Panel, restart: str) -> None:
    for service in ("web", "proxy", "dns", "cron"):
        if panel.call(f"v-restart-{service}", restart, quiet=True):
            raise Stop(20)


def rebuild_user(panel: Panel) -> None:
    user = _existing(panel, 1, "USER [RESTART]", active=False)
    conf = panel.user_conf(user).all()
    if conf.get("SUSPENDED") == "yes":
        return
    if system_users.entry(panel, user) is None:
        shell = system_users.shell_path(panel, conf.get("SHELL", "nologin"))
        system_users.add(panel, user, shell, conf.get("CONTACT", ""))
    for folder in ("conf", "web", "tmp", "mail", "conf/web", "conf/mail", "conf/dns"):
        os.makedirs(panel.home(user, folder), exist_ok=True)
    panel.call("v-update-user-counters", user)
    _add_stats(panel, user)
    panel.history("system", "System", f"Rebuilt user profile (User: {user}).")
    panel.log(0)


def update_user_counters(panel: Panel) -> None:
    if panel.arg(1):
        checks.user_format(panel, panel.arg(1))
        checks.user_exists(panel, panel.arg(1))
    for user in [panel.arg(1)] if panel.arg(1) else panel.users():
        panel.user_conf(user).set(_count(panel, user))
    panel.log(0)


def _count(panel: Panel, user: str) -> Record:
    webs, zones, mails = panel.webs(user), panel.zones(user), panel.mails(user)
    web, dns, mail = webs.all(), zones.all(), mails.all()
    records = {zone["DOMAIN"]: panel.dns_records(user, zone["DOMAIN"]).count() for zone in dns}
    accounts = {each["DOMAIN"]: panel.accounts(user, each["DOMAIN"]).count() for each in mail}
    for domain, count in records.items():
        zones.update(domain, {"RECORDS": str(count)})
    for domain, count in accounts.items():
        mails.update(domain, {"ACCOUNTS": str(count)})
    ips = [panel.disk.read(panel.data("ips", ip)) for ip in os.listdir(panel.data("ips"))]
    owned = sum(f"OWNER='{user}'" in ip for ip in ips)
    shared = sum(f"OWNER='{panel.root_user}'" in ip and "STATUS='shared'" in ip for ip in ips)
    dirs = int(panel.user_conf(user).get("U_DISK_DIRS") or 0)
    web_disk = sum(int(each.get("U_DISK") or 0) for each in web)
    mail_disk = sum(int(each.get("U_DISK") or 0) for each in mail)

    def off(rows: list[Record]) -> int:
        return sum(row.get("SUSPENDED") == "yes" for row in rows)

    counts = {
        "SUSPENDED_WEB": off(web),
        "SUSPENDED_DNS": off(dns),
        "SUSPENDED_MAIL": off(mail),
        "IP_AVAIL": len(ips) if user == panel.root_user else owned + shared,
        "IP_OWNED": owned,
        "U_DISK": dirs + web_disk + mail_disk,
        "U_DISK_WEB": web_disk,
        "U_DISK_MAIL": mail_disk,
        "U_WEB_DOMAINS": len(web),
        "U_WEB_SSL": sum(each.get("SSL") == "yes" for each in web),
        "U_WEB_ALIASES": sum(len(each["ALIAS"].split(",")) for each in web if each.get("ALIAS")),
        "U_DNS_DOMAINS": len(dns),
        "U_DNS_RECORDS": sum(records.values()),
        "U_MAIL_DOMAINS": len(mail),
        "U_MAIL_DKIM": sum(each.get("DKIM") == "yes" for each in mail),
        "U_MAIL_ACCOUNTS": sum(accounts.values()),
    }
    top = user == panel.root_user
    counts["U_USERS"] = len(panel.users()) if top else 0
    counts["SUSPENDED_USERS"] = (
        sum(panel.user_conf(each).get("SUSPENDED") == "yes" for each in panel.users()) if top else 0
    )
    return {key: str(value) for key, value in counts.items()}


def update_user_disk(panel: Panel) -> None:
    user = _existing(panel, 1, "USER", active=False)
    conf = panel.user_conf(user)
    size = 0
    for folder, folders, files in os.walk(panel.home(user)):
        if folder == panel.home(user):
            folders[:] = [name for name in folders if name not in ("web", "mail", "conf")]
        size += 4096 + sum(os.lstat(f"{folder}/{name}").st_size for name in files)
    values = conf.all()
    dirs = max(1, -(-size // 2**20))
    total = dirs + sum(int(values.get(key) or 0) for key in ("U_DISK_WEB", "U_DISK_MAIL", "U_DISK_DB"))
    conf.set({"U_DISK_DIRS": str(dirs), "U_DISK": str(total)})
    panel.log(0)


_STATS = words(
    "TIME PACKAGE IP_OWNED DISK_QUOTA U_DISK U_DISK_DIRS U_DISK_WEB U_DISK_MAIL U_DISK_DB BANDWIDTH "
    "U_BANDWIDTH U_WEB_DOMAINS U_WEB_SSL U_WEB_ALIASES U_DNS_DOMAINS U_DNS_RECORDS U_MAIL_DOMAINS "
    "U_MAIL_DKIM U_MAIL_ACCOUNTS U_DATABASES U_CRON_JOBS U_BACKUPS"
)


def _add_stats(panel: Panel, user: str) -> None:
    """The month's line of statistics, dated on its last day."""
    import calendar

    from .records import format_record, parse

    year, month = int(panel.date[:4]), int(panel.date[5:7])
    day = f"{panel.date[:8]}{calendar.monthrange(year, month)[1]:02d}"
    conf = panel.user_conf(user).all()
    record = {"DATE": day, **{key: conf.get(key, "") for key in _STATS}}
    path = panel.user_data(user, "stats.log")
    kept = [line for line in panel.disk.lines(path) if parse(line).get("DATE") != day]
    panel.disk.write(path, "".join(line + "\n" for line in [*kept, format_record(record)]))


def list_user_stats(panel: Panel) -> None:
    from .records import parse

    user = _existing(panel, 1, "USER [FORMAT]", active=False)
    _add_stats(panel, user)
    rows = [parse(line) for line in panel.disk.lines(panel.user_data(user, "stats.log"))]
    if panel.arg(2) == "json":
        json_objects(panel, [(row["DATE"], fields(row, _STATS)) for row in rows])
    else:
        plain(panel, [[row["DATE"], *(row.get(key, "") for key in _STATS)] for row in rows])
