"""DNS zones and their records."""

from __future__ import annotations

import os
import re

from . import checks, nameserver, zones
from .core import E_ARGS, E_EXISTS, E_INVALID, E_NOTEXIST, Panel, Stop
from .dns_values import check_value
from .names import to_ascii
from .records import Record, parse, words
from .show import fields, json_names, json_objects, plain
from .templates import dns_template, folder, names
from .timing import PER_RECORD
from .web import clean_domain, restart

_ONE = words("IP TPL TTL EXP SOA SERIAL DNSSEC SRC RECORDS SUSPENDED TIME DATE")
_RECORD = words("RECORD TYPE PRIORITY VALUE ID SUSPENDED TIME DATE TTL")
_HOST_TYPES = ("NS", "CNAME", "MX", "PTR", "SRV")
_RAW_TYPES = ("SRV", "DNSKEY", "DS", "TLSA", "KEY", "IPSECKEY")


def _own(panel: Panel, user: str, domain: str, user_active: bool = True, zone_active: bool = True) -> Record:
    """The user's zone, or exit 3, 5 or 11."""
    checks.enabled(panel, "DNS_SYSTEM")
    checks.user_exists(panel, user)
    if user_active:
        checks.user_active(panel, user)
    zone = checks.require(panel, panel.zones(user), domain, "dns domain")
    if zone_active:
        checks.active(panel, zone, "dns", domain)
    return zone


def _slow(panel: Panel, user: str, domain: str, base: float) -> None:
    """Writing a zone takes longer the more records it has."""
    panel.target = base + PER_RECORD * panel.dns_records(user, domain).count()


def add_dns_domain(panel: Panel) -> None:
    user, domain, ip = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3)
    how, dnssec = panel.arg(12), panel.arg(13) or "no"
    panel.usage(3, "USER DOMAIN IP [NS1] [NS2] [NS3] [..] [NS8] [RESTART]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.ip_format(panel, ip)
    checks.enabled(panel, "DNS_SYSTEM")
    checks.user_exists(panel, user)
    checks.user_active(panel, user)
    checks.restart_format(panel, how)
    checks.domain_new(panel, user, "dns", domain)
    if checks.is_ip4(domain):
        panel.say("Error: Invalid domain format. IP address detected as input.")
        raise Stop(E_ARGS)
    checks.boolean_format(panel, dnssec, "dnssec")
    checks.limit(panel, user, "DNS_DOMAINS", panel.zones(user).count())
    conf = panel.user_conf(user).all()
    template = conf.get("DNS_TEMPLATE", "default")
    dns_template(panel, template)
    checks.base_owner(panel, user, domain)
    servers = [panel.arg(number).strip(".") for number in range(4, 12)]
    for number, name in enumerate(servers, 1):
        checks.domain_format(panel, name, f"ns{number}")
    if not servers[1]:
        servers = (conf.get("NS", "").split(",") + [""] * 8)[:8]

    text = panel.disk.read(f"{folder(panel, 'dns')}/{template}.tpl")
    values = {"ip": ip, "domain_idn": to_ascii(domain), "domain": domain, "time": panel.time, "date": panel.date}
    values.update({f"ns{number}": name for number, name in enumerate(servers, 1)})
    lines = [line for line in text.split("\n") if line]
    lines = [line for line in lines if not any(f"%ns{n}%" in line and not values[f"ns{n}"] for n in range(1, 9))]
    lines = [re.sub(r"%(\w+)%", lambda found: values.get(found[1], found[0]), line) for line in lines]
    panel.disk.write(panel.user_data(user, "dns", f"{domain}.conf"), "".join(line + "\n" for line in lines))
    panel.target = 1.0 + PER_RECORD * len(lines)
    panel.point("records", 0.05)
    panel.zones(user).add(
        {
            "DOMAIN": domain,
            "IP": ip,
            "TPL": template,
            "TTL": "14400",
            "EXP": f"{int(panel.date[:4]) + 1}{panel.date[4:]}",
            "SOA": servers[0],
            "SERIAL": zones.first_serial(panel),
            "SRC": "",
            "RECORDS": str(len(lines)),
            "DNSSEC": dnssec,
            "KEY": "",
            "SLAVE": "no",
            "MASTER": "",
            "SUSPENDED": "no",
            "TIME": panel.time,
            "DATE": panel.date,
        }
    )
    panel.point("record", 0.1)
    zones.rebuild(panel, user, domain)
    panel.user_conf(user).add_to("U_DNS_DOMAINS", 1)
    panel.user_conf(user).add_to("U_DNS_RECORDS", len(lines))
    restart(panel, how, "dns")
    panel.history(user, "DNS", f"Added new DNS domain (Name: {domain}).")
    panel.log(0)


def delete_dns_domain(panel: Panel) -> None:
    user, domain, how = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3)
    panel.usage(2, "USER DOMAIN [RESTART]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.restart_format(panel, how)
    zone = _own(panel, user, domain, user_active=False, zone_active=False)
    count = panel.dns_records(user, domain).count()
    nameserver.drop_line(panel, user, domain)
    panel.disk.remove(zones.zone_path(panel, user, domain))
    panel.point("zone-line", 0.3)
    panel.zones(user).delete(domain)
    panel.disk.remove(panel.user_data(user, "dns", f"{domain}.conf"))
    panel.point("record", 0.5)
    conf = panel.user_conf(user)
    conf.add_to("U_DNS_DOMAINS", -1)
    conf.add_to("U_DNS_RECORDS", -count)
    if zone.get("SUSPENDED") == "yes":
        conf.add_to("SUSPENDED_DNS", -1)
    restart(panel, how, "dns")
    panel.history(user, "DNS", f"Deleted DNS zone (Name: {domain}).")
    panel.log(0)


# -- records -----------------------------------------------------------------------------------------------


def _tidy(record: str, kind: str, value: str) -> tuple[str, str]:
    """Name and value as the panel stores them: a dot after host names, quotes around what has blanks."""
    if any(host in kind for host in _HOST_TYPES):
        value = value if value.endswith(".") else value + "."
        value, record = to_ascii(value), to_ascii(record)
    if kind != "CAA":
        value = value.replace('"', "")
        if kind not in _RAW_TYPES and re.search(r"[;\s]", value):
            value = f'"{value}"'
    return record, value


def _refuse_odd(panel: Panel, user: str, domain: str, kind: str, value: str) -> None:
    """What named would not take kindly, as far as the panel looks."""
    ends = value.split()
    if any(host in kind for host in ("CNAME", "MX", "PTR", "SRV")) or kind == "NS":
        least = 2 if kind in ("CNAME", "MX", "PTR") else 3
        if not (kind == "SRV" and "." in (ends[0], ends[-1])) and value.count(".") < least:
            name = value.removesuffix(".")
            panel.fail(E_INVALID, f"{kind} record {name} should be a fully qualified domain name (FQDN)")
    if kind == "NS" and value.endswith(f".{domain}."):
        host = value.removesuffix(f".{domain}.")
        rows = panel.dns_records(user, domain).all()
        if not any(row.get("RECORD") == host and row.get("TYPE") == "A" for row in rows):
            panel.fail(E_NOTEXIST, f"IN A {host}.{domain} does not exist")


def _write_zone(panel: Panel, user: str, domain: str) -> None:
    zones.sort_records(panel, user, domain)
    zones.raise_serial(panel, user, domain)
    panel.point("record", 0.2)
    zones.rebuild(panel, user, domain)


def _store(record: str, number: str, kind: str, priority: str, value: str, ttl: str, panel: Panel) -> Record:
    row = {
        "ID": number, "RECORD": record, "TYPE": kind, "PRIORITY": priority, "VALUE": value.replace("'", "%quote%"),
        "SUSPENDED": "no", "TIME": panel.time, "DATE": panel.date,
    }  # fmt: skip
    return row | {"TTL": ttl} if ttl else row


def add_dns_record(panel: Panel) -> None:
    """Adds a record every time, also one that is there already."""
    user, domain, record = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3).lower()
    kind, value, number, how, ttl = panel.arg(4).upper(), panel.arg(5), panel.arg(7), panel.arg(8), panel.arg(9)
    priority = (panel.arg(6) or "10") if kind in ("MX", "SRV") else ""
    record, value = _tidy(record, kind, value)
    if record == "@" and kind == "CNAME":
        panel.fail(E_INVALID, "CNAME on root is not allowed")
    panel.usage(5, "USER DOMAIN RECORD TYPE VALUE [PRIORITY] [ID] [RESTART] [TTL]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.common_format(panel, record, "record")
    value, priority = check_value(panel, kind, value, priority)
    _own(panel, user, domain)
    table = panel.dns_records(user, domain)
    checks.limit(panel, user, "DNS_RECORDS", table.count())
    if not number:
        number = str(max([int(row.get("ID") or 0) for row in table.all()] + [0]) + 1)
    _number_format(panel, number)
    if table.find(number):
        panel.fail(E_EXISTS, f"ID={number} already exists")
    _refuse_odd(panel, user, domain, kind, value)
    if ttl:
        checks.int_format(panel, ttl, "ttl")
    checks.restart_format(panel, how)
    _slow(panel, user, domain, 1.0)
    table.add(_store(record, number, kind, priority, value, ttl, panel))
    _write_zone(panel, user, domain)
    panel.user_conf(user).add_to("U_DNS_RECORDS", 1)
    restart(panel, how, "dns")
    if panel.arg(10) != "yes":
        panel.history(user, "DNS", f"Added DNS record (Type: {kind}, Value: {record}, Domain: {domain}).")
    panel.log(0)


def _number_format(panel: Panel, number: str) -> None:
    if not re.fullmatch(r"[1-9][0-9]*", number):
        checks.invalid(panel, "id", number)


def _record(panel: Panel, user: str, domain: str, number: str) -> Record:
    row = panel.dns_records(user, domain).find(number)
    if row is None:
        panel.fail(E_NOTEXIST, f"{domain} id {number} doesn't exist")
    return row


def change_dns_record(panel: Panel) -> None:
    user, domain, number, record = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3), panel.arg(4)
    kind, value, how, ttl = panel.arg(5), panel.arg(6), panel.arg(8), panel.arg(9)
    panel.usage(6, "USER DOMAIN ID RECORD TYPE VALUE [PRIORITY] [RESTART] [TTL]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    _number_format(panel, number)
    checks.common_format(panel, record, "record")
    checks.restart_format(panel, how)
    _own(panel, user, domain)
    old = _record(panel, user, domain, number)
    if ttl:
        checks.int_format(panel, ttl, "ttl")
    if record == "@" and kind == "CNAME":
        panel.fail(E_INVALID, "CNAME on root is not allowed")
    kind = kind or old.get("TYPE", "")
    priority = (panel.arg(7) or old.get("PRIORITY", "")) if kind in ("MX", "SRV") else ""
    record, value = _tidy(record, kind, value)
    value, priority = check_value(panel, kind, value, priority)
    _refuse_odd(panel, user, domain, kind, value)
    new = _store(record, number, kind, priority, value, ttl, panel)
    same = all(old.get(key, "") == new.get(key, "") for key in ("RECORD", "TYPE", "VALUE", "SUSPENDED"))
    numbers = ("PRIORITY", "TTL")
    if same and all(int(old.get(key) or 0) == int(new.get(key) or 0) for key in numbers):
        panel.say("No pending changes in DNS entry.")
        raise Stop(E_EXISTS)
    _slow(panel, user, domain, 0.5)
    table = panel.dns_records(user, domain)
    table.delete(number)
    table.add(new)
    _write_zone(panel, user, domain)
    restart(panel, how, "dns")
    panel.history(
        user, "DNS", f"DNS record value changed (Type: {kind}, Record: {record}, Value: {value}, Domain: {domain})."
    )
    panel.log(0)


def delete_dns_record(panel: Panel) -> None:
    user, domain, number, how = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3), panel.arg(4)
    panel.usage(3, "USER DOMAIN ID [RESTART]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    _number_format(panel, number)
    checks.restart_format(panel, how)
    checks.user_exists(panel, user)
    checks.require(panel, panel.zones(user), domain, "dns domain")
    row = _record(panel, user, domain, number)
    table = panel.dns_records(user, domain)
    kind = row.get("TYPE", "")
    if kind in ("A", "NS") and sum(each.get("TYPE") == kind for each in table.all()) <= 1:
        panel.fail(E_INVALID, f"at least one {kind} record should remain active")
    _slow(panel, user, domain, 1.0)
    table.delete(number)
    _write_zone(panel, user, domain)
    panel.user_conf(user).add_to("U_DNS_RECORDS", -1)
    restart(panel, how, "dns")
    if panel.arg(5) != "yes":
        panel.history(user, "DNS", f"Deleted DNS record (ID: {number}, Domain: {domain}).")
    panel.log(0)


# -- whole zones -------------------------------------------------------------------------------------------


def insert_dns_domain(panel: Panel) -> None:
    """Put a zone's record into dns.conf as it is given; nothing is checked against anything."""
    user, data, source, flush = panel.arg(1), panel.arg(2), panel.arg(3), panel.arg(4)
    panel.usage(2, "USER DATA [SRC] [FLUSH] [RESTART]")
    checks.user_format(panel, user)
    checks.enabled(panel, "DNS_SYSTEM")
    checks.user_exists(panel, user)
    checks.user_active(panel, user)
    given = parse(data.replace("\n", " "))
    domain = given.get("DOMAIN", "")
    if not domain:
        panel.fail(E_ARGS, "Domain name missing from DATA")
    checks.domain_format(panel, domain)
    if flush == "no":
        checks.domain_new(panel, user, "dns", domain)
    if flush == "records":
        panel.disk.write(panel.user_data(user, "dns", f"{domain}.conf"), "")
    if flush != "no":
        panel.zones(user).delete(domain)
    row = {key: given.get(key, "") for key in ("DOMAIN", "IP", "TPL", "TTL", "EXP", "SOA", "SERIAL")}
    row["SRC"] = source
    row.update({key: given.get(key, "") for key in ("RECORDS", "DNSSEC", "KEY", "SLAVE", "MASTER", "SUSPENDED")})
    panel.zones(user).add(row | {"TIME": panel.time, "DATE": panel.date})
    panel.log(0)


def insert_dns_records(panel: Panel) -> None:
    """Take a file of records over as the zone's records; the file is moved away."""
    user, domain, path = panel.arg(1), panel.arg(2), panel.arg(3)
    panel.usage(3, "USER DOMAIN DATAFILE [RESTART]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    _own(panel, user, domain, zone_active=False)
    if os.path.exists(path):
        panel.disk.write(panel.user_data(user, "dns", f"{domain}.conf"), panel.disk.read(path))
        panel.disk.remove(path)
    panel.log(0)


def rebuild_dns_domain(panel: Panel) -> None:
    user, domain, how = panel.arg(1), panel.arg(2), panel.arg(3)
    panel.usage(2, "USER DOMAIN [RESTART] [UPDATE_SERIAL]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.restart_format(panel, how)
    checks.enabled(panel, "DNS_SYSTEM")
    checks.user_exists(panel, user)
    conf = panel.user_conf(user)
    if conf.get("SUSPENDED") == "yes":
        return
    checks.require(panel, panel.zones(user), domain, "dns domain")
    panel.target = 0.8 * PER_RECORD * panel.dns_records(user, domain).count()
    nameserver.drop_line(panel, user, domain)
    panel.point("record", 0.1)
    if panel.arg(4, "no") != "no":
        zones.raise_serial(panel, user, domain)
    count = zones.rebuild(panel, user, domain)
    rows = panel.disk.lines(panel.user_data(user, "dns", f"{domain}.conf"))
    suspended = bool(rows) and "SUSPENDED='yes'" in rows[-1]
    # The user's counters are set from this one zone.
    conf.set({"U_DNS_DOMAINS": "1", "U_DNS_RECORDS": str(count), "SUSPENDED_DNS": "1" if suspended else "0"})
    restart(panel, how, "dns")
    panel.history("system", "System", f"Rebuilt DNS domain (User: {user}, Domain: {domain}).")
    panel.log(0)


def suspend_dns_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    panel.usage(2, "USER DOMAIN [RESTART]")
    _own(panel, user, domain, user_active=False)
    nameserver.drop_line(panel, user, domain)
    panel.point("zone-line", 0.4)
    panel.zones(user).update(domain, {"SUSPENDED": "yes"})
    _mark_records(panel, user, domain, "no", "yes")
    panel.user_conf(user).add_to("SUSPENDED_DNS", 1)
    panel.history("system", "DNS", f"Suspended DNS zone (User: {user}, Domain: {domain})")
    panel.log(0)


def unsuspend_dns_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    panel.usage(2, "USER DOMAIN")
    zone = _own(panel, user, domain, user_active=False, zone_active=False)
    checks.suspended(panel, zone, "dns", domain)
    # Added whether it is there or not.
    nameserver.add_line(panel, user, domain)
    panel.point("zone-line", 0.4)
    panel.zones(user).update(domain, {"SUSPENDED": "no"})
    panel.user_conf(user).add_to("SUSPENDED_DNS", -1)
    _mark_records(panel, user, domain, "yes", "no")
    panel.history("system", "DNS", f"Unsuspended DNS zone (User: {user}, Domain: {domain}).")
    panel.log(0)


def _mark_records(panel: Panel, user: str, domain: str, old: str, new: str) -> None:
    path = panel.user_data(user, "dns", f"{domain}.conf")
    panel.disk.replace(path, panel.disk.read(path).replace(f"SUSPENDED='{old}'", f"SUSPENDED='{new}'"))


def _change(panel: Panel, usage: str, key: str, value: str, said: str) -> None:
    """Change one of the zone's own values and write the zone again, also when nothing changes."""
    user, domain, how = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(4)
    panel.usage(3, usage)
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    if key == "SOA":
        checks.domain_format(panel, value, "SOA")
    elif key == "TTL":
        checks.int_format(panel, value, "ttl")
    else:
        checks.ip_format(panel, value)
    checks.restart_format(panel, how)
    old = _own(panel, user, domain)
    _slow(panel, user, domain, 0.5)
    panel.zones(user).update(domain, {key: value})
    if key == "IP" and old.get("IP"):
        path = panel.user_data(user, "dns", f"{domain}.conf")
        panel.disk.replace(path, panel.disk.read(path).replace(old["IP"], value))
    _write_zone(panel, user, domain)
    restart(panel, how, "dns")
    panel.history(user, "DNS", said.format(value=value, domain=domain))
    panel.log(0)


def change_dns_domain_soa(panel: Panel) -> None:
    said = "SOA record for DNS domain changed (SOA: {value}, Domain: {domain})."
    _change(panel, "USER DOMAIN SOA [RESTART]", "SOA", panel.arg(3).strip("."), said)


def change_dns_domain_ttl(panel: Panel) -> None:
    said = "TTL for DNS domain changed (TTL: {value}, Domain: {domain})."
    _change(panel, "USER DOMAIN TTL [RESTART]", "TTL", panel.arg(3), said)


def change_dns_domain_ip(panel: Panel) -> None:
    said = "IP address for DNS domain changed (IP: {value}, Domain: {domain})."
    _change(panel, "USER DOMAIN IP [RESTART]", "IP", panel.arg(3), said)


def change_dns_domain_exp(panel: Panel) -> None:
    user, domain, day = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3)
    panel.usage(3, "USER DOMAIN EXP")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        checks.invalid(panel, "date", day)
    _own(panel, user, domain)
    panel.zones(user).update(domain, {"EXP": day})
    panel.history(user, "DNS", f"Updated DNS SOA expiration date (Domain: {domain}, Value: {day}).")
    panel.log(0)


# -- lists -------------------------------------------------------------------------------------------------


def list_dns_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_exists(panel, user)
    zone = checks.require(panel, panel.zones(user), domain, "dns domain")
    if panel.arg(3) == "json":
        json_objects(panel, [(domain, fields(zone, _ONE))])
    else:
        keys = words("IP TPL TTL EXP SOA SERIAL DNSSEC RECORDS SUSPENDED TIME DATE")
        plain(panel, [[domain, *(zone.get(key, "") for key in keys)]])


def list_dns_domains(panel: Panel) -> None:
    user = panel.arg(1)
    panel.usage(1, "USER [FORMAT]")
    checks.user_format(panel, user)
    checks.user_exists(panel, user)
    rows = panel.zones(user).all()
    if panel.arg(2) == "json":
        json_objects(panel, [(row["DOMAIN"], fields(row, _ONE)) for row in rows])
    else:
        keys = words("DOMAIN IP TPL TTL EXP SOA DNSSEC SERIAL SRC RECORDS SUSPENDED TIME DATE")
        plain(panel, [[row.get(key, "") for key in keys] for row in rows])


def list_dns_records(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.user_exists(panel, user)
    zone = checks.require(panel, panel.zones(user), domain, "dns domain")
    rows = panel.dns_records(user, domain).all()
    for row in rows:
        row["TTL"] = row.get("TTL") or zone.get("TTL", "")
        row["VALUE"] = row.get("VALUE", "").replace("%quote%", "'")
    if panel.arg(3) == "json":
        json_objects(panel, [(row["ID"], fields(row, _RECORD)) for row in rows])
    else:
        keys = words("ID RECORD TYPE PRIORITY VALUE SUSPENDED TIME DATE TTL")
        plain(panel, [[row.get(key, "") for key in keys] for row in rows])


def list_dns_templates(panel: Panel) -> None:
    found = [name[:-4] for name in sorted((f"{name}.tpl" for name in names(folder(panel, "dns"))), reverse=True)]
    if panel.arg(1) == "json":
        json_names(panel, found, indent="    ")
    else:
        plain(panel, [[name] for name in found])
