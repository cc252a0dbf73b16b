"""What the end of a run comes to: a run that was killed from outside says nothing about its step."""

from __future__ import annotations

import pytest

from controller.automation.runner import _Verdict
from controller.domain.failures import ErrorClass

FAILED = {"event": "runner_on_failed", "event_data": {"res": {"msg": "no", "error_class": "refused"}}}
STATS = {"event": "playbook_on_stats", "event_data": {"failures": {"web01": 1}}}


@pytest.mark.parametrize("code", [143, 137, 129, 130, 250, -9, None])
def test_a_run_that_was_killed_is_an_interruption(code: int | None) -> None:
    outcome = _Verdict().outcome("failed", code, stopped=False)
    assert outcome.stopped
    assert outcome.error_class is ErrorClass.INTERRUPTED


def test_a_failure_that_was_told_before_the_end_counts() -> None:
    verdict = _Verdict()
    verdict.see(FAILED)
    outcome = verdict.outcome("failed", 143, stopped=False)
    assert (outcome.stopped, outcome.error_class) == (False, ErrorClass.REFUSED)


def test_a_module_that_failed_tells_what_it_did_all_the_same() -> None:
    verdict = _Verdict()
    told = {"changed": True, "facts": {"refused": {"A": "no"}}, "diff": {"before": {}, "after": {}}, "actions": ["v"]}
    verdict.see({"event": "runner_on_failed", "event_data": {"res": {"msg": "no", "error_class": "refused", **told}}})
    outcome = verdict.outcome("failed", 2, stopped=False)
    assert (outcome.ok, outcome.error, outcome.changed) == (False, "no", True)
    assert (outcome.facts, outcome.diff, outcome.actions) == (told["facts"], told["diff"], told["actions"])


def test_a_run_without_a_result_is_our_mistake() -> None:
    verdict = _Verdict()
    verdict.see(STATS)
    assert verdict.outcome("failed", 2, stopped=False).error_class is ErrorClass.INTERNAL
