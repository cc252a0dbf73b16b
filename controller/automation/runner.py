"""One run of one action through ansible-runner: folder, run, verdict, nothing left behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

from controller.automation import supervisor
from controller.automation.hostkeys import known_hosts_line
from controller.content import content
from controller.domain.failures import ErrorClass, classify

PLAYBOOK = "run_action.yml"
# ansible-runner looks at cancel and time-out only between reads of the playbook's output.
READ_SECONDS = 0.5
CONNECT_SECONDS = 15
PERSIST_SECONDS = 60
CONTROL = "cp"
"""Folder of shared SSH connections, one below it for each login."""
_MARK_KEY = secrets.token_bytes(16)
# Exit codes of a run that somebody ended from outside; the last one: the warm server went away.
KILLED = frozenset({*(128 + signum for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)), 250})
NEVER_BEGAN = 128 + signal.SIGTERM
"""Exit code of what was to become the playbook and did not; one of those above, so that it is tried again."""


@dataclass(frozen=True)
class Job:
    """What to run: one entry point of a role on one server. ``host`` holds address, port, user and the pinned key."""

    name: str
    """``task-12-3``: task 12, fence 3; also the name of the run's folder."""
    role: str
    entry: str
    host_name: str
    host: Mapping[str, Any]
    host_key: str
    variables: Mapping[str, Any]
    password: str | None = None
    private_key: str | None = None
    check: bool = False
    timeout: float = 900.0
    lease: float = 20.0
    """Seconds after which the run ends itself unless ``extend_lease`` is called."""


@dataclass
class Outcome:
    """The verdict of a run."""

    ok: bool
    changed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    actions: list[Any] = field(default_factory=list)
    repaired: list[Any] = field(default_factory=list)
    diff: Any = None
    error_class: ErrorClass | None = None
    error: str | None = None
    stopped: bool = False
    """Stopped on request; says nothing about the server's state."""


EventHandler = Callable[[dict[str, Any]], None]


def run(
    job: Job, run_dir: Path, on_event: EventHandler, should_stop: Callable[[], bool], warm: Path | None = None
) -> Outcome:
    """Run to the end or until ``should_stop``; every way out cleans up.

    on_event must only take the event and return: it is called while the playbook's output is read.
    warm: socket of a warm server (see ``warm.py``).
    """
    folder = run_dir / job.name
    verdict = _Verdict()
    prepared = stopped = False
    worker = os.getpid()

    def handle(event: dict[str, Any]) -> bool:
        # An exception here would end the run and leave the playbook alone.
        with contextlib.suppress(Exception):
            verdict.see(event)
            on_event(event)
        return False

    def cancel() -> bool:
        nonlocal stopped
        if not stopped and should_stop():
            stopped = True
            end_run(folder)
        return stopped

    try:
        _prepare(job, run_dir, folder, warm)
        prepared = True
        result = ansible_runner.run(
            private_data_dir=str(folder),
            # It starts in this folder, which stays: another worker may remove the run's own when it is late.
            project_dir=str(content("playbooks", PLAYBOOK).parent),
            playbook=PLAYBOOK,
            ident=job.name,
            cmdline="--check --diff" if job.check else "--diff",
            envvars=run_environment(run_dir, folder),
            event_handler=handle,
            cancel_callback=cancel,
            quiet=True,
            timeout=int(job.timeout),
            suppress_env_files=True,
        )
        return verdict.outcome(str(result.status), result.rc, stopped=stopped)
    except Exception as problem:
        if prepared and not folder.exists():
            # The worker stood still longer than its lease, and the run was ended for it.
            return _killed()
        return Outcome(ok=False, error_class=ErrorClass.INTERNAL, error=f"the run could not start: {problem}")
    finally:
        if os.getpid() != worker:
            # A process that was forked to become the playbook and could not: it must not go on as a second worker.
            os._exit(NEVER_BEGAN)
        end_run(folder)
        shutil.rmtree(folder, ignore_errors=True)


def extend_lease(folder: Path, seconds: float) -> None:
    """Let a run go on for so long from now; one that is over does not mind."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / supervisor.LEASE_FILE, os.O_WRONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(supervisor.lease_text(seconds))


def end_run(folder: Path, wait: float = 5.0) -> bool:
    """End whatever still runs for a run's folder (also of a worker that died); True when something did."""
    try:
        pid = int((folder / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
    if str(folder / "pid").encode() not in command.split(b"\0"):
        return False  # the number belongs to another process by now
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.02)
    return True


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def _prepare(job: Job, run_dir: Path, folder: Path, warm: Path | None) -> None:
    """A fresh private folder: ansible-runner lets files of an earlier run win over arguments."""
    run_dir.mkdir(parents=True, exist_ok=True)
    run_dir.chmod(0o700)
    (run_dir / CONTROL).mkdir(exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("env", "inventory", "bin", "tmp"):
        (folder / name).mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    host = dict(job.host)
    if job.private_key:
        key_file = folder / "key"
        _private(key_file, job.private_key)
        host["ansible_ssh_private_key_file"] = str(key_file)
    if job.password:
        host["ansible_password"] = no_template(job.password)
    if host.get("ansible_connection") != "local":
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(known_hosts_line(str(host["ansible_host"]), int(host["ansible_port"]), job.host_key))
        host["ansible_control_path_dir"] = str(run_dir / CONTROL / _login_mark(job))
        host["ansible_ssh_common_args"] = shlex.join(_ssh_options(known_hosts, with_key=bool(job.private_key)))
    (folder / supervisor.LEASE_FILE).write_bytes(supervisor.lease_text(job.lease))
    _private(folder / "inventory" / "hosts.json", json.dumps({"all": {"hosts": {job.host_name: host}}}))
    variables = {"fleet_role": job.role, "fleet_entry": job.entry, **no_template(job.variables)}
    _private(folder / "env" / "extravars", json.dumps(variables))
    (folder / "env" / "settings").write_text(json.dumps({"pexpect_timeout": READ_SECONDS}))
    (folder / "ansible.cfg").touch()  # nobody's own configuration steps in
    shim = folder / "bin" / "ansible-playbook"
    real = Path(sys.executable).with_name("ansible-playbook")
    command = [sys.executable, "-I", "-S", str(Path(supervisor.__file__)), str(folder / "pid")]
    command += [str(warm or ""), str(real)]
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    shim.chmod(0o700)


def _login_mark(job: Job) -> str:
    """Connections are shared only by runs with the same login and host key: others have to prove themselves."""
    login = json.dumps([job.host.get("ansible_user"), job.password, job.private_key, job.host_key])
    return hashlib.blake2b(login.encode(), key=_MARK_KEY, digest_size=4).hexdigest()


def no_template(value: Any) -> Any:
    """The same as Ansible reads it from JSON without taking any text of it for a template: people typed it."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        return {key: no_template(each) for key, each in value.items()}
    return [no_template(each) for each in value] if isinstance(value, list | tuple) else value


def _ssh_options(known_hosts: Path, *, with_key: bool) -> list[str]:
    options = [
        f"UserKnownHostsFile={known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "ServerAliveInterval=10",
        "ServerAliveCountMax=3",
        "IdentityAgent=none",
    ]
    if with_key:
        options += ["IdentitiesOnly=yes", "PasswordAuthentication=no"]
    return [part for option in options for part in ("-o", option)]


def _private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def run_environment(run_dir: Path, folder: Path) -> dict[str, str]:
    """What Ansible reads from the environment; nothing secret (runner stores it in clear)."""
    return {
        "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "LC_ALL": "C.UTF-8",
        "SSH_AUTH_SOCK": "",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_LIBRARY": str(content("library")),
        "ANSIBLE_MODULE_UTILS": str(content("module_utils")),
        "ANSIBLE_ROLES_PATH": str(content("roles")),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist={PERSIST_SECONDS}s -o Compression=no",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(run_dir / CONTROL),
        "ANSIBLE_TIMEOUT": str(CONNECT_SECONDS),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
        "ANSIBLE_VARS_ENABLED": "",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_FORKS": "1",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        # ansible-runner empties results above 700 000 characters; the accounts of a big server are more.
        "MAX_EVENT_RES": str(64 * 1024 * 1024),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _killed() -> Outcome:
    return Outcome(ok=False, stopped=True, error_class=ErrorClass.INTERRUPTED, error="the run was killed")


class _Verdict:
    """Reads the event stream for what the run came to."""

    def __init__(self) -> None:
        self.changed = False
        self.facts: dict[str, Any] = {}
        self.actions: list[Any] = []
        self.repaired: list[Any] = []
        self.diff: Any = None
        self.failure: tuple[ErrorClass, str] | None = None
        self.stats: dict[str, Any] | None = None

    def see(self, event: dict[str, Any]) -> None:
        """Take one event."""
        kind, data = event.get("event"), event.get("event_data") or {}
        result = data.get("res") or {}
        if kind == "runner_on_ok":
            self._take(result)
        elif kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            self.failure = classify(result, unreachable=kind == "runner_on_unreachable")
            self._take(result)
        elif kind == "playbook_on_stats":
            self.stats = data

    def _take(self, result: Mapping[str, Any]) -> None:
        """What was found and done; a module that failed may have done a part."""
        self.changed = self.changed or bool(result.get("changed"))
        self.facts |= result.get("facts") or {}
        self.actions += result.get("actions") or []
        self.repaired += result.get("repaired") or []
        self.diff = result.get("diff") or self.diff

    def outcome(self, status: str, code: int | None, *, stopped: bool) -> Outcome:
        """Judge by the stats and the exit code; a rescued failure still shows as an event."""
        failed = bool(self.stats and (self.stats.get("failures") or self.stats.get("dark")))
        # The cancel question is also put once after a good end; what is done is done.
        if code == 0 and self.stats is not None and not failed and status != "canceled":
            return Outcome(True, self.changed, self.facts, self.actions, self.repaired, self.diff)
        if stopped or status == "canceled":
            return Outcome(ok=False, stopped=True, error_class=ErrorClass.INTERRUPTED, error="stopped on request")
        if status == "timeout":
            kind, words = ErrorClass.TIMEOUT, "the step took too long and was stopped"
        elif self.failure is not None:
            kind, words = self.failure
        elif self.stats is None and (code is None or code < 0 or code in KILLED):
            return _killed()
        else:
            kind, words = ErrorClass.INTERNAL, f"Ansible ended with status {status}, exit code {code} and no result"
        return Outcome(False, self.changed, self.facts, self.actions, self.repaired, self.diff, kind, words)
