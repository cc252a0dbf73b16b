"""The server itself: services, settings, addresses."""

from __future__ import annotations

from . import checks
from .core import E_ARGS, E_NOTEXIST, E_RESTART, Panel, Stop
from .records import Conf, words
from .show import fields, json_names, json_objects, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def services(panel: Panel) -> list[tuple[str, str]]:
    """(name, what it is) of the services on this server."""
    system = panel.system
    found = [
        (system.get("WEB_SYSTEM", ""), "web server"),
        (f"php{system.get('PHP', '8.2')}-fpm" if system.get("WEB_BACKEND") else "", "php interpreter"),
        (system.get("PROXY_SYSTEM", ""), "reverse proxy"),
        (system.get("DNS_SYSTEM", ""), "dns server"),
        (system.get("MAIL_SYSTEM", ""), "mail server"),
        (system.get("IMAP_SYSTEM", ""), "imap/pop3 server"),
        ("mariadb" if system.get("DB_SYSTEM") else "", "database server"),
        (system.get("FTP_SYSTEM", ""), "ftp server"),
        (system.get("CRON_SYSTEM", ""), "job scheduler"),
        ("ssh", "ssh server"),
    ]
    return [(name, what) for name, what in found if name]


def restart_service(panel: Panel) -> None:
    service = panel.arg(1)
    panel.usage(1, "SERVICE [RESTART]")
    # The panel's own web server is in no list.
    names = [*(name for name, _ in services(panel)), "hestia"]
    if service not in names:
        panel.fail(E_RESTART, f"ERROR: Restart of {service} failed.")
    if service == "bind9":
        from . import nameserver

        if not nameserver.reload(panel):
            panel.fail(E_RESTART, f"ERROR: Restart of {service} failed.")
    panel.disk.remove(_stopped(panel, service))
    panel.history("system", "System", f"Service restarted (Name: {service}).")
    panel.log(0)


def stop_service(panel: Panel) -> None:
    """A service that is only played is marked as stopped; named is left running."""
    service = panel.arg(1)
    panel.usage(1, "SERVICE")
    if service not in [name for name, _ in services(panel)]:
        panel.history("system", "System", f"Service failed to stop (Name: {service}).", "Error")
        panel.log(0)
        return
    panel.disk.write(_stopped(panel, service), "")
    panel.history("system", "System", f"Service stopped (Name: {service}).")
    panel.log(0)


def _stopped(panel: Panel, service: str) -> str:
    return f"{panel.prefix}/run/stopped-{service}"


def _nothing(panel: Panel) -> NoReturn:
    """End here with 0: nothing is restarted, so no fault of a restart shows."""
    panel.target = 0.02
    raise Stop(0)


def _restart(panel: Panel, *keys: str) -> None:
    """Restart the services named by these settings, unless told ``no``; ``scheduled`` queues it."""
    how = panel.arg(1)
    checks.restart_format(panel, how)
    names = [panel.system[key] for key in keys if panel.system.get(key)]
    if not names or how == "no":
        _nothing(panel)
    queue = panel.data("queue/restart.pipe")
    queued = {how: f"{panel.hestia}/bin/{panel.name} {how}" for how in ("now", "ssl")}
    # Only DNS and mail queue whenever told to; elsewhere "scheduled" means now unless SCHEDULED_RESTART is on.
    always = panel.name in ("v-restart-dns", "v-restart-mail")
    by_default = panel.system.get("SCHEDULED_RESTART") == "yes"
    if how == "updatessl" or (how == "scheduled" and always) or (how in ("", "scheduled") and by_default):
        line = queued["ssl" if how == "updatessl" else "now"]
        kept = [each for each in panel.disk.lines(queue) if each != line]
        panel.disk.write(queue, "".join(each + "\n" for each in [*kept, line]))
        return
    for name in names:
        if panel.call("v-restart-service", name, how):
            panel.fail(E_RESTART, f"{name} restart failed")
    waiting = panel.disk.lines(queue)
    kept = [each for each in waiting if each not in queued.values()]
    if kept != waiting:
        panel.disk.write(queue, "".join(each + "\n" for each in kept))


def restart_web(panel: Panel) -> None:
    _restart(panel, "WEB_SYSTEM")


def restart_web_backend(panel: Panel) -> None:
    how, version = panel.arg(1), panel.arg(2)
    checks.restart_format(panel, how)
    if not panel.system.get("WEB_BACKEND") or how == "no":
        _nothing(panel)
    from .vhosts import php_pools

    for found in [version] if version else [path.split("/")[-3] for path in php_pools(panel)]:
        if panel.call("v-restart-service", f"php{found}-fpm", how):
            panel.fail(E_RESTART, f"php{found}-fpm restart failed")


def restart_proxy(panel: Panel) -> None:
    _restart(panel, "PROXY_SYSTEM")


def restart_mail(panel: Panel) -> None:
    _restart(panel, "IMAP_SYSTEM", "MAIL_SYSTEM")


def restart_ftp(panel: Panel) -> None:
    _restart(panel, "FTP_SYSTEM")


def restart_cron(panel: Panel) -> None:
    _restart(panel, "CRON_SYSTEM")


def restart_dns(panel: Panel) -> None:
    from . import nameserver

    if not panel.system.get("DNS_SYSTEM") or panel.arg(1) == "no":
        _nothing(panel)
    if panel.arg(1) != "scheduled" and not nameserver.config_is_good(panel):
        panel.fail(E_RESTART, "bind9 restart failed'")
    _restart(panel, "DNS_SYSTEM")


# -- the server --------------------------------------------------------------------------------------------


def list_sys_info(panel: Panel) -> None:
    import os

    uptime = int(float(panel.disk.read("/proc/uptime").split()[0]) / 60)
    load = " / ".join(panel.disk.read("/proc/loadavg").split()[:3])
    row = {
        "HOSTNAME": panel.disk.read(panel.etc("hostname")).strip(),
        "OS": "Debian",
        "VERSION": panel.disk.read(panel.etc("debian_version")).strip(),
        "ARCH": os.uname().machine,
        "HESTIA": panel.system.get("VERSION", ""),
        "RELEASE": panel.system.get("RELEASE_BRANCH", ""),
        "UPTIME": str(uptime),
        "LOADAVERAGE": load,
    }
    if panel.arg(1) == "json":
        json_objects(panel, [("sysinfo", fields(row, list(row)))], close="        }")
    else:
        plain(panel, [list(row.values())])


def list_sys_services(panel: Panel) -> None:
    import os

    from . import nameserver

    rows = []
    for name, what in services(panel):
        running = nameserver.running_pid(panel) > 0 if name == "bind9" else not os.path.exists(_stopped(panel, name))
        row = {"SYSTEM": what, "STATE": "running" if running else "stopped", "CPU": "0", "MEM": "0", "RTIME": "0"}
        if running:
            row.update(MEM="16", RTIME="2")
        rows.append((name, row))
    if panel.arg(1) == "json":
        json_objects(panel, [(name, fields(row, list(row))) for name, row in rows])
    else:
        plain(panel, [[name, *row.values()] for name, row in rows])


def list_sys_config(panel: Panel) -> None:
    from .sys_config import LISTED, ODD_INDENT

    conf = panel.system
    if panel.arg(1) == "json":
        indents = {key: ODD_INDENT.get(key, "\t\t\t") for key in LISTED}
        rows = ",\n".join(f'{indent}"{key}": "{conf.get(key, "")}"' for key, indent in indents.items())
        panel.say('{\n\t\t"config": {\n' + rows + "\n\t\t}\n\t}")
        return
    from .sys_config import plain_lines

    for line in plain_lines(conf):
        panel.say(line)


def list_sys_php(panel: Panel) -> None:
    from .vhosts import php_pools

    versions = [path.split("/")[-3] for path in php_pools(panel)]
    if panel.arg(1) == "json":
        json_names(panel, versions)
    else:
        plain(panel, [[version] for version in versions])


def log_action(panel: Panel) -> None:
    user, level, category, message = (panel.arg(number) for number in range(1, 5))
    checks.common_format(panel, level, "event level")
    if level not in ("Info", "Warning", "Error"):
        panel.say("Error: Invalid event type specified.")
        raise Stop(E_ARGS)
    panel.usage(4, "USER TYPE CATEGORY DETAILS")
    if user.lower() != "system":
        checks.user_format(panel, user)
        checks.user_exists(panel, user)
    panel.history(user.lower() if user == "System" else user, category, message, level)


_IP = words("OWNER STATUS NAME U_SYS_USERS U_WEB_DOMAINS INTERFACE NETMASK NAT TIME DATE")


def _show_ips(panel: Panel, names: list[str], how: str) -> None:
    rows = [(name, Conf(panel.disk, panel.data("ips", name)).all()) for name in names]
    if how == "json":
        json_objects(panel, [(name, fields(row, _IP)) for name, row in rows], close="        }")
    else:
        plain(panel, [[name, *(row.get(key, "") for key in _IP)] for name, row in rows])


def list_sys_ips(panel: Panel) -> None:
    import os

    _show_ips(panel, sorted(os.listdir(panel.data("ips"))), panel.arg(1))


def list_sys_ip(panel: Panel) -> None:
    import os

    ip = panel.arg(1)
    panel.usage(1, "IP [FORMAT]")
    checks.ip_format(panel, ip)
    if not os.path.exists(panel.data("ips", ip)):
        panel.fail(E_NOTEXIST, f"IP {ip} doesn't exist")
    _show_ips(panel, [ip], panel.arg(2))
