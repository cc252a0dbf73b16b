"""Files that a fresh stand-in panel has beside its data: pages for sites, its own web server, database tools."""

from __future__ import annotations

from pathlib import Path

from controller.domain.config_keys import KEYS

PMA_ALIAS = "phpmyadmin"


def _page(title: str, text: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n\t<head>\n\t\t<title>{title}</title>\n\t</head>\n'
        f"\t<body>\n\t\t<h1>{title}</h1>\n\t\t<p>{text}</p>\n\t</body>\n</html>\n"
    )


#: What the panel's package brings, below install/common/templates/web; a fresh panel uses copies of it.
PAGES: dict[str, str] = {
    "skel/document_errors/403.html": _page("403", "You may not look at this."),
    "skel/document_errors/404.html": _page("404", "There is no such page."),
    "skel/document_errors/410.html": _page("410", "This page is gone."),
    "skel/document_errors/50x.html": _page("Error", "Something went wrong on this server."),
    "skel/public_html/index.html": _page("Coming Soon", "%domain%"),
    "skel/public_html/robots.txt": "User-agent: *\nCrawl-delay: 10\n",
    "suspend/index.html": _page("Access Denied", "This site is suspended."),
    "unassigned/index.html": _page("Success!", "This server works."),
}
#: Patterns of the database tools' includes, below install/deb.
_INCLUDES: dict[str, str] = {
    "pma/apache.conf": "Alias /%pma_alias% /usr/share/phpmyadmin\n",
    "pga/phppgadmin.conf": "Alias /%pga_alias% /usr/share/phppgadmin\n",
    "nginx/phpmyadmin.inc": "location /%pma_alias% {\n\talias /usr/share/phpmyadmin/;\n}\n",
    "nginx/phppgadmin.inc": "location /%pga_alias% {\n\talias /usr/share/phppgadmin/;\n}\n",
}
_API_PAGE = '<?php\n//die("Error: Disabled");\necho "stand-in";\n'
_PANEL_NGINX = (
    "http {\n\tserver {\n\t\tlisten              8083 ssl;\n"
    "\t\tlisten              [::]:8083 ssl;\n\t\troot web;\n\t}\n}\n"
)
_APACHE = (
    "IncludeOptional conf.d/*.conf\nIncludeOptional conf.d/domains/webmail.*.conf\n"
    "IncludeOptional conf.d/domains/*.conf\n"
)


def write(root: Path, hestia: Path, config: dict[str, str], ip: str) -> None:
    """Write what the server's systems need of it."""
    texts = {hestia / "install/deb" / name: text for name, text in _INCLUDES.items()}
    texts[hestia / "web/api/index.php"] = _API_PAGE
    texts[hestia / "nginx/conf/nginx.conf"] = _PANEL_NGINX
    for name, text in PAGES.items():
        texts[hestia / "install/common/templates/web" / name] = text
        texts[hestia / "data/templates/web" / name] = text
    if config.get("WEB_SYSTEM"):
        texts |= _web_servers(root, ip)
    if config.get("DB_PMA_ALIAS"):
        for server, include in (("apache2", "pma/apache.conf"), ("nginx", "nginx/phpmyadmin.inc")):
            text = _INCLUDES[include].replace("%pma_alias%", config["DB_PMA_ALIAS"])
            texts[root / "etc" / server / "conf.d/phpmyadmin.inc"] = text
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # English needs no translation.
    for language in KEYS["LANGUAGE"].choices:
        if language != "en":
            (hestia / "web/locale" / language).mkdir(parents=True, exist_ok=True)


def _web_servers(root: Path, ip: str) -> dict[Path, str]:
    """Main configuration, and the page for names that no site has: nginx asks apache2 for it."""
    site = f"<VirtualHost {ip}:8080>\n    ServerName {ip}\n    DocumentRoot /var/www/html/\n</VirtualHost>\n"
    proxy = (
        f"server {{\n\tlisten {ip}:80 default_server;\n\tlocation / {{\n\t\tproxy_pass http://{ip}:8080;\n\t}}\n}}\n"
    )
    return {
        root / "etc/apache2/apache2.conf": _APACHE,
        root / "etc/apache2/conf.d" / f"{ip}.conf": site,
        root / "etc/nginx/conf.d" / f"{ip}.conf": proxy,
        root / "var/www/html/index.html": PAGES["unassigned/index.html"],
    }
