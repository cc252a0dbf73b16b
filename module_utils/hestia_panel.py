# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HestiaCP panel of the server a module runs on: where its things are, and how its commands are run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.hestia_conf import read_file, read_records, read_settings, read_text
from ansible.module_utils.hestia_lock import LockBusy, ServerLock, process_start, read_note, wait_for_session

_HOME = "/usr/local/hestia"
_DAY = 86400.0
_UNPACKED = re.compile(r"ansible_hestia_\w+_payload_\w+")
TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What the panel's exit codes mean, in words and to the caller (recordings of the panel; func/main.sh names them so).
# 4 (exists) and 20 (restart) never decide alone: see hestia_converge.
_EXITS = {
    1: ("wrong arguments", "bad_argument"),
    2: ("invalid value", "bad_argument"),
    3: ("does not exist", "not_found"),
    4: ("exists already", "refused"),
    5: ("is suspended", "refused"),
    6: ("is not suspended", "refused"),
    7: ("is in use", "refused"),
    8: ("limit reached", "no_room"),
    9: ("password not accepted", "bad_argument"),
    10: ("forbidden", "refused"),
    11: ("switched off", "refused"),
    12: ("could not be parsed", "refused"),
    13: ("not enough disk space", "no_room"),
    14: ("load too high", "busy"),
    15: ("no connection", "busy"),
    16: ("FTP error", "refused"),
    17: ("database error", "refused"),
    18: ("statistics error", "inconsistent"),
    19: ("update failed", "busy"),
    20: ("restart failed", "restart_failed"),
}
# The package manager's lock is held by somebody; whatever the exit code, it passes.
_LOCKED = ("could not get lock", "unable to acquire the dpkg", "unable to lock the administration directory")


# What can be reloaded, in the order to do it, and the panel's setting that tells whether the server has it.
RELOADS = {
    "web-backend": "WEB_BACKEND",
    "web": "WEB_SYSTEM",
    "proxy": "PROXY_SYSTEM",
    "dns": "DNS_SYSTEM",
    "mail": "MAIL_SYSTEM",
    "cron": "CRON_SYSTEM",
}


class PanelError(Exception):
    """A failure in plain words. `error_class` is one of the words the controller knows."""

    def __init__(
        self,
        message: str,
        *,
        error_class: str,
        command: str = "",
        exit_code: Optional[int] = None,
        output: str = "",
        details: Optional[dict[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_class = error_class
        self.command = command
        self.exit_code = exit_code
        self.output = output
        self.details = details or {}
        """What the module's result tells besides."""

    @property
    def half_done(self) -> bool:
        """Whether the command may have done its work all the same."""
        return self.exit_code is not None and half_done(self.exit_code)


def half_done(code: int) -> bool:
    """Whether a command that ended so may have stopped in the middle: killed, or all made but not reloaded."""
    return code < 0 or code >= 128 or code == 20


@dataclass(frozen=True)
class Finished:
    """A panel command that came to its end; a negative code is the signal that killed it."""

    command: str
    code: int
    output: str

    @property
    def half_done(self) -> bool:
        """Whether it may have stopped in the middle."""
        return half_done(self.code)

    def error(self) -> PanelError:
        lines = self.output.strip().splitlines()
        said = lines[0].replace("Error: ", "", 1) if lines else "it said nothing"
        if self.code < 0:
            message = f"{self.command} was killed by signal {-self.code}"
            error_class = "inconsistent"
        else:
            words, error_class = _EXITS.get(self.code, ("unknown exit code", "inconsistent"))
            message = f"{self.command} ended with {self.code} ({words}): {said}"
            if any(lock in self.output.lower() for lock in _LOCKED):
                error_class = "busy"
        return PanelError(
            message, error_class=error_class, command=self.command, exit_code=self.code, output=self.output
        )


class Panel:
    """Paths, files and commands of one panel. Knows what was run (`actions`) and repaired (`repaired`)."""

    def __init__(self, *, check_mode: bool = False, command_timeout: float = 300.0) -> None:
        self.home_dir = (os.environ.get("HESTIA") or _HOME).rstrip("/")
        self.prefix = self.home_dir[: -len(_HOME)] if self.home_dir.endswith(_HOME) else ""
        self.check_mode = check_mode
        self.command_timeout = command_timeout
        self.actions: list[str] = []
        self.repaired: list[str] = []
        self.pending: set[str] = set()
        """What a command that stopped half way still owes; kept in the lock's note until it is done."""
        self.unfinished: set[str] = set()
        """Settings whose command did not come to its end, so that what is seen of them tells too little; words of
        hestia_config. Kept in the lock's note, also by modules that do not care, until they have been finished."""
        self._lock: Optional[ServerLock] = None
        self._conf: Optional[dict[str, str]] = None

    # Paths

    def path(self, *parts: str) -> str:
        """A path of the server, below the prefix: path("etc", "passwd")."""
        return os.path.join(self.prefix or "/", *parts)

    def shown(self, path: str) -> str:
        """A path as the panel itself names it, without the prefix."""
        return path[len(self.prefix) :] if self.prefix and path.startswith(self.prefix) else path

    def data(self, *parts: str) -> str:
        return os.path.join(self.home_dir, "data", *parts)

    def user_data(self, user: str, *parts: str) -> str:
        return self.data("users", user, *parts)

    def home(self, user: str, *parts: str) -> str:
        return self.path("home", user, *parts)

    # Reading

    @property
    def conf(self) -> dict[str, str]:
        """hestia.conf; a system that is not installed is ""."""
        if self._conf is None:
            self._conf = read_settings(self.conf_path)
        return self._conf

    @property
    def conf_path(self) -> str:
        return os.path.join(self.home_dir, "conf", "hestia.conf")

    def forget_conf(self) -> None:
        """Read hestia.conf again when it is needed: a command has changed it."""
        self._conf = None

    def system(self, key: str) -> str:
        value = self.conf.get(key, "")
        return "" if value == "no" else value

    @property
    def root_user(self) -> str:
        return self.conf.get("ROOT_USER") or "admin"

    def users(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.data("users")) if os.path.isdir(self.user_data(name)))
        except FileNotFoundError:
            return []

    def listed_users(self) -> list[str]:
        """The users that the panel itself shows: who has an email address in passwd, and a user.conf."""
        lines = read_text(self.path("etc", "passwd")).splitlines()
        names = [line.partition(":")[0] for line in lines if "@" in line and line.count(":") >= 6]
        return [name for name in names if exists(self.user_data(name, "user.conf"))]

    def user_conf(self, user: str) -> dict[str, str]:
        return read_file(self.user_data(user, "user.conf"))

    def require_user(self, user: str) -> dict[str, str]:
        conf = self.user_conf(user)
        if not conf:
            raise PanelError(f"there is no account {user} on this server", error_class="not_found")
        return conf

    def records(self, user: str, kind: str) -> list[dict[str, str]]:
        """The lines of web.conf, mail.conf or dns.conf of a user."""
        return read_records(self.user_data(user, f"{kind}.conf"))

    def record(self, user: str, kind: str, domain: str) -> dict[str, str]:
        return next((line for line in self.records(user, kind) if line.get("DOMAIN") == domain), {})

    def require_access(self) -> None:
        """Fail unless the panel is here and its data can be read and changed."""
        if not os.path.isdir(os.path.join(self.home_dir, "bin")):
            raise PanelError(
                f"HestiaCP is not installed on this server: there is no {self.home_dir}", error_class="not_found"
            )
        if (not self.prefix and os.geteuid() != 0) or not os.access(self.data("users"), os.R_OK | os.W_OK):
            raise PanelError(
                "the login may not manage the panel: it must be root, or a user who may run everything by sudo "
                "without a password",
                error_class="refused",
            )
        # In check mode nobody puts it back, and every command would find a panel without systems.
        spare = any(os.path.exists(path) for path in (f"{self.conf_path}.bak", self.conf_kept))
        if not self.conf and (self.check_mode or not spare):
            raise PanelError(f"{self.home_dir}/conf/hestia.conf is missing or empty", error_class="inconsistent")

    # The server lock

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Hold the server's lock over look, act and verify, and take over what a killed predecessor left undone."""
        try:
            with ServerLock(self._lock_folders(), timeout) as lock:
                self._lock = lock
                self.pending = set(lock.left.get("pending", []))
                self.unfinished = set(lock.left.get("unfinished", []))
                for stale in self._own_temporary_files():
                    _remove_tree(stale)
                self.put_conf_back()
                yield
                self.pending.clear()
                self.note()
        except LockBusy as busy:
            raise PanelError(str(busy), error_class="busy") from None
        finally:
            self._lock = None

    def _lock_folders(self) -> list[str]:
        return [self.path("run", "lock"), self.path("var", "lock")]

    def read_unfinished(self) -> None:
        """Learn from the lock's note what is unfinished without taking the lock: for check mode."""
        self.unfinished = set(read_note(self._lock_folders()).get("unfinished", []))

    @property
    def conf_kept(self) -> str:
        """A second name that hestia_config gives the present hestia.conf before the panel writes to it."""
        return f"{self.conf_path}.hestia-fleet"

    def conf_damaged(self, *, now: bool) -> bool:
        """Whether hestia.conf has lost lines since it was given its second name. When that was not just now, somebody
        may have removed one: then only an end that was cut off (the panel sorts the lines) is a damage."""
        before, present = read_file(self.conf_kept).keys(), read_file(self.conf_path).keys()
        lost = before - present
        return bool(lost) and (now or not present or max(present) < min(lost))

    def put_conf_back(self, *, now: bool = False) -> None:
        """The panel moves hestia.conf away to write a setting; killed at that moment it leaves itself without, and on a
        full disk it writes back less than there was."""
        spare, kept = f"{self.conf_path}.bak", self.conf_kept
        lost = os.path.exists(spare) and not read_file(self.conf_path)
        if lost:
            os.replace(spare, self.conf_path)
        if os.path.exists(kept):
            if self.conf_damaged(now=now):
                os.replace(kept, self.conf_path)
                lost = True
            else:
                os.unlink(kept)
        if lost:
            self.forget_conf()
            self.repair("hestia.conf")

    def was_interrupted(self, command: str, *arguments: str) -> bool:
        """Whether the lock's note says that such a command was running when its module was killed."""
        left = self._lock.left if self._lock else {}
        return left.get("command") == command and left.get("arguments", [])[: len(arguments)] == list(arguments)

    # Temporary files: the panel reads secrets and data from files below /tmp/

    def _temporary_prefix(self) -> str:
        return "hestia-fleet-" + hashlib.sha256(self.home_dir.encode()).hexdigest()[:8] + "-"

    def _own_temporary_files(self) -> list[str]:
        mine, old = self._temporary_prefix(), time.time() - _DAY
        found = []
        for name in os.listdir("/tmp"):
            path = os.path.join("/tmp", name)
            with contextlib.suppress(FileNotFoundError):
                about = os.lstat(path)
                # What Ansible unpacks stays behind when a module is killed; modules that only read need no lock.
                left = _UNPACKED.fullmatch(name) and about.st_mtime < old
                if about.st_uid == os.geteuid() and (left or name.startswith(mine)):
                    found.append(path)
        return found

    @contextlib.contextmanager
    def temporary_file(self, content: str, suffix: str = "") -> Iterator[str]:
        """A file under /tmp/ that only we can read; gone afterwards, also on failure."""
        descriptor, path = tempfile.mkstemp(prefix=self._temporary_prefix(), suffix=suffix, dir="/tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(content)
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    @contextlib.contextmanager
    def temporary_folder(self) -> Iterator[str]:
        path = tempfile.mkdtemp(prefix=self._temporary_prefix(), dir="/tmp")
        try:
            yield path
        finally:
            _remove_tree(path)

    # Running

    def has(self, command: str) -> bool:
        return os.path.exists(os.path.join(self.home_dir, "bin", command))

    def run(self, command: str, *arguments: str, owes: tuple[str, ...] = ()) -> Finished:
        """Run a panel command to its end and return how it ended, whatever that was.

        `owes` names what is still to be done when it stops half way: reloads (words of RELOADS), and
        "counters:USER" for the counters of an account.
        """
        assert not self.check_mode
        self.actions.append(command)
        owed_before = set(self.pending)
        self.pending |= set(owes)
        finished = self._execute([os.path.join(self.home_dir, "bin", command), *arguments], command, arguments)
        if finished.code == 0:
            # It has reloaded; counters that an earlier one left wrong are still wrong.
            self.pending = owed_before - {name for name in owes if not name.startswith("counters:")}
        elif not finished.half_done:
            self.pending = owed_before
        self.note()
        return finished

    def must(self, command: str, *arguments: str, owes: tuple[str, ...] = (), accept: tuple[int, ...] = ()) -> Finished:
        """Run a panel command; any exit code but 0 and the accepted ones is an error."""
        finished = self.run(command, *arguments, owes=owes)
        if finished.code not in (0, *accept):
            raise finished.error()
        return finished

    def must_end(self, words: set[str], command: str, *arguments: str, owes: tuple[str, ...] = ()) -> Finished:
        """As `must`, for a command in whose middle things look better than they are: until it has come to its end, the
        lock's note holds these words."""
        self.unfinished |= words
        finished = self.run(command, *arguments, owes=owes)
        if not finished.half_done:
            self.finish(words)
        if finished.code:
            raise finished.error()
        return finished

    def finish(self, words: set[str]) -> None:
        """What they stand for is done."""
        self.unfinished -= words
        self.note()

    def owe(self, *services: str) -> None:
        """Note that these of RELOADS are to be reloaded, whoever comes next, before something is changed for them."""
        self.pending |= set(services)
        self.note()

    def query(self, command: str, *arguments: str) -> Finished:
        """Run a v-list-* command: it changes nothing, so it leaves no trace in `actions`."""
        return self._execute([os.path.join(self.home_dir, "bin", command), *arguments], command, arguments)

    def tool(
        self, name: str, *arguments: str, stdin: str = "", timeout: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the system (dig, openssl, named-checkzone). A missing one is an error."""
        program = shutil.which(name, path=TOOL_PATH)
        if program is None:
            raise PanelError(f"{name} is not installed on this server", error_class="internal")
        try:
            return subprocess.run(
                [program, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                env={"PATH": TOOL_PATH, "LC_ALL": "C", "HOME": "/root"},
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PanelError(f"{name} did not answer within {timeout:.0f} s", error_class="timeout") from None

    def _environment(self) -> dict[str, str]:
        # Only this: the panel's scripts would take up any variable of the caller (user, restart, SHELL, ...).
        return {
            "HESTIA": self.home_dir,
            "PATH": f"{self.home_dir}/bin:{TOOL_PATH}",
            "LC_ALL": "C",
            "HOME": os.environ.get("HOME", "/root"),
            "SHELL": "/usr/sbin/nologin",
        }

    def _execute(self, line: list[str], command: str, arguments: tuple[str, ...]) -> Finished:
        # Output goes to a file: a pipe would break when this module is killed, and the panel's script with it.
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    line,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    env=self._environment(),
                    start_new_session=True,
                    cwd="/",
                )
            except FileNotFoundError:
                raise PanelError(
                    f"this panel has no command {command}", error_class="internal", command=command
                ) from None
            self.note(process.pid, command, arguments)
            code = self._wait(process, command)
            output.seek(0)
            text = output.read(65536).decode("utf-8", "surrogateescape")
        if code < 0:
            # Its children go on without it: let them end before anybody looks.
            wait_for_session(process.pid, 10.0)
        return Finished(command, code, text)

    def _wait(self, process: subprocess.Popen[bytes], command: str) -> int:
        try:
            return process.wait(timeout=self.command_timeout)
        except subprocess.TimeoutExpired:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                time.sleep(0.5)
            process.wait()
            raise PanelError(
                f"{command} did not end within {self.command_timeout:.0f} s and was stopped",
                error_class="timeout",
                command=command,
            ) from None

    def note(self, pid: int = 0, command: str = "", arguments: tuple[str, ...] = ()) -> None:
        """Write into the lock what is left undone, and which command runs."""
        if self._lock is None:
            return
        note: dict[str, Any] = {}
        if self.pending:
            note["pending"] = sorted(self.pending)
        if self.unfinished:
            note["unfinished"] = sorted(self.unfinished)
        if pid:
            # Names only: what follows may be a path of a secret, and a domain is enough to recognise the command.
            note.update(pid=pid, starttime=process_start(pid), command=command, arguments=list(arguments[:2]))
        self._lock.note(**note)

    # Common cures

    def reload_argument(self) -> str:
        """The panel's RESTART argument for "reload now": it queues an empty one when it is set to do so."""
        return "yes" if self.conf.get("SCHEDULED_RESTART") == "yes" else ""

    def reload(self, *services: str) -> None:
        """Reload these of RELOADS now, where the server has them; a failure is an error."""
        for service in services:
            if self.system(RELOADS[service]):
                self.must(f"v-restart-{service}", self.reload_argument(), owes=(service,))
            self.pending.discard(service)

    def update_counters(self, user: str) -> None:
        """Let the panel count again what the user, the administrator and the addresses have."""
        for name in (user, self.root_user):
            if self.user_conf(name):
                self.must("v-update-user-counters", name)
        if self.has("v-update-sys-ip-counters"):
            self.must("v-update-sys-ip-counters")
        self.pending.discard(f"counters:{user}")

    def repair(self, what: str) -> None:
        if what not in self.repaired:
            self.repaired.append(what)


def _remove_tree(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def exists(path: str) -> bool:
    """Whether there is anything under this name, a dangling link included."""
    return os.path.lexists(path)


def holds(path: str, words: str) -> bool:
    return words in read_text(path)
