"""Zone files and serials."""

from __future__ import annotations

import re

from . import nameserver
from .core import Panel
from .names import to_ascii
from .records import Record, parse


def zone_path(panel: Panel, user: str, domain: str) -> str:
    return panel.home(user, "conf/dns", f"{domain}.db")


def first_serial(panel: Panel) -> str:
    return panel.date.replace("-", "") + "01"


def raise_serial(panel: Panel, user: str, domain: str) -> None:
    """The next serial: today's date and a running number, which from the hundredth change on has a digit too many."""
    text = panel.disk.read(zone_path(panel, user, domain))
    found = re.search(r"\(\s*(\d+)", text)
    old, today = found.group(1) if found else "", panel.date.replace("-", "")
    serial = f"{today}{int(old[8:] or 0) + 1:02d}" if old.startswith(today) else today + "01"
    panel.zones(user).update(domain, {"SERIAL": serial})


def sort_records(panel: Panel, user: str, domain: str) -> None:
    path = panel.user_data(user, "dns", f"{domain}.conf")
    lines = panel.disk.lines(path)

    def number(line: str) -> int:
        found = re.search(r"'(\d+)", line)
        return int(found.group(1)) if found else 0

    panel.disk.replace(path, "".join(line + "\n" for line in sorted(lines, key=number)))


def _text(value: str) -> str:
    """A TXT value as it stands in the zone: in pieces of 255 characters when it is longer."""
    value = value.replace("%quote%", "'")
    if len(value) <= 255 or '" "' in value or '""' in value:
        return value
    if value.startswith('"'):
        value = value[1:-1]
    return "".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))


def render(zone: Record, records: list[Record]) -> str:
    """The zone file."""
    name, indent = to_ascii(zone["DOMAIN"]), " " * 44
    retry = "1800" if name.rpartition(".")[2] in ("de", "cz", "pl", "pt") else "3600"
    numbers = "\n".join(indent + each for each in (zone.get("SERIAL", ""), "7200", retry, "1209600", "180 )"))
    head = f"$TTL {zone.get('TTL', '')}\n@    IN    SOA    {zone.get('SOA', '')}.    root.{name}. (\n{numbers}\n\n"
    lines = []
    for record in records:
        if record.get("SUSPENDED") == "yes":
            continue
        kind, value = record.get("TYPE", ""), record.get("VALUE", "")
        if kind in ("CNAME", "MX"):
            value = to_ascii(value)
        value = _text(value) if kind == "TXT" else value.replace("%quote%", "'")
        row = (to_ascii(record.get("RECORD", "")), record.get("TTL") or zone.get("TTL", ""), "IN", kind)
        lines.append("\t".join((*row, record.get("PRIORITY", ""), value)) + "\n")
    return head + "".join(lines)


def rebuild(panel: Panel, user: str, domain: str) -> int:
    """Write the zone file, put the zone into named.conf, have named read it; the number of records.

    The *last row's* SUSPENDED decides whether the zone is served.
    """
    zone = panel.zones(user).find(domain) or {"DOMAIN": domain}
    sort_records(panel, user, domain)
    records = [parse(line) for line in panel.disk.lines(panel.user_data(user, "dns", f"{domain}.conf"))]
    panel.disk.write(zone_path(panel, user, domain), render(zone, records), 0o640)
    panel.point("zone-file", 0.7)
    suspended = (records[-1] if records else zone).get("SUSPENDED") == "yes"
    if not suspended:
        nameserver.drop_line(panel, user, domain)
        panel.point("zone-line")
        nameserver.add_line(panel, user, domain)
    panel.zones(user).update(domain, {"RECORDS": str(len(records))})
    nameserver.publish(panel, to_ascii(domain))
    return len(records)
