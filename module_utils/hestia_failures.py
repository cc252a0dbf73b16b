# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of many things could not be made so: the others go on, and in the end all of it is told at once."""

from __future__ import annotations

from typing import Any, Optional, Union

from ansible.module_utils.hestia_converge import class_of
from ansible.module_utils.hestia_panel import PanelError

# These say something about the server, not about the thing: the others would fare no better.
END_ALL = frozenset({"busy", "timeout", "no_room"})
# Of several kinds the one for which trying again helps most decides.
_MOST_HOPEFUL = ("restart_failed", "inconsistent", "internal", "refused", "bad_argument")


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
        error = PanelError(f"{problem}", error_class=class_of(problem)) if isinstance(problem, OSError) else problem
        if error.error_class in END_ALL:
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
