"""How zones and their nameservers are doing, in words and tones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.store.zone_models import Zone
from controller.store.zone_queries import Place, PlaceState

PLACE_STATES: Mapping[PlaceState, tuple[str, str]] = {
    PlaceState.AGREES: ("agrees", "good"),
    PlaceState.DIFFERS: ("differs", "bad"),
    PlaceState.WAITING: ("waiting", "busy"),
    PlaceState.AWAY: ("not reached", "warn"),
    PlaceState.UNASKED: ("not asked yet", "quiet"),
    PlaceState.LEAVING: ("being removed", "quiet"),
}
FILTERS: Mapping[str, str] = {
    "agrees": "All agree",
    "differs": "Not agreeing",
    "waiting": "Waiting for a write",
    "unasked": "Never asked",
}


def zone_state(zone: Zone, there: Sequence[Place]) -> tuple[str, str]:
    """Whether all nameservers of a zone agree; a write that is to come goes before what they said last."""
    states = {place.state for place in there}
    if not there:
        return "No nameserver", "quiet"
    if states == {PlaceState.LEAVING}:
        return "Being removed", "quiet"
    if PlaceState.WAITING in states:
        return "Waiting", "busy"
    if zone.agrees is None:
        return "Not asked yet", "quiet"
    if zone.agrees:
        return "All agree", "good"
    return ("Differs", "bad") if PlaceState.DIFFERS in states else ("Not reached", "warn")


def record_count(there: Sequence[Place]) -> int | None:
    """Records of a zone: what a nameserver was given, else what one answered; None when none is known."""
    written = [place.resource.facts.get("records") for place in there if place.resource is not None]
    counts = [len(one) if isinstance(one, list) else one for one in written if isinstance(one, int | list)]
    answered = [place.answer.records for place in there if place.answer is not None and place.answer.reached]
    found = counts or answered
    return max(found) if found else None
