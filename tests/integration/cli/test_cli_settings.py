"""``settings``, ``job`` and ``log`` on a real installation."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import insert

from controller.engine.fleet import Fleet
from controller.engine.mail_options import mail_options
from controller.store.base import utcnow
from controller.store.models import OperationLog
from controller.store.work_models import Job
from tests.integration.cli.test_cli import Command, cli, fleet, template

__all__ = ["cli", "fleet", "template"]


def test_settings_are_shown_set_and_reset(cli: Command) -> None:
    shown = cli.json("settings", "show")
    assert set(shown) == {"environment", "retries", "retention", "collection", "drift", "tickets", "mail"}
    assert "retries.classes.busy.attempts" in cli.run("settings", "show").stdout
    set_ = cli.run("settings", "set", "retries.classes.busy.attempts=12", "retries.classes.busy.delay=1.5").stdout
    assert set_.split() == ["retries.classes.busy.attempts", "12", "retries.classes.busy.delay", "1.5"]
    assert cli.json("settings", "show", "retries")["classes"]["busy"]["attempts"] == 12
    assert cli.json("settings", "set", "tickets.email_to=a@example.net,b@example.net")["email_to"][1] == "b@example.net"
    assert cli.json("settings", "set", "drift.enabled=no")["enabled"] is False
    cli.run("settings", "reset", "retries")
    assert cli.json("settings", "show", "retries") == shown["retries"]
    assert cli.json("settings", "show", "environment")["home"] == str(cli.home)


def test_settings_that_cannot_be(cli: Command) -> None:
    for arguments, words in (
        (("retries.classes.busy.attempts=0",), "classes.busy.attempts: must be at least 1"),
        (("retries.classes.bad_argument.attempts=2",), "never tried again"),
        (("retries.nonsense=1",), "nonsense: is not known here"),
        (("retries",), "SECTION.KEY=VALUE"),
        (("drift.hour=1", "retention.checks=1"), "one section at a time"),
        (("mail.password=hunter2",), "does not belong on the command line"),
    ):
        error = cli.run("settings", "set", *arguments, code=2).stderr
        assert words in error
        assert "hunter2" not in error
    assert "there is no section" in cli.run("settings", "set", "nonsense.a=1", code=1).stderr
    assert "there is no section" in cli.run("settings", "show", "nonsense", code=1).stderr
    assert "is not a secret" in cli.run("settings", "remove", "mail.host", code=2).stderr


def test_a_secret_comes_by_standard_input(cli: Command, fleet: Fleet) -> None:
    arguments = ("settings", "set", "mail.host=mx.example.net", "mail.sender=a@example.net", "mail.password=-")
    assert "s3cret" not in cli.run(*arguments, stdin="s3cret word\n").stdout
    with fleet.database.read() as session:
        assert mail_options(session, fleet.vault).password == "s3cret word"
    assert cli.json("settings", "show", "mail")["password"] == "set"
    cli.run("settings", "remove", "mail.password")
    assert cli.json("settings", "show", "mail")["password"] == "not set"


def test_a_test_mail_tells_why_it_cannot_be_sent(cli: Command) -> None:
    assert "no SMTP server is set" in cli.run("settings", "test-mail", "a@example.net", code=1).stderr
    assert "to: is not an e-mail address" in cli.run("settings", "test-mail", "nobody", code=2).stderr


def test_the_environment_shows_before_init(tmp_path: Path) -> None:
    done = Command(tmp_path / "nothing").run("settings", "show", "--json")
    assert set(json.loads(done.stdout)) == {"environment"}
    assert "only the environment" in done.stderr


def test_jobs(cli: Command, fleet: Fleet) -> None:
    assert "clean-up" in cli.run("job", "list").stdout
    assert cli.json("job", "run", "clean-up")["name"] == "clean-up"
    with fleet.database.read() as session:
        assert session.get_one(Job, "clean-up").due_at <= utcnow()
    assert "there is no job" in cli.run("job", "run", "nonsense", code=1).stderr


def test_the_log(cli: Command, fleet: Fleet) -> None:
    with fleet.database.write() as session:
        line = {"actor": "engine", "action": "web.domain", "target": "a.example", "result": "failed"}
        session.execute(insert(OperationLog), [{**line, "message": f"number {n}"} for n in range(1200)])
    assert len(cli.run("log").stdout.splitlines()) == 51
    every = [json.loads(text) for text in cli.run("log", "--limit", "5000", "--json").stdout.splitlines()]
    assert len(every) == 1200
    assert [line["id"] for line in every] == sorted((line["id"] for line in every), reverse=True)
    found = cli.run("log", "--search", "NUMBER 777", "--result", "failed", "--area", "web", "--json").stdout
    assert json.loads(found)["message"] == "number 777"
    assert cli.run("log", "--before", str(every[-1]["id"]), "--json").stdout == ""
    assert "since: must be a day" in cli.run("log", "--since", "soon", code=2).stderr
    assert "there is no server" in cli.run("log", "--server", "nonsense", code=1).stderr
