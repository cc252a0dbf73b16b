"""How often somebody may try to sign in."""

from __future__ import annotations

from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from controller.settings import Settings


class LoginLimiter:
    """Counts attempts per address of the login and failed ones per address of the browser.

    With Redis as the queue the count holds over all web processes, else it is kept in this one.
    """

    def __init__(self, settings: Settings) -> None:
        queue = settings.effective_queue_url
        storage = storage_from_string(queue if queue.startswith("redis") else "memory://")
        self._limiter = MovingWindowRateLimiter(storage)
        self._rate = parse(settings.login_rate)

    def admit(self, host: str, email: str) -> bool:
        """Whether one more attempt is allowed; counts it for the login."""
        allowed = self._limiter.test(self._rate, "login-host", host)
        return self._limiter.hit(self._rate, "login-email", email.strip().lower()[:254]) and allowed

    def failed(self, host: str) -> None:
        """Count a failed attempt for the browser's address."""
        self._limiter.hit(self._rate, "login-host", host)

    def succeeded(self, email: str) -> None:
        """A person who knows the password is not slowed down by who tried before."""
        self._limiter.clear(self._rate, "login-email", email.strip().lower()[:254])
