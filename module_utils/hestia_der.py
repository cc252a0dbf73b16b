# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates and RSA keys read from their DER, without a process of openssl for each of hundreds.

What is not understood gives None: then openssl has the last word.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from dataclasses import dataclass
from typing import Optional

_INTEGER, _BITS, _OCTETS, _UTC, _TIME, _SEQUENCE, _VERSION = 0x02, 0x03, 0x04, 0x17, 0x18, 0x30, 0xA0
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
"""The algorithm "RSA" as keys and certificates name it."""


@dataclass(frozen=True)
class Certificate:
    """What a certificate says; names and key as DER."""

    subject: bytes
    issuer: bytes
    not_after: datetime.datetime
    """UTC, without a zone."""
    public_key: bytes


def certificate(pem: str) -> Optional[Certificate]:
    """The first certificate of a PEM text."""
    try:
        fields = _items(_items(_items(_body(pem, "CERTIFICATE"))[0][1])[0][1])
        if fields[0][0] == _VERSION:
            fields = fields[1:]
        _, _, issuer, validity, subject, key = (_whole(*item) for item in fields[:6])
        end = _items(_items(validity)[0][1])[1]
        return Certificate(subject, issuer, _moment(*end), key)
    except (ValueError, IndexError, binascii.Error):
        return None


def rsa_public_key(pem: str) -> Optional[bytes]:
    """The public half of an RSA private key, as DER ("SubjectPublicKeyInfo")."""
    try:
        if "-----BEGIN RSA PRIVATE KEY-----" in pem:
            key = _body(pem, "RSA PRIVATE KEY")
        else:
            _, algorithm, wrapped = _items(_items(_body(pem, "PRIVATE KEY"))[0][1])[:3]
            if _whole(*algorithm) != _RSA or wrapped[0] != _OCTETS:
                return None
            key = wrapped[1]
        numbers = _items(_items(key)[0][1])
        # Version, modulus, exponent, and six more that only the owner knows.
        if len(numbers) < 9 or any(tag != _INTEGER for tag, _ in numbers[:9]):
            return None
    except (ValueError, IndexError, binascii.Error):
        return None
    public = _whole(_SEQUENCE, b"".join(_whole(*number) for number in numbers[1:3]))
    return _whole(_SEQUENCE, _RSA + _whole(_BITS, b"\0" + public))


def _body(pem: str, kind: str) -> bytes:
    found = re.search(rf"-----BEGIN {kind}-----\s(.*?)-----END {kind}-----", pem, re.DOTALL)
    if not found:
        raise ValueError(f"no {kind}")
    return base64.b64decode("".join(found.group(1).split()), validate=True)


def _items(data: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of the items that follow each other. Raises ValueError when they do not fill the data."""
    items, position = [], 0
    while position < len(data):
        tag, size = data[position], data[position + 1]
        position += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[position : position + count], "big")
            position += count
        if position + size > len(data):
            raise ValueError("cut off")
        items.append((tag, data[position : position + size]))
        position += size
    return items


def _whole(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _moment(tag: int, content: bytes) -> datetime.datetime:
    text = content.decode("ascii")
    if tag == _UTC:
        # Two digits of the year: from 1950 to 2049.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _TIME:
        raise ValueError("no time")
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ")
