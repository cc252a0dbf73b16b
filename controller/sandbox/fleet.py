"""A fleet of stand-in servers in one folder."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from controller.sandbox import layout, named, sshd
from controller.sandbox.pdns import SandboxPowerDns
from controller.sandbox.server import SandboxServer

#: Below the ports that Linux hands out by itself, so that no outgoing connection takes one.
_PORTS = range(20000, 32000)


def free_port() -> int:
    """A loopback port that nothing uses now, for TCP and UDP."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class SandboxFleet:
    """Stand-in servers below ``folder``; what was made there before is found again.

    It goes over the servers with a panel; PowerDNS ones are in ``nameservers``.
    """

    def __init__(self, folder: Path) -> None:
        # sshd and named want full paths.
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.servers: dict[str, SandboxServer] = {
            path.parent.name: SandboxServer(path.parent) for path in sorted(self.folder.glob("*/server.json"))
        }
        #: The servers without a panel: PowerDNS alone.
        self.nameservers: dict[str, SandboxPowerDns] = {
            path.parent.name: SandboxPowerDns(path.parent) for path in sorted(self.folder.glob("*/powerdns.json"))
        }

    @classmethod
    def open(cls, folder: Path) -> SandboxFleet:
        """The fleet that was made in this folder before; FileNotFoundError if there is none."""
        if not any(found for kind in ("server", "powerdns") for found in Path(folder).glob(f"*/{kind}.json")):
            raise FileNotFoundError(f"no sandbox servers in {folder}")
        return cls(folder)

    def __iter__(self) -> Iterator[SandboxServer]:
        return iter(self.servers.values())

    def __getitem__(self, name: str) -> SandboxServer:
        return self.servers[name]

    def __len__(self) -> int:
        return len(self.servers)

    def add(
        self, name: str, capabilities: Iterable[str] = ("web", "mail", "dns"), ip: str = "192.0.2.11",
        hostname: str | None = None, nat: str = "",
    ) -> SandboxServer:  # fmt: skip
        """A new server (not yet started). ValueError if the name is taken.

        ``nat``: the public address, when ``ip`` is only the server's own.
        """
        self._refuse_taken(name)
        wanted = set(capabilities)
        if not wanted or wanted - {"web", "mail", "dns"}:
            raise ValueError(f"capabilities are web, mail and dns, not {', '.join(sorted(wanted)) or 'none'}")
        folder = self.folder / name
        folder.mkdir()
        hostname = hostname or f"{name}.fleet.test"
        root = folder / "root"
        layout.build(root, hostname, ip, wanted, nat)
        sshd.make_key(folder / "host_key", hostname)
        key = self.folder / "login_key"
        if not key.exists():
            sshd.make_key(key, "sandbox login")
        for ending in ("", ".pub"):
            target = folder / f"login_key{ending}"
            target.write_bytes((self.folder / f"login_key{ending}").read_bytes())
            target.chmod(0o600)
        (folder / "authorized_keys").write_bytes((folder / "login_key.pub").read_bytes())
        dns_port = None
        if "dns" in wanted:
            dns_port = free_port()
            named.write_config(root, dns_port, free_port())
        settings = {
            "name": name, "capabilities": sorted(wanted), "ip": ip, "hostname": hostname, "port": free_port(),
            "dns_port": dns_port,
        }  # fmt: skip
        (folder / "server.json").write_text(json.dumps(settings, indent=1) + "\n")
        server = self.servers[name] = SandboxServer(folder)
        return server

    def add_powerdns(self, name: str, hostname: str | None = None) -> SandboxPowerDns:
        """A new PowerDNS server (not yet started). ValueError if the name is taken."""
        self._refuse_taken(name)
        nameserver = SandboxPowerDns.make(
            self.folder / name, hostname or f"{name}.fleet.test", dns_port=free_port(), api_port=free_port()
        )
        self.nameservers[name] = nameserver
        return nameserver

    def _refuse_taken(self, name: str) -> None:
        if name in self.servers or name in self.nameservers:
            raise ValueError(f"there is a sandbox server {name} already")

    @property
    def _everything(self) -> list[SandboxServer | SandboxPowerDns]:
        return [*self.servers.values(), *self.nameservers.values()]

    def start(self, detached: bool = False) -> None:
        """Start all servers."""
        for server in self._everything:
            server.start(detached, wait=False)
        for server in self._everything:
            server.wait()

    def stop(self) -> None:
        for server in self._everything:
            server.stop()

    def remove(self) -> None:
        """Stop all and delete their folders."""
        for server in self._everything:
            server.remove()
        self.servers.clear()
        self.nameservers.clear()
