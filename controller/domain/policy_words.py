"""A retry policy in words: pure."""

from __future__ import annotations

from controller.domain.failures import RetryPolicy

SHOWN = 3


def policy_words(policy: RetryPolicy) -> str:
    """``again after 5 s, 10 s, 20 s … about 3 hours in all``."""
    pauses = [min(policy.delay * policy.growth ** min(n, 64), policy.delay_max) for n in range(policy.attempts - 1)]
    if not pauses:
        return "not tried again"
    if not any(pauses):
        return "again at once" if len(pauses) == 1 else f"again at once, {len(pauses)} times"
    first = ", ".join(seconds_words(pause) for pause in pauses[:SHOWN])
    if len(pauses) == 1:
        return f"again after {first}"
    return f"again after {first}{' …' if len(pauses) > SHOWN else ','} about {total_words(sum(pauses))} in all"


def seconds_words(seconds: float) -> str:
    """``0.5 s``, ``20 s``, ``5 min``, ``2 h``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds == size or seconds >= 2 * size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds, 1):g} s"


def total_words(seconds: float) -> str:
    """``20 seconds``, ``3 minutes``, ``3 hours``, ``2 days``."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size * 0.95:
            amount = seconds / size
            count = round(amount) if amount >= 2.75 else round(amount * 2) / 2
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    count = max(1, round(seconds))
    return f"{count} second{'' if count == 1 else 's'}"
