"""Asking the nameservers themselves whether they serve the zones as they should: after every change, and daily."""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from controller.automation.dns_answers import Answer, ask
from controller.automation.zone_wishes import WantedZone, wanted_zone
from controller.domain.options import CollectionOptions
from controller.domain.words import MOVING_TASK_STATES, ZONE_ACTION, ServiceStatus
from controller.engine.fleet import Fleet
from controller.engine.zone_work import copies
from controller.store.base import utcnow
from controller.store.models import Server, Task
from controller.store.options import load
from controller.store.zone_models import Zone, ZoneAnswer

log = logging.getLogger(__name__)
AT_ONCE = 8
"""Zones of one round."""
LEASE = dt.timedelta(seconds=60)
AGAIN = dt.timedelta(minutes=2)
"""When a zone that does not agree is asked for again."""
TIMEOUT = 2.0
"""Seconds for one answer."""
WATCHED = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED, ServiceStatus.ERROR, ServiceStatus.DEPLOYING)


@dataclass(frozen=True)
class Question:
    """A zone and who is to be asked for it."""

    zone_id: int
    due_at: dt.datetime | None
    """When it was to be asked; another time there afterwards means that it has changed meanwhile."""
    domain: str
    wanted: WantedZone
    servers: list[tuple[int, str, int]]
    """Id, address and port."""


def look(fleet: Fleet) -> int:
    """Ask for the zones that are due; how many."""
    with fleet.database.read() as session:
        if not _due(session):
            return 0
    with fleet.database.write() as session:
        questions = _take(session)
    if not questions:
        return 0
    with ThreadPoolExecutor(2 * AT_ONCE, thread_name_prefix="dns") as pool:
        asked = [
            (question, {server[0]: pool.submit(_ask, question, server) for server in question.servers})
            for question in questions
        ]
        answers = [(question, {number: one.result() for number, one in found.items()}) for question, found in asked]
    for question, found in answers:
        with fleet.database.write() as session:
            _keep(session, question, found)
    return len(questions)


def _due(session: Session) -> Sequence[Zone]:
    now = utcnow()
    return session.scalars(
        select(Zone)
        .where(Zone.check_due_at <= now, or_(Zone.check_lease_until.is_(None), Zone.check_lease_until < now))
        .order_by(Zone.check_due_at)
        .limit(AT_ONCE)
    ).all()


def _take(session: Session) -> list[Question]:
    """Claim what is due. A zone that is about to change is asked for when it has."""
    questions = []
    for zone in _due(session):
        service = zone.service
        servers = [copy.server for copy in copies(service)]
        wanted = wanted_zone(session, service)
        if service.status not in WATCHED or not servers or wanted.missing:
            zone.check_due_at = None
            continue
        zone.check_lease_until = utcnow() + LEASE
        places = [(server.id, server.dns_address or server.address, server.dns_port) for server in servers]
        questions.append(Question(zone.id, zone.check_due_at, zone.domain, wanted, places))
    return questions


def _ask(question: Question, server: tuple[int, str, int]) -> Answer:
    """What a server answers. Whatever goes wrong is told of this zone there; all others get their answers."""
    _, address, port = server
    wanted = question.wanted
    try:
        return ask((address, port), question.domain, wanted.records, wanted.ttl, TIMEOUT)
    except Exception as error:
        log.exception("asking %s for %s failed", address, question.domain)
        return Answer(problems=[f"question or answer was not understood ({type(error).__name__})"])


def _keep(session: Session, question: Question, answers: dict[int, Answer]) -> None:
    zone_id = question.zone_id
    zone = session.get(Zone, zone_id)
    if zone is None:
        return
    now = utcnow()
    zone.check_lease_until = None
    if zone.check_due_at != question.due_at:
        # A nameserver has confirmed a change while they were asked: the answers may be from before, the wish is.
        return
    session.execute(delete(ZoneAnswer).where(ZoneAnswer.zone_id == zone_id))
    known = set(session.scalars(select(Server.id).where(Server.id.in_(list(answers)))))
    session.add_all(
        ZoneAnswer(
            zone_id=zone_id,
            server_id=server_id,
            at=now,
            reached=answer.reached,
            agrees=answer.reached and not answer.problems,
            serial=answer.serial,
            records=answer.found,
            problems=answer.problems,
        )
        for server_id, answer in answers.items()
        if server_id in known
    )
    zone.agrees = all(answer.reached and not answer.problems for answer in answers.values())
    zone.checked_at = now
    changes = select(
        exists().where(
            Task.service_id == zone.service_id, Task.action == ZONE_ACTION, Task.status.in_(MOVING_TASK_STATES)
        )
    )
    hours = load(session, CollectionOptions).zone_hours
    if zone.agrees or session.scalar(changes):
        # A task that is still to come asks again itself.
        zone.check_due_at = now + dt.timedelta(hours=hours * random.SystemRandom().uniform(0.9, 1.1))
    else:
        zone.check_due_at = now + AGAIN
