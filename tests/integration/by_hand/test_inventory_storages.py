"""What every command of Ansible reads without SQLAlchemy is what SQLAlchemy reads, on each storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from controller.automation.fleet_inventory import NAMESPACE, fleet_hosts
from controller.automation.group_wishes import groups_of
from controller.automation.installation import NoInstallation
from controller.automation.inventory import host_variables
from controller.automation.logins import login
from controller.domain.words import Driver, ServerStatus
from controller.settings import Settings
from controller.store.database import Database
from controller.store.models import Server, ServerGroup
from controller.store.vault import Vault
from tests.support.storages import Storage

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.fixture
def settings(storage: Storage, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The installation that the environment names."""
    monkeypatch.setenv("HESTIA_FLEET_HOME", str(empty_home))
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_the_inventory_and_the_logins_are_those_of_the_tables(settings: Settings) -> None:
    vault = Vault.open(settings.key_file)
    database = Database(settings.effective_database_url)
    with database.write() as session:
        first, second = ServerGroup(name="First"), ServerGroup(name="Second")
        common = {"driver": Driver.HESTIACP, "host_key": KEY}
        session.add_all(
            [
                Server(name="Web", address="192.0.2.1", can_web=True, can_dns=True, group=second, **common),
                Server(name="mail", address="2001:db8::2", port=2222, can_mail=True, become=True, **common),
                Server(name="ns", address="ns.test", can_dns=True, dns_groups=[second, first], **common),
                Server(name="off", address="192.0.2.3", status=ServerStatus.DISABLED, hostname="off.test", **common),
                Server(name="api", address="192.0.2.4", driver=Driver.POWERDNS, can_dns=True, host_key=""),
            ]
        )
        session.flush()
        web = session.scalars(select(Server).where(Server.name == "Web")).one()
        web.dns_groups = [first, second]
        web.ssh_password = vault.seal("a password")
    hosts = fleet_hosts("/usr/bin/python3")
    with database.read() as session:
        query = select(Server).options(selectinload(Server.dns_groups), selectinload(Server.group))
        servers = {server.name: server for server in session.scalars(query)}
        assert list(hosts) == sorted(servers)
        for name, server in servers.items():
            variables = hosts[name]["variables"]
            assert host_variables(server, "/usr/bin/python3").items() <= variables.items()
            assert variables[NAMESPACE] == {
                "id": server.id,
                "name": name,
                "group": server.group and server.group.name,
                "groups": [group.name for group in groups_of(server)],
                "capabilities": [capability.value for capability in server.capabilities],
                "driver": server.driver.value,
                "status": server.status.value,
                "hostname": server.hostname,
            }
    database.dispose()
    assert {name: host["login"] for name, host in hosts.items() if host["login"]} == {"Web": ["password"]}
    assert list(fleet_hosts("python", ["disabled"])) == ["off"]
    number = hosts["Web"]["variables"][NAMESPACE]["id"]
    assert login(number, "password") == "a password"
    with pytest.raises(NoInstallation, match="no private key is stored for Web"):
        login(number, "private_key_file")
    with pytest.raises(NoInstallation, match="there is no server 99 any more"):
        login(99, "password")
