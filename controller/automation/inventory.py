"""Host variables of a server: one source for the controller's runs and the inventory plugin."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from controller.domain.words import Driver


class Door(Protocol):
    """What a server tells about how it is reached."""

    @property
    def driver(self) -> Driver: ...
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ssh_user(self) -> str: ...
    @property
    def become(self) -> bool: ...


def host_variables(server: Door, python: str) -> dict[str, Any]:
    """Variables every run needs to reach a server, without secrets.

    ``ansible_become`` is set only where it is needed: sudo costs time. A PowerDNS server is reached over HTTP from
    the controller itself.
    """
    if server.driver is Driver.POWERDNS:
        return {
            "ansible_host": server.address,
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
        }
    variables: dict[str, Any] = {
        "ansible_host": server.address,
        "ansible_port": server.port,
        "ansible_user": server.ssh_user,
        "ansible_python_interpreter": python,
    }
    if server.become:
        variables["ansible_become"] = True
    return variables
