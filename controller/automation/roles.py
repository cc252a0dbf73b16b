"""Which role does an action: one rule for the controller's runs and the playbooks."""

from __future__ import annotations

from controller.domain.words import Driver


def role_of(driver: Driver, action: str) -> tuple[str, str]:
    """Role and entry point: ``web.domain`` is ``hestia_web``, ``domain``; PowerDNS has one role for all it does."""
    area, entry = action.split(".", 1)
    return ("powerdns" if driver is Driver.POWERDNS else f"hestia_{area}"), entry
