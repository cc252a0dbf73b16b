"""Bodies about servers. Secrets go in and never come out."""

from __future__ import annotations

from pydantic import Field, JsonValue

from controller.domain.words import Capability, Driver, ServerStatus
from controller.operations.server_actions import REBUILDS, SCOPES
from controller.web.api.bodies import Body, Key

ROLES: dict[str, JsonValue] = {"items": {"type": "string", "enum": [word.value for word in Capability]}}
DRIVERS: dict[str, JsonValue] = {"enum": [word.value for word in Driver]}
PORT: dict[str, JsonValue] = {"minimum": 1, "maximum": 65535}
FINGERPRINT = "SHA256:3cbLpTt5TNjVZvZ0p5cPmpMkgYTD4G3OPTu0bWBMXSc"


class SshLogin(Body):
    """How the controller signs in to a server: a password or a private key."""

    user: str = Field("root", examples=["root"])
    password: str | None = Field(None, repr=False)
    private_key: str | None = Field(None, repr=False, description="OpenSSH or PEM format, without a passphrase")
    become: bool | None = Field(None, description="whether the login takes sudo; default: unless it is root")


class ApiLogin(Body):
    """The HTTP API of a PowerDNS server."""

    url: str = Field("", examples=["http://192.0.2.53:8081"])
    key: str | None = Field(None, repr=False, description="never shown again")
    server_id: str = Field("localhost", description="PowerDNS's own id of the server behind the API")


class DnsDoor(Body):
    """Where a nameserver is asked."""

    address: str = Field("", description="IP address or host name; empty: the server's address")
    port: int = Field(53, json_schema_extra=PORT)


class HostKeyBody(Body):
    """A host key that changed, accepted."""

    fingerprint: str = Field(description="the server must show this key now", examples=[FINGERPRINT])


class ServerLookBody(Body):
    """A server that is looked at before it is added."""

    driver: str = Field(Driver.HESTIACP.value, json_schema_extra=DRIVERS)
    address: str = Field("", description="IP address or host name; for powerdns not needed", examples=["192.0.2.11"])
    port: int = Field(22, description="of SSH", json_schema_extra=PORT)
    ssh: SshLogin | None = Field(None, description="for hestiacp")
    api: ApiLogin | None = Field(None, description="for powerdns")


class NewServer(Body):
    """A server to take over."""

    name: str = Field(examples=["web01"])
    address: str = Field(description="IP address or host name", examples=["192.0.2.11"])
    port: int = Field(22, description="of SSH, 1 to 65535", json_schema_extra=PORT)
    driver: str = Field(Driver.HESTIACP.value, json_schema_extra=DRIVERS)
    capabilities: list[str] = Field(
        description="what the server is allowed to host; powerdns: dns", json_schema_extra=ROLES
    )
    group: Key | None = Field(
        None, description="takes a web or mail server into the group and attaches a DNS server to it"
    )
    ssh: SshLogin | None = Field(None, description="for hestiacp")
    host_key_fingerprint: str | None = Field(
        None,
        description="without it the key found now is pinned; with it the server must show this key",
        examples=[FINGERPRINT],
    )
    api: ApiLogin | None = Field(None, description="for powerdns")
    hostname: str = Field("", description="for powerdns: its public name as nameserver", examples=["ns3.example.net"])
    dns: DnsDoor = Field(default_factory=DnsDoor)
    capacity: int = Field(0, description="most services this server takes; 0 means no limit")
    command_timeout: int = Field(0, description="longest run of one attempt in seconds; 0: as everywhere")


class ApiChange(Body):
    """What is left out stays; so does the key if it is empty."""

    url: str | None = None
    key: str | None = Field(None, repr=False)
    server_id: str = Field("", description="PowerDNS's own id of the server behind the API")


class DnsChange(Body):
    """What is left out stays."""

    address: str | None = None
    port: int | None = Field(None, json_schema_extra=PORT)


class ServerChange(Body):
    """What is left out stays."""

    name: str | None = None
    address: str | None = None
    port: int | None = Field(None, json_schema_extra=PORT)
    capabilities: list[str] | None = Field(None, json_schema_extra=ROLES)
    closed_roles: list[str] | None = Field(
        None, description="roles of which it takes no new services", json_schema_extra=ROLES
    )
    group: Key | None = Field(None, description="null takes it out of its group")
    capacity: int | None = None
    hostname: str | None = None
    dns: DnsChange = Field(default_factory=DnsChange)
    command_timeout: int | None = None
    zone_template: Key | None = Field(None, description="for zones of websites on it; null: no choice")
    api: ApiChange = Field(default_factory=ApiChange)


class StatusBody(Body):
    """In or out of use."""

    status: str = Field(
        description="closed takes no new services, maintenance and disabled run no tasks",
        json_schema_extra={"enum": [word.value for word in ServerStatus]},
    )


class RestartBody(Body):
    """A program of a server."""

    service: str = Field(description="as the panel lists it", examples=["nginx"])


class RebuildBody(Body):
    """What the panel writes anew."""

    what: str = Field(json_schema_extra={"enum": list(REBUILDS)})
    users: list[str] = Field(default_factory=list, description="accounts; none named: all")


class ConfigApplyBody(Body):
    """Which settings of a panel are brought in line."""

    scope: str = Field("all", json_schema_extra={"enum": list(SCOPES)})
    check: bool = Field(False, description="only show what would change")
