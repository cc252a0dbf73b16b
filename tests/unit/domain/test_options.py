"""Settings as they are stored: defaults, bounds, and what older versions have left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from controller.domain.failures import DEFAULT_POLICIES, NEVER_RETRIED, ErrorClass
from controller.domain.options import (
    BY_NAME,
    SECRETS,
    SECTIONS,
    DriftOptions,
    MailOptions,
    PolicyOptions,
    RetentionOptions,
    RetryOptions,
    Section,
    TicketOptions,
    read,
)

POLICY = st.builds(
    PolicyOptions,
    attempts=st.integers(1, 1000),
    delay=st.floats(0, 86_400),
    growth=st.floats(1, 10),
    delay_max=st.floats(0, 86_400),
    jitter=st.floats(0, 1),
)
SETTINGS = st.one_of(
    st.builds(RetryOptions, classes=st.dictionaries(st.sampled_from(ErrorClass), POLICY)),
    st.builds(RetentionOptions, **{name: st.integers(1, 3650) for name in RetentionOptions.model_fields}),
    st.builds(DriftOptions, enabled=st.booleans(), hour=st.integers(0, 23), at_once=st.integers(1, 64)),
    st.builds(TicketOptions, enabled=st.booleans(), email_to=st.lists(st.just("a@example.net"), max_size=20)),
    st.builds(
        MailOptions,
        host=st.text(max_size=253),
        port=st.integers(1, 65_535),
        security=st.sampled_from(("starttls", "tls", "none")),
        username=st.text(max_size=254),
        password=st.text(max_size=2000),
        sender=st.text(max_size=254),
    ),
)


@given(SETTINGS)
def test_what_was_stored_is_read_as_it_was(section: Section) -> None:
    stored = json.loads(json.dumps(section.model_dump(mode="json")))
    assert read(type(section), stored) == section


@pytest.mark.parametrize("model", SECTIONS)
@pytest.mark.parametrize("stored", [None, {}, {"a field of another version": 1}])
def test_what_is_missing_or_no_longer_known_has_its_default(
    model: type[Section], stored: dict[str, Any] | None
) -> None:
    assert read(model, stored) == model()


@given(SETTINGS, st.data())
def test_a_part_of_a_section_is_enough(section: Section, data: st.DataObject) -> None:
    stored = section.model_dump(mode="json")
    kept = data.draw(st.sets(st.sampled_from(sorted(stored))))
    found = read(type(section), {key: stored[key] for key in kept})
    for key in stored:
        assert getattr(found, key) == getattr(section if key in kept else type(section)(), key)


def test_every_section_is_found_by_its_name() -> None:
    assert [BY_NAME[model.section] for model in SECTIONS] == list(SECTIONS)
    assert all(field in BY_NAME[section].model_fields for section, field in SECRETS)


@pytest.mark.parametrize("model", [*SECTIONS, PolicyOptions])
def test_every_field_has_a_title(model: type[BaseModel]) -> None:
    assert all(field.title for name, field in model.model_fields.items() if name != "classes")


GOOD_POLICY: dict[str, Any] = {"attempts": 3, "delay": 1, "growth": 2, "delay_max": 60, "jitter": 0.1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempts", 0), ("attempts", 1001), ("attempts", 2.5), ("attempts", "many"),
        ("delay", -1), ("delay", 86_401), ("delay", float("nan")), ("growth", 0.5), ("growth", 10.1),
        ("growth", float("inf")), ("delay_max", -1), ("delay_max", float("nan")), ("jitter", -0.1), ("jitter", 1.1),
        ("other", 1),
    ],
)  # fmt: skip
def test_a_policy_out_of_bounds_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        PolicyOptions(**{**GOOD_POLICY, field: value})


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (RetentionOptions, "finished_tasks", 0), (RetentionOptions, "operation_log", 3651),
        (DriftOptions, "hour", 24), (DriftOptions, "hour", -1), (DriftOptions, "at_once", 0),
        (TicketOptions, "email_to", ["a@example.net"] * 21), (TicketOptions, "enabled", "perhaps"),
        (MailOptions, "port", 0), (MailOptions, "port", 65_536), (MailOptions, "security", "starttls\n"),
        (MailOptions, "security", "ssl"), (MailOptions, "host", "x" * 254),
        (RetryOptions, "classes", {"no such class": GOOD_POLICY}),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_the_name_of_its_field(
    model: type[Section], field: str, value: object
) -> None:
    with pytest.raises(ValidationError, match=field):
        model(**{field: value})


@given(st.dictionaries(st.sampled_from(ErrorClass), POLICY))
def test_a_class_has_the_policy_that_was_set_or_its_default(classes: dict[ErrorClass, PolicyOptions]) -> None:
    options = RetryOptions(classes=classes)
    for kind in set(ErrorClass) - NEVER_RETRIED:
        wanted = classes[kind].policy() if kind in classes else DEFAULT_POLICIES[kind]
        assert options.policy(kind) == wanted


@pytest.mark.parametrize("kind", sorted(NEVER_RETRIED))
def test_no_setting_makes_it_try_what_cannot_help(kind: ErrorClass) -> None:
    options = RetryOptions(classes={kind: PolicyOptions(**{**GOOD_POLICY, "attempts": 50})})
    assert options.policy(kind).attempts == 1


def test_what_is_stored_out_of_bounds_has_its_default_and_the_rest_stays() -> None:
    assert read(RetentionOptions, {"checks": -5, "activity": 7}) == RetentionOptions(activity=7)
    stored = {
        "classes": {
            "busy": {"attempts": 0, "delay": 1, "growth": 2, "delay_max": 9, "jitter": 0},
            "internal": {"attempts": 7, "delay": 1, "growth": 2, "delay_max": 9, "jitter": 0},
            "from a later version": {},
        }
    }
    options = read(RetryOptions, stored)
    assert options.policy(ErrorClass.BUSY) == DEFAULT_POLICIES[ErrorClass.BUSY]
    assert options.policy(ErrorClass.INTERNAL).attempts == 7
    assert read(RetentionOptions, {"checks": {"a": ["b"]}}) == RetentionOptions()
    assert read(RetryOptions, {"classes": "nonsense"}).policy(ErrorClass.BUSY) == DEFAULT_POLICIES[ErrorClass.BUSY]
