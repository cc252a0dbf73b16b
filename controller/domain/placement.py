"""Which server hosts which role of a new service: pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.domain.words import Capability


@dataclass(frozen=True)
class Candidate:
    """An active server of the product's group and what it carries now (services)."""

    server_id: int
    name: str
    capabilities: frozenset[Capability]
    load: int
    capacity: int
    """Most services; 0 means no limit."""

    @property
    def has_room(self) -> bool:
        """Whether one more service fits."""
        return self.capacity == 0 or self.load < self.capacity

    @property
    def fill(self) -> float:
        """Share of the capacity in use; without a limit the plain count decides (scaled to stay below 1)."""
        return self.load / self.capacity if self.capacity else self.load / 1_000_000


class NoRoomError(ValueError):
    """No server can take a role."""

    def __init__(self, role: Capability, capable: int) -> None:
        self.role = role
        full = f"all {capable} of them are full" if capable else "there is none"
        super().__init__(f"no active server of the group has room for {role.value}: {full}")


def place(roles: Iterable[Capability], candidates: Iterable[Candidate]) -> Mapping[Capability, list[Candidate]]:
    """Servers per role: the least loaded one for web and mail, all of them for DNS.

    Raises NoRoomError for a role nobody can take. DNS servers are not counted full: a zone is small, and
    leaving one out would make the nameservers disagree.
    """
    pool = sorted(candidates, key=lambda candidate: (candidate.fill, candidate.load, candidate.server_id))
    chosen: dict[Capability, list[Candidate]] = {}
    for role in roles:
        capable = [candidate for candidate in pool if role in candidate.capabilities]
        fitting = capable if role is Capability.DNS else [server for server in capable if server.has_room][:1]
        if not fitting:
            raise NoRoomError(role, len(capable))
        chosen[role] = sorted(fitting, key=lambda candidate: candidate.server_id)
    return chosen
