"""What nameservers answered is kept, zone by zone."""

from __future__ import annotations

from sqlalchemy import select, update

from controller.engine import zone_watch
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Server
from controller.store.zone_models import Zone, ZoneAnswer
from tests.support.rows import order, work


def test_a_zone_that_cannot_be_asked_for_keeps_no_other_from_its_answers(fleet: Fleet) -> None:
    for domain in ("first.com", "second.com"):
        order(fleet, domain)
    work(fleet)
    with fleet.database.write() as session:
        # Nobody listens there, so that a question that is put is refused at once.
        session.execute(update(Server).values(dns_port=1))
        session.execute(update(Zone).where(Zone.domain == "first.com").values(domain="first..com"))
        session.execute(update(Zone).values(check_due_at=utcnow()))
    assert zone_watch.look(fleet) == 2
    with fleet.database.read() as session:
        zones = session.scalars(select(Zone).order_by(Zone.id)).all()
        assert [(zone.agrees, zone.checked_at is None) for zone in zones] == [(False, False)] * 2
        problems = [[answer.problems[0] for answer in zone.answers] for zone in zones]
        assert ["not understood" in problem for problem in problems[0]] == [True, True]
        assert ["not understood" in problem for problem in problems[1]] == [False, False]
    with fleet.database.write() as session:
        session.execute(update(ZoneAnswer).values(serial=2**32 - 1))
    with fleet.database.read() as session:
        assert set(session.scalars(select(ZoneAnswer.serial))) == {2**32 - 1}, "any serial there can be"
