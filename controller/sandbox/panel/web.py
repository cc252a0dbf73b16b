"""Web domains."""

from __future__ import annotations

import os

from . import checks, vhosts
from .core import E_ARGS, E_EXISTS, E_RESTART, Panel, Stop
from .records import Conf, Record, words
from .show import fields, json_objects, plain
from .suffixes import is_second_level

PROXY_EXTENSIONS = (
    "css,htm,html,js,mjs,json,xml,apng,avif,bmp,cur,gif,ico,jfif,jpg,jpeg,pjp,pjpeg,png,svg,tif,tiff,webp,aac,caf,"
    "flac,m4a,midi,mp3,ogg,opus,wav,3gp,av1,avi,m4v,mkv,mov,mpg,mpeg,mp4,mp4v,webm,otf,ttf,woff,woff2,doc,docx,odf,"
    "odp,ods,odt,pdf,ppt,pptx,rtf,txt,xls,xlsx,7z,bz2,gz,rar,tar,tgz,zip,apk,appx,bin,dmg,exe,img,iso,jar,msi,"
    "webmanifest"
)
PAGE_FOLDERS = ["public_html", "document_errors", "cgi-bin", "private", "stats", "logs"]
_ONE = words(
    "IP IP6 DOCUMENT_ROOT U_DISK U_BANDWIDTH TPL ALIAS STATS STATS_USER SSL SSL_FORCE SSL_HSTS SSL_HOME "
    "LETSENCRYPT FTP_USER FTP_PATH AUTH_USER BACKEND PROXY PROXY_EXT FASTCGI_CACHE FASTCGI_DURATION "
    "REDIRECT REDIRECT_CODE CUSTOM_DOCROOT SUSPENDED TIME DATE"
)
_ALL = [
    key
    for key in _ONE
    if key
    not in (
        "SSL_FORCE",
        "SSL_HSTS",
        "FASTCGI_CACHE",
        "FASTCGI_DURATION",
        "REDIRECT",
        "REDIRECT_CODE",
        "CUSTOM_DOCROOT",
    )
]


def clean_domain(domain: str) -> str:
    """The panel's own tidying: lower case, no leading ``www.``, no dots at the ends."""
    domain = domain.lower()
    domain = domain.removeprefix("www.")
    return domain.rstrip(".").lstrip(".").strip()


def clean_aliases(aliases: str) -> str:
    """Lower case, sorted, each once."""
    if aliases in ("", "none"):
        return aliases
    parts = {part.strip(".").strip() for part in aliases.lower().split(",")}
    return ",".join(sorted(part for part in parts if part))


def restart(panel: Panel, how: str, *services: str) -> None:
    """Restart what a change touched; exit 20 if that fails, with everything else already made."""
    panel.point("restart")
    for service in services:
        if panel.call(f"v-restart-{service}", how):
            panel.log(E_RESTART)
            raise Stop(E_RESTART)


def own(panel: Panel, user: str, domain: str) -> Record:
    """The user's web domain record, or exit 3."""
    checks.enabled(panel, "WEB_SYSTEM")
    checks.user_exists(panel, user)
    return checks.require(panel, panel.webs(user), domain, "web domain")


def local_ip(panel: Panel, ip: str) -> str:
    """The server's own address for a public one (they differ behind NAT)."""
    if os.path.exists(panel.data("ips", ip)):
        return ip
    for name in sorted(os.listdir(panel.data("ips"))):
        if Conf(panel.disk, panel.data("ips", name)).get("NAT") == ip:
            return name
    return ip


def raise_ip(panel: Panel, ip: str, user: str) -> None:
    """One web domain more on an address."""
    conf = Conf(panel.disk, panel.data("ips", ip))
    named = {each for each in conf.get("U_SYS_USERS").split(",") if each} | {user}
    conf.add_to("U_WEB_DOMAINS", 1)
    conf.set({"U_SYS_USERS": ",".join(sorted(named))})


def lower_ip(panel: Panel, ip: str, user: str) -> None:
    conf = Conf(panel.disk, panel.data("ips", ip))
    conf.add_to("U_WEB_DOMAINS", -1)
    if not any(record.get("IP") == ip for record in panel.webs(user).all()):
        named = [each for each in conf.get("U_SYS_USERS").split(",") if each and each != user]
        conf.set({"U_SYS_USERS": ",".join(sorted(set(named)))})


def update_sys_ip_counters(panel: Panel) -> None:
    """Count again, for one address or for all."""
    for ip in [panel.arg(1)] if panel.arg(1) else sorted(os.listdir(panel.data("ips"))):
        users = [(user, record) for user in panel.users() for record in panel.webs(user).all() if record["IP"] == ip]
        named = ",".join(sorted({user for user, _ in users}))
        Conf(panel.disk, panel.data("ips", ip)).set({"U_WEB_DOMAINS": str(len(users)), "U_SYS_USERS": named})
    panel.log(0)


def _default_alias(domain: str) -> str:
    """``www.`` for a registered domain, nothing for a subdomain."""
    labels = domain.split(".")
    if len(labels) > 2 and not is_second_level(".".join(labels[-2:])):
        return ""
    return f"www.{domain}"


def add_web_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    ip, how, aliases = panel.arg(3), panel.arg(4), clean_aliases(panel.arg(5))
    extensions = panel.arg(6)
    checks.enabled(panel, "WEB_SYSTEM")
    panel.usage(2, "USER DOMAIN [IP] [RESTART] [ALIASES] [PROXY_EXTENSIONS]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.alias_format(panel, aliases)
    checks.ip_format(panel, ip)
    checks.restart_format(panel, how)
    checks.user_exists(panel, user)
    checks.user_active(panel, user)
    checks.limit(panel, user, "WEB_DOMAINS", panel.webs(user).count())
    if aliases != "none":
        checks.limit(panel, user, "WEB_ALIASES", len(aliases.split(",")), over=True)
    wanted = "" if aliases == "none" else aliases
    checks.domain_new(panel, user, "web", f"{domain},{wanted}")
    if checks.is_ip4(domain):
        panel.say("Error: Invalid domain format. IP address detected as input.")
        raise Stop(E_ARGS)
    checks.base_owner(panel, user, f"{domain},{wanted}")
    public, local = checks.user_ip(panel, user, ip)
    folder = panel.home(user, "web", domain)
    if os.path.exists(folder):
        panel.fail(E_EXISTS, f"Web domain folder for {domain} should not exist")

    disk, conf = panel.disk, panel.user_conf(user).all()
    disk.mkdir(folder)
    panel.point("directory", 0.15)
    for name in PAGE_FOLDERS:
        disk.mkdir(f"{folder}/{name}", 0o751)
    for ending in (".bytes", ".log", ".error.log"):
        disk.append(f"{panel.prefix}/var/log/apache2/domains/{domain}{ending}", "")
    skeleton(panel, folder, domain)
    backend = conf.get("BACKEND_TEMPLATE") or "default"
    vhosts.write_pool(panel, user, domain, backend)
    panel.point("backend", 0.4)
    alias = "" if aliases == "none" else aliases or _default_alias(domain)
    record: Record = {
        "DOMAIN": domain, "IP": public, "IP6": "", "CUSTOM_DOCROOT": "", "ALIAS": alias,
        "TPL": conf.get("WEB_TEMPLATE") or "default", "SSL": "no", "SSL_FORCE": "no", "SSL_HOME": "same",
        "LETSENCRYPT": "no", "FTP_USER": "", "FTP_MD5": "", "BACKEND": backend,
        "PROXY": conf.get("PROXY_TEMPLATE") or "default", "PROXY_EXT": extensions or PROXY_EXTENSIONS, "STATS": "",
        "STATS_USER": "", "STATS_CRYPT": "", "U_DISK": "0", "U_BANDWIDTH": "0", "SUSPENDED": "no",
        "TIME": panel.time, "DATE": panel.date,
    }  # fmt: skip
    vhosts.write(panel, user, record, local)
    panel.point("vhost", 0.55)
    raise_ip(panel, local, user)
    panel.user_conf(user).add_to("U_WEB_DOMAINS", 1)
    if alias:
        panel.user_conf(user).add_to("U_WEB_ALIASES", len(alias.split(",")))
    panel.point("counters", 0.6)
    panel.webs(user).add(record)
    panel.point("record", 0.65)
    restart(panel, how, "web", "proxy")
    panel.history(user, "Web", f"Added new web domain (Name: {domain}).")
    panel.log(0)


def skeleton(panel: Panel, folder: str, domain: str, part: str = "") -> None:
    """What a new domain shows, from the panel's standard files; with a part, only that folder as it is."""
    source = panel.data("templates/web/skel", part)
    for place, _, files in os.walk(source):
        target = os.path.normpath(f"{folder}/{part}/{os.path.relpath(place, source)}")
        os.makedirs(target, exist_ok=True)
        for file in files:
            text = panel.disk.read(f"{place}/{file}")
            panel.disk.write(f"{target}/{file}", text if part else text.replace("%domain%", domain), 0o644)


def delete_web_domain(panel: Panel) -> None:
    user, domain, how = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3)
    panel.usage(2, "USER DOMAIN [RESTART]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.restart_format(panel, how)
    record = own(panel, user, domain)
    vhosts.remove_pool(panel, domain)
    panel.point("backend", 0.2)
    vhosts.remove(panel, user, domain, "apache2")
    if record.get("SSL") == "yes":
        for ending in (".crt", ".key", ".ca", ".pem"):
            panel.disk.remove(panel.user_data(user, "ssl", domain + ending))
    panel.webs(user).delete(domain)
    panel.point("record", 0.4)
    vhosts.remove(panel, user, domain, "nginx")
    for ending in (".bytes", ".log", ".error.log"):
        panel.disk.remove(f"{panel.prefix}/var/log/apache2/domains/{domain}{ending}")
    panel.disk.remove(panel.home(user, "web", domain))
    panel.point("directory", 0.6)
    panel.disk.remove(panel.home(user, "conf/web", domain))
    lower_ip(panel, local_ip(panel, record.get("IP", "")), user)
    conf = panel.user_conf(user)
    conf.add_to("U_WEB_DOMAINS", -1)
    if record.get("SSL") == "yes":
        conf.add_to("U_WEB_SSL", -1)
    if record.get("ALIAS"):
        conf.add_to("U_WEB_ALIASES", -len(record["ALIAS"].split(",")))
    if record.get("SUSPENDED") == "yes":
        conf.add_to("SUSPENDED_WEB", -1)
    panel.point("counters", 0.7)
    restart(panel, how, "web", "proxy")
    panel.history(user, "Web", f"Deleted web domain (Name: {domain}).")
    panel.log(0)


def _shown(user: str, record: Record) -> Record:
    root = record.get("CUSTOM_DOCROOT") or f"/home/{user}/web/{record['DOMAIN']}/public_html/"
    return {**record, "DOCUMENT_ROOT": root}


def list_web_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    record = _shown(user, own(panel, user, domain))
    if panel.arg(3) == "json":
        json_objects(panel, [(domain, fields(record, _ONE))])
    else:
        head = words(
            "IP IP6 DOCUMENT_ROOT U_DISK U_BANDWIDTH TPL ALIAS STATS STATS_USER SSL SSL_FORCE SSL_HSTS SSL_HOME"
        )
        tail = words("FTP_PATH AUTH_USER BACKEND PROXY PROXY_EXT SUSPENDED TIME DATE")
        # The panel puts a comma before this value and no tab after it.
        glued = f",{record.get('LETSENCRYPT', '')}{record.get('FTP_USER', '')}"
        row = [domain, *(record.get(key, "") for key in head), glued, *(record.get(key, "") for key in tail)]
        plain(panel, [row])


def list_web_domains(panel: Panel) -> None:
    user = panel.arg(1)
    panel.usage(1, "USER [FORMAT]")
    checks.user_format(panel, user)
    checks.user_exists(panel, user)
    rows = [_shown(user, record) for record in panel.webs(user).all()]
    if panel.arg(2) == "json":
        json_objects(panel, [(row["DOMAIN"], fields(row, _ALL)) for row in rows])
    else:
        plain(panel, [[row["DOMAIN"], *(row.get(key, "") for key in _ALL)] for row in rows])
