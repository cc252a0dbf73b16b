"""Telling a sandbox server to misbehave. What is set here, the panel's commands read when they start."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

#: Where a command can be made to die, hang or fail, besides ``start`` and ``end``; and what is there by then.
POINTS: dict[str, dict[str, str]] = {
    "v-add-user": {
        "system-user": "system account and home, nothing in the panel",
        "home": "the home's folders too",
        "data": "data folder without user.conf: taken, but not listed",
        "record": "user.conf; no SFTP jail, admin's U_USERS too low",
    },
    "v-delete-user": {
        "web": "web domains are gone",
        "dns": "zones too",
        "domains": "all domains are gone, the rest is there",
        "jail": "no longer in the SFTP jail",
        "system-user": "no system account; home and data folder stay",
        "data": "all gone, admin's U_USERS too high",
    },
    "v-suspend-user": {"domains": "domains suspended, the user not marked"},
    "v-unsuspend-user": {"record": "user marked active, domains still suspended"},
    "v-add-web-domain": {
        "directory": "the directory only: exit 4 for ever, not listed",
        "backend": "directory, skeleton and PHP pool",
        "vhost": "vhost files too",
        "counters": "counters raised, no record",
        "record": "all but the restart",
        "restart": "all made; fail here with 20",
    },
    "v-delete-web-domain": {
        "backend": "no PHP pool; still listed",
        "record": "not listed; directory, conf and counters stay",
        "directory": "conf and counters stay",
        "counters": "all gone, no restart",
        "restart": "all gone; fail here with 20",
    },
    "v-change-web-domain-tpl": {"restart": "all made"},
    "v-change-web-domain-backend-tpl": {"backend": "new PHP pool, old record", "restart": "all made"},
    "v-change-web-domain-proxy-tpl": {"restart": "all made"},
    "v-add-web-domain-alias": {"vhost": "vhost files have it, the record does not", "restart": "all made"},
    "v-delete-web-domain-alias": {"restart": "all made"},
    "v-suspend-web-domain": {"vhost": "the site is off, the record says active", "restart": "all made"},
    "v-unsuspend-web-domain": {"vhost": "the site is on, the record says suspended", "restart": "all made"},
    "v-rebuild-web-domain": {"restart": "all made"},
    "v-add-web-domain-ssl": {
        "files": "certificate files, no TLS vhost",
        "counters": "vhost and counter, the record says no TLS",
        "restart": "all made",
    },
    "v-update-web-domain-ssl": {"restart": "all made"},
    "v-delete-web-domain-ssl": {"restart": "all made"},
    "v-add-web-domain-ssl-force": {"restart": "all made"},
    "v-delete-web-domain-ssl-force": {"restart": "all made"},
    "v-add-mail-domain": {
        "record": "listed; no key, no folders, no counters",
        "key": "the DKIM key too",
        "config": "exim's folders too; no webmail, no counters",
        "webmail": "all but counters",
        "counters": "all but the restart",
        "restart": "all made; fail here with 20",
    },
    "v-delete-mail-domain": {
        "config": "still listed, but its folders are gone",
        "webmail": "still listed, webmail is gone too",
        "record": "not listed; key files and counters stay",
        "restart": "still listed (the restart comes before the record goes)",
    },
    "v-suspend-mail-domain": {"webmail": "no mail any more, the record says active", "restart": "the same"},
    "v-unsuspend-mail-domain": {"record": "active without webmail", "restart": "all made"},
    "v-add-mail-domain-dkim": {"key": "key files, the record says no DKIM"},
    "v-add-mail-domain-webmail": {"record": "all made, not reloaded"},
    "v-add-mail-account": {"mailbox": "mailbox without a record", "record": "listed, counters too low"},
    "v-delete-mail-account": {"mailbox": "listed, its mail is gone"},
    "v-add-dns-domain": {
        "records": "records only: exit 4 for ever, not listed",
        "record": "listed, not served, no zone file",
        "zone-file": "zone file too, not in named.conf",
        "zone-line": "the same",
        "restart": "all made; fail here with 20",
    },
    "v-rebuild-dns-domain": {
        "record": "no longer in named.conf, old zone file",
        "zone-file": "new zone file, not in named.conf",
        "zone-line": "the same",
        "restart": "all made, counters set from this zone",
    },
    "v-delete-dns-domain": {
        "zone-line": "not served, no zone file, still listed",
        "record": "all gone but counters",
        "restart": "all gone",
    },
    **{
        name: {
            "record": "record and serial changed, the zone file not",
            "zone-file": "zone file written, named not told",
            "zone-line": "the zone is not in named.conf",
            "restart": "all made",
        }
        for name in (
            "v-add-dns-record",
            "v-change-dns-record",
            "v-delete-dns-record",
            "v-change-dns-domain-soa",
            "v-change-dns-domain-ttl",
            "v-change-dns-domain-ip",
        )
    },
    "v-suspend-dns-domain": {"zone-line": "not served after the next restart, the record says active"},
    "v-unsuspend-dns-domain": {"zone-line": "in named.conf, the record says suspended"},
    "v-change-sys-config-value": {"moved": "hestia.conf is away, its copy is there"},
    "v-change-sys-port": {
        "record": "the new label, the panel listens on the old port",
        "config": "all but the restart",
    },
    "v-change-sys-db-alias": {
        "record": "the new label, the web servers' includes are old",
        "apache-removed": "apache2 has no include any more",
        "nginx-removed": "nginx has no include any more",
    },
    "v-add-sys-cgroups": {"record": "the new label, no account is limited"},
    "v-delete-sys-cgroups": {"slices": "no account is limited, the old label"},
}
#: Commands that end with a restart, so that exit 20 means "done, only the restart failed".
RESTARTING = frozenset(name for name, points in POINTS.items() if "restart" in points)


class Faults:
    """The faults of one server; every change is written at once.

    ``pace``: share of the recorded time that commands take; 0 is as fast as possible.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _change(self, **changes: Any) -> None:
        with self._open() as file:
            data = json.loads(file.read() or "{}")
            rules = data.setdefault("rules", [])
            rules.extend(changes.pop("add", []))
            data.update(changes)
            file.seek(0)
            file.truncate()
            file.write(json.dumps(data, indent=1))

    def _open(self) -> Any:
        self.path.touch()
        file = self.path.open("r+", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def _read(self) -> dict[str, Any]:
        try:
            data: dict[str, Any] = json.loads(self.path.read_text() or "{}")
        except FileNotFoundError:
            data = {}
        return data

    @property
    def pace(self) -> float:
        return float(self._read().get("pace", 0.0))

    @pace.setter
    def pace(self, share: float) -> None:
        self._change(pace=share)

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Rules that still wait for their command."""
        return list(self._read().get("rules", []))

    def fail(
        self, command: str, exit_code: int, times: int = 1, message: str | None = None, at: str | None = None
    ) -> None:
        """The next ``times`` calls of ``command`` print ``message`` and end with ``exit_code``.

        ``at`` is the point where they end: the start (nothing done) by default; with exit code 20 after
        everything is made, as only a failed restart gives 20.
        """
        if at is None:
            at = "start" if exit_code != 20 else "restart" if command in RESTARTING else "end"
        if message is None:
            message = "" if exit_code == 20 else f"Error: refused by the sandbox (exit {exit_code})"
        self._add("fail", command, at, times, exit_code=exit_code, message=message)

    def die(self, command: str, at: str, times: int = 1) -> None:
        """The next ``times`` calls kill themselves (SIGKILL) at a point of ``POINTS``, ``start`` or ``end``."""
        self._add("die", command, at, times)

    def hang(self, command: str, seconds: float, times: int = 1, at: str = "start") -> None:
        """The next ``times`` calls stand still for ``seconds`` at a point, then go on."""
        self._add("hang", command, at, times, seconds=seconds)

    def full(self, on: bool = True) -> None:
        """Disk full: nothing more can be written, and the panel does not notice most of it."""
        self._change(full=on)

    def clear(self) -> None:
        """No faults, no pace."""
        self.path.unlink(missing_ok=True)

    def _add(self, do: str, command: str, at: str, times: int, **more: Any) -> None:
        if at not in ("start", "end") and at not in POINTS.get(command, {}):
            raise ValueError(f"{command} has no point {at!r}; it has start, end, {', '.join(POINTS.get(command, {}))}")
        self._change(add=[{"command": command, "do": do, "at": at, "times": times, **more}])
