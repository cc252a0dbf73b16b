# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One command after the other for many accounts of a server."""

from __future__ import annotations

from typing import Any, Callable

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_panel import Panel, PanelError

_SHOWN = 3


def checked_names(params: dict[str, Any]) -> list[str]:
    """The module's `users`, each once, in their order."""
    return [check.user("users", name) for name in dict.fromkeys(params["users"])]


def chosen(panel: Panel, names: list[str]) -> list[str]:
    """These accounts, or all that the panel has written to their end. A name that is not there is an error."""
    for name in names:
        if "DATE" not in panel.require_user(name):
            raise PanelError(f"account {name} is half made", error_class="inconsistent")
    return names or [name for name in panel.users() if "DATE" in panel.user_conf(name)]


def for_each(things: list[str], act: Callable[[str], None]) -> None:
    """Do it for each; a command that fails for one does not keep the others from theirs, and is told at the end."""
    failed: list[tuple[str, PanelError]] = []
    for thing in things:
        try:
            act(thing)
        except PanelError as error:
            if error.exit_code is None:
                # Not this one's: a command that hangs or is not there.
                raise
            failed.append((thing, error))
    complain(failed, len(things))


def complain(failed: list[tuple[str, PanelError]], of_all: int) -> None:
    """One error for all that failed, of the first one's kind."""
    if not failed:
        return
    first = failed[0][1]
    words = "; ".join(f"{thing}: {error.message}" for thing, error in failed[:_SHOWN])
    more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    raise PanelError(
        f"{len(failed)} of {of_all} failed: {words}{more}",
        error_class=first.error_class,
        command=first.command,
        exit_code=first.exit_code,
        output=first.output,
    )
