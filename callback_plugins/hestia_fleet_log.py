# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hestia_fleet_log
type: notification
short_description: Write what a run by hand did into the operation log of Hestia Fleet
description:
  - For plays that have the variable C(fleet_action), and for hosts of the inventory plugin C(hestia_fleet).
  - Each server leaves a line with who ran what and what came of it; facts of a server and the state of what was applied
    are stored as those of the controller's own runs are.
  - A database that does not answer is told at the end and does not stop the run.
requirements:
  - the Python environment that Hestia Fleet is installed in
  - enabled by C(callbacks_enabled) in ansible.cfg
author:
  - Hestia Fleet contributors
"""

from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.inventory.host import Host
from ansible.playbook.play import Play
from ansible.plugins.callback import CallbackBase

MODULES = frozenset(
    {"hestia_config", "hestia_files", "hestia_server_info", "hestia_verify", "powerdns_info", "powerdns_verify"}
)
"""What came of a server is what one of these says, or whatever failed before."""


class CallbackModule(CallbackBase):
    """Results are taken in Ansible's own process, between two forks, so no worker inherits an open connection."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "hestia_fleet_log"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._action = ""
        self._wishes: dict[str, Mapping[str, Any]] = {}
        self._waiting: list[Any] = []
        self._trouble = ""

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Only plays that say what they are in the fleet's words are recorded."""
        self._action = str(play.get_vars().get("fleet_action") or "")
        self._wishes = {}
        if self._action:
            self._load()

    def _load(self) -> None:
        """Once for all workers, which are forks of this process."""
        try:
            from controller.operations import by_hand  # noqa: F401
        except ImportError as problem:
            self._trouble = str(problem)

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """A module has done its work, or a wish was read."""
        said = result.result
        wish = (said.get("ansible_facts") or {}).get("fleet_wish")
        if isinstance(wish, Mapping):
            self._wishes[result.host.get_name()] = wish
        if result.task.action in MODULES and not said.get("skipped"):
            self._done(result, said)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """A server on which something went wrong gets no further task."""
        if not ignore_errors:
            self._done(result, result.result, failed=True)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Nobody there, or the login was refused."""
        self._done(result, result.result, unreachable=True)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """What could not be written at once has another chance."""
        if self._waiting:
            self._write()
        if self._waiting:
            self._display.warning(
                f"hestia_fleet_log: {len(self._waiting)} results are not in the operation log: {self._trouble}"
            )

    def _done(self, result: CallbackTaskResult, said: Mapping[str, Any], **how: bool) -> None:
        server = self._server(result.host)
        if not self._action or server is None:
            return
        wish = self._wishes.get(result.host.get_name()) or {}
        one = {
            "server_id": server,
            "action": self._action,
            "name": str(wish.get("name") or ""),
            "check": bool(result.task.check_mode or context.CLIARGS.get("check")),
            "result": said,
            "generation": wish.get("generation"),
            **how,
        }
        self._waiting.append(one)
        if not self._trouble:
            self._write()

    @staticmethod
    def _server(host: Host) -> int | None:
        about = host.get_vars().get("hestia_fleet")
        return int(about["id"]) if isinstance(about, Mapping) else None

    def _write(self) -> None:
        """Write what waits. Whatever goes wrong is told; the work on the servers is done all the same."""
        try:
            from controller.operations.by_hand import Done, actor, write

            write(actor(), [Done(**one) for one in self._waiting])
        except Exception as problem:
            self._trouble = " ".join(str(problem).split()) or type(problem).__name__
        else:
            self._waiting.clear()
