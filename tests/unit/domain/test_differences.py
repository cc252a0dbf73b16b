"""A module's diff as lines for people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.differences import MISSING, TOO_MUCH, differences


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({}, {"state": "active"}, [MISSING]),
        ({"state": "active"}, {}, [TOO_MUCH]),
        ({"package": "default"}, {"package": "c-com-web"}, ["package: default, should be c-com-web"]),
        ({"soa": ""}, {"soa": "ns1.test"}, ["soa: is not set, should be ns1.test"]),
        ({"backend_template": "x"}, {"backend_template": None}, ["backend template: x, should not be set"]),
        ({"dkim": False}, {"dkim": True}, ["dkim: off, should be on"]),
        ({"aliases": ["a"]}, {"aliases": ["b"]}, ["aliases: lacks b", "aliases: has a too much"]),
        ({"ns": ["a", "b"]}, {"ns": ["b", "a"]}, ["ns: is in another order"]),
        ({"limits": {"A": 1, "B": 2}}, {"limits": {"A": 1, "B": 3}}, ["limits B: 2, should be 3"]),
        (
            {"records": [{"name": "@", "value": "x"}] * 2},
            {"records": [{"name": "@", "value": "x"}]},
            ["records: has name @, value x too much"],
        ),
        ("a\n", "b\n", ["a\n, should be b\n"]),
        ({"a": 1}, {"a": 1}, []),
    ],
)
def test_what_differs_is_told_in_words(before: Any, after: Any, lines: list[str]) -> None:
    assert differences({"before": before, "after": after}) == lines


def test_several_diffs_are_told_one_after_the_other() -> None:
    parts = [{"before": {}, "after": {"a": 1}}, {"before": {"a": 1}, "after": {"a": 2}}]
    assert differences(parts) == [MISSING, "a: 1, should be 2"]


@pytest.mark.parametrize("diff", [None, "", "text", 7, [], {}, {"prepared": "x"}, {"before": "x", "after": "x"}])
def test_what_is_no_diff_has_no_lines(diff: Any) -> None:
    assert differences(diff) == []


LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
STATE = st.dictionaries(st.sampled_from(("state", "aliases", "records", "limits")), VALUE, min_size=1)


def said(value: Any) -> Any:
    """A state without what is said to be nothing."""
    return {key: said(one) for key, one in value.items() if one is not None} if isinstance(value, dict) else value


@given(STATE, STATE)
def test_states_that_differ_have_lines_and_equal_ones_have_none(before: dict[str, Any], after: dict[str, Any]) -> None:
    lines = differences({"before": before, "after": after})
    assert all(lines), "no line is empty"
    full = dict.fromkeys((*before, *after))
    assert bool(lines) == (said(full | before) != said(full | after))
    assert differences({"before": before, "after": before}) == []


@given(VALUE)
def test_nothing_is_too_strange_to_be_told(diff: Any) -> None:
    assert isinstance(differences(diff), list)


def test_what_a_module_calls_wrong_is_said_as_it_is() -> None:
    before = {"zone": "a.com", "needs": "0 lines for the zone in named.conf", "missing": ["passwd", "limits"]}
    assert differences({"before": before, "after": {"zone": "a.com"}}) == [
        "needs: 0 lines for the zone in named.conf",
        "missing: passwd, limits",
    ]
