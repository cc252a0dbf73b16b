"""No password that was used shows anywhere: database, events, logs, files left on disk, process list."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import inspect, select, text

from controller.domain.words import ServiceStatus
from controller.operations import services
from controller.sandbox.demo import Demo
from controller.store.models import Account, Server
from tests.support.demo import installation, nothing_is_left_of_runs, order, settle, wait_for


class ProcessWatch(threading.Thread):
    """Reads every command line and environment on the machine, over and over."""

    def __init__(self, secrets: set[str]) -> None:
        super().__init__(daemon=True)
        self.secrets, self.seen, self.rounds = secrets, [], 0
        self._end = threading.Event()

    def run(self) -> None:
        own = str(threading.get_native_id())
        while not self._end.wait(0.01):
            self.rounds += 1
            for entry in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        content = (entry / name).read_bytes().decode(errors="replace")
                    except OSError:
                        continue
                    if entry.name != own:
                        self.seen += [f"{name}: {content[:200]}" for secret in self.secrets if secret in content]

    def finish(self) -> list[str]:
        self._end.set()
        self.join(60)
        return self.seen


def known_secrets(demo: Demo) -> set[str]:
    """Everything that was ever a secret of this installation, in clear."""
    with demo.fleet.database.read() as session:
        sealed = [*session.scalars(select(Account.password)), *session.scalars(select(Server.ssh_private_key))]
    clear = [demo.fleet.vault.unseal(secret) for secret in sealed if secret]
    keys = {line for secret in clear if "PRIVATE KEY" in secret for line in secret.splitlines()[1:-1] if len(line) > 20}
    passwords = {secret for secret in clear if "PRIVATE KEY" not in secret}
    return keys | passwords | {demo.staff_password, demo.customer_password}


def everything_stored(demo: Demo) -> str:
    """The whole database as text."""
    parts = []
    with demo.fleet.database.read() as session:
        for table in inspect(demo.fleet.database.engine).get_table_names():
            parts += [repr(tuple(row)) for row in session.execute(text(f'SELECT * FROM "{table}"'))]
    return "\n".join(parts)


def files_with(folder: Path, secrets: set[str]) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [str(path) for secret in secrets if secret.encode() in content]
    return found


def holds_any(path: Path, secrets: set[str]) -> bool:
    """Whether a file has one of these; another test's may go while it is read."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return any(secret.encode() in content for secret in secrets)


def test_no_secret_is_left_or_shown_anywhere(tmp_path: Path) -> None:
    with installation(tmp_path / "home", pace=0.2) as demo:
        first = order(demo, "secrets.com")
        secrets = known_secrets(demo)
        assert len(secrets) > 8
        watch = ProcessWatch(secrets)
        watch.start()
        wait_for(demo, first.id, ServiceStatus.ACTIVE)
        # A failure shows arguments most readily.
        for server in demo.servers:
            server.faults.fail("v-add-user", 9, times=1, message="Error: password not accepted")
        second = order(demo, "secrets-fail.com")
        secrets |= known_secrets(demo)
        watch.secrets = secrets
        wait_for(demo, second.id, ServiceStatus.ERROR)
        services.terminate(demo.fleet, "test", first.id)
        wait_for(demo, first.id, ServiceStatus.TERMINATED)
        # What else is on its way (the failed order's other servers, looks) has a folder while it runs.
        settle(demo)
        nothing_is_left_of_runs(demo)
        assert watch.finish() == []
        assert watch.rounds > 20

        stored = everything_stored(demo)
        assert [secret for secret in secrets if secret in stored] == []
        assert files_with(demo.settings.run_dir, secrets) == []
    logs = [path for path in (tmp_path / "home").iterdir() if path.is_file()]
    assert [str(p) for p in logs for secret in secrets if secret.encode() in p.read_bytes()] == []
    # On the servers: the login key is the sandbox's own (its file is what an administrator holds elsewhere);
    # a password is there only as the system's hash.
    passwords = {secret for secret in secrets if len(secret) < 30}
    assert files_with(tmp_path / "home" / "sandbox", passwords) == []
    assert [path for path in Path("/tmp").glob("hestia-fleet-*") if holds_any(path, passwords)] == []
