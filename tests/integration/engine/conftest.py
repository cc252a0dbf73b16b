"""An installation with four servers and a product on a real, migrated SQLite database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.words import Driver, Mode
from controller.operations.fleet import Fleet
from controller.settings import Settings
from controller.store.models import Product, Server, ServerGroup
from controller.store.schema import upgrade
from controller.store.vault import create_key


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    settings = Settings(home=tmp_path, retry_delay=0.0, max_attempts=2)
    create_key(settings.key_file)
    upgrade(settings.effective_database_url)
    opened = Fleet.open(settings)
    with opened.database.write() as session:
        group = ServerGroup(name="g")
        session.add(group)
        session.flush()
        for name, capability in (("w1", "web"), ("m1", "mail"), ("n1", "dns"), ("n2", "dns")):
            server = Server(
                name=name,
                driver=Driver.HESTIACP,
                address="127.0.0.1",
                host_key="ssh-ed25519 AAAA",
                hostname=f"{name}.test",
                capacity=3,
                **{f"can_{capability}": True},
            )
            if capability == "dns":
                group.dns_servers.append(server)
            else:
                server.group = group
            session.add(server)
        session.add(Product(name="p", mode=Mode.SPLIT, roles=["web", "mail", "dns"], group_id=group.id))
    yield opened
    opened.close()
