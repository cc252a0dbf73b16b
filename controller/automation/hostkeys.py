"""SSH host keys: found once, shown to staff, pinned."""

from __future__ import annotations

import base64
import binascii
import hashlib
import subprocess
from dataclasses import dataclass

KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


class HostKeyError(RuntimeError):
    """No key could be had, in words."""


@dataclass(frozen=True)
class HostKey:
    """A public host key: ``line`` is ``ssh-ed25519 AAAA...``."""

    line: str

    @property
    def fingerprint(self) -> str:
        """``SHA256:...`` as ssh-keygen -l shows it."""
        try:
            blob = base64.b64decode(self.line.split()[1], validate=True)
        except (IndexError, binascii.Error):
            raise HostKeyError("not an SSH public key") from None
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def scan(address: str, port: int, timeout: int = 10) -> HostKey:
    """Ask a server for its host key, the best type first; timeout in seconds.

    Raises HostKeyError when nothing answers like an SSH server.
    """
    try:
        answer = subprocess.run(
            ["ssh-keyscan", "-T", str(timeout), "-p", str(port), "-t", "ed25519,ecdsa,rsa", "--", address],
            capture_output=True,
            text=True,
            timeout=timeout + 5,
            check=False,
        )
    except FileNotFoundError:
        raise HostKeyError("ssh-keyscan is not installed (Debian package openssh-client)") from None
    except subprocess.TimeoutExpired:
        raise HostKeyError(f"no SSH answer from {address} port {port}") from None
    found: dict[str, str] = {}
    for line in answer.stdout.splitlines():
        parts = line.split()
        if len(parts) >= 3 and parts[1] in KEY_TYPES:
            found[parts[1]] = f"{parts[1]} {parts[2]}"
    for kind in KEY_TYPES:
        if kind in found:
            return HostKey(found[kind])
    raise HostKeyError(f"no SSH answer from {address} port {port}")


def known_hosts_line(address: str, port: int, host_key: str) -> str:
    """One line for a known_hosts file (sshd(8): a port other than 22 is written in brackets)."""
    host = address if port == 22 else f"[{address}]:{port}"
    return f"{host} {host_key}\n"
