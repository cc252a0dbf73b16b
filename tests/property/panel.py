"""What a server's panel makes of a step, as short as can be: enough to tell a step that comes too early."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.automation.runner import Outcome
from controller.domain.failures import ErrorClass
from controller.domain.words import Desired

Key = tuple[int, str]
"""A server's id and the name of a thing there."""


@dataclass(frozen=True)
class Step:
    """What a worker reads before it runs a task; ``user`` is the account, None when the resource is gone."""

    server_id: int
    action: str
    name: str
    user: str | None
    desired: Desired
    check_mode: bool


@dataclass
class Panels:
    """All servers: packages, accounts and what they hold, each with whether it is suspended."""

    packages: set[Key] = field(default_factory=set)
    accounts: dict[Key, bool] = field(default_factory=dict)
    things: dict[tuple[int, str, str, str], bool] = field(default_factory=dict)
    """By server, account, action and name."""

    def run(self, step: Step) -> Outcome:
        """The step as a role would do it: what is right already is left alone."""
        if step.action == "server.status":
            return Outcome(ok=True, facts={"hostname": "x.test", "ips": ["192.0.2.1"]})
        if step.user is None:
            return _failed(ErrorClass.NOT_FOUND, f"{step.name} is gone already")
        wanted = {Desired.ABSENT: None, Desired.ACTIVE: False, Desired.SUSPENDED: True}[step.desired]
        found = self._found(step)
        if step.action == "web.certificate" and self.things.get((step.server_id, step.user, "web.domain", step.name)):
            return Outcome(ok=True)  # the panel gives none to a suspended domain
        if step.check_mode or found == wanted:
            return Outcome(ok=True, changed=found != wanted, diff=[{"name": step.name}] if found != wanted else None)
        problem = self._problem(step, wanted)
        if problem is not None:
            return problem
        self._apply(step, wanted)
        facts = {"ip": "192.0.2.1", "dkim_selector": "mail", "dkim_public_key": "AAAA"}
        return Outcome(ok=True, changed=True, facts=facts if step.action.endswith(".domain") else {})

    def of(self, user: str) -> list[object]:
        """Everything that has to do with an account, on any server."""
        found: list[object] = [key for key in (*self.packages, *self.accounts) if key[1] == user]
        return found + [key for key in self.things if key[1] == user]

    def state(self, server_id: int, user: str, action: str, name: str) -> bool | None:
        """Whether a thing is suspended; None when it is not there."""
        return self._found(Step(server_id, action, name, user, Desired.ACTIVE, check_mode=False))

    def _found(self, step: Step) -> bool | None:
        assert step.user is not None
        key = (step.server_id, step.user)
        entry = step.action.split(".")[1]
        if entry == "package":
            return step.desired is Desired.SUSPENDED if key in self.packages else None
        if entry == "account":
            return self.accounts.get(key)
        return self.things.get((*key, step.action, step.name))

    def _problem(self, step: Step, wanted: bool | None) -> Outcome | None:
        assert step.user is not None
        key = (step.server_id, step.user)
        entry = step.action.split(".")[1]
        if entry == "package":
            return _failed(ErrorClass.REFUSED, "package is used") if wanted is None and key in self.accounts else None
        if entry == "account":
            missing = wanted is not None and key not in self.packages
            return _failed(ErrorClass.NOT_FOUND, "there is no package") if missing else None
        if wanted is None:
            return None
        if key not in self.accounts:
            return _failed(ErrorClass.NOT_FOUND, "there is no account")
        if self.accounts[key]:
            return _failed(ErrorClass.REFUSED, "account is suspended")
        if entry == "certificate" and (*key, "web.domain", step.name) not in self.things:
            return _failed(ErrorClass.NOT_FOUND, "there is no web domain")
        return None

    def _apply(self, step: Step, wanted: bool | None) -> None:
        assert step.user is not None
        key = (step.server_id, step.user)
        entry = step.action.split(".")[1]
        if entry == "package":
            (self.packages.discard if wanted is None else self.packages.add)(key)
        elif entry == "account":
            if wanted is None:
                self.accounts.pop(key, None)
                self.things = {thing: at for thing, at in self.things.items() if thing[:2] != key}
            else:
                self.accounts[key] = wanted
                for thing in self.things:
                    if thing[:2] == key and thing[2].endswith(".domain"):
                        self.things[thing] = wanted
        elif wanted is None:
            self.things.pop((*key, step.action, step.name), None)
            if step.action == "web.domain":
                self.things.pop((*key, "web.certificate", step.name), None)
        else:
            self.things[*key, step.action, step.name] = wanted


def _failed(kind: ErrorClass, words: str) -> Outcome:
    return Outcome(ok=False, error_class=kind, error=words)
