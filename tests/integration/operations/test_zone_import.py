"""A zone file is read before anybody is kept from writing."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.zone_files import parse_zone_file
from controller.engine.fleet import Fleet
from controller.operations import zones
from controller.operations.errors import Invalid
from tests.support.rows import order, work


def test_others_write_while_a_zone_file_is_read(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    order(fleet, "customer.com")
    work(fleet)

    def read(*given: Any) -> Any:
        with fleet.database.write():
            return parse_zone_file(*given)

    monkeypatch.setattr(zones, "parse_zone_file", read)
    zones.import_records(fleet, "test", "customer.com", "shop 60 IN A 192.0.2.7\n")
    for bad, field in (("shop 60 IN A nowhere\n", "line 1"), ("\n", "file")):
        with pytest.raises(Invalid) as refused:
            zones.import_records(fleet, "test", "customer.com", bad)
        assert refused.value.problems[0].field == field
    with fleet.database.read() as session:
        zone = zones.find(session, "customer.com")
        assert [(row.name, row.value, row.origin) for row in zone.own_records] == [("shop", "192.0.2.7", "import")]
