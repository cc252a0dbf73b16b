"""Secrets at rest: encrypted with the installation's key."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class VaultError(RuntimeError):
    """The key file is missing, or a secret was encrypted with another key."""


def create_key(path: Path) -> None:
    """Write a new random key, mode 0600; an existing one is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")


class Vault:
    """Encrypts and decrypts short texts (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fernet = Fernet(base64.urlsafe_b64encode(self._derive(b"secrets at rest")))

    @classmethod
    def open(cls, path: Path) -> Vault:
        """Read the key file; raises VaultError when it is not there."""
        try:
            return cls(path.read_bytes().strip())
        except FileNotFoundError:
            raise VaultError(f"no key at {path}: run 'hestia-fleet init' first") from None

    def _derive(self, purpose: bytes) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(self._key)

    @property
    def session_key(self) -> str:
        """Key for signed session cookies, apart from the one that encrypts."""
        return self._derive(b"sessions").hex()

    def passphrase(self, purpose: str) -> str:
        """A password that this installation can make again at any time (demo logins)."""
        return base64.b32encode(self._derive(purpose.encode()))[:16].decode().lower()

    def seal(self, secret: str) -> str:
        """Encrypted form, safe to store."""
        return self._fernet.encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The secret again; raises VaultError for a wrong key or damaged text."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise VaultError("a stored secret does not open with this key") from None
