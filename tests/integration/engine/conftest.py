"""An installation with four servers and a product, on each storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.words import Driver, Mode
from controller.engine.fleet import Fleet
from controller.settings import Settings
from controller.store.models import Product, Server, ServerGroup
from controller.store.vault import create_key
from tests.support.options import quick_retries
from tests.support.storages import Storage


@pytest.fixture
def fleet(tmp_path: Path, storage: Storage) -> Iterator[Fleet]:
    settings = Settings(home=tmp_path, **storage.settings)
    create_key(settings.key_file)
    opened = Fleet.open(settings)
    quick_retries(opened, attempts=2)
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
