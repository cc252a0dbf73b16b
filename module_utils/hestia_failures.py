# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of many things could not be made so: the others go on, and in the end all of it is told at once."""

from __future__ import annotations

from typing import Any, Optional, Union

from ansible.module_utils.hestia_converge import State, Subject, class_of
from ansible.module_utils.hestia_panel import Panel, PanelError

# These say something about the server, not about the thing: the others would fare no better.
_END_ALL = frozenset({"busy", "timeout", "no_room"})
# Of several kinds the one for which trying again helps most decides.
_MOST_HOPEFUL = ("restart_failed", "inconsistent", "internal", "refused", "bad_argument")


def as_error(problem: Union[PanelError, OSError]) -> PanelError:
    """A failure in the modules' words, also one of the system."""
    return PanelError(f"{problem}", error_class=class_of(problem)) if isinstance(problem, OSError) else problem


class Failures:
    """By name of the thing; `words` are what is said of several: "settings could not be set"."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._errors: dict[str, PanelError] = {}

    def __bool__(self) -> bool:
        return bool(self._errors)

    def __contains__(self, name: str) -> bool:
        return name in self._errors

    def __getitem__(self, name: str) -> PanelError:
        return self._errors[name]

    def add(self, name: str, problem: Union[PanelError, OSError]) -> None:
        """Remember why a thing could not be made so; raises what ends all."""
        error = as_error(problem)
        if error.error_class in _END_ALL:
            raise error
        self._errors[name] = error

    def error(
        self, of_all: int, facts: dict[str, Any], diff: dict[str, Any], besides: Optional[PanelError] = None
    ) -> PanelError:
        """One error that names them all with their reasons; what was done all the same goes with it.

        `besides` went wrong after them.
        """
        reasons: dict[str, list[str]] = {}
        for name, error in self._errors.items():
            reasons.setdefault(error.message, []).append(name)
        words = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        if len(self._errors) < of_all:
            words = f"{len(self._errors)} of {of_all} {self._words}, the others are as wanted. {words}"
        errors = list(self._errors.values())
        told: dict[str, Any] = {"refused": {name: error.message for name, error in self._errors.items()}}
        if besides is not None:
            words += f"; besides, {besides.message}"
            errors.append(besides)
            told["besides"] = besides.message
        # What a panel does not have now it will not have in a few seconds.
        kinds = {"refused" if error.error_class == "not_found" else error.error_class for error in errors}
        only = errors[0] if len(errors) == 1 else PanelError("", error_class="")
        return PanelError(
            words,
            error_class=next((kind for kind in _MOST_HOPEFUL if kind in kinds), "internal"),
            command=only.command,
            exit_code=only.exit_code,
            output=only.output,
            details={"changed": diff["before"] != diff["after"], "facts": {**facts, **told}, "diff": diff},
        )


class Many(Subject[State]):
    """Many things on a server, each brought to what is wanted whatever becomes of the others."""

    words = ""
    """What is said of those that could not be made so."""

    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.failures = Failures(self.words)
        self._besides: Optional[PanelError] = None
        self._before: dict[str, Any] = {}

    def seen(self, state: State) -> State:
        """A look that is over; the first one is what was there before."""
        self._before = self._before or self.describe(state)
        return state

    def settle(self) -> None:
        try:
            super().settle()
        except PanelError as error:
            if not self.failures or error.error_class in _END_ALL:
                raise
            self._besides = error

    def prove(self, state: State) -> State:
        if self.failures:
            diff = {"before": self._before, "after": self.describe(state)}
            raise self.failures.error(len(diff["after"]), self.facts(state), diff, self._besides)
        return state
