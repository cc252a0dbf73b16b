"""Random words and password hashes in the shapes that the panel stores."""

from __future__ import annotations

import os

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def word(length: int = 16) -> str:
    """Random letters and digits."""
    return "".join(_LETTERS[byte % 62] for byte in os.urandom(length))


def _digest(salt: str, password: str, length: int) -> str:
    import hashlib

    number = int.from_bytes(hashlib.sha256(f"{salt}${password}".encode(errors="surrogateescape")).digest(), "big")
    out = ""
    for _ in range(length):
        number, rest = divmod(number, 62)
        out += _LETTERS[rest]
    return out


def password_hash(password: str, salt: str = "") -> str:
    """In yescrypt's shape. The stand-in's own digest: the same salt and password give the same hash."""
    salt = salt or word(22)
    return f"$y$j9T${salt}${_digest(salt, password, 43)}"


def mail_hash(password: str, salt: str = "") -> str:
    """In the shape of dovecot's BLF-CRYPT, as mail accounts have it."""
    salt = salt or word(22)
    return "{BLF-CRYPT}$2y$05$" + salt + _digest(salt, password, 31)
