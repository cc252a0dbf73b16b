"""Changes of a web domain: templates, aliases, suspension, rebuilding."""

from __future__ import annotations

import os

from . import checks, vhosts
from .core import E_INVALID, E_NOTEXIST, Panel
from .records import Record
from .show import json_names, plain
from .templates import backend_template, folder, names, proxy_template, web_template
from .web import PAGE_FOLDERS, clean_aliases, clean_domain, local_ip, lower_ip, own, raise_ip, restart, skeleton

#: What a change of proxy template sets when no extensions are given: not the list that a new domain gets.
_EXTENSIONS = (
    "jpg,jpeg,gif,png,ico,svg,css,zip,tgz,gz,rar,bz2,doc,xls,exe,pdf,ppt,txt,odt,ods,odp,odf,tar,wav,bmp,rtf,js,mp3,"
    "avi,mpeg,flv,html,htm"
)


def _active(panel: Panel, user: str, domain: str) -> Record:
    """The web domain, if neither it nor its user is suspended."""
    checks.enabled(panel, "WEB_SYSTEM")
    checks.user_exists(panel, user)
    checks.user_active(panel, user)
    record = own(panel, user, domain)
    checks.active(panel, record, "web", domain)
    return record


def _write(panel: Panel, user: str, record: Record, only: str = "") -> None:
    vhosts.write(panel, user, record, local_ip(panel, record.get("IP", "")), only)


def _arguments(panel: Panel, usage: str, count: int = 3) -> tuple[str, str, str]:
    """User, domain and third argument, in the right formats."""
    panel.usage(count, usage)
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    return user, domain, panel.arg(3)


def change_web_domain_tpl(panel: Panel) -> None:
    user, domain, template = _arguments(panel, "USER DOMAIN TEMPLATE [RESTART]")
    checks.object_format(panel, template, "template")
    record = _active(panel, user, domain)
    web_template(panel, template)
    _write(panel, user, record | {"TPL": template}, panel.system.get("WEB_SYSTEM", ""))
    panel.webs(user).update(domain, {"TPL": template})
    restart(panel, panel.arg(4), "web")
    panel.history(user, "Web", f"Web domain template applied (Domain: {domain}, Template: {template}).")
    panel.log(0)


def change_web_domain_backend_tpl(panel: Panel) -> None:
    user, domain, template = _arguments(panel, "USER DOMAIN TEMPLATE [RESTART]")
    checks.object_format(panel, template, "template")
    checks.enabled(panel, "WEB_BACKEND")
    record = _active(panel, user, domain)
    backend_template(panel, template)
    vhosts.write_pool(panel, user, domain, template)
    panel.point("backend", 0.4)
    _write(panel, user, record | {"BACKEND": template})
    panel.webs(user).update(domain, {"BACKEND": template})
    restart(panel, panel.arg(4), "web")
    panel.history(user, "Web", f"Backend template applied (Domain: {domain}, Template: {template}).")
    panel.log(0)


def change_web_domain_proxy_tpl(panel: Panel) -> None:
    user, domain, template = _arguments(panel, "USER DOMAIN TEMPLATE [EXTENTIONS] [RESTART]")
    extensions = panel.arg(4, _EXTENSIONS)
    checks.object_format(panel, template, "template")
    checks.enabled(panel, "PROXY_SYSTEM")
    record = _active(panel, user, domain)
    if record.get("PROXY", "") in ("", "no"):
        panel.fail(E_NOTEXIST, f"PROXY={record.get('PROXY', '')} doesn't exist")
    proxy_template(panel, template)
    changes = {"PROXY": template, "PROXY_EXT": extensions}
    _write(panel, user, record | changes, panel.system.get("PROXY_SYSTEM", ""))
    panel.webs(user).update(domain, changes)
    restart(panel, panel.arg(5), "proxy")
    panel.history(user, "Web", f"Proxy template changed (Domain: {domain}, Template: {template}).")
    panel.log(0)


def change_web_domain_ip(panel: Panel) -> None:
    user, domain, ip = _arguments(panel, "USER DOMAIN IP [RESTART]")
    record = _active(panel, user, domain)
    checks.user_ip(panel, user, ip)
    _write(panel, user, record | {"IP": ip})
    panel.webs(user).update(domain, {"IP": ip})
    raise_ip(panel, local_ip(panel, ip), user)
    lower_ip(panel, local_ip(panel, record.get("IP", "")), user)
    restart(panel, panel.arg(4), "web", "proxy")
    panel.log(0)


def add_web_domain_alias(panel: Panel) -> None:
    aliases = clean_aliases(panel.arg(3))
    if not aliases:
        panel.fail(E_INVALID, "Invalid alias format: empty")
    user, domain, _ = _arguments(panel, "USER DOMAIN ALIASES [RESTART]")
    checks.alias_format(panel, aliases)
    record = _active(panel, user, domain)
    checks.domain_new(panel, user, "web", aliases)
    checks.base_owner(panel, user, aliases)
    together = ",".join(part for part in (record.get("ALIAS", ""), aliases) if part)
    checks.limit(panel, user, "WEB_ALIASES", len(together.split(",")), over=True)
    _write(panel, user, record | {"ALIAS": together})
    panel.point("vhost", 0.4)
    panel.webs(user).update(domain, {"ALIAS": together})
    # One more, however many were added.
    panel.user_conf(user).add_to("U_WEB_ALIASES", 1)
    restart(panel, panel.arg(4), "web", "proxy")
    panel.history(user, "Web", f"Added new web domain alias (Alias: {together}, Domain: {domain}).")
    panel.log(0)


def delete_web_domain_alias(panel: Panel) -> None:
    user, domain, alias = _arguments(panel, "USER DOMAIN DOM_ALIAS [RESTART]")
    checks.alias_format(panel, alias)
    record = own(panel, user, domain)
    present = [each for each in record.get("ALIAS", "").split(",") if each]
    if alias not in present:
        panel.fail(E_NOTEXIST, f"alias {alias} doesn't exist")
    left = ",".join(each for each in present if each != alias)
    _write(panel, user, record | {"ALIAS": left})
    panel.webs(user).update(domain, {"ALIAS": left})
    panel.user_conf(user).add_to("U_WEB_ALIASES", -1)
    restart(panel, panel.arg(4), "web", "proxy")
    panel.history(user, "Web", f"Deleted web domain alias (Alias: {alias}, Domain: {domain}).")
    panel.log(0)


def suspend_web_domain(panel: Panel) -> None:
    user, domain, how = _arguments(panel, "USER DOMAIN [RESTART]", 2)
    checks.restart_format(panel, how)
    record = own(panel, user, domain)
    checks.active(panel, record, "web", domain)
    _write(panel, user, record | {"SUSPENDED": "yes"})
    panel.point("vhost", 0.3)
    panel.webs(user).update(domain, {"SUSPENDED": "yes"})
    panel.user_conf(user).add_to("SUSPENDED_WEB", 1)
    panel.call("v-rebuild-web-domain", user, domain, "no")
    restart(panel, how, "web", "proxy")
    panel.history("system", "Web", f"Suspended web domain (User: {user}, Domain: {domain}).")
    panel.log(0)


def unsuspend_web_domain(panel: Panel) -> None:
    user, domain, how = _arguments(panel, "USER DOMAIN [RESTART]", 2)
    checks.restart_format(panel, how)
    record = own(panel, user, domain)
    checks.suspended(panel, record, "web", domain)
    _write(panel, user, record | {"SUSPENDED": "no"})
    vhosts.write_pool(panel, user, domain, record.get("BACKEND", "default"))
    panel.point("vhost", 0.3)
    panel.webs(user).update(domain, {"SUSPENDED": "no"})
    panel.user_conf(user).add_to("SUSPENDED_WEB", -1)
    panel.call("v-rebuild-web-domain", user, domain, "no")
    restart(panel, how, "web", "proxy")
    panel.history("system", "Web", f"Unsuspended web domain (User: {user}, Domain: {domain}).")
    panel.log(0)


def rebuild_web_domain(panel: Panel) -> None:
    user, domain, how = _arguments(panel, "USER DOMAIN [RESTART]", 2)
    checks.restart_format(panel, how)
    checks.user_exists(panel, user)
    if panel.user_conf(user).get("SUSPENDED") == "yes":
        return
    record = own(panel, user, domain)
    vhosts.write_pool(panel, user, domain, record.get("BACKEND") or "default")
    home = panel.home(user, "web", domain)
    if panel.system.get("POLICY_SYNC_ERROR_DOCUMENTS") != "no":
        panel.disk.remove(f"{home}/document_errors")
    if not os.path.isdir(f"{home}/document_errors"):
        skeleton(panel, home, domain, "document_errors")
    for name in PAGE_FOLDERS:
        os.makedirs(f"{home}/{name}", exist_ok=True)
    _write(panel, user, record)
    panel.call("v-update-user-counters", user)
    restart(panel, how, "web", "proxy")
    panel.history("system", "System", f"Rebuilt web domain (User: {user}, Domain: {domain}).")
    panel.log(0)


def _list(panel: Panel, kind: str) -> None:
    found = names(folder(panel, kind))
    if panel.arg(1) == "json":
        json_names(panel, found)
    else:
        plain(panel, [[name] for name in found])


def list_web_templates(panel: Panel) -> None:
    _list(panel, "web")


def list_web_templates_backend(panel: Panel) -> None:
    _list(panel, "backend")


def list_web_templates_proxy(panel: Panel) -> None:
    _list(panel, "proxy")
