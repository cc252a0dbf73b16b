"""Settings for tests: retries that do not make anybody wait."""

from __future__ import annotations

from sqlalchemy import update

from controller.domain.failures import NEVER_RETRIED, ErrorClass
from controller.domain.options import CollectionOptions, DriftOptions, PolicyOptions, RetryOptions
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Server
from controller.store.options import save


def quick_retries(fleet: Fleet, *, attempts: int = 3, delay: float = 0.0) -> None:
    """Every class that may be tried again is, ``attempts`` times, ``delay`` seconds apart; for a server that is away
    everybody waits for some minutes."""
    policy = PolicyOptions(attempts=attempts, delay=delay, growth=1, delay_max=delay, jitter=0)
    classes = {kind: policy for kind in ErrorClass if kind not in NEVER_RETRIED}
    if delay:
        classes[ErrorClass.UNREACHABLE] = PolicyOptions(attempts=600, delay=delay, growth=1, delay_max=delay, jitter=0)
    with fleet.database.write() as session:
        save(session, RetryOptions(classes=classes), "test")


def nothing_by_itself(fleet: Fleet) -> None:
    """No drift check and no regular look at a server comes in between."""
    with fleet.database.write() as session:
        save(session, DriftOptions(enabled=False), "test")
        save(session, CollectionOptions(status_minutes=1440, usage_hours=168, zone_hours=720), "test")
        session.execute(update(Server).values(checked_at=utcnow(), usage_at=utcnow()))
