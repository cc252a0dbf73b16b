"""``settings`` and ``job``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    Failed,
    actor,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_table,
    when,
)

settings_app = new_group("Settings: what staff set, and what the process was started with.")
job_app = new_group("Periodic jobs of the engine.")

SectionName = Annotated[
    str, typer.Argument(metavar="SECTION", help="retries, retention, collection, drift, tickets or mail.")
]


@settings_app.command("show")
def show_settings(
    section: Annotated[
        str,
        typer.Argument(help="Only this section: environment, retries, retention, collection, drift, tickets or mail."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print the settings in force; secrets are left out."""
    from controller.operations import settings
    from controller.operations.environment import effective
    from controller.settings import Settings

    # First, because it helps to find out why the rest cannot be read.
    environment = {row.name: row.value for row in effective(Settings())}
    sections: dict[str, dict[str, Any]] = {}
    if section in ("", "environment"):
        sections["environment"] = environment
    if section != "environment":
        try:
            with opened() as fleet, fleet.database.read() as session:
                names = settings.show_all(session) if not section else {section: settings.show(session, section)}
                sections |= names
        except Exception as problem:
            if section:
                raise
            _say_why(problem)
    if as_json:
        out_json(sections[section] if section else sections)
        return
    out_fields({name: value for key, values in sections.items() for name, value in _dotted(values, key)})


def _say_why(problem: Exception) -> None:
    """Why there is nothing to see but the environment."""
    from sqlalchemy.exc import SQLAlchemyError

    from controller.store.vault import VaultError

    if not isinstance(problem, Failed | VaultError | SQLAlchemyError):
        raise problem
    words = " ".join(str(getattr(problem, "orig", None) or problem).split())
    sys.stderr.write(f"only the environment can be shown: {words}\n")


def _dotted(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            yield from _dotted(value, name)
        else:
            yield name, ", ".join(value) if isinstance(value, list) else value


@settings_app.command("set")
def set_settings(
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="SECTION.KEY=VALUE...",
            help="For instance retries.classes.busy.attempts=12; mail.password=- reads it from standard input.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Change fields of one section, all of them or none."""
    from controller.domain.options import SECRETS
    from controller.operations import settings

    section, wanted = "", {}
    for text in changes:
        path, equals, value = text.partition("=")
        name, dot, key = path.strip().partition(".")
        if not equals or not dot or not key:
            raise BadInput(f"settings are set as SECTION.KEY=VALUE, not {text!r}")
        if section not in ("", name):
            raise BadInput("change one section at a time")
        section = name
        if (section, key) in SECRETS:
            if value != "-":
                raise BadInput(f"a secret does not belong on the command line: {path}=- reads it from standard input")
            value = sys.stdin.readline().rstrip("\r\n")
        wanted[key] = value
    with opened() as fleet:
        values = settings.change(fleet, actor(), section, wanted)
    if as_json:
        out_json(values)
        return
    shown = dict(_dotted(values, section))
    out_fields({f"{section}.{key}": shown[f"{section}.{key}"] for key in wanted})


@settings_app.command("remove")
def remove_secret(
    path: Annotated[str, typer.Argument(metavar="SECTION.KEY", help="A stored secret: mail.password.")],
    as_json: AsJson = False,
) -> None:
    """Remove a stored secret."""
    from controller.domain.options import SECRETS
    from controller.operations import settings

    section, _, key = path.partition(".")
    if (section, key) not in SECRETS:
        raise BadInput(f"{path} is not a secret; secrets are {', '.join('.'.join(one) for one in sorted(SECRETS))}")
    with opened() as fleet:
        values = settings.change(fleet, actor(), section, {}, remove=[key])
    if as_json:
        out_json(values)
    else:
        out(f"{path} is removed")


@settings_app.command("reset")
def reset_settings(section: SectionName, as_json: AsJson = False) -> None:
    """Give a section its defaults again."""
    from controller.operations import settings

    with opened() as fleet:
        values = settings.reset(fleet, actor(), section)
    if as_json:
        out_json(values)
    else:
        out(f"{section} has its defaults again")


@settings_app.command("test-mail")
def test_mail(
    to: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who gets the test e-mail.")], as_json: AsJson = False
) -> None:
    """Send a test e-mail now."""
    from controller.operations.mail_test import send_test_mail

    with opened() as fleet:
        answer = send_test_mail(fleet, actor(), to)
    if as_json:
        out_json({"answer": answer})
    else:
        out(answer)


@job_app.command("list")
def list_jobs(as_json: AsJson = False) -> None:
    """List periodic jobs."""
    from controller.operations import jobs
    from controller.web.api.settings_answers import job_answer

    with opened() as fleet, fleet.database.read() as session:
        found = jobs.list_jobs(session)
    if as_json:
        out_json([job_answer(job) for job in found])
        return
    out_table(
        ("NAME", "RUNS", "LAST RUN", "NEXT RUN", "RESULT"),
        [
            (
                job.name,
                job.rhythm,
                "running" if job.running else when(job.finished_at),
                when(job.due_at),
                f"failed: {job.error}" if job.error else job.result,
            )
            for job in found
        ],
    )


@job_app.command("run")
def run_job(name: Annotated[str, typer.Argument(help="Name of the job.")], as_json: AsJson = False) -> None:
    """Run a job as soon as a worker looks."""
    from controller.operations import jobs
    from controller.web.api.settings_answers import job_answer

    with opened() as fleet:
        job = jobs.run_now(fleet, actor(), name)
    if as_json:
        out_json(job_answer(job))
    else:
        out(f"{job.name} starts as soon as a worker looks")
