"""Certificates of web domains."""

from __future__ import annotations

import os

from . import checks, vhosts
from .core import E_DISABLED, E_EXISTS, E_FORBIDDEN, E_INVALID, E_NOTEXIST, Panel, Stop
from .nameserver import tool
from .records import Record
from .show import escape
from .web import clean_domain, local_ip, own, restart

_ENDINGS = ("crt", "key", "pem", "ca")


def openssl(*args: str) -> tuple[int, str]:
    """(exit code, stdout) of openssl."""
    import subprocess

    done = subprocess.run([tool("openssl"), *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def _check_pair(panel: Panel, folder: str, domain: str) -> None:
    """The certificate and key that are to be installed, or exit 2, 3 or 10."""
    crt, key, ca = (f"{folder}/{domain}.{ending}" for ending in ("crt", "key", "ca"))
    for path in (crt, key):
        if not os.path.exists(path):
            panel.fail(E_NOTEXIST, f"{path} not found")
    code, public = openssl("x509", "-in", crt, "-noout", "-pubkey")
    if code:
        panel.fail(E_INVALID, "SSL Certificate is not valid")
    subject, issuer = (openssl("x509", "-in", crt, "-noout", which)[1].partition("=")[2] for which in
                       ("-subject", "-issuer"))  # fmt: skip
    if subject != issuer and not os.path.exists(ca):
        panel.fail(E_NOTEXIST, "Certificate Authority not found")
    if os.path.exists(ca) and openssl("x509", "-in", ca, "-noout", "-subject")[1].partition("=")[2] != issuer:
        panel.fail(E_NOTEXIST, "SSL intermediate chain is not valid")
    text = panel.disk.read(key)
    if sum("PRIVATE KEY" in line for line in text.split("\n")) != 2:
        panel.fail(E_INVALID, "SSL Key is not valid")
    if "ENCRYPTED" in text:
        panel.fail(E_FORBIDDEN, "SSL Key is protected (remove pass_phrase)")
    if openssl("pkey", "-in", key, "-pubout")[1] != public:
        panel.fail(E_INVALID, "ssl certificate key pair is not valid")


def _install(panel: Panel, user: str, domain: str, source: str) -> None:
    """Copy certificate and key to the panel's data and to where the web servers read them."""
    texts = {ending: panel.disk.read(f"{source}/{domain}.{ending}") for ending in ("crt", "key", "ca")}
    texts["pem"] = texts["crt"] + ("\n" + texts["ca"] if texts["ca"] else "")
    folder = panel.home(user, "conf/web", domain, "ssl")
    os.makedirs(folder, exist_ok=True)
    for ending, text in texts.items():
        for path in (panel.user_data(user, "ssl", f"{domain}.{ending}"), f"{folder}/{domain}.{ending}"):
            panel.disk.remove(path)
            if text:
                panel.disk.write(path, text)


def _arguments(panel: Panel, count: int, usage: str) -> tuple[str, str]:
    panel.usage(count, usage)
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    return user, domain


def _active(panel: Panel, user: str, domain: str) -> Record:
    checks.user_exists(panel, user)
    checks.user_active(panel, user)
    record = own(panel, user, domain)
    checks.active(panel, record, "web", domain)
    return record


def _source(panel: Panel) -> str:
    """The folder argument, or exit 3."""
    folder = panel.arg(3)
    if folder and not os.path.isdir(folder):
        panel.fail(E_NOTEXIST, f"folder {folder} does not exist")
    if not panel.system.get("WEB_SSL"):
        panel.fail(E_DISABLED, "SSL_SUPPORT is not enabled")
    return folder


def add_web_domain_ssl(panel: Panel) -> None:
    user, domain = _arguments(panel, 3, "USER DOMAIN SSL_DIR [SSL_HOME] [RESTART]")
    folder, home, how = _source(panel), panel.arg(4) or "same", panel.arg(5)
    checks.restart_format(panel, how)
    record = _active(panel, user, domain)
    if record.get("SSL") not in ("", "no", None):
        panel.fail(E_EXISTS, f"SSL={record['SSL']} already exists")
    _check_pair(panel, folder, domain)
    _install(panel, user, domain, folder)
    panel.point("files", 0.4)
    address = local_ip(panel, record.get("IP", ""))
    vhosts.write(panel, user, record | {"SSL": "yes"}, address, parts="tls")
    panel.user_conf(user).add_to("U_WEB_SSL", 1)
    panel.point("counters", 0.6)
    panel.webs(user).update(domain, {"SSL_HOME": home, "SSL": "yes"})
    restart(panel, how, "web", "proxy")
    panel.history(user, "Web", f"Added certificate and enabled SSL (Domain: {domain}).")
    panel.log(0)


def update_web_domain_ssl(panel: Panel) -> None:
    user, domain = _arguments(panel, 3, "USER DOMAIN SSL_DIR [RESTART]")
    folder, how = _source(panel), panel.arg(4)
    checks.restart_format(panel, how)
    record = _active(panel, user, domain)
    if record.get("SSL") in ("", "no", None):
        panel.fail(E_NOTEXIST, f"SSL={record.get('SSL', '')} doesn't exist")
    _check_pair(panel, folder, domain)
    _install(panel, user, domain, folder)
    restart(panel, how, "web", "proxy")
    panel.history(user, "Web", f"SSL certificate updated (Domain: {domain}).")
    panel.log(0)


def delete_web_domain_ssl(panel: Panel) -> None:
    user, domain = _arguments(panel, 2, "USER DOMAIN [RESTART]")
    how = panel.arg(3)
    checks.restart_format(panel, how)
    record = own(panel, user, domain)
    if record.get("SSL") in ("", "no", None):
        panel.fail(E_NOTEXIST, f"SSL={record.get('SSL', '')} doesn't exist")
    for server in vhosts.servers(panel):
        vhosts.remove(panel, user, domain, server, "tls")
    for ending in _ENDINGS:
        panel.disk.remove(panel.home(user, "conf/web", domain, f"ssl/{domain}.{ending}"))
        panel.disk.remove(panel.user_data(user, "ssl", f"{domain}.{ending}"))
    panel.call("v-delete-web-domain-ssl-force", user, domain, "no", "yes")
    panel.webs(user).update(domain, {"LETSENCRYPT": "no", "SSL": "no"})
    panel.user_conf(user).add_to("U_WEB_SSL", -1)
    restart(panel, how, "web", "proxy")
    panel.history(user, "Web", f"SSL disabled (Domain: {domain}).", "Warning")
    panel.log(0)


def _force_file(panel: Panel, user: str, domain: str) -> str:
    server = panel.system.get("PROXY_SYSTEM") or panel.system.get("WEB_SYSTEM", "")
    return panel.home(user, "conf/web", domain, f"{server}.forcessl.conf")


def add_web_domain_ssl_force(panel: Panel) -> None:
    user, domain = _arguments(panel, 2, "USER DOMAIN [RESTART]")
    record = _active(panel, user, domain)
    if record.get("SSL") != "yes":
        panel.say("Error: SSL is not enabled")
        raise Stop(E_NOTEXIST)
    panel.disk.write(_force_file(panel, user, domain), "return 301 https://$host$request_uri;\n", 0o640)
    panel.webs(user).update(domain, {"SSL_FORCE": "yes"})
    restart(panel, panel.arg(3), "web", "proxy")
    if panel.arg(4) != "yes":
        panel.history(user, "Web", f"Automatic HTTPS redirection enabled (Domain: {domain}).")
    panel.log(0)


def delete_web_domain_ssl_force(panel: Panel) -> None:
    user, domain = _arguments(panel, 2, "USER DOMAIN [RESTART]")
    own(panel, user, domain)
    panel.disk.remove(_force_file(panel, user, domain))
    panel.webs(user).update(domain, {"SSL_FORCE": "no"})
    restart(panel, panel.arg(3), "web", "proxy")
    if panel.arg(4) != "yes":
        panel.history(user, "Web", f"Automatic HTTPS redirection disabled (Domain: {domain}).")
    panel.log(0)


def _facts(path: str) -> dict[str, str]:
    """What openssl tells about a certificate, in the panel's words."""
    text = openssl("x509", "-in", path, "-noout", "-text")[1]

    def after(mark: str) -> str:
        return next((line.partition(mark)[2].strip() for line in text.split("\n") if mark in line), "")

    aliases = next((line for line in text.split("\n") if "DNS:" in line), "")
    return {
        "SUBJECT": after("Subject:").replace('"', "").rpartition("= ")[2],
        "ALIASES": ",".join(part.strip().removeprefix("DNS:") for part in aliases.split(",") if "DNS:" in part),
        "NOT_BEFORE": after("Not Before:"),
        "NOT_AFTER": after("Not After :"),
        "SIGNATURE": after("Signature Algorithm:"),
        "PUB_KEY": after("Public-Key:").strip("()"),
        "ISSUER": after("Issuer:"),
    }


def list_web_domain_ssl(panel: Panel) -> None:
    user, domain = _arguments(panel, 2, "USER DOMAIN [FORMAT]")
    record = own(panel, user, domain)
    texts = {
        ending.upper(): panel.disk.read(panel.user_data(user, "ssl", f"{domain}.{ending}")).strip()
        for ending in ("crt", "key", "ca")
    }
    keys = ["SUBJECT", "ALIASES", "NOT_BEFORE", "NOT_AFTER", "SIGNATURE", "PUB_KEY", "ISSUER"]
    facts = _facts(panel.user_data(user, "ssl", f"{domain}.crt")) if texts["CRT"] else dict.fromkeys(keys, "")
    facts["SSL_FORCE"] = record.get("SSL_FORCE", "")
    if panel.arg(3) == "json":
        rows = {name: text.replace("\n", "\\n") for name, text in texts.items()}
        rows.update({name: escape(value) for name, value in facts.items()})
        body = ",\n".join(f'        "{name}": "{value}"' for name, value in rows.items())
        panel.say(f'{{\n\t"{domain}": {{\n{body}\n\t}}\n}}')
    elif texts["CRT"]:
        for text in texts.values():
            if text:
                panel.say(text + "\n")
        for value in facts.values():
            panel.say(value)
