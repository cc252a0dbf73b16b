"""Calls on zones."""

from __future__ import annotations

from controller.operations.errors import NotFound
from controller.web.api import lists
from controller.web.api.answers import ZoneAnswer, ZoneSummary
from controller.web.api.calls import Asked, Call, Listed
from controller.web.api.represent import zone_answer, zone_resources, zone_summary
from controller.web.api.service_calls import find


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.zones(session, asked.query)
        return Listed(page, [zone_summary(service) for service in page.items])


def _get(asked: Asked) -> ZoneAnswer:
    with asked.fleet.database.read() as session:
        try:
            service = find(session, asked.key)
        except NotFound:
            raise NotFound("zone", asked.key) from None
        if not zone_resources(service):
            raise NotFound("zone", asked.key)
        return zone_answer(session, asked.fleet.vault, service)


CALLS = (
    Call("GET", "/zones", "List zones", _list, answer=ZoneSummary, query=lists.ZoneParameters, listed=True),
    Call(
        "GET",
        "/zones/{id}",
        "Show a zone: its records as they should be, and what each nameserver has confirmed",
        _get,
        answer=ZoneAnswer,
    ),
)
