"""Settings for tests: retries that do not make anybody wait."""

from __future__ import annotations

from controller.domain.failures import NEVER_RETRIED, ErrorClass
from controller.domain.options import DriftOptions, PolicyOptions, RetryOptions
from controller.engine.fleet import Fleet
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


def quiet_nights(fleet: Fleet) -> None:
    """No drift check comes in between when tests run at its hour."""
    with fleet.database.write() as session:
        save(session, DriftOptions(enabled=False), "test")
