# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A DNS zone, written as a whole: checked before anything is touched, proved afterwards by asking the server."""

from __future__ import annotations

import datetime
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils import hestia_zone as zones
from ansible.module_utils.hestia_conf import format_pairs, read_records, read_text, replace_text
from ansible.module_utils.hestia_converge import Step, Subject
from ansible.module_utils.hestia_panel import Panel, PanelError, exists
from ansible.module_utils.hestia_users import named_conf

_RELOAD_SECONDS = 6.0
_SAFE = re.compile(r"[A-Za-z0-9.,:+_-]*")

Answer = tuple[str, str, int, str]
Question = tuple[str, str]


OPTIONS: dict[str, dict[str, Any]] = {
    "user": {"type": "str", "required": True},
    "domain": {"type": "str", "required": True},
    "records": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "required": True},
            "value": {"type": "str", "required": True},
            "ttl": {"type": "int"},
            "priority": {"type": "int"},
        },
    },
    "ttl": {"type": "int", "default": 14400},
    "soa": {"type": "str"},
    "ip": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
"""The argument spec of module hestia_dns_zone."""


@dataclass
class ZoneState:
    user: dict[str, str] = field(default_factory=dict)
    record: dict[str, str] = field(default_factory=dict)
    records: int = 0
    rows: list[dict[str, str]] = field(default_factory=list)
    owner: str = ""
    """Another account that has the zone, or the domain above it."""
    named_lines: int = 0
    file: Optional[zones.ZoneFile] = None
    file_there: bool = False
    rows_there: bool = False
    served: frozenset[Answer] = frozenset()
    authoritative: bool = False
    counted: bool = True

    @property
    def user_suspended(self) -> bool:
        return self.user.get("SUSPENDED") == "yes"

    @property
    def serial(self) -> str:
        return self.record.get("SERIAL", "")

    @property
    def ttl(self) -> int:
        ttl = self.record.get("TTL", "")
        return int(ttl) if ttl.isdigit() else 0


class DnsZone(Subject[ZoneState]):
    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.user = check.user("user", params["user"])
        self.domain = check.domain("domain", params["domain"])
        self.absent = params["state"] == "absent"
        self.ttl = check.number("ttl", params["ttl"], 1, 2147483647)
        self.records = [] if self.absent else zones.wanted_records(params["records"] or [], self.domain, self.ttl)
        self.primary = self._primary(params["soa"])
        self.ip = check.ipv4("ip", params["ip"]) if params["ip"] else None
        self._counted = False
        self.owes = ("dns", f"counters:{self.user}")
        self._checked = False
        self._wait = False

    def _primary(self, given: Optional[str]) -> str:
        if given:
            return check.domain("soa", given.rstrip("."))
        hosts = [record.value.rstrip(".") for record in self.records if record.type == "NS" and record.name == "@"]
        return hosts[0] if hosts else ""

    # Look

    def look(self) -> ZoneState:
        user = self.panel.user_conf(self.user)
        if not user and not self.absent:
            self.panel.require_user(self.user)
        lines = [line for line in self.panel.records(self.user, "dns") if line.get("DOMAIN") == self.domain]
        state = ZoneState(
            user=user,
            record=lines[0] if lines else {},
            records=len(lines),
            rows=read_records(self._rows_path),
            rows_there=exists(self._rows_path),
            owner=self._other_owner(),
            named_lines=self._named_lines(),
            file=zones.parse_zone_file(read_text(self._zone_path), self.domain),
            file_there=exists(self._zone_path),
        )
        if self._wait:
            self._wait_for_server(state)
            self._wait = False
        else:
            self._ask_server(state)
        if user:
            state.counted = user.get("U_DNS_DOMAINS", "0") == str(len(self.panel.records(self.user, "dns")))
        return state

    @property
    def _rows_path(self) -> str:
        return self.panel.user_data(self.user, "dns", f"{self.domain}.conf")

    @property
    def _zone_path(self) -> str:
        return self.panel.home(self.user, "conf", "dns", f"{self.domain}.db")

    def _named_lines(self) -> int:
        named = read_text(named_conf(self.panel))
        return len(re.findall(rf'^\s*zone\s+"{re.escape(self.domain)}"', named, re.MULTILINE))

    def _names_above(self) -> set[str]:
        """The panel's own rule, which the way we write zones goes around: no zone below another account's domain."""
        if self.panel.conf.get("ENFORCE_SUBDOMAIN_OWNERSHIP") != "yes":
            return {self.domain}
        above = self.domain.split(".")
        return {".".join(above[start:]) for start in range(len(above) - 1)}

    def _other_owner(self) -> str:
        names = self._names_above()
        for user in self.panel.users():
            if user == self.user:
                continue
            if names & {line.get("DOMAIN", "") for line in self.panel.records(user, "dns")}:
                return user
        return ""

    def questions(self, rows: list[dict[str, str]]) -> list[Question]:
        """One for the SOA and one for every set of records, wanted or recorded; absolute name and type."""
        names = {(record.name, record.type) for record in self.records}
        names |= {(row.get("RECORD", "@").lower(), row.get("TYPE", "A")) for row in rows}
        return [
            (f"{self.domain}.", "SOA"),
            *((zones.absolute(name, self.domain), kind) for name, kind in sorted(names)),
        ]

    def _ask_server(self, state: ZoneState) -> None:
        self.take_answers(state, ask(self.panel, self.questions(state.rows)))

    def take_answers(self, state: ZoneState, said: str) -> None:
        """What dig said to these questions."""
        first = said.partition("AUTHORITY SECTION")[0]
        state.authoritative = bool(re.search(r"^;; flags:[^;]*\baa\b", first, re.MULTILINE))
        state.served = zones.parse_answers(said, self.domain)

    def _wait_for_server(self, state: ZoneState) -> None:
        deadline = time.monotonic() + _RELOAD_SECONDS
        pause = 0.02
        while True:
            self._ask_server(state)
            if self._served_right(state) or time.monotonic() > deadline:
                return
            time.sleep(pause)
            pause = min(0.5, pause * 1.6)

    # Compare

    def _wanted_set(self) -> frozenset[Answer]:
        return zones.canonical_set(self.records, self.domain, self.ttl)

    def _data_right(self, state: ZoneState) -> bool:
        record = state.record
        return (
            state.records == 1
            and record.get("SOA", "").rstrip(".").lower() == self.primary
            and record.get("TTL") == str(self.ttl)
            and (self.ip is None or record.get("IP") == self.ip)
            and self._rows_right(state)
        )

    def _rows_right(self, state: ZoneState) -> bool:
        recorded = [zones.canonical(zones.record_of_row(row), self.domain, state.ttl) for row in state.rows]
        return len(recorded) == len(self.records) and frozenset(recorded) == self._wanted_set()

    def _active(self, state: ZoneState) -> bool:
        return state.record.get("SUSPENDED") != "yes" and all(row.get("SUSPENDED") == "no" for row in state.rows)

    def _file_right(self, state: ZoneState) -> bool:
        return (
            state.file is not None and state.file.primary == self.primary and state.file.records == self._wanted_set()
        )

    def _served_right(self, state: ZoneState) -> bool:
        if self.absent:
            return not state.authoritative
        serials = {answer[3] for answer in state.served if answer[1] == "SOA" and answer[0] == f"{self.domain}."}
        dnssec = state.record.get("DNSSEC") == "yes"
        expected = f"{self.primary}. {state.serial}"
        if not serials or (serials != {expected} and not dnssec):
            return False
        answered = {answer for answer in state.served if answer[1] != "SOA"}
        hidden = [record for record in self.records if self._below_delegation(record)]
        wanted = self._wanted_set() - zones.canonical_set(hidden, self.domain, self.ttl)
        missing = wanted - answered
        asked = {(zones.absolute(row.get("RECORD", "@"), self.domain), row.get("TYPE", "")) for row in state.rows}
        asked |= {(name, kind) for name, kind, _, _ in wanted}
        extra = {answer for answer in answered - wanted if (answer[0], answer[1]) in asked}
        return not missing and not (extra - zones.canonical_set(hidden, self.domain, self.ttl))

    def _below_delegation(self, record: zones.Record) -> bool:
        """Whether the server answers a question for this record with a referral: glue, or what a delegation hides."""
        cuts = {item.name for item in self.records if item.type == "NS" and item.name != "@"}
        if record.name in cuts:
            return record.type not in ("NS", "DS")
        return any(record.name.endswith(f".{cut}") for cut in cuts)

    # Decide

    def next_step(self, state: ZoneState) -> Optional[Step]:
        if self.absent:
            return self._next_to_absence(state)
        if state.owner:
            raise PanelError(f"{self.domain} belongs to account {state.owner} on this server", error_class="refused")
        if state.record.get("SLAVE") == "yes":
            raise PanelError(f"{self.domain} is a secondary zone here", error_class="refused")
        right = self._data_right(state)
        if state.user_suspended:
            if right:
                return None
            raise PanelError(f"account {self.user} is suspended: its zones are not published", error_class="refused")
        self._check_before_writing(state)
        if not right or not self._active(state):
            half = "half-written zone" if state.rows and not state.record else ""
            return Step("write zone", lambda: self._write(state), half)
        if state.file and state.file.serial == state.serial and not self._file_right(state):
            return Step("write zone", lambda: self._write(state), "zone file that differs from the records")
        if not self._file_right(state) or state.file is None or state.file.serial != state.serial:
            return Step("rebuild zone", self._rebuild, "zone file")
        if state.named_lines != 1:
            return Step("rebuild zone", self._rebuild, f"{state.named_lines} lines for the zone in named.conf")
        if not self._served_right(state):
            return Step("reload zone", lambda: self._reload(state), "zone that was not served as recorded", tries=3)
        return self._next_to_counters(state)

    def _count(self) -> None:
        # Once: should the panel count in another way than we do, it is right.
        self._counted = True
        self.panel.update_counters(self.user)

    def _next_to_counters(self, state: ZoneState) -> Optional[Step]:
        if state.counted or self._counted:
            return None
        return Step("count", self._count, "counters")

    def _next_to_absence(self, state: ZoneState) -> Optional[Step]:
        if state.record:
            return Step("delete zone", self._delete, tries=3)
        if state.rows_there or state.file_there or self._own_named_lines():
            return Step("clear leftovers", self._clear, "half-deleted zone")
        if state.authoritative and not state.owner and not state.named_lines:
            self._wait = True
            return Step("reload", lambda: self.panel.reload("dns"), "zone that was still served")
        return self._next_to_counters(state) if state.user else None

    def _own_named_lines(self) -> int:
        return read_text(named_conf(self.panel)).count(f'/{self.user}/conf/dns/{self.domain}.db"')

    # Check

    def _check_before_writing(self, state: ZoneState) -> None:
        """named-checkzone on the text that the panel will make of it; also for a set that is written already."""
        if self._checked or (self._data_right(state) and self._file_right(state)):
            return
        if not self.primary:
            raise check.bad("records", "the zone has no NS record of its own and no soa is given")
        self._check_limits(state)
        text = zones.render_zone(self.records, self.domain, self.ttl, self.primary, "1")
        line = ["-i", "local", "-k", "fail", self.domain, "/dev/stdin"]
        checked = self.panel.tool("named-checkzone", *line, stdin=text)
        if checked.returncode:
            raise self._complaint(checked.stdout + checked.stderr)
        self._checked = True

    def _complaint(self, said: str) -> PanelError:
        lines = [line for line in said.splitlines() if line.strip() and "not loaded due to errors" not in line]
        for line in lines:
            found = re.search(r":(\d+): (.*)", line)
            number = int(found.group(1)) - zones.FIRST_LINE if found else -1
            if found and 0 <= number < len(self.records):
                return check.bad("records", f"{self.records[number].label()}: {found.group(2)}")
        reason = lines[0].partition(": ")[2] or lines[0] if lines else "named-checkzone refuses the zone"
        return check.bad("records", reason)

    def _check_limits(self, state: ZoneState) -> None:
        """The package's limits, which the way we write zones goes around."""
        zones_there = len(self.panel.records(self.user, "dns"))
        for key, used in (("DNS_DOMAINS", zones_there + (not state.record)), ("DNS_RECORDS", len(self.records))):
            limit = state.user.get(key, "unlimited")
            if limit.isdigit() and used > int(limit):
                raise PanelError(f"{key} limit of account {self.user} is reached ({limit})", error_class="no_room")

    # Act

    def _write(self, state: ZoneState) -> None:
        now = datetime.datetime.now()
        known = max(
            [state.serial, state.file.serial if state.file else ""], key=lambda text: int(text) if text.isdigit() else 0
        )
        serial = zones.next_serial(known, now.strftime("%Y%m%d"))
        if serial is None:
            raise PanelError(
                f"zone {self.domain} was written 95 times today; the next change is possible tomorrow",
                error_class="no_room",
            )
        rows = zones.rows_of_records(
            self.records, state.rows, self.domain, self.ttl, now.strftime("%H:%M:%S"), now.strftime("%Y-%m-%d")
        )
        line = format_pairs(self._zone_line(state, serial, len(rows), now))
        text = "".join(format_pairs(row) + "\n" for row in rows)
        self.panel.must("v-insert-dns-domain", self.user, line, "", "domain", owes=self.owes)
        # The panel moves the file, so it gets the owner and mode that we give it.
        with self.panel.temporary_file(text, ".rows") as path:
            self.panel.must("v-insert-dns-records", self.user, self.domain, path, owes=self.owes)
        self._rebuild()

    def _zone_line(self, state: ZoneState, serial: str, rows: int, now: datetime.datetime) -> dict[str, str]:
        old = {key: value for key, value in state.record.items() if _SAFE.fullmatch(value)}
        year_later = (now + datetime.timedelta(days=365)).strftime("%Y-%m-%d")
        return {
            "DOMAIN": self.domain,
            "IP": self.ip or old.get("IP") or self._default_ip(),
            "TPL": old.get("TPL") or "default",
            "TTL": str(self.ttl),
            "EXP": old.get("EXP") or year_later,
            "SOA": self.primary,
            "SERIAL": serial,
            "RECORDS": str(rows),
            "DNSSEC": old.get("DNSSEC") or "no",
            "KEY": old.get("KEY", ""),
            "SLAVE": "no",
            "MASTER": "",
            "SUSPENDED": "no",
        }

    def _default_ip(self) -> str:
        addresses = [record.value for record in self.records if record.type == "A"]
        own = [record.value for record in self.records if record.type == "A" and record.name == "@"]
        return (own or addresses or ["127.0.0.1"])[0]

    def _rebuild(self) -> None:
        self._wait = True
        ended = self.panel.run(
            "v-rebuild-dns-domain", self.user, self.domain, self.panel.reload_argument(), "no", owes=self.owes
        )
        # It has set the account's counters from this zone alone.
        self.panel.must("v-update-user-counters", self.user)
        if ended.code:
            raise ended.error()

    def _reload(self, state: ZoneState) -> None:
        self._wait = True
        if state.authoritative:
            self._rebuild()
        else:
            self.panel.reload("dns")

    def _delete(self) -> None:
        self._wait = True
        self.panel.must("v-delete-dns-domain", self.user, self.domain, self.panel.reload_argument(), owes=self.owes)

    def _clear(self) -> None:
        self._wait = True
        path = named_conf(self.panel)
        lines = read_text(path).splitlines(True)
        kept = [line for line in lines if f'/{self.user}/conf/dns/{self.domain}.db"' not in line]
        if kept != lines:
            replace_text(path, "".join(kept))
        for leftover in (self._rows_path, self._zone_path):
            if exists(leftover):
                os.unlink(leftover)
        self.panel.reload("dns")
        self.panel.pending.add(f"counters:{self.user}")

    def prove(self, state: ZoneState) -> ZoneState:
        if not self._served_right(state) and not (state.user_suspended or state.owner):
            raise PanelError(f"the DNS server does not answer for {self.domain} as written", error_class="inconsistent")
        return state

    # Report

    def describe(self, state: ZoneState) -> dict[str, Any]:
        if not state.record:
            return {}
        rows = [zones.record_of_row(row) for row in state.rows]
        return {
            "zone": self.domain,
            "soa": state.record.get("SOA", ""),
            "ttl": state.ttl,
            "records": _lines(rows, state.ttl),
            **({"state": "suspended"} if not self._active(state) else {}),
        }

    def wanted(self, state: ZoneState) -> dict[str, Any]:
        if self.absent:
            return {}
        return {"zone": self.domain, "soa": self.primary, "ttl": self.ttl, "records": _lines(self.records, self.ttl)}

    def facts(self, state: ZoneState) -> dict[str, Any]:
        return {} if self.absent else {"serial": state.serial, "records": len(self.records)}


def _lines(records: list[zones.Record], ttl: int) -> list[str]:
    return sorted(f"{item.name} {ttl if item.ttl is None else item.ttl} {item.type} {item.rdata}" for item in records)


def ask(panel: Panel, questions: list[Question], *options: str) -> str:
    """What the server's own name server says, asked by one dig process."""
    address, port = dns_address(panel)
    line = [f"@{address}", "-p", port, "+norecurse", "+tcp", "+noall", "+answer", "+authority", "+comments"]
    line += ["+nocookie", "+time=2", "+tries=1", *options]
    return panel.tool("dig", *line, *(word for question in questions for word in question), timeout=60.0).stdout


def dns_address(panel: Panel) -> tuple[str, str]:
    """Where the server's own name server listens: from `listen-on port N { A; }`, else 127.0.0.1 port 53."""
    folder = os.path.dirname(named_conf(panel))
    for name in ("named.conf", "named.conf.options"):
        text = re.sub(r"//.*|#.*|/\*.*?\*/", "", read_text(os.path.join(folder, name)))
        found = re.search(r"\blisten-on\s+(?:port\s+(\d+)\s*)?\{\s*([^;}]*);", text)
        if found:
            address = found.group(2).strip()
            usable = re.fullmatch(r"[0-9.]+", address) is not None and address != "0.0.0.0"
            return (address if usable else "127.0.0.1"), found.group(1) or "53"
    return "127.0.0.1", "53"
