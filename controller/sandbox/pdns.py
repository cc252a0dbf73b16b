"""A PowerDNS nameserver: a real pdns_server on loopback, its zones in SQLite, changed over its HTTP API."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

from controller.sandbox import processes
from controller.sandbox.sshd import STAND_BACK, find_program

_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")


class SandboxPowerDns:
    """A nameserver of a sandbox fleet. ``folder`` holds its settings, its configuration and its database."""

    address = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = json.loads((folder / "powerdns.json").read_text())
        self.name: str = settings["name"]
        self.hostname: str = settings["hostname"]
        self.dns_port: int = settings["dns_port"]
        self.api_port: int = settings["api_port"]
        self.api_key: str = settings["api_key"]
        self._guard: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, folder: Path, hostname: str, dns_port: int, api_port: int) -> SandboxPowerDns:
        """A new one, with an empty database."""
        if not _SCHEMA.exists():
            raise RuntimeError(
                "the sandbox needs PowerDNS: install Debian's packages pdns-server, pdns-backend-sqlite3"
            )
        folder.mkdir()
        database = sqlite3.connect(folder / "pdns.db")
        try:
            database.executescript(_SCHEMA.read_text())
        finally:
            database.close()
        settings = {
            "name": folder.name, "hostname": hostname, "dns_port": dns_port, "api_port": api_port,
            "api_key": secrets.token_urlsafe(24),
        }  # fmt: skip
        path = folder / "powerdns.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(settings, indent=1) + "\n")
        return cls(folder)

    def __repr__(self) -> str:
        return f"<SandboxPowerDns {self.name} {self.api_url}>"

    @property
    def api_url(self) -> str:
        return f"http://{self.address}:{self.api_port}"

    def _write_config(self) -> None:
        """Nothing is cached, so that a change is seen at once."""
        path = self.folder / "pdns.conf"
        path.touch(mode=0o600)
        path.write_text(
            f"""launch=gsqlite3
gsqlite3-database={self.folder}/pdns.db
gsqlite3-pragma-synchronous=0
server-id={self.hostname}
local-address={self.address}
local-port={self.dns_port}
socket-dir={self.folder}
api=yes
api-key={self.api_key}
webserver=yes
webserver-address={self.address}
webserver-port={self.api_port}
webserver-allow-from={self.address}
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
zone-metadata-cache-ttl=0
receiver-threads=1
distributor-threads=1
security-poll-suffix=
"""
        )

    # -- life ------------------------------------------------------------------------------------------

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pdns.pid"

    @property
    def running(self) -> bool:
        """Whether its pdns_server is there."""
        pid = processes.read_pid(self._pid_file)
        return pid is not None and processes.is_alive(pid) and str(self.folder) in processes.command_line(pid)

    def start(self, detached: bool = False, wait: bool = True) -> None:
        """Start pdns_server. It ends with this process, unless ``detached``.

        Raises RuntimeError when it does not come up (a port that is taken, a missing program).
        """
        if self.running:
            return
        self._write_config()
        program = find_program("pdns_server", "pdns-server")
        with (self.folder / "pdns.log").open("w") as log:
            started = subprocess.Popen(
                [*STAND_BACK, program, f"--config-dir={self.folder}", "--daemon=no", "--guardian=no"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(str(started.pid))
        if not detached:
            self._guard = processes.guard([self._pid_file])
        if wait:
            self.wait()

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until the server answers; RuntimeError with its log if it does not."""
        deadline = time.monotonic() + seconds
        for port in (self.dns_port, self.api_port):
            while True:
                try:
                    socket.create_connection((self.address, port), 1).close()
                    break
                except OSError as error:
                    pid = processes.read_pid(self._pid_file)
                    if time.monotonic() > deadline or pid is None or not processes.is_alive(pid):
                        said = (self.folder / "pdns.log").read_text()[-2000:]
                        condition = "is there" if pid and processes.is_alive(pid) else "has ended"
                        words = f"PowerDNS {self.name} {condition}: port {port}: {error}"
                        raise RuntimeError(f"{words}\n{said}") from error
                    time.sleep(0.02)

    def stop(self) -> None:
        """Stop it."""
        pid = processes.read_pid(self._pid_file)
        if pid and self.running:
            processes.end(pid)
        self._pid_file.unlink(missing_ok=True)
        if self._guard is not None:
            processes.release(self._guard)
            self._guard = None

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
