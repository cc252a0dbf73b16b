"""Checks of what is entered about a server, for adding and editing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.automation.hostkeys import HostKey, HostKeyError, scan
from controller.domain.words import Capability, Driver
from controller.operations.errors import Conflict
from controller.operations.fields import Fields
from controller.store.models import Server

UNIX_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
API_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HEADER = re.compile(r"[\x21-\x7e]+")
CAPACITY_MAX = 1_000_000
TIMEOUT_MAX = 86_400


def scan_host_key(address: str, port: int) -> HostKey:
    """The host key a server shows now, for staff to confirm. Raises Invalid naming the field."""
    fields = Fields()
    fields.host("address", address)
    fields.integer("port", port, 1, 65535)
    fields.finish()
    try:
        return scan(address, port)
    except HostKeyError as problem:
        fields.problem("address", str(problem))
        fields.finish()
        raise AssertionError("unreachable") from problem


def check_capabilities(fields: Fields, driver: str, value: Any) -> set[Capability]:
    """What a server may host; a PowerDNS server hosts DNS only."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        fields.problem("capabilities", "must be a list of web, mail, dns with at least one of them")
        return set()
    unknown = [str(word) for word in value if word not in set(Capability)]
    if unknown:
        fields.problem("capabilities", f"unknown: {', '.join(unknown)[:100]}; known are web, mail, dns")
        return set()
    wanted = {Capability(word) for word in value}
    if driver == Driver.POWERDNS and wanted != {Capability.DNS}:
        fields.problem("capabilities", "a PowerDNS server can only host dns")
    return wanted


def check_login(fields: Fields, ssh_user: Any, password: str | None, private_key: str | None) -> None:
    """A Unix user with a password or a private key."""
    if not UNIX_USER.fullmatch(str(ssh_user)):
        fields.problem("ssh.user", "must be a Unix user name")
    check_credentials(fields, password, private_key)


def check_credentials(fields: Fields, password: str | None, private_key: str | None) -> None:
    """A password or a usable private key, else a problem."""
    if not password and not private_key:
        fields.problem("ssh", "a password or a private_key is needed")
    if password and "\n" in password:
        fields.problem("ssh.password", "must be one line")
    if private_key:
        try:
            load_ssh_private_key(clean_private_key(private_key).encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            fields.problem("ssh.private_key", "must be an OpenSSH private key without a passphrase")


def clean_private_key(private_key: str) -> str:
    """As OpenSSH wants it: Unix lines, one at the end."""
    return private_key.strip().replace("\r\n", "\n") + "\n"


def check_api(fields: Fields, url: Any, key: Any, server_id: Any) -> str:
    """Where a PowerDNS server's API is, without a slash at the end; ``key`` None leaves it unchecked."""
    text = fields.text("api.url", url, maximum=255)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if text and (not usable or parts.query or parts.fragment or parts.username or parts.password):
        fields.problem("api.url", "must be an address like http://192.0.2.53:8081")
    if key is not None:
        secret = fields.secret("api.key", key, maximum=255)
        if not secret:
            fields.problem("api.key", "is needed")
        elif not HEADER.fullmatch(secret):
            fields.problem("api.key", "must be of printable ASCII characters without blanks")
    if not isinstance(server_id, str) or not API_SERVER.fullmatch(server_id):
        fields.problem("api.server_id", "must be of letters, digits, dots, dashes and underscores")
    return text.rstrip("/")


def refuse_second_entry(session: Session, server: Server) -> None:
    """One server, one entry: two would be changed by two tasks at once. Raises Conflict (``address``, ``api_url``)."""
    others = select(Server.name).where(Server.id != server.id, Server.driver == server.driver)
    if server.driver is Driver.POWERDNS:
        field, place = "api_url", server.api_url
        same = others.where(Server.api_url == server.api_url, Server.api_server_id == server.api_server_id)
    else:
        field, place = "address", f"{server.address}, port {server.port}"
        same = others.where(Server.address == server.address, Server.port == server.port)
    if name := session.scalar(same.limit(1)):
        raise Conflict(f"{place} is {name} already", field=field)
