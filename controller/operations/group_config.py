"""Panel settings that a group manages: what is wanted, and how its servers compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from controller.automation.group_wishes import server_settings
from controller.domain.config_keys import KEYS, Tier, check
from controller.engine.fleet import Fleet
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.fleet_models import REFUSED_VIEW, ServerView
from controller.store.models import Server, ServerGroup
from controller.store.queries import find_group

Key = int | str
DATABASE_PATHS = ("DB_PMA_ALIAS", "DB_PGA_ALIAS")
"""Paths beside each other on every site."""
GZIP_LEVELS = 9


@dataclass(frozen=True)
class ConfigLine:
    """One managed setting of one server."""

    key: str
    tier: str
    wanted: str
    has: str | None
    """None: not looked at yet."""
    how: str
    refused: str = ""
    """Why it could not be set to this value when it was applied last."""

    @property
    def matches(self) -> bool | None:
        """None when nobody knows."""
        return None if self.has is None else self.has == self.wanted


def set_config(fleet: Fleet, actor: str, key: Key, tier: str, values: Mapping[str, str]) -> ServerGroup:
    """What a group wants of the settings of one tier; an empty text is "not managed", what is not named stays.

    Nothing reaches a server before it is applied. Raises NotFound, Invalid (fields named as the settings).
    """
    fields = Fields()
    fields.choice("tier", tier, tuple(Tier))
    fields.finish()
    wanted: dict[str, str | None] = {}
    for name, text in values.items():
        known = KEYS.get(name)
        if known is None or known.tier != Tier(tier):
            fields.problem(str(name).strip()[:60] or "key", f"is not a setting of {tier} servers")
            continue
        if not isinstance(text, str):
            fields.problem(name, "must be text")
            continue
        try:
            wanted[name] = check(name, text) if text.strip() else None
        except ValueError as problem:
            fields.problem(name, str(problem))
    fields.finish()
    with fleet.database.write() as session:
        group = must(find_group(session, key), "group", key)
        config = dict(group.config)
        lines = []
        for name, value in wanted.items():
            before = config.pop(name, None)
            if value is not None:
                config[name] = value
            if before != value:
                lines.append(f"{name}: {before or 'not managed'} -> {value or 'not managed'}")
        for name in DATABASE_PATHS:
            others = [config[other] for other in DATABASE_PATHS if other != name and other in config]
            if wanted.get(name) in others:
                fields.problem(name, "the other database tool has this path")
        level = str(config.get("BACKUP_GZIP", ""))
        if tier == Tier.ALL and config.get("BACKUP_MODE") == "gzip" and level.isdecimal() and int(level) > GZIP_LEVELS:
            fields.problem("BACKUP_GZIP", f"goes to {GZIP_LEVELS} with gzip, which the group wants")
        fields.finish()
        group.config = config
        if lines:
            audit(session, actor, "group.config", group.name, message="; ".join(lines), group_id=group.id)
    return group


def drift(session: Session, server: Server, view: ServerView | None = None) -> list[ConfigLine]:
    """Every setting that is managed for a server, beside what its panel had when it was last looked at."""
    view = view or session.get(ServerView, (server.id, "config"))
    has: Mapping[str, str] | None = view.data if view is not None else None
    told = session.get(ServerView, (server.id, REFUSED_VIEW))
    refused: Mapping[str, Mapping[str, str]] = told.data if told is not None else {}
    return [
        ConfigLine(
            key=line["key"],
            tier=KEYS[line["key"]].tier.value,
            wanted=line["value"],
            has=None if has is None else str(has.get(line["key"], "")),
            how=line["how"],
            refused=_reason(refused.get(line["key"], {}), line["value"]),
        )
        for line in server_settings(server, "all")
    ]


def _reason(told: Mapping[str, str], wanted: str) -> str:
    """Why this value was refused; what was said of another one says nothing about it."""
    return told.get("reason", "") if told.get("asked") == wanted else ""
