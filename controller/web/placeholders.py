"""Placeholders of zone templates: what each stands for, and where its value comes from."""

from __future__ import annotations

from collections.abc import Mapping

from controller.domain.zones import PLACEHOLDERS, nameserver_number

SAMPLE: Mapping[str, str] = {
    "domain": "example.com",
    "server_ip": "192.0.2.10",
    "mail_server_ip": "192.0.2.20",
    "mail_server_hostname": "mail1.example.net",
    "mail_domain": "example.com",
    "dkim_selector": "mail",
    "domainkey": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
    "service_id": "1",
    "client_id": "1",
    "ns1": "ns1.example.net",
    "ns2": "ns2.example.net",
}
"""A service to try a template with."""


def words(name: str) -> str:
    """What a placeholder stands for."""
    return PLACEHOLDERS.get(name, "a variable of the server group")


def explained() -> list[tuple[str, str]]:
    """Every placeholder with what it stands for, nameservers as one."""
    known = [(f"{{{name}}}", text) for name, text in PLACEHOLDERS.items() if nameserver_number(name) is None]
    return [*known, ("{ns1} … {ns8}", "names of the nameservers, as many as there are")]
