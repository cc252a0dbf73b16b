"""The server itself: services, settings, addresses."""

from __future__ import annotations

from . import checks
from .core import E_RESTART, Panel

#: Services that a restart command takes, per kind.
_RELOADED = "nginx apache2 exim4 dovecot bind9 named php8.2-fpm vsftpd proftpd ssh cron mariadb".split()


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
    names = [name for name, _ in services(panel)]
    if service not in names:
        panel.fail(E_RESTART, f"ERROR: Restart of {service} failed.")
    if service == "bind9":
        from . import nameserver

        if not nameserver.reload(panel):
            panel.fail(E_RESTART, f"ERROR: Restart of {service} failed.")
    panel.history("system", "System", f"Service restarted (Name: {service}).")
    panel.log(0)


def _restart(panel: Panel, *keys: str) -> None:
    """Restart the services named by these settings, unless told ``no``; ``scheduled`` queues it."""
    how = panel.arg(1)
    checks.restart_format(panel, how)
    names = [panel.system[key] for key in keys if panel.system.get(key)]
    if not names or how == "no":
        return
    if how == "scheduled":
        path = panel.data("queue/restart.pipe")
        line = f"{panel.hestia}/bin/{panel.name} now"
        kept = [each for each in panel.disk.lines(path) if each != line]
        panel.disk.write(path, "".join(each + "\n" for each in [*kept, line]))
        return
    for name in names:
        if panel.call("v-restart-service", name, how):
            panel.fail(E_RESTART, f"{name} restart failed")


def restart_web(panel: Panel) -> None:
    _restart(panel, "WEB_SYSTEM")


def restart_proxy(panel: Panel) -> None:
    _restart(panel, "PROXY_SYSTEM")


def restart_mail(panel: Panel) -> None:
    _restart(panel, "MAIL_SYSTEM", "IMAP_SYSTEM")


def restart_ftp(panel: Panel) -> None:
    _restart(panel, "FTP_SYSTEM")


def restart_cron(panel: Panel) -> None:
    _restart(panel, "CRON_SYSTEM")


def restart_dns(panel: Panel) -> None:
    from . import nameserver

    if not panel.system.get("DNS_SYSTEM") or panel.arg(1) == "no":
        return
    if panel.arg(1) != "scheduled" and not nameserver.config_is_good(panel):
        panel.fail(E_RESTART, "bind9 restart failed'")
    _restart(panel, "DNS_SYSTEM")
