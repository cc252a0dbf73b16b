# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The resources of a server as they are looked at when there are hundreds and nothing changes meanwhile.

What one look costs with a process, or with a walk over all accounts, is done once for all of them here: what was read
stays known, who owns a domain is looked up, keys are read without openssl, and one dig asks for many zones.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Callable, Optional, TypeVar

from ansible.module_utils.hestia_certificate import TlsState, WebCertificate
from ansible.module_utils.hestia_conf import read_records, read_text
from ansible.module_utils.hestia_der import certificate, rsa_public_key
from ansible.module_utils.hestia_dns import Answer, DnsZone, Question, ZoneState, ask
from ansible.module_utils.hestia_lock import LOCK_FILE, LockBusy, ServerLock
from ansible.module_utils.hestia_mail import MailDomain
from ansible.module_utils.hestia_panel import Panel, PanelError, exists
from ansible.module_utils.hestia_users import User, named_conf
from ansible.module_utils.hestia_web import WebDomain

T = TypeVar("T")
LONGEST_CHANGE = 60.0
"""Seconds to wait for a change that is under way."""
QUESTIONS_AT_ONCE = 800
"""To one dig, unless a single zone has more."""


class StillPanel(Panel):
    """A panel on which nothing changes while it is looked at: what was read once is not read again."""

    def __init__(self) -> None:
        super().__init__(check_mode=True)
        self._known: dict[tuple[str, ...], Any] = {}
        self._to_ask: deque[StillZone] = deque()
        self._said: dict[StillZone, str] = {}
        """What dig said for each zone."""
        self._silent: Optional[PanelError] = None

    def once(self, key: tuple[str, ...], read: Callable[[], T]) -> T:
        """What `read` gave the first time."""
        if key not in self._known:
            self._known[key] = read()
        found: T = self._known[key]
        return found

    def users(self) -> list[str]:
        return self.once(("users",), super().users)

    def listed_users(self) -> list[str]:
        return self.once(("listed",), super().listed_users)

    def user_conf(self, user: str) -> dict[str, str]:
        read = super().user_conf
        return self.once(("user", user), lambda: read(user))

    def records(self, user: str, kind: str) -> list[dict[str, str]]:
        read = super().records
        return self.once(("records", user, kind), lambda: read(user, kind))

    def other_owner(self, kind: str, names: Iterable[str], user: str) -> str:
        """The first other account that has one of these names, "" if there is none."""
        owners = self.once(("owners", kind), lambda: self._owners(kind))
        others = {owner for name in names for owner in owners.get(name, ()) if owner != user}
        return min(others, default="")

    def _owners(self, kind: str) -> dict[str, set[str]]:
        owners: dict[str, set[str]] = {}
        for user in self.users():
            for line in self.records(user, kind):
                names = [line.get("DOMAIN", "")]
                if kind == "web":
                    names += line.get("ALIAS", "").split(",")
                for name in names:
                    owners.setdefault(name, set()).add(user)
        return owners

    def named_zones(self) -> Counter[str]:
        """How often named.conf names each zone."""
        return self.once(("named", "zones"), lambda: self._named(r'^\s*zone\s+"([^"]*)"'))

    def named_files(self) -> Counter[str]:
        """How often named.conf names each zone file: `/USER/conf/dns/DOMAIN.db`."""
        return self.once(("named", "files"), lambda: self._named(r'(/[^/"\s]+/conf/dns/[^/"\s]+\.db)"'))

    def _named(self, pattern: str) -> Counter[str]:
        return Counter(re.findall(pattern, self.named_text(), re.MULTILINE))

    def named_text(self) -> str:
        """named.conf, "" if there is none."""
        return self.once(("named", "text"), lambda: read_text(named_conf(self)))

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """While no change of ours runs on the server. Raises PanelError when one goes on for too long."""
        folders = [self.path("run", "lock"), self.path("var", "lock")]
        if not any(exists(os.path.join(folder, LOCK_FILE)) for folder in folders):
            # Nobody has ever changed anything here, and nothing is to be left behind.
            yield
            return
        try:
            with ServerLock(folders, LONGEST_CHANGE):
                yield
        except LockBusy:
            raise PanelError("the server was being changed all the time", error_class="busy") from None

    # Asking for zones

    def will_ask(self, zone: StillZone) -> None:
        """Let the question for a zone wait until one of them has to be answered."""
        self._to_ask.append(zone)

    def said_of(self, zone: StillZone) -> str:
        """What the server's own nameserver says about a zone. Raises PanelError when it says nothing in time."""
        if zone not in self._said:
            if zone in self._to_ask:
                self._to_ask.remove(zone)
            wanted = {zone: zone.questions_now()}
            while self._to_ask and sum(map(len, wanted.values())) < QUESTIONS_AT_ONCE:
                other = self._to_ask.popleft()
                wanted[other] = other.questions_now()
            self._ask(wanted)
        return self._said[zone]

    def _ask(self, wanted: dict[StillZone, list[Question]]) -> None:
        if self._silent is not None:
            raise self._silent
        try:
            said = ask(self, list(dict.fromkeys(chain(*wanted.values()))), "+question", "+keepopen")
        except PanelError as error:
            # It would let the others wait as long, one after another.
            self._silent = error
            raise
        blocks: dict[Question, str] = {}
        for block in said.split(";; Got answer:")[1:]:
            asked = re.search(r"^;(\S+)\s+IN\s+(\S+)$", block, re.MULTILINE)
            if asked:
                blocks[asked.group(1).lower(), asked.group(2)] = block
        for zone, questions in wanted.items():
            self._said[zone] = "".join(blocks[question] for question in questions if question in blocks)


class StillUser(User):
    panel: StillPanel

    def _users_are_counted(self) -> bool:
        return self.panel.once(("counted",), super()._users_are_counted)

    def _passwd_lines(self) -> list[list[str]]:
        return self.panel.once(("passwd",), super()._passwd_lines)

    def _jailed_users(self) -> Optional[frozenset[str]]:
        return self.panel.once(("jail",), super()._jailed_users)

    def _zone_lines(self, zones: list[str]) -> dict[str, int]:
        files = self.panel.named_files()
        if not self.panel.named_text():
            return {}
        return {zone: files[f"/{self.name}/conf/dns/{zone}.db"] for zone in zones}


class StillWebDomain(WebDomain):
    panel: StillPanel

    def _other_owner(self) -> str:
        return self.panel.other_owner("web", [self.domain], self.user)

    def _addresses(self) -> dict[str, dict[str, str]]:
        return self.panel.once(("addresses",), super()._addresses)

    def _address(self, ip: str) -> dict[str, str]:
        return self._addresses().get(self._local_ip(ip), {})


class StillCertificate(WebCertificate):
    def _read_certificate(self, state: TlsState) -> None:
        found = certificate(read_text(self._stored("crt")))
        public = rsa_public_key(read_text(self._stored("key")))
        if found is None or public is None:
            super()._read_certificate(state)
            return
        state.subject, state.issuer = found.subject.hex(), found.issuer.hex()
        state.not_after = found.not_after
        state.key_fits = public == found.public_key


class StillMailDomain(MailDomain):
    panel: StillPanel

    def _other_owner(self) -> str:
        return self.panel.other_owner("mail", [self.domain], self.user)

    def _public_key(self, path: str) -> str:
        public = rsa_public_key(read_text(path))
        return super()._public_key(path) if public is None else base64.b64encode(public).decode("ascii")

    def facts(self, state: Any) -> dict[str, Any]:
        """Nobody asks for them here, and they cost a process."""
        return {}


class StillZone(DnsZone):
    panel: StillPanel

    def __init__(self, panel: StillPanel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self._wanted: Optional[frozenset[Answer]] = None
        panel.will_ask(self)

    def _other_owner(self) -> str:
        return self.panel.other_owner("dns", self._names_above(), self.user)

    def _named_lines(self) -> int:
        return self.panel.named_zones()[self.domain]

    def _own_named_lines(self) -> int:
        return self.panel.named_files()[f"/{self.user}/conf/dns/{self.domain}.db"]

    def _wanted_set(self) -> frozenset[Answer]:
        if self._wanted is None:
            self._wanted = super()._wanted_set()
        return self._wanted

    def questions_now(self) -> list[Question]:
        """For what is wished and what is recorded. What cannot be read is told when its turn comes."""
        rows: list[dict[str, str]] = []
        with contextlib.suppress(OSError):
            rows = read_records(self._rows_path)
        return self.questions(rows)

    def _ask_server(self, state: ZoneState) -> None:
        self.take_answers(state, self.panel.said_of(self))
