"""What staff set is checked field by field, stored whole, and told in the operation log without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from controller.domain.failures import DEFAULT_POLICIES, ErrorClass
from controller.domain.options import MailOptions, RetryOptions
from controller.engine.fleet import Fleet
from controller.engine.mail_options import mail_options
from controller.operations import settings
from controller.operations.errors import Invalid, NotFound
from controller.store.models import OperationLog
from controller.store.options import load, save
from controller.store.work_models import Setting


def shown(fleet: Fleet, name: str) -> dict[str, Any]:
    with fleet.database.read() as session:
        return settings.show(session, name)


def log(fleet: Fleet) -> list[OperationLog]:
    with fleet.database.read() as session:
        return list(session.scalars(select(OperationLog).order_by(OperationLog.id)))


def refusal(fleet: Fleet, name: str, changes: dict[str, Any], **how: Any) -> dict[str, str]:
    """Field and reason of each problem; nothing may have been written."""
    before = shown(fleet, name), len(log(fleet))
    with pytest.raises(Invalid) as refused:
        settings.change(fleet, "owner@example.net", name, changes, **how)
    assert (shown(fleet, name), len(log(fleet))) == before
    return {problem.field: problem.reason for problem in refused.value.problems}


def test_a_change_is_stored_and_told(fleet: Fleet) -> None:
    values = settings.change(
        fleet, "owner@example.net", "retries", {"classes.busy.attempts": "3", "classes": {"timeout": {"delay": 7.5}}}
    )
    assert values == shown(fleet, "retries")
    with fleet.database.read() as session:
        stored = load(session, RetryOptions)
    assert (stored.policy(ErrorClass.BUSY).attempts, stored.policy(ErrorClass.TIMEOUT).delay) == (3, 7.5)
    assert stored.policy(ErrorClass.NO_ROOM) == DEFAULT_POLICIES[ErrorClass.NO_ROOM]
    (line,) = log(fleet)
    assert (line.actor, line.action, line.target) == ("owner@example.net", "settings.change", "retries")
    assert line.message == "classes.busy.attempts: 10 -> 3; classes.timeout.delay: 10 -> 7.5"


def test_the_same_again_leaves_no_trace(fleet: Fleet) -> None:
    settings.change(fleet, "o", "drift", shown(fleet, "drift"))
    settings.change(fleet, "o", "retries", shown(fleet, "retries"), strict=True)
    settings.change(fleet, "o", "mail", shown(fleet, "mail"))
    settings.reset(fleet, "o", "drift")
    assert log(fleet) == []
    with fleet.database.read() as session:
        assert session.scalars(select(Setting)).all() == []


@pytest.mark.parametrize(
    ("section", "changes", "field", "reason"),
    [
        ("retries", {"classes.busy.attempts": "0"}, "classes.busy.attempts", "must be at least 1"),
        ("retries", {"classes.busy.attempts": "1001"}, "classes.busy.attempts", "must be at most 1000"),
        ("retries", {"classes.busy.attempts": "2.5"}, "classes.busy.attempts", "must be a whole number"),
        ("retries", {"classes.busy.attempts": ""}, "classes.busy.attempts", "must be a whole number"),
        ("retries", {"classes.busy.attempts": None}, "classes.busy.attempts", "must be a whole number"),
        ("retries", {"classes.busy.delay": "soon"}, "classes.busy.delay", "must be a number"),
        ("retries", {"classes.busy.delay": "nan"}, "classes.busy.delay", "must be"),
        ("retries", {"classes.busy.delay": "inf"}, "classes.busy.delay", "must be at most 86400"),
        (
            "retries",
            {"classes.busy.delay": "121"},
            "classes.busy.delay",
            "not be longer than the longest delay (120 s)",
        ),
        (
            "retries",
            {"classes.busy.delay_max": 4},
            "classes.busy.delay_max",
            "not be shorter than the first delay (5 s)",
        ),
        ("retries", {"classes.bad_argument.attempts": "2"}, "classes.bad_argument.attempts", "never tried again"),
        ("retries", {"classes.host_key_changed.delay": "9"}, "classes.host_key_changed.delay", "never tried again"),
        ("retries", {"classes.nonsense.attempts": "2"}, "classes.nonsense.attempts", "is not known here"),
        ("retries", {"classes": 5}, "classes", "must be an object"),
        ("retries", {"classes": {"busy": []}}, "classes.busy", "must be an object"),
        ("retention", {"activity": "0"}, "activity", "must be at least 1"),
        ("retention", {"activity": {"a": 1}}, "activity", "must be a whole number"),
        ("retention", {"activity\x00": 1}, "activity\x00", "is not known here"),
        ("drift", {"hour": "24"}, "hour", "must be at most 23"),
        ("drift", {"enabled": "perhaps"}, "enabled", "must be true or false"),
        ("tickets", {"email_to": "a@example.net, nonsense"}, "email_to", "is not an e-mail address"),
        ("tickets", {"email_to": ["a@example.net", 5]}, "email_to", "must be text"),
        ("tickets", {"email_to": [f"a{n}@example.net" for n in range(21)]}, "email_to", "must have at most 20"),
        ("mail", {"security": "ssl"}, "security", "must be one of starttls, tls, none"),
        ("mail", {"port": "0"}, "port", "must be at least 1"),
        ("mail", {"host": "not a host", "sender": "a@example.net"}, "host", "must be an IP address or a host name"),
        ("mail", {"host": "mail.example.net"}, "sender", "is needed to send e-mail"),
        ("mail", {"sender": "nobody"}, "sender", "is not an e-mail address"),
        ("mail", {"sender": "a@b.example\r\nBcc: x@y.example"}, "sender", "must be one line"),
        ("mail", {"username": "a\x00b"}, "username", "must be one line"),
        ("mail", {"password": "ä" * 600}, "password", "must be at most 1000 bytes"),
        ("mail", {"password": "\ud800"}, "password", "must be valid Unicode text"),
        ("mail", {"password": 5}, "password", "must be text"),
        ("mail", {"host": "\ud800"}, "host", "must be"),
    ],
)
def test_bad_values_name_their_field(
    fleet: Fleet, section: str, changes: dict[str, Any], field: str, reason: str
) -> None:
    found = refusal(fleet, section, changes)
    assert list(found) == [field], found
    assert reason in found[field]


def test_all_bad_fields_are_named_at_once(fleet: Fleet) -> None:
    found = refusal(fleet, "retention", {"activity": "x", "checks": -1, "nonsense": 1})
    assert set(found) == {"activity", "checks", "nonsense"}


def test_strict_takes_no_number_in_quotes(fleet: Fleet) -> None:
    assert refusal(fleet, "retention", {"activity": "5"}, strict=True) == {"activity": "must be a whole number"}
    assert refusal(fleet, "drift", {"enabled": 1}, strict=True) == {"enabled": "must be true or false"}
    assert settings.change(fleet, "o", "retention", {"activity": 5}, strict=True)["activity"] == 5


def test_a_section_that_is_none(fleet: Fleet) -> None:
    for call in (settings.change, settings.reset):
        with pytest.raises(NotFound):
            call(fleet, "o", "nonsense", *([{}] if call is settings.change else []))


def test_classes_left_out_of_the_database_have_their_default(fleet: Fleet) -> None:
    with fleet.database.write() as session:
        save(session, RetryOptions(classes={}), "test")
    settings.change(fleet, "o", "retries", {"classes.busy.attempts": 4})
    assert [line.message for line in log(fleet)] == ["classes.busy.attempts: 10 -> 4"]


def test_addresses_are_told_apart_and_put_in_order(fleet: Fleet) -> None:
    values = settings.change(fleet, "o", "tickets", {"email_to": "Ops@Example.net; b@example.net\nops@example.net"})
    assert values["email_to"] == ["ops@example.net", "b@example.net"]
    assert settings.change(fleet, "o", "tickets", {"email_to": ""})["email_to"] == []
    assert log(fleet)[1].message == "email_to: ops@example.net, b@example.net -> nothing"


MAIL = {"host": "Mail.Example.net", "sender": "fleet@example.net", "username": "fleet", "password": "s3cret word"}


def test_a_password_is_sealed_and_never_shown(fleet: Fleet) -> None:
    values = settings.change(fleet, "o", "mail", MAIL)
    assert (values["host"], values["password"]) == ("mail.example.net", "set")
    with fleet.database.read() as session:
        assert "s3cret" not in str(session.get_one(Setting, "mail").value)
        assert mail_options(session, fleet.vault).password == "s3cret word"
    assert "s3cret" not in log(fleet)[0].message + str(log(fleet)[0].detail)
    assert "password: set" in log(fleet)[0].message


def test_a_blank_password_keeps_the_stored_one(fleet: Fleet) -> None:
    settings.change(fleet, "o", "mail", MAIL)
    for same in ({"password": ""}, {"password": "set"}, {"password": "s3cret word"}, {"port": 587}):
        settings.change(fleet, "o", "mail", same)
    assert len(log(fleet)) == 1
    with fleet.database.read() as session:
        assert mail_options(session, fleet.vault).password == "s3cret word"
    settings.change(fleet, "o", "mail", {"password": "another"})
    assert log(fleet)[1].message == "password: changed"


def test_a_password_is_removed_when_asked_to(fleet: Fleet) -> None:
    for ask in ({"changes": {"password": None}}, {"changes": {"password": ""}, "remove": ["password"]}):
        settings.change(fleet, "o", "mail", MAIL)
        assert settings.change(fleet, "o", "mail", **ask)["password"] == "not set"
        assert log(fleet)[-1].message == "password: removed"
    settings.change(fleet, "o", "mail", MAIL)
    assert settings.reset(fleet, "o", "mail")["password"] == "not set"
    assert "password: removed" in log(fleet)[-1].message
    with fleet.database.read() as session:
        assert load(session, MailOptions) == MailOptions()


def test_a_stored_password_does_not_go_to_another_server(fleet: Fleet) -> None:
    settings.change(fleet, "o", "mail", MAIL)
    assert list(refusal(fleet, "mail", {"host": "elsewhere.example"})) == ["password"]
    settings.change(fleet, "o", "mail", {"host": "elsewhere.example", "password": "given again"})
    settings.change(fleet, "o", "mail", {"host": "third.example", "password": None})


def test_reset_gives_the_defaults_back(fleet: Fleet) -> None:
    settings.change(fleet, "o", "retention", {"activity": 5, "checks": 7})
    settings.reset(fleet, "o", "retention")
    assert shown(fleet, "retention")["activity"] == 90
    assert (log(fleet)[1].action, log(fleet)[1].message) == ("settings.reset", "checks: 7 -> 3; activity: 5 -> 90")
