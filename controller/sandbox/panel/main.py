"""From a command's name to its function."""

from __future__ import annotations

import importlib
import os
import sys

from .core import Panel, Stop
from .faulting import END, START, Faults
from .records import Disk
from .timing import DEFAULT, MEDIANS

#: Module of each command; its function there is the name without ``v-``, with ``_`` for ``-``.
FAMILIES: dict[str, str] = {
    "packages": """v-add-user-package v-update-user-package v-delete-user-package v-list-user-package
        v-list-user-packages""",
    "users": """v-add-user v-delete-user v-list-user v-list-users v-list-sys-users v-change-user-package
        v-change-user-password v-change-user-contact v-change-user-name v-change-user-shell
        v-suspend-user v-unsuspend-user v-rebuild-user v-update-user-counters v-update-user-disk
        v-list-user-stats v-add-user-sftp-jail""",
    "web": """v-add-web-domain v-delete-web-domain v-list-web-domain v-list-web-domains
        v-update-sys-ip-counters""",
    "web_changes": """v-change-web-domain-tpl v-change-web-domain-backend-tpl v-change-web-domain-proxy-tpl
        v-add-web-domain-alias v-delete-web-domain-alias v-change-web-domain-ip
        v-suspend-web-domain v-unsuspend-web-domain
        v-rebuild-web-domain v-list-web-templates v-list-web-templates-backend v-list-web-templates-proxy""",
    "web_tls": """v-add-web-domain-ssl v-update-web-domain-ssl v-delete-web-domain-ssl v-list-web-domain-ssl
        v-add-web-domain-ssl-force v-delete-web-domain-ssl-force""",
    "mail": """v-add-mail-domain v-delete-mail-domain v-list-mail-domain v-list-mail-domains
        v-suspend-mail-domain v-unsuspend-mail-domain v-rebuild-mail-domain v-add-mail-domain-dkim
        v-delete-mail-domain-dkim v-add-mail-domain-webmail
        v-list-mail-domain-dkim v-list-mail-domain-dkim-dns v-add-mail-account
        v-delete-mail-account v-list-mail-account v-list-mail-accounts""",
    "dns": """v-add-dns-domain v-delete-dns-domain v-list-dns-domain v-list-dns-domains v-list-dns-records
        v-add-dns-record v-change-dns-record v-delete-dns-record v-insert-dns-domain v-insert-dns-records
        v-rebuild-dns-domain v-suspend-dns-domain v-unsuspend-dns-domain v-change-dns-domain-soa
        v-change-dns-domain-ttl v-change-dns-domain-ip v-change-dns-domain-exp v-list-dns-templates""",
    "usage": """v-update-web-domains-disk v-update-mail-domains-disk v-update-databases-disk
        v-update-web-domains-traff""",
    "system": """v-list-sys-info v-list-sys-services v-list-sys-config v-list-sys-ips v-list-sys-ip
        v-list-sys-php v-restart-service v-restart-web v-restart-proxy v-restart-dns v-restart-mail
        v-restart-ftp v-restart-cron v-restart-web-backend v-stop-service v-log-action""",
    "sys_commands": """v-change-sys-config-value v-change-sys-language v-change-sys-api v-change-sys-port
        v-change-sys-db-alias v-add-sys-cgroups v-delete-sys-cgroups""",
}
COMMANDS: dict[str, str] = {name: family for family, names in FAMILIES.items() for name in names.split()}


def execute(panel: Panel) -> int:
    """Run one command; its exit code."""
    module = importlib.import_module(f".{COMMANDS[panel.name]}", __package__)
    try:
        panel.point(START)
        getattr(module, panel.name[2:].replace("-", "_"))(panel)
        panel.point(END, 1.0)
    except Stop as stop:
        panel.pad(panel.target if stop.code in (0, 20) else MEDIANS.get(panel.name, DEFAULT)[1])
        return stop.code
    return 0


def main() -> None:
    """Entry point of the launcher that every ``v-*`` is linked to."""
    path = os.path.abspath(sys.argv[0])
    name = os.path.basename(path)
    hestia = os.path.dirname(os.path.dirname(path))
    prefix = hestia[: -len("/usr/local/hestia")]
    faults = Faults(os.path.join(os.path.dirname(prefix), "faults.json"))
    disk = Disk(faults.full, 0.02 * faults.pace)
    os.umask(0o022)
    code = execute(Panel(hestia, name, sys.argv[1:], faults, disk, faults.pace))
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    # Nothing is left to clean up, so the interpreter need not take itself apart.
    os._exit(code)
