"""Which task waits for which: pure rules over the resources of one service."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.domain.words import Desired, Reason, TaskStatus

WORDS_MAX = 200
"""Longest title of a pipeline and longest label of a task; a host name alone may be longer."""


@dataclass(frozen=True)
class Node:
    """A resource as the planner sees it."""

    resource_id: int
    action: str
    server_id: int
    account_id: int | None
    desired: Desired

    @property
    def entry(self) -> str:
        """``domain`` of ``web.domain``."""
        return self.action.split(".", 1)[1]


STEP_ORDER = (
    "web.package",
    "web.account",
    "web.domain",
    "mail.package",
    "mail.account",
    "mail.domain",
    "dns.package",
    "dns.account",
    "dns.zone",
    "web.certificate",
)

LABELS = {
    "web.package": "Configuring web plan",
    "web.account": "Setting up web account",
    "web.domain": "Configuring web hosting",
    "mail.package": "Configuring mail plan",
    "mail.account": "Setting up mail account",
    "mail.domain": "Configuring mail (DKIM)",
    "dns.package": "Configuring DNS plan on {server}",
    "dns.account": "Setting up DNS account on {server}",
    "dns.zone": "Publishing DNS on {server}",
    "web.certificate": "Preparing SSL",
    "server.status": "Checking {server}",
    "server.usage": "Collecting usage of {server}",
    "server.recount": "Counting usage on {server}",
    "server.config": "Applying settings to {server}",
    "server.files": "Applying standard files to {server}",
    "server.pull": "Reading a standard file from {server}",
    "server.restart": "Restarting a service on {server}",
    "server.rebuild": "Rebuilding on {server}",
    "server.verify": "What services have on {server}",
}

REMOVAL_LABELS = {
    "web.package": "Removing web plan",
    "web.account": "Removing web account",
    "web.domain": "Removing web hosting",
    "mail.package": "Removing mail plan",
    "mail.account": "Removing mail account",
    "mail.domain": "Removing mail",
    "dns.package": "Removing DNS plan from {server}",
    "dns.account": "Removing DNS account from {server}",
    "dns.zone": "Taking DNS off {server}",
    "web.certificate": "Removing SSL",
}

SUSPEND_LABELS = {
    "web.account": "Suspending web account",
    "web.domain": "Suspending web hosting",
    "mail.account": "Suspending mail account",
    "mail.domain": "Suspending mail",
}


def label(action: str, server: str, desired: Desired, *, check: bool = False) -> str:
    """What a person reads for a task."""
    words = {Desired.ABSENT: REMOVAL_LABELS, Desired.SUSPENDED: SUSPEND_LABELS}.get(desired, LABELS)
    text = words.get(action, LABELS.get(action, action)).format(server=server)
    return shortened(f"Checking: {text}" if check else text)


def shortened(text: str) -> str:
    """Words of a pipeline or task, as many as there is room for."""
    return text if len(text) <= WORDS_MAX else f"{text[: WORDS_MAX - 1]}…"


def _needs_to_build(node: Node, nodes: Sequence[Node]) -> list[Node]:
    """What must be there before this one can be."""
    same_account = [other for other in nodes if other.account_id == node.account_id]
    match node.entry:
        case "account":
            return [other for other in same_account if other.entry == "package"]
        case "domain":
            return [other for other in same_account if other.entry == "account"]
        case "certificate":
            return [other for other in same_account if other.action == "web.domain"]
        case "zone":
            # The zone carries the addresses of web and mail and the DKIM key.
            return [
                other
                for other in nodes
                if (other.account_id == node.account_id and other.entry == "account") or other.entry == "domain"
            ]
        case _:
            return []


def _needs_to_remove(node: Node, nodes: Sequence[Node]) -> list[Node]:
    """What must be gone before this one can go: the same edges, turned round, within one account."""
    return [
        other
        for other in nodes
        if other.account_id == node.account_id
        and node.resource_id in {n.resource_id for n in _needs_to_build(other, nodes)}
    ]


def _needs(node: Node, nodes: Sequence[Node]) -> list[Node]:
    """What must be done before this one, whatever state is wished for it."""
    if node.desired is Desired.ABSENT:
        return _needs_to_remove(node, nodes)
    needs = _needs_to_build(node, nodes)
    if node.entry == "account" and node.desired is Desired.SUSPENDED:
        # Domains first: the panel refuses to touch what belongs to a suspended user.
        return needs + [other for other in nodes if other.account_id == node.account_id and other.entry == "domain"]
    if node.entry == "domain":
        return [needed for needed in needs if needed.desired is not Desired.SUSPENDED]
    return needs


def plan(reason: Reason, resources: Iterable[Node]) -> list[tuple[Node, list[int]]]:
    """Tasks in the order they are shown, each with the resource ids that must be done before.

    ``verify`` only looks, so nothing waits. The graph has no cycle: every edge goes from a thing to what it
    stands on (or, when it is taken down or suspended, the other way round).
    """
    nodes = sorted(resources, key=lambda node: (_step(node.action), node.server_id, node.resource_id))
    if reason in (Reason.TERMINATE, Reason.SUSPEND):
        nodes.reverse()
    return [
        (node, [] if reason is Reason.VERIFY else [needed.resource_id for needed in _needs(node, nodes)])
        for node in nodes
    ]


def with_dependents(wrong: Collection[int], nodes: Sequence[Node]) -> set[int]:
    """Resource ids of what is wrong and of all that stands on it, directly or not."""
    chosen = set(wrong)
    while True:
        more = {
            node.resource_id
            for node in nodes
            if node.resource_id not in chosen
            and any(needed.resource_id in chosen for needed in _needs_to_build(node, nodes))
        }
        if not more:
            return chosen
        chosen |= more


def _step(action: str) -> int:
    return STEP_ORDER.index(action) if action in STEP_ORDER else len(STEP_ORDER)


@dataclass(frozen=True)
class Step:
    """A task of a running pipeline: its state and the tasks it needs."""

    status: TaskStatus
    needs: tuple[int, ...]


def arrange(steps: Mapping[int, Step]) -> dict[int, TaskStatus]:
    """New states of the tasks that wait, by id; only those that change.

    A task is queued when all it needs has succeeded, held when something it needs (directly or not) failed or was
    cancelled, and waits otherwise. A need that is not among the steps has succeeded and was cleaned away.
    """
    held: dict[int, bool] = {}

    def is_held(task_id: int) -> bool:
        if task_id not in held:
            held[task_id] = any(
                steps[need].status in (TaskStatus.FAILED, TaskStatus.CANCELLED)
                or (steps[need].status in (TaskStatus.WAITING, TaskStatus.HELD) and is_held(need))
                for need in steps[task_id].needs
                if need in steps
            )
        return held[task_id]

    changes: dict[int, TaskStatus] = {}
    for task_id, step in steps.items():
        if step.status not in (TaskStatus.WAITING, TaskStatus.HELD):
            continue
        if all(steps[need].status is TaskStatus.SUCCEEDED for need in step.needs if need in steps):
            wanted = TaskStatus.QUEUED
        else:
            wanted = TaskStatus.HELD if is_held(task_id) else TaskStatus.WAITING
        if wanted is not step.status:
            changes[task_id] = wanted
    return changes
