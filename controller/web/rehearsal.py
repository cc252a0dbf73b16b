"""Trying an operation without doing it, so that a form that is wrong by itself tells what the operation refuses too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.orm import Session

from controller.engine.fleet import Fleet
from controller.operations.errors import OperationError
from controller.store.database import Database
from controller.web.forms import FleetForm

T = TypeVar("T")


class Rehearsed(Exception):
    """The operation would have done it."""


class _Undone(Database):
    """Another's connections; what is written is taken back at the end of the transaction, which ends the rehearsal."""

    def __init__(self, base: Database) -> None:
        self.url, self.engine = base.url, base.engine
        self._read, self._write, self._write_beside = base._read, base._write, base._write_beside

    @contextmanager
    def write(self) -> Iterator[Session]:
        """As ever, and raises Rehearsed instead of the commit."""
        with super().write() as session:
            yield session
            session.flush()
            raise Rehearsed


def rehearsal(fleet: Fleet) -> Fleet:
    """A fleet on which an operation checks everything and does nothing: it ends with Rehearsed, or its refusal."""
    return dataclasses.replace(fleet, database=_Undone(fleet.database))


def attempt(form: FleetForm, fleet: Fleet, operation: Callable[[Fleet], T], *, fine: bool | None = None) -> T | None:
    """Do what a form asks for. None when something is wrong: then all of it is said at the fields, what the form found
    (``fine``: whether it found nothing; left out: it is asked) and what the operation refuses."""
    fine = form.validate() if fine is None else fine
    try:
        return operation(fleet if fine else rehearsal(fleet))
    except Rehearsed:
        return None
    except OperationError as problem:
        form.refuse(problem)
        return None
