"""One stand-in server: a real sshd (and named) on loopback over its own folder."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from controller.sandbox import layout, named, processes, sshd
from controller.sandbox.faults import Faults
from controller.sandbox.inspection import everything


class SandboxServer:
    """A server of a sandbox fleet. ``folder`` holds its settings, keys and, below ``root``, all its files."""

    address = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        settings = json.loads((folder / "server.json").read_text())
        self.name: str = settings["name"]
        self.capabilities: frozenset[str] = frozenset(settings["capabilities"])
        self.ip: str = settings["ip"]
        self.hostname: str = settings["hostname"]
        self.port: int = settings["port"]
        self.dns_port: int | None = settings["dns_port"]
        self.faults = Faults(folder / "faults.json")
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self._guard: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<SandboxServer {self.name} {self.address}:{self.port}>"

    @property
    def hestia(self) -> Path:
        return self.root / layout.HESTIA

    @property
    def private_key(self) -> str:
        """The login key, PEM text."""
        return (self.folder / "login_key").read_text()

    @property
    def host_key(self) -> str:
        """The host's public key: ``ssh-ed25519 AAAA...``."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    # -- life ------------------------------------------------------------------------------------------

    @property
    def _pid_files(self) -> list[Path]:
        files = [sshd.pid_file(self.folder)]
        if self.dns_port:
            files.append(named.pid_file(self.root))
        return files

    @property
    def running(self) -> bool:
        """Whether its sshd listens."""
        pid = processes.read_pid(sshd.pid_file(self.folder))
        return pid is not None and str(self.folder) in processes.command_line(pid)

    def start(self, detached: bool = False, wait: bool = True) -> None:
        """Start sshd and named. They end with this process, unless ``detached``.

        Raises RuntimeError when they do not come up (a port that is taken, a missing program).
        """
        if self.running:
            return
        layout.write_launcher(self.root)
        sshd.write_config(self.folder, self.address, self.port, self.hestia)
        (self.root / "root").mkdir(mode=0o700, exist_ok=True)
        (self.root / "run/up").touch()
        if self.dns_port:
            named.launch(self.root)
        sshd.launch(self.folder)
        if not detached:
            self._guard = processes.guard(self._pid_files)
        if wait:
            self.wait()

    def wait(self, seconds: float = 10.0) -> None:
        """Wait until the server answers; RuntimeError with its log if it does not."""
        deadline = time.monotonic() + seconds
        ports = [port for port in (self.port, self.dns_port) if port]
        for port in ports:
            while True:
                try:
                    socket.create_connection((self.address, port), 1).close()
                    break
                except OSError as error:
                    if time.monotonic() > deadline:
                        logs = (self.folder / "sshd.log", self.root / "run/named.log")
                        said = "\n".join(path.read_text()[-1000:] for path in logs if path.exists())
                        raise RuntimeError(f"sandbox server {self.name}: port {port}: {error}\n{said}") from error
                    time.sleep(0.02)

    def stop(self) -> None:
        """Stop listening and break every open connection. Commands that run go on, as on a real server."""
        (self.root / "run/up").unlink(missing_ok=True)
        listener = processes.read_pid(sshd.pid_file(self.folder))
        sessions = sshd.sessions(listener) if listener and self.running else []
        for path in self._pid_files:
            pid = processes.read_pid(path)
            if pid and (str(self.folder) in processes.command_line(pid)):
                processes.end(pid)
        for pid in sessions:
            processes.kill(pid)
        for path in self._pid_files:
            path.unlink(missing_ok=True)
        if self._guard is not None:
            processes.release(self._guard)
            self._guard = None

    def cut(self, after_seconds: float = 0.0) -> threading.Timer | None:
        """Break all ssh connections that are open then; the server goes on listening.

        With a delay it happens in the background, and the timer is returned.
        """
        if after_seconds > 0:
            timer = threading.Timer(after_seconds, self.cut)
            timer.daemon = True
            timer.start()
            return timer
        listener = processes.read_pid(sshd.pid_file(self.folder))
        if listener and self.running:
            for pid in sshd.sessions(listener):
                processes.kill(pid, signal.SIGKILL)
        return None

    # -- use -------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """What a command gets over ssh."""
        return {
            **os.environ,
            "HESTIA": str(self.hestia),
            "HOME": str(self.root / "root"),
            "PATH": sshd.search_path(self.hestia),
        }

    def panel(self, *args: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a ``v-*`` command here, as if it came by ssh."""
        return subprocess.run(
            [str(self.hestia / "bin" / args[0]), *args[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
            check=False,
        )

    def state(self) -> dict[str, Any]:
        """Everything that is on the server, for comparisons in tests: see ``inspection.everything``."""
        return everything(self.root)

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
