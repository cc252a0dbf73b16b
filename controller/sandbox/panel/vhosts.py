"""What a web server of the stand-in would read: one file per domain and server, so that a reader can tell
what it answers. A suspended domain's files point at the panel's "Access Denied" page."""

from __future__ import annotations

import os

from .core import Panel
from .records import Record


def docroot(record: Record, user: str) -> str:
    return record.get("CUSTOM_DOCROOT") or f"/home/{user}/web/{record['DOMAIN']}/public_html"


def _apache(panel: Panel, user: str, record: Record, ip: str, secure: bool) -> str:
    domain, system = record["DOMAIN"], panel.system
    suspended = record.get("SUSPENDED") == "yes"
    root = "/usr/local/hestia/data/templates/web/suspend" if suspended else docroot(record, user)
    port = system.get("WEB_SSL_PORT") if secure else system.get("WEB_PORT")
    lines = [f"<VirtualHost {ip}:{port}>", f"    ServerName {domain}"]
    if record.get("ALIAS"):
        lines.append(f"    ServerAlias {record['ALIAS'].replace(',', ' ')}")
    lines += [f"    ServerAdmin info@{domain}", f"    DocumentRoot {root}"]
    if not suspended:
        lines.append(f'    SetHandler "proxy:unix:/run/php/{domain}.sock|fcgi://localhost"')
    if secure:
        lines += [
            "    SSLEngine on",
            f"    SSLCertificateFile /home/{user}/conf/web/{domain}/ssl/{domain}.crt",
            f"    SSLCertificateKeyFile /home/{user}/conf/web/{domain}/ssl/{domain}.key",
        ]
    return "\n".join([*lines, "</VirtualHost>", ""])


def _nginx(panel: Panel, user: str, record: Record, ip: str, secure: bool) -> str:
    domain, system = record["DOMAIN"], panel.system
    suspended = record.get("SUSPENDED") == "yes"
    port = f"{system.get('PROXY_SSL_PORT')} ssl" if secure else system.get("PROXY_PORT")
    names = " ".join([domain, *record.get("ALIAS", "").split(",")]).strip()
    lines = [f"# template {'suspended' if suspended else record.get('PROXY', 'default')}", "server {"]
    lines += [f"    listen {ip}:{port};", f"    server_name {names};"]
    if secure:
        lines += [
            f"    ssl_certificate /home/{user}/conf/web/{domain}/ssl/{domain}.pem;",
            f"    ssl_certificate_key /home/{user}/conf/web/{domain}/ssl/{domain}.key;",
        ]
    if suspended:
        lines += [
            "    root /usr/local/hestia/data/templates/web/suspend;",
            "    location / { try_files $uri /index.html; }",
        ]
    else:
        target = system.get("WEB_SSL_PORT") if secure else system.get("WEB_PORT")
        scheme = "https" if secure else "http"
        lines += [
            f"    include /home/{user}/conf/web/{domain}/nginx.forcessl.conf*;",
            f"    root {docroot(record, user)};",
            f"    location ~* ^.+\\.({record.get('PROXY_EXT', '').replace(',', '|')})$ {{ try_files $uri @fallback; }}",
            f"    location / {{ proxy_pass {scheme}://{ip}:{target}; }}",
        ]
    return "\n".join([*lines, "}", ""])


#: The real nginx templates make this noise where nginx is older than 1.25.1; it goes to stderr with exit 0.
NOISE = "grep: warning: ? at start of expression"


def servers(panel: Panel) -> list[str]:
    return [name for name in (panel.system.get("WEB_SYSTEM"), panel.system.get("PROXY_SYSTEM")) if name]


def write(panel: Panel, user: str, record: Record, ip: str, only: str = "", parts: str = "plain tls") -> None:
    """Write the domain's vhost files: for one server or both, the plain and (if it has TLS) the TLS ones."""
    domain = record["DOMAIN"]
    folder = panel.home(user, "conf/web", domain)
    os.makedirs(folder, exist_ok=True)
    for server in servers(panel):
        if only and server != only:
            continue
        make = _nginx if server == "nginx" else _apache
        for part in parts.split():
            if part == "tls" and record.get("SSL") != "yes":
                continue
            ending = ".ssl.conf" if part == "tls" else ".conf"
            path = f"{folder}/{server}{ending}"
            panel.disk.write(path, make(panel, user, record, ip, part == "tls"), 0o640)
            panel.warn(NOISE)
            if part == "tls" and server == "nginx":
                panel.warn(NOISE)
            link = panel.etc(server, "conf.d/domains", domain + ending)
            panel.disk.remove(link)
            os.symlink(path, link)


def remove(panel: Panel, user: str, domain: str, server: str, parts: str = "plain tls") -> None:
    for part in parts.split():
        ending = ".ssl.conf" if part == "tls" else ".conf"
        panel.disk.remove(panel.home(user, "conf/web", domain, server + ending))
        panel.disk.remove(panel.etc(server, "conf.d/domains", domain + ending))


def php_pools(panel: Panel) -> list[str]:
    """Folders of PHP-FPM pools, one per PHP version."""
    root = panel.etc("php")
    if not os.path.isdir(root):
        return []
    return [f"{root}/{version}/fpm/pool.d" for version in sorted(os.listdir(root))]


def write_pool(panel: Panel, user: str, domain: str, template: str) -> None:
    """The domain's PHP pool, in the version that the backend template names."""
    version = template[4:].replace("_", ".") if template.startswith("PHP-") else panel.system.get("PHP", "8.2")
    remove_pool(panel, domain)
    if template == "no-php":
        return
    pool = panel.etc("php", version, "fpm/pool.d", f"{domain}.conf")
    panel.disk.write(
        pool, f"[{domain}]\nlisten = /run/php/php{version}-fpm-{domain}.sock\nuser = {user}\ngroup = {user}\n", 0o644
    )


def remove_pool(panel: Panel, domain: str) -> None:
    for folder in php_pools(panel):
        panel.disk.remove(f"{folder}/{domain}.conf")
