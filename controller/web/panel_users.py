"""Accounts of a panel as a list: whose they are, searching, sorting and paging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.store.queries import Page
from controller.store.server_queries import Owner

OWNERSHIP = {"services": "Of our services", "strangers": "Of no service", "suspended": "Suspended"}
PER_PAGE = 50


@dataclass(frozen=True)
class PanelUser:
    """One account as its panel last told."""

    name: str
    package: str
    role: str
    suspended: bool
    figures: Mapping[str, int]
    quota: int | None
    """MB; None without a limit."""
    owner: Owner | None
    """None: nobody's that we know of."""

    @classmethod
    def of(cls, row: Mapping[str, Any], owners: Mapping[str, Owner]) -> PanelUser:
        """From a row of the panel's list; what is missing there counts as nothing."""
        figures = {
            key: int(value) for key, value in row.items() if isinstance(value, int) and not isinstance(value, bool)
        }
        name = str(row.get("name", ""))
        quota = row.get("quota")
        return cls(
            name=name,
            package=str(row.get("package", "")),
            role=str(row.get("role", "")),
            suspended=row.get("suspended") is True,
            figures=figures,
            quota=quota if isinstance(quota, int) else None,
            owner=owners.get(name),
        )

    @property
    def is_stranger(self) -> bool:
        """No service of ours, and not the panel's administrator."""
        return self.owner is None and self.role != "admin"

    @property
    def domains(self) -> int:
        """Names of all kinds."""
        return sum(self.figure(f"{kind}_domains") for kind in ("web", "mail", "dns"))

    def figure(self, name: str) -> int:
        """One figure, 0 when it is not known."""
        return self.figures.get(name, 0)


def _key(user: PanelUser, sort: str) -> tuple[Any, ...]:
    match sort:
        case "package":
            return (user.package, user.name)
        case "service":
            return (user.owner is None, user.owner.domain if user.owner else "", user.name)
        case "disk" | "bandwidth" | "databases" | "mail_accounts":
            return (user.figure(sort), user.name)
        case "domains":
            return (user.domains, user.name)
        case "state":
            return (user.suspended, user.name)
    return (user.name,)


def users_page(
    users: Sequence[PanelUser], *, search: str = "", owned: str = "", sort: str = "name", page: int = 1
) -> Page[PanelUser]:
    """Some of them; ``owned`` is one of ``OWNERSHIP``."""
    text = search.strip().lower()
    found = [
        user for user in users if text in f"{user.name}\n{user.package}\n{user.owner.domain if user.owner else ''}"
    ]
    match owned:
        case "services":
            found = [user for user in found if user.owner is not None and user.owner.service_id is not None]
        case "strangers":
            found = [user for user in found if user.is_stranger]
        case "suspended":
            found = [user for user in found if user.suspended]
    found.sort(key=lambda user: _key(user, sort.removeprefix("-")), reverse=sort.startswith("-"))
    last = max(1, -(-len(found) // PER_PAGE))
    number = min(page, last)
    return Page(found[(number - 1) * PER_PAGE : number * PER_PAGE], len(found), number, PER_PAGE)
