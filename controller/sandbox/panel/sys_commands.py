"""Commands that change the panel's settings, and what these settings stand for."""

from __future__ import annotations

import os
import re

from . import checks
from .core import E_INUSE, E_INVALID, E_NOTEXIST, Panel, Stop
from .records import format_conf, parse_conf


def _conf_path(panel: Panel) -> str:
    return f"{panel.hestia}/conf/hestia.conf"


def _replaced(line: str, value: str) -> str:
    """What sed makes of a value: ``&`` means the line that was there, ``\\`` takes the next character as it is."""
    return re.sub(r"\\(.)|&", lambda found: found.group(1) or line, value)


def _set(panel: Panel, key: str, value: str) -> None:
    """Write one setting; one that is there already goes through sed."""
    path = _conf_path(panel)
    conf = parse_conf(panel.disk.read(path))
    if key in conf:
        value = _replaced(f"{key}='{conf[key]}'", value)
    panel.disk.pause()
    panel.disk.replace(path, format_conf(conf | {key: value}))


def change_sys_config_value(panel: Panel) -> None:
    key, value = panel.arg(1).upper(), panel.arg(2)
    panel.usage(2, "KEY VALUE")
    checks.common_format(panel, key, "key")
    if any(mark in value for mark in "\"'|"):
        panel.fail(E_INVALID, f"Invalid value contains qoutes (\" or ' or | ) :: {value}")
    if "\n" in value:
        panel.fail(E_INVALID, f"invalid value :: {value}")
    _set(panel, key, value)
    path = _conf_path(panel)
    conf = parse_conf(panel.disk.read(path))
    panel.disk.write(f"{path}.sorted", format_conf(dict(sorted(conf.items()))))
    os.replace(path, f"{path}.bak")
    panel.point("moved")
    os.replace(f"{path}.sorted", path)
    panel.disk.remove(f"{path}.bak")
    panel.history("system", "System", f"System configuration value changed (Key: {key}, Value: {value}).")
    panel.log(0)


def change_sys_language(panel: Panel) -> None:
    language = panel.arg(1)
    panel.usage(1, "LANGUAGE [UPDATE_USERS]")
    if language != "en":
        if not re.fullmatch(r"[A-Za-z0-9_-]+", language):
            panel.say(f"Error: language {language} is not valid")
            panel.log(E_INVALID)
            raise Stop(E_INVALID)
        if not os.path.isdir(f"{panel.hestia}/web/locale/{language}"):
            panel.say(f"Error: language {language} doesn't exist")
            panel.log(E_NOTEXIST)
            raise Stop(E_NOTEXIST)
    _set(panel, "LANGUAGE", language)
    if panel.arg(2) == "yes":
        for user in panel.users():
            panel.user_conf(user).set({"LANGUAGE": language})
    panel.history("system", "System", f"System language changed (Language: {language}).")
    panel.log(0)


def change_sys_api(panel: Panel) -> None:
    status, version = panel.arg(1), panel.arg(2)
    panel.usage(1, "STATUS")
    if status not in ("enable", "disable", "remove"):
        panel.fail(E_INVALID, f"{status} type is invalid")
    page = f"{panel.hestia}/web/api/index.php"
    there = os.path.isfile(page)
    text = panel.disk.read(page)
    if status == "enable":
        if not there:
            # It would be downloaded now, and nothing here reaches the network.
            panel.say("ERROR: API installation failed.")
            raise Stop(1)
        panel.disk.replace(
            page, text.replace('die("Error: Disabled");', '//die("Error: Disabled");').replace("////", "//")
        )
        if version in ("legacy", "all"):
            panel.call("v-change-sys-config-value", "API", "yes")
        if version in ("api", "all"):
            panel.call("v-change-sys-config-value", "API_SYSTEM", "1")
    else:
        for key, value in (("API", "no"), ("API_ALLOWED_IP", ""), ("API_SYSTEM", "0")):
            panel.call("v-change-sys-config-value", key, value)
        if status == "disable":
            panel.disk.replace(page, text.replace('//die("Error: Disabled");', 'die("Error: Disabled");'))
        elif not there:
            panel.say("ERROR: API is not installed.")
            raise Stop(1)
        else:
            panel.disk.remove(page)
    panel.history("system", "System", f"System API access {'enabled' if status == 'enable' else 'disabled'}.")
    panel.log(0)


def change_sys_port(panel: Panel) -> None:
    port = panel.arg(1)
    panel.usage(1, "PORT")
    if not (port.isascii() and port.isdigit()):
        panel.say("Port should contains a numeric value only!")
        panel.log(E_INVALID)
        raise Stop(E_INVALID)
    if port != panel.system.get("BACKEND_PORT") and port in _taken(panel):
        panel.say("Port is already used by Hestia, please set anotherone!")
        panel.log(E_INUSE)
        raise Stop(E_INUSE)
    path = f"{panel.hestia}/nginx/conf/nginx.conf"
    lines = panel.disk.read(path).split("\n")
    first = next((line for line in lines if "listen" in line), "")
    found = re.search(r"listen[^0-9]*([0-9]+)[ \t]*ssl;", first)
    if found and found.group(1) == port:
        return
    panel.call("v-change-sys-config-value", "BACKEND_PORT", port)
    panel.point("record", 0.3)
    panel.disk.replace(
        path, "\n".join(re.sub(r"(listen[ \t].*[: \t])[0-9]+([^0-9]*ssl;$)", rf"\g<1>{port}\2", line) for line in lines)
    )
    panel.point("config", 0.6)
    panel.call("v-restart-service", "hestia")
    old = found.group(1) if found else ""
    panel.history(
        "system",
        "System",
        f"Hestia Control Panel backend port changed (New Value: {port}, Old Value: {old}).",
        "Warning",
    )
    panel.log(0)


def _taken(panel: Panel) -> set[str]:
    """Ports of the services that the server has."""
    keys = ("WEB_PORT", "WEB_SSL_PORT", "PROXY_PORT", "PROXY_SSL_PORT")
    return {panel.system[key] for key in keys if panel.system.get(key)}


#: For each tool: its setting, its include's name, and the patterns for apache2 and nginx.
_TOOLS = {
    "pma": ("DB_PMA_ALIAS", "phpmyadmin.inc", {"apache2": "pma/apache.conf", "nginx": "nginx/phpmyadmin.inc"}),
    "pga": ("DB_PGA_ALIAS", "phppgadmin.inc", {"apache2": "pga/phppgadmin.conf", "nginx": "nginx/phppgadmin.inc"}),
}
_TOOL_NAMES = {"PMA": "pma", "phpmyadmin": "pma", "PGA": "pga", "phppgadmin": "pga"}


def change_sys_db_alias(panel: Panel) -> None:
    tool, alias = panel.arg(1), panel.arg(2)
    panel.usage(2, "type alias")
    checks.common_format(panel, alias, "Alias")
    tool = _TOOL_NAMES.get(tool, tool)
    if tool in _TOOLS:
        key, include, patterns = _TOOLS[tool]
        panel.call("v-change-sys-config-value", key, alias)
        panel.point("record", 0.3)
        for server, pattern in patterns.items():
            path = panel.etc(server, "conf.d", include)
            if not os.path.exists(path):
                continue
            panel.disk.remove(path)
            if server == "apache2":
                panel.point("apache-removed")
            else:
                panel.point("nginx-removed")
            text = panel.disk.read(f"{panel.hestia}/install/deb/{pattern}")
            panel.disk.write(path, text.replace(f"%{tool}_alias%", alias), 0o644)
            # Whether the restart works is not looked at.
            panel.call("v-restart-service", server)
    panel.history("system", "System", f"System access alias changed (Alias: {alias}).")
    panel.log(0)


def add_sys_cgroups(panel: Panel) -> None:
    panel.call("v-change-sys-config-value", "RESOURCES_LIMIT", "yes")
    panel.point("record", 0.3)
    for user in panel.users():
        panel.disk.write(_slice(panel, user), f"[Slice]\nCPUQuota={panel.user_conf(user).get('CPU_QUOTA')}\n", 0o644)
    panel.history("system", "Plugins", "System cgroup Enforcement Enabled.")
    panel.log(0)


def delete_sys_cgroups(panel: Panel) -> None:
    for user in panel.users():
        panel.disk.remove(_slice(panel, user))
    panel.point("slices", 0.6)
    panel.call("v-change-sys-config-value", "RESOURCES_LIMIT", "no")
    panel.history("system", "Plugins", "System cgroup Enforcement disabled.")
    panel.log(0)


def _slice(panel: Panel, user: str) -> str:
    """Where the system manager keeps the limits of an account."""
    number = next(
        (line.split(":")[2] for line in panel.disk.lines(panel.etc("passwd")) if line.startswith(f"{user}:")), ""
    )
    folder = panel.etc("systemd/system.control", f"user-{number}.slice.d")
    os.makedirs(folder, exist_ok=True)
    return f"{folder}/50-CPUQuota.conf"
