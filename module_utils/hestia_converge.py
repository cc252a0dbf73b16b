# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Look, act, look again: the one loop in which every module brings its resource to what is wanted.

A subject says what is there and which step comes next. After each step it looks again, so a step that a killed
command did before, or did only half, leads to the right next step and not to a guess.
"""

from __future__ import annotations

import contextlib
import errno
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Generic, Optional, TypeVar

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hestia_panel import RELOADS, Panel, PanelError

State = TypeVar("State")

# Exit codes after which the truth is only on the disk: 3 and 4 (it was there, or gone, already), 5 and 6 (so was its
# suspension), 20 (all made, the reload failed).
_LOOK_AGAIN = (3, 4, 5, 6, 20)
_LONGEST = 25


@dataclass(frozen=True)
class Step:
    """One act. `repair` names the half-made thing it cleans up, when it does."""

    name: str
    act: Callable[[], Any]
    repair: str = ""
    tries: int = 2


class Subject(ABC, Generic[State]):
    """A resource on a server: what it is and how it gets to what is wanted."""

    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        self.panel = panel
        self.params = params

    @abstractmethod
    def look(self) -> State:
        """What is really there: the panel's records and the files on the disk."""

    @abstractmethod
    def next_step(self, state: State) -> Optional[Step]:
        """What to do next, None when everything is as wanted."""

    @abstractmethod
    def describe(self, state: State) -> dict[str, Any]:
        """The state for the diff, in words for people; no secrets."""

    @abstractmethod
    def wanted(self, state: State) -> dict[str, Any]:
        """What `describe` will say when all is as wanted (shown in check mode)."""

    def facts(self, state: State) -> dict[str, Any]:
        """What later tasks need to know."""
        return {}

    def settle(self) -> None:
        """Do what killed or failed commands still owe."""
        settle(self.panel)

    def prove(self, state: State) -> State:
        """Last look after a change, at the service itself where that is possible."""
        return state


def converge(subject: Subject[State]) -> dict[str, Any]:
    """Bring the resource to what is wanted; returns the module's result. Raises PanelError when it cannot be."""
    panel = subject.panel
    state = subject.look()
    before = subject.describe(state)
    step = subject.next_step(state)
    if panel.check_mode:
        after = before if step is None else subject.wanted(state)
        if step is not None and before == after:
            # What differs is nothing that the state's words tell (a line that is gone from named.conf, say).
            before = {**before, "needs": step.repair or step.name}
        return _result(subject, step is not None, state, before, after)

    tried: Counter[str] = Counter()
    trouble: Optional[PanelError] = None
    changed = step is not None
    while step is not None:
        tried[step.name] += 1
        if tried[step.name] > step.tries or sum(tried.values()) > _LONGEST:
            raise trouble or PanelError(f"{step.name}: done, but it is still not as wanted", error_class="inconsistent")
        if step.repair:
            panel.repair(step.repair)
        try:
            step.act()
        except PanelError as error:
            if not _worth_a_look(error):
                raise
            trouble = error
        state = subject.look()
        step = subject.next_step(state)
    if panel.pending:
        changed = True
        subject.settle()
        state = subject.look()
    if changed:
        state = subject.prove(state)
    return _result(subject, changed, state, before, subject.describe(state))


def _worth_a_look(error: PanelError) -> bool:
    """Whether the command may have done its work all the same: it was killed, or the code does not tell."""
    code = error.exit_code
    return code is not None and (code < 0 or code >= 128 or code in _LOOK_AGAIN)


def settle(panel: Panel) -> None:
    """What killed or failed commands still owe: reloads and counters, of this run and of a predecessor's."""
    owed = set(panel.pending)
    services = [name for name in RELOADS if name in owed]
    if services:
        panel.reload(*services)
        panel.repair("reload of " + " and ".join(services))
    for name in sorted(owed):
        if name.startswith("counters:"):
            panel.update_counters(name.partition(":")[2])
            panel.repair("counters")
    panel.pending.clear()


def _result(
    subject: Subject[State], changed: bool, state: State, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    return {
        "changed": changed,
        "facts": subject.facts(state),
        "actions": subject.panel.actions,
        "repaired": subject.panel.repaired,
        "diff": {"before": before, "after": after},
    }


Work = Callable[[], dict[str, Any]]
Prepare = Callable[[Panel, dict[str, Any]], Work]
"""Checks a module's parameters and gives the work to do, which returns the module's result."""


def run_module(make: Callable[[Panel, dict[str, Any]], Subject[Any]], options: dict[str, Any], **extra: Any) -> None:
    """The main() of every module that brings a resource to a state."""

    def prepare(panel: Panel, params: dict[str, Any]) -> Work:
        return partial(converge, make(panel, params))

    run_action(prepare, options, **extra)


def run_action(prepare: Prepare, options: dict[str, Any], **extra: Any) -> None:
    """The main() of every changing module: its work is done under the server's lock, in check mode without."""
    options = {
        **options,
        "lock_timeout": {"type": "int", "default": 60},
        "command_timeout": {"type": "int", "default": 300},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True, **extra)
    panel = Panel(check_mode=module.check_mode, command_timeout=module.params["command_timeout"])
    _work(module, panel, prepare, locked=not module.check_mode)


def run_reading(prepare: Prepare, options: dict[str, Any]) -> None:
    """The main() of every module that only reads."""
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    _work(module, Panel(check_mode=True), prepare, locked=False)


def _work(module: AnsibleModule, panel: Panel, prepare: Prepare, locked: bool) -> None:
    try:
        work = prepare(panel, module.params)
        panel.require_access()
        with panel.locked(module.params["lock_timeout"]) if locked else contextlib.nullcontext():
            result = work()
            if locked and panel.pending:
                settle(panel)
                result["changed"] = True
    except PanelError as error:
        fail(module, panel, error)
    except OSError as error:
        fail(module, panel, PanelError(f"{error}", error_class=class_of(error)))
    module.exit_json(**result)


def class_of(error: OSError) -> str:
    """What kind of failure an error of the system is."""
    return "no_room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "internal"


def fail(module: AnsibleModule, panel: Panel, error: PanelError) -> None:
    details: dict[str, Any] = {
        **error.details,
        "error_class": error.error_class,
        "actions": panel.actions,
        "repaired": panel.repaired,
    }
    if error.command:
        details.update(command=error.command, exit_code=error.exit_code, output=error.output)
    module.fail_json(msg=error.message, **details)
