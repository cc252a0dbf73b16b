"""The folder tree of a freshly installed stand-in server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from controller.sandbox import panel_files
from controller.sandbox.dns_templates import template_texts
from controller.sandbox.panel.main import COMMANDS
from controller.sandbox.panel.records import format_conf, words
from controller.sandbox.panel.secrets import password_hash, word
from controller.sandbox.panel.sys_config import DEFAULTS

HESTIA = "usr/local/hestia"

_FOLDERS = words(
    "etc/apache2/conf.d/domains etc/nginx/conf.d/domains etc/php/8.2/fpm/pool.d etc/ssh etc/bind "
    "etc/exim4/domains etc/dovecot/conf.d/domains home run/lock run/named run/sshd tmp var/cache/bind "
    "var/log/apache2/domains var/log/nginx/domains var/lib/bind backup"
)
_HESTIA_FOLDERS = words(
    "bin conf data/ips data/packages data/queue data/users data/templates/dns "
    "data/templates/web/apache2/php-fpm data/templates/web/php-fpm data/templates/web/nginx "
    "data/templates/mail/nginx libexec log ssl"
)
_TEMPLATES = {
    "web/apache2/php-fpm": ("default",),
    "web/php-fpm": ("PHP-8_2", "default", "no-php", "socket"),
    "web/nginx": ("caching", "default", "hosting", "suspended"),
}


def _package(limits: dict[str, str], time: str, date: str) -> dict[str, str]:
    conf = dict.fromkeys(("WEB_TEMPLATE", "PROXY_TEMPLATE", "BACKEND_TEMPLATE", "DNS_TEMPLATE"), "default")
    for key in ["WEB_DOMAINS", "WEB_ALIASES", "DNS_DOMAINS", "DNS_RECORDS", "MAIL_DOMAINS", "MAIL_ACCOUNTS"]:
        conf[key] = limits.get(key, "unlimited")
    conf["RATE_LIMIT"] = "200"
    for key in words("DATABASES CRON_JOBS DISK_QUOTA CPU_QUOTA CPU_QUOTA_PERIOD MEMORY_LIMIT SWAP_LIMIT BANDWIDTH"):
        conf[key] = limits.get(key, "unlimited")
    conf.update(NS=limits["NS"], SHELL="nologin", BACKUPS="1", BACKUPS_INCREMENTAL="no", TIME=time, DATE=date)
    return conf


def _systems(capabilities: Iterable[str]) -> dict[str, str]:
    """Which services are installed. A mail server has the web ones too, for webmail."""
    has = set(capabilities)
    off: dict[str, str] = {}
    if not has & {"web", "mail"}:
        for key in ("WEB_SYSTEM", "WEB_BACKEND", "WEB_SSL", "PROXY_SYSTEM", "FTP_SYSTEM", "DB_SYSTEM", "DB_PMA_ALIAS"):
            off[key] = ""
    if "mail" not in has:
        for key in ("MAIL_SYSTEM", "IMAP_SYSTEM", "WEBMAIL_SYSTEM"):
            off[key] = ""
    if "dns" not in has:
        off["DNS_SYSTEM"] = ""
    return off


def launcher_text() -> str:
    """The one program that all ``v-*`` are links to: starts the stand-in panel as cheaply as Python can."""
    package = Path(__file__).resolve().parent
    return (
        f"#!{os.path.realpath(sys.executable)} -IS\n"
        f"import sys\nsys.path.append({str(package)!r})\nfrom panel.main import main\nmain()\n"
    )


def write_launcher(root: Path) -> None:
    """(Re)write the launcher and the links to it: the project may have moved since the server was made."""
    hestia = root / HESTIA
    launcher = hestia / "libexec" / "panel"
    text = launcher_text()
    if not launcher.exists() or launcher.read_text() != text:
        launcher.write_text(text)
    launcher.chmod(0o755)
    present = {entry.name for entry in (hestia / "bin").iterdir()}
    for name in COMMANDS:
        if name not in present:
            (hestia / "bin" / name).symlink_to("../libexec/panel")


def build(root: Path, hostname: str, ip: str, capabilities: Iterable[str], nat: str = "") -> None:
    """Make the whole tree below ``root``.

    ``ip`` is the address that the panel publishes; with ``nat`` the server's own address is ``ip`` and the public
    one ``nat``.
    """
    hestia = root / HESTIA
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in _HESTIA_FOLDERS:
        (hestia / folder).mkdir(parents=True, exist_ok=True)
    now = datetime.now()
    time, date = now.strftime("%H:%M:%S"), now.strftime("%Y-%m-%d")
    domain = hostname.partition(".")[2] or hostname
    nameservers = f"ns1.{domain},ns2.{domain}"

    config = DEFAULTS | {"DB_PMA_ALIAS": panel_files.PMA_ALIAS} | _systems(capabilities)
    (hestia / "conf/hestia.conf").write_text(format_conf(config))
    for folder, names in _TEMPLATES.items():
        for name in names:
            for ending in (".tpl",) if folder == "web/php-fpm" else (".tpl", ".stpl"):
                (hestia / "data/templates" / folder / f"{name}{ending}").write_text(f"# {name}\n")
    for name, text in template_texts().items():
        (hestia / "data/templates/dns" / f"{name}.tpl").write_text(text)
    panel_files.write(root, hestia, config, ip)
    default = _package({"NS": nameservers}, "18:00:00", "2019-01-15")
    small = {"NS": nameservers, "DATABASES": "0"}
    for key in ["WEB_DOMAINS", "WEB_ALIASES", "DNS_DOMAINS", "MAIL_DOMAINS", "MAIL_ACCOUNTS"]:
        small[key] = "1"
    for age, (name, package) in enumerate(
        (("system", _package(small, "00:00:00", "2022-01-20")), ("default", default)), 1
    ):
        path = hestia / "data/packages" / f"{name}.pkg"
        path.write_text(format_conf(package))
        stamp = now.timestamp() - 1000 * age
        os.utime(path, (stamp, stamp))
    (hestia / "data/ips" / ip).write_text(
        format_conf(
            {
                "OWNER": "admin",
                "STATUS": "shared",
                "NAME": "",
                "U_SYS_USERS": "",
                "U_WEB_DOMAINS": "0",
                "INTERFACE": "eth0",
                "NETMASK": "255.255.255.0",
                "NAT": nat,
                "TIME": time,
                "DATE": date,
            }
        )
    )
    _system_files(root, hostname)
    _admin(root, default, domain, time, date)
    for log in ("system.log", "error.log", "activity.log"):
        (hestia / "log" / log).touch()
    for queue in ("restart.pipe", "disk.pipe", "traffic.pipe"):
        (hestia / "data/queue" / queue).touch()
    write_launcher(root)


def _system_files(root: Path, hostname: str) -> None:
    etc = root / "etc"
    (etc / "hostname").write_text(hostname + "\n")
    (etc / "debian_version").write_text("12.15\n")
    (etc / "os-release").write_text('NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n')
    (etc / "shells").write_text("# /etc/shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n/sbin/nologin\n")
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nDebian-exim:x:104:111::/var/spool/exim4:/usr/sbin/nologin\n"
        "bind:x:105:112::/var/cache/bind:/usr/sbin/nologin\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
    )
    (etc / "shadow").write_text("root:*:20000:0:99999:7:::\n")
    (etc / "shadow").chmod(0o600)
    (etc / "group").write_text("root:x:0:\nhestia-users:x:997:\n")
    (etc / "ssh/sshd_config").write_text(
        "Subsystem sftp internal-sftp\n\n# Hestia SFTP Chroot\nMatch User sftp_dummy99\n    ChrootDirectory %h\n"
        "    X11Forwarding no\n    AllowTCPForwarding no\n    ForceCommand internal-sftp\n"
    )


def _admin(root: Path, package: dict[str, str], domain: str, time: str, date: str) -> None:
    """The user ``admin``, who owns the addresses."""
    hashed = password_hash(word())
    data = root / HESTIA / "data/users/admin"
    for folder in ("ssl", "dns", "mail"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    for file in words("backup.conf history.log stats.log web.conf dns.conf mail.conf db.conf cron.conf"):
        (data / file).touch()
    conf = {"NAME": "System Administrator", "PACKAGE": "default"}
    conf |= {key: value for key, value in package.items() if key not in ("TIME", "DATE")}
    conf |= {
        "CONTACT": f"admin@{domain}", "CRON_REPORTS": "yes", "MD5": hashed, "RKEY": word(), "TWOFA": "",
        "QRCODE": "", "PHPCLI": "", "ROLE": "admin", "SUSPENDED": "no",
    }  # fmt: skip
    conf |= {f"SUSPENDED_{kind}": "0" for kind in ("USERS", "WEB", "DNS", "MAIL", "DB", "CRON")}
    conf |= {"IP_AVAIL": "1", "IP_OWNED": "1", "U_USERS": "1"}
    for kind in words(
        "DISK DISK_DIRS DISK_WEB DISK_MAIL DISK_DB BANDWIDTH WEB_DOMAINS WEB_SSL WEB_ALIASES DNS_DOMAINS "
        "DNS_RECORDS MAIL_DOMAINS MAIL_DKIM MAIL_ACCOUNTS DATABASES CRON_JOBS BACKUPS"
    ):
        conf[f"U_{kind}"] = "0"
    conf |= {
        "LANGUAGE": "en", "THEME": "", "NOTIFICATIONS": "no", "PREF_UI_SORT": "name", "LOGIN_DISABLED": "no",
        "LOGIN_USE_IPLIST": "no", "LOGIN_ALLOW_IPS": "", "TIME": time, "DATE": date,
    }  # fmt: skip
    (data / "user.conf").write_text(format_conf(conf))
    with (root / "etc/passwd").open("a") as out:
        out.write(f"admin:x:1001:1001:admin@{domain}:/home/admin:/sbin/nologin\n")
    with (root / "etc/shadow").open("a") as out:
        out.write(f"admin:{hashed}:20000:0:99999:7:::\n")
    for folder in ("conf/web", "conf/mail", "conf/dns", "web", "mail", "tmp"):
        (root / "home/admin" / folder).mkdir(parents=True, exist_ok=True)
