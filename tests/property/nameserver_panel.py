"""What servers make of steps when zones are looked at record by record: panels, PowerDNS, and which zones answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import STATUS_ACTION, ZONE_ACTION, Desired
from controller.engine.lifecycle import Claim
from tests.property.panel import Panels, Step

Record = tuple[str, ...]
Place = tuple[int, str, str, str]
"""A server's id, the account there ("" on PowerDNS), the action and the name."""
SPOILT: Record = ("spoilt", "by", "the panel")
"""Stands for what the panel does to a zone when its account's mail domain changes."""


@dataclass(frozen=True)
class ZoneStep(Step):
    """With what a worker reads of the zone, and on what terms it holds the task."""

    held: Claim
    records: frozenset[Record] = frozenset()
    is_ending: bool = False
    """Whether its service is to be removed."""


@dataclass
class ZonePanels(Panels):
    """All servers, some of which may not answer; a run ends when the lock of its server is lost."""

    holds: Callable[[ZoneStep], bool] = lambda _step: True
    away: set[int] = field(default_factory=set)
    records: dict[Place, frozenset[Record]] = field(default_factory=dict)
    keys_made: int = 0

    def run(self, step: Step) -> Outcome:
        """The step as a role would do it; a zone that answered and is not to go may not be silent afterwards."""
        assert isinstance(step, ZoneStep)
        if not self.holds(step):
            return Outcome(ok=False, stopped=True, error_class=ErrorClass.INTERRUPTED, error="its lease is over")
        if step.server_id in self.away:
            return Outcome(ok=False, error_class=ErrorClass.UNREACHABLE, error="no route to host")
        if step.action == STATUS_ACTION:
            return Outcome(ok=True, facts={"hostname": f"s{step.server_id}.test", "ips": ["192.0.2.1"]})
        before = self.answering()
        outcome = self._zone(step) if step.action == ZONE_ACTION else self._other(step)
        after = self.answering()
        for server_id, name in before - after:
            others = any(other == name for _, other in after)
            assert others or step.is_ending, f"nobody answers for {name} once {step.action} ran on {server_id}"
        return outcome

    def answering(self) -> set[tuple[int, str]]:
        """Zones that are served, by server: a suspended account's are not."""
        return {
            (server_id, name)
            for server_id, user, action, name in self.things
            if action == ZONE_ACTION and not self.accounts.get((server_id, user), False)
        }

    def wipe(self, server_id: int) -> None:
        """Nothing is left of a server."""
        self.packages = {key for key in self.packages if key[0] != server_id}
        self.accounts = {key: at for key, at in self.accounts.items() if key[0] != server_id}
        self.things = {place: at for place, at in self.things.items() if place[0] != server_id}
        self.records = {place: found for place, found in self.records.items() if place[0] != server_id}

    def _other(self, step: ZoneStep) -> Outcome:
        """Anything but a zone, and what it does to the zone beside it."""
        outcome = super().run(step)
        self.records = {place: found for place, found in self.records.items() if place in self.things}
        if step.action == "mail.domain" and outcome.changed and not step.check_mode:
            assert step.user is not None
            beside = (step.server_id, step.user, ZONE_ACTION, step.name)
            if beside in self.records:
                self.records[beside] |= {SPOILT}
            self.keys_made += step.desired is Desired.ACTIVE
            outcome.facts["dkim_public_key"] = f"AAAA{self.keys_made}"
        return outcome

    def _zone(self, step: ZoneStep) -> Outcome:
        if step.user is None:
            return Outcome(ok=False, error_class=ErrorClass.NOT_FOUND, error=f"{step.name} is gone already")
        place = (step.server_id, step.user, ZONE_ACTION, step.name)
        wanted = None if step.desired is Desired.ABSENT else step.records
        found = self.records.get(place)
        if step.check_mode or found == wanted:
            return Outcome(ok=True, changed=found != wanted, diff=[{"name": step.name}] if found != wanted else None)
        if wanted is None:
            del self.things[place], self.records[place]
            return Outcome(ok=True, changed=True)
        if (problem := self._refusal(step, place)) is not None:
            return Outcome(ok=False, error_class=ErrorClass.REFUSED, error=problem)
        self.things[place], self.records[place] = False, wanted
        return Outcome(ok=True, changed=True)

    def _refusal(self, step: ZoneStep, place: Place) -> str | None:
        assert step.user is not None
        account = (step.server_id, step.user)
        if step.user and account not in self.accounts:
            return "there is no account"
        if self.accounts.get(account):
            return "account is suspended"
        others = [one for one in self.records if one[0] == step.server_id and one[3] == step.name and one != place]
        return f"{others[0][1]} has this zone" if others else None
