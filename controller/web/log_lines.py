"""A task's log as people read it."""

from __future__ import annotations

import re
from typing import Any

from controller.store.models import TaskEvent

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

TONES = {
    "runner_on_ok": "good",
    "runner_item_on_ok": "good",
    "runner_on_failed": "bad",
    "runner_item_on_failed": "bad",
    "runner_on_unreachable": "bad",
    "error": "bad",
    "runner_on_skipped": "quiet",
}


def tone(event: TaskEvent) -> str:
    """Colour of a line: good, changed, bad, fleet (the engine's own words) or plain."""
    if event.kind.startswith("fleet_"):
        return "bad" if "fail" in event.kind or "error" in event.kind else "fleet"
    if event.kind == "runner_on_ok" and event.text.lstrip().startswith("changed"):
        return "changed"
    return TONES.get(event.kind, "plain")


def readable(text: str) -> str:
    """Without terminal codes and other control characters."""
    return CONTROL.sub("", ANSI.sub("", text.replace("\r\n", "\n"))).strip("\n")


def log_line(event: TaskEvent) -> dict[str, Any]:
    """One event for the page and its stream."""
    return {
        "seq": event.seq,
        "attempt": event.attempt,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "text": readable(event.text),
        "tone": tone(event),
    }
