"""The faults that a server was told to show, as one running command sees them.

``faults.json`` lies beside the server's root folder. Its shape::

    {"pace": 1.0, "full": false,
     "rules": [{"command": "v-add-user", "do": "fail", "at": "start", "times": 1,
                "exit_code": 4, "message": "...", "seconds": 0}]}

``do`` is ``fail``, ``die`` or ``hang``; ``at`` a point of the command (``start``, ``end`` and the names given to
``Panel.point``).
"""

from __future__ import annotations

import os

START = "start"
END = "end"


class Rule:
    """One matching rule, already counted down."""

    def __init__(self, do: str, exit_code: int, message: str, seconds: float) -> None:
        self.do = do
        self.exit_code = exit_code
        self.message = message
        self.seconds = seconds


class Faults:
    """Reads ``faults.json`` once, and takes rules out of it under a lock when one matches."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.pace = 0.0
        self.full = False
        self._interesting: set[tuple[str, str]] = set()
        self._load()

    def _load(self) -> None:
        try:
            with open(self.path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return
        import json

        data = json.loads(text)
        self.pace = float(data.get("pace", 0.0))
        self.full = bool(data.get("full", False))
        self._interesting = {(rule["command"], rule["at"]) for rule in data.get("rules", [])}

    def take(self, command: str, at: str) -> Rule | None:
        """The rule for this command at this point, with one of its times used up; None if there is none."""
        if (command, at) not in self._interesting:
            return None
        import fcntl
        import json

        with open(self.path, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            data = json.load(file)
            for rule in data["rules"]:
                if rule["command"] == command and rule["at"] == at and rule["times"] > 0:
                    rule["times"] -= 1
                    break
            else:
                return None
            data["rules"] = [each for each in data["rules"] if each["times"] > 0]
            text = json.dumps(data, indent=1)
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return Rule(rule["do"], rule.get("exit_code", 1), rule.get("message", ""), rule.get("seconds", 0.0))
