"""Single questions to one nameserver, over UDP and, where an answer does not fit, TCP."""

from __future__ import annotations

import ipaddress
import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype

_PATIENCE = 2
"""Questions in a row without an answer after which a server is given up."""
_PAYLOAD = 1232
"""Bytes of an answer over UDP that come through everywhere unfragmented."""

Place = tuple[str, int]
"""Address (or name) and port."""


class GivenUp(Exception):
    """The server does not answer; why, in words."""


class Asker:
    """Asks one nameserver; several threads may at once."""

    def __init__(self, server: Place, timeout: float) -> None:
        self.address, self.port = _address(server[0]), server[1]
        self.timeout = timeout
        self._failures = 0
        self._lock = threading.Lock()

    def ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message | None:
        """The answer to a question without recursion; None if it is not understood. Raises GivenUp."""
        query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD, flags=0)
        while True:
            if self._failures >= _PATIENCE:
                raise GivenUp("does not answer")
            try:
                said = self._exchange(query)
                self._failures = 0
                return said
            except (dns.exception.Timeout, OSError) as error:
                self._failed(error)
            except dns.exception.DNSException:
                return None

    def _exchange(self, query: dns.message.Message) -> dns.message.Message:
        try:
            family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as link:
                # Only a connected socket is told that nobody listens there.
                link.connect((self.address, self.port))
                link.setblocking(False)
                return dns.query.udp(query, self.address, self.timeout, self.port, sock=link, raise_on_truncation=True)
        except dns.message.Truncated:
            return dns.query.tcp(query, self.address, self.timeout, self.port)

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            if self._failures < _PATIENCE:
                return
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise GivenUp(f"does not answer: {error.strerror or error}")
        raise GivenUp(f"does not answer within {self.timeout:g} s")


def _address(host: str) -> str:
    """The address of a server that is given by name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError):
        raise GivenUp(f"the name {host} has no address") from None
