# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A zone of PowerDNS: looked at, brought to what is wanted in one call that does all or nothing, looked at again.

Values are checked and compared by the same rules as a zone of the panel, and the SOA is the one that the panel writes,
so that nameservers of both kinds give the same answers.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils import hestia_zone as zones
from ansible.module_utils.hestia_panel import PanelError
from ansible.module_utils.powerdns import ACCESS, Api, ApiError

_TRIES = 3
_TIMERS = ("7200", "3600", "1209600", "180")
"""Refresh, retry, expire and negative caching time as the panel writes them."""
_OWN_KINDS = ("Native", "Master", "Primary")

Key = tuple[str, str]

OPTIONS: dict[str, dict[str, Any]] = {
    **ACCESS,
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
    "account": {"type": "str", "default": "hestia-fleet"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
"""The argument spec of module powerdns_zone."""


@dataclass
class RecordSet:
    """All records of one name and type. ``contents`` are PowerDNS's words, ``meaning`` tells equal ones."""

    ttl: int
    contents: list[str] = field(default_factory=list)
    meaning: set[str] = field(default_factory=set)
    whole: bool = True
    """Whether every record of it is published and there once."""

    def same(self, other: Optional[RecordSet]) -> bool:
        return other is not None and (self.ttl, self.meaning, self.whole) == (other.ttl, other.meaning, other.whole)


@dataclass
class ZoneState:
    """What PowerDNS has."""

    kind: str
    account: str
    serial: int
    soa: list[str]
    """Primary, hostmaster and timers."""
    soa_ttl: int
    sets: dict[Key, RecordSet]

    @property
    def primary(self) -> str:
        return self.soa[0].rstrip(".") if self.soa else ""


class Zone:
    """The zone that is wanted."""

    def __init__(self, api: Api, params: dict[str, Any]) -> None:
        self.api = api
        self.domain = check.domain("domain", params["domain"])
        self.absent = params["state"] == "absent"
        self.account = check.text("account", params["account"])
        if len(self.account) > 40:
            raise check.bad("account", "is longer than 40 characters")
        self.ttl = check.number("ttl", params["ttl"], 1, 2147483647)
        self.records = [] if self.absent else zones.wanted_records(params["records"] or [], self.domain, self.ttl)
        self.primary = self._primary(params["soa"])
        self.words: dict[Key, str] = {}
        """Data of the wished records by type and meaning."""
        self.sets = self._wanted_sets()

    def _primary(self, given: Optional[str]) -> str:
        if self.absent:
            return ""
        if given:
            return check.domain("soa", given.rstrip("."))
        hosts = [record.value.rstrip(".") for record in self.records if record.type == "NS" and record.name == "@"]
        if not hosts:
            raise check.bad("records", "the zone has no NS record of its own and no soa is given")
        return hosts[0]

    def _wanted_sets(self) -> dict[Key, RecordSet]:
        sets: dict[Key, RecordSet] = {}
        for record in self.records:
            name, kind, ttl, meaning = zones.canonical(record, self.domain, self.ttl)
            wanted = sets.setdefault((name, kind), RecordSet(ttl))
            wanted.contents.append(_ascii(record.rdata))
            wanted.meaning.add(meaning)
            self.words[kind, meaning] = record.rdata
        return sets

    @property
    def path(self) -> str:
        return f"/zones/{self.domain}."

    @property
    def _soa(self) -> list[str]:
        return [f"{self.primary}.", f"root.{self.domain}.", *_TIMERS]

    # Look

    def look(self) -> Optional[ZoneState]:
        found = self.api.find(self.path)
        if found is None:
            return None
        state = ZoneState(str(found.get("kind", "")), str(found.get("account", "")), 0, [], 0, {})
        for item in found.get("rrsets", []):
            name, kind, records = str(item["name"]).lower(), str(item["type"]), item["records"]
            if not records:
                continue
            if kind == "SOA":
                fields = str(records[0]["content"]).lower().split()
                state.serial = int(fields.pop(2)) if len(fields) == 7 and fields[2].isdigit() else 0
                state.soa, state.soa_ttl = fields, int(item["ttl"])
                continue
            contents = [str(record["content"]) for record in records]
            meaning = {zones.canonical_rdata(kind, content, self.domain) for content in contents}
            whole = len(meaning) == len(contents) and not any(record.get("disabled") for record in records)
            state.sets[name, kind] = RecordSet(int(item["ttl"]), contents, meaning, whole)
        return state

    # Compare

    def _changed_sets(self, state: ZoneState) -> tuple[list[Key], list[Key]]:
        """Sets to delete and sets to write."""
        gone = [key for key in state.sets if key not in self.sets]
        new = [key for key, wanted in self.sets.items() if not wanted.same(state.sets.get(key))]
        return gone, new

    def is_right(self, state: Optional[ZoneState]) -> bool:
        if self.absent:
            return state is None or not self._own(state)
        if state is None:
            return False
        return (state.soa, state.soa_ttl) == (self._soa, self.ttl) and self._changed_sets(state) == ([], [])

    def _own(self, state: ZoneState) -> bool:
        return not self.account or state.account == self.account

    def refuse_foreign(self, state: Optional[ZoneState]) -> None:
        """What somebody else keeps on this nameserver is not ours to write over."""
        if self.absent or state is None:
            return
        if not self._own(state):
            raise PanelError(
                f"{self.domain} is on this nameserver already, with account {state.account!r}; delete it there, or hand"
                f" it over with: pdnsutil set-account {self.domain} {self.account}",
                error_class="refused",
            )
        if state.kind not in _OWN_KINDS:
            raise PanelError(f"{self.domain} is a {state.kind.lower()} zone here", error_class="refused")

    # Act

    def act(self, state: Optional[ZoneState]) -> None:
        if state is None:
            self.api.call("POST", "/zones?rrsets=false", self._new_zone())
            self.api.actions.append("create zone")
        elif self.absent:
            self.api.call("DELETE", self.path)
            self.api.actions.append("delete zone")
        else:
            self.api.call("PATCH", self.path, {"rrsets": self._changes(state)})
            self.api.actions.append("change zone")

    def _new_zone(self) -> dict[str, Any]:
        sets = [self._set(*key) for key in self.sets]
        return {
            "name": f"{self.domain}.",
            "kind": "Native",
            "account": self.account,
            "soa_edit_api": "",
            "nameservers": [],
            "rrsets": [self._soa_set(0), *sets],
        }

    def _changes(self, state: ZoneState) -> list[dict[str, Any]]:
        """Deletions first, so that a CNAME can take the place of other records."""
        gone, new = self._changed_sets(state)
        deletions = [{"name": name, "type": kind, "changetype": "DELETE"} for name, kind in gone]
        return [*deletions, self._soa_set(state.serial), *(self._set(*key) for key in new)]

    def _set(self, name: str, kind: str) -> dict[str, Any]:
        wanted = self.sets[name, kind]
        return _rrset(name, kind, wanted.ttl, wanted.contents)

    def _soa_set(self, serial: int) -> dict[str, Any]:
        today = int(datetime.datetime.now().strftime("%Y%m%d01"))
        primary, hostmaster, *timers = self._soa
        content = " ".join([primary, hostmaster, str(_next_serial(serial, today)), *timers])
        return _rrset(f"{self.domain}.", "SOA", self.ttl, [content])

    # Report: the same words as for a zone of the panel

    def describe(self, state: Optional[ZoneState]) -> dict[str, Any]:
        if state is None or (self.absent and not self._own(state)):
            return {}
        lines = [
            f"{self._relative(name)} {item.ttl} {kind} {self._readable(kind, content)}"
            for (name, kind), item in state.sets.items()
            for content in item.contents
        ]
        return {"zone": self.domain, "soa": state.primary, "ttl": state.soa_ttl, "records": sorted(lines)}

    def wanted(self) -> dict[str, Any]:
        if self.absent:
            return {}
        lines = [
            f"{item.name} {self.ttl if item.ttl is None else item.ttl} {item.type} {item.rdata}"
            for item in self.records
        ]
        return {"zone": self.domain, "soa": self.primary, "ttl": self.ttl, "records": sorted(lines)}

    def _readable(self, kind: str, content: str) -> str:
        """A record's data as it was wished, if it means the same."""
        wished = self.words.get((kind, zones.canonical_rdata(kind, content, self.domain)))
        if wished is None and kind in ("TXT", "SPF"):
            return zones.quote_text(zones.unquote_text(content).decode("utf-8", "replace"))
        return content if wished is None else wished

    def _relative(self, name: str) -> str:
        return "@" if name == f"{self.domain}." else name.removesuffix(f".{self.domain}.")

    def facts(self, state: Optional[ZoneState]) -> dict[str, Any]:
        if self.absent or state is None:
            return {}
        return {"serial": str(state.serial), "records": len(self.records)}


def bring(zone: Zone, check_mode: bool) -> dict[str, Any]:
    """Bring the zone to what is wanted; returns the module's result."""
    state = zone.look()
    zone.refuse_foreign(state)
    before = zone.describe(state)
    changed = not zone.is_right(state)
    if check_mode:
        after = zone.wanted() if changed else before
        if changed and before == after:
            # What differs is nothing that these words tell (a timer of the SOA, say).
            before = {**before, "needs": "write zone"}
        return _result(zone, changed, state, before, after)
    for _ in range(_TRIES):
        if zone.is_right(state):
            return _result(zone, changed, state, before, zone.describe(state))
        try:
            zone.act(state)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            # Somebody else made or deleted it in between; a server that is not there at all says so on every call.
            state = zone.look()
            if state is None and not zone.absent and error.status == 404:
                raise
            continue
        state = zone.look()
    if not zone.is_right(state):
        raise PanelError(f"{zone.domain}: written, but it is still not as wanted", error_class="inconsistent")
    return _result(zone, changed, state, before, zone.describe(state))


def _result(
    zone: Zone, changed: bool, state: Optional[ZoneState], before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    return {
        "changed": changed,
        "facts": zone.facts(state),
        "actions": zone.api.actions,
        "repaired": [],
        "diff": {"before": before, "after": after},
    }


def _rrset(name: str, kind: str, ttl: int, contents: list[str]) -> dict[str, Any]:
    records = [{"content": content, "disabled": False} for content in contents]
    return {"name": name, "type": kind, "ttl": ttl, "changetype": "REPLACE", "records": records}


def _next_serial(old: int, today: int) -> int:
    """A serial after ``old``; after the last number comes 1 (RFC 1982)."""
    following = max(old + 1, today)
    return following if following < 1 << 32 else 1


def _ascii(text: str) -> str:
    """Zone file text in plain ASCII: other characters as the escaped bytes of their UTF-8."""
    return "".join(
        character
        if character.isascii()
        else "".join(f"\\{byte:03d}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in text
    )
