"""Sections of the settings as they are stored."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.orm import Session

from controller.domain.options import Section, read
from controller.store.base import utcnow
from controller.store.work_models import Setting

S = TypeVar("S", bound=Section)


def load(session: Session, model: type[S]) -> S:
    """A section as it is set now, with defaults for the rest."""
    row = session.get(Setting, model.section)
    return read(model, row.value if row else None)


def save(session: Session, section: Section, actor: str) -> None:
    """Store a whole section."""
    session.merge(
        Setting(section=section.section, value=section.model_dump(mode="json"), updated_at=utcnow(), updated_by=actor)
    )
