"""Calls on settings and periodic jobs."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel
from sqlalchemy.orm import Session

from controller.domain.options import BY_NAME
from controller.operations import jobs, settings
from controller.operations.mail_test import send_test_mail
from controller.store.models import OperationLog
from controller.web.api.bodies import Nothing
from controller.web.api.calls import AFTERWARDS, Asked, Call, logged
from controller.web.api.settings_answers import (
    ANSWERS,
    CHANGES,
    JobAnswer,
    JobsAnswer,
    SettingsAnswer,
    TestMail,
    TestMailAnswer,
    environment_answer,
    job_answer,
)


def _all(asked: Asked) -> SettingsAnswer:
    with asked.fleet.database.read() as session:
        sections = settings.show_all(session)
    return SettingsAnswer.model_validate({"environment": environment_answer(asked.fleet.settings), **sections})


def _get(section: str) -> Callable[[Asked], BaseModel]:
    def run(asked: Asked) -> BaseModel:
        with asked.fleet.database.read() as session:
            return ANSWERS[section].model_validate(settings.show(session, section))

    return run


def _change(section: str) -> Callable[[Asked], BaseModel]:
    def run(asked: Asked) -> BaseModel:
        changes = asked.body.model_dump(exclude_unset=True)
        return ANSWERS[section].model_validate(settings.change(asked.fleet, asked.actor, section, changes, strict=True))

    return run


def _reset(section: str) -> Callable[[Asked], BaseModel]:
    def run(asked: Asked) -> BaseModel:
        return ANSWERS[section].model_validate(settings.reset(asked.fleet, asked.actor, section))

    return run


def _test_mail(asked: Asked) -> TestMailAnswer:
    return TestMailAnswer(answer=send_test_mail(asked.fleet, asked.actor, asked.body.to))


def _jobs(asked: Asked) -> JobsAnswer:
    with asked.fleet.database.read() as session:
        return JobsAnswer(items=[job_answer(job) for job in jobs.list_jobs(session)])


def _run_job(asked: Asked) -> JobAnswer:
    return job_answer(jobs.run_now(asked.fleet, asked.actor, asked.key))


def _hurried(session: Session, line: OperationLog) -> JobAnswer:
    return next(job_answer(job) for job in jobs.list_jobs(session) if job.name == line.target)


def _of_section(section: str) -> tuple[Call, ...]:
    title, answer, path = BY_NAME[section].title, ANSWERS[section], f"/settings/{section}"
    return (
        Call("GET", path, f"Show settings: {title}", _get(section), answer=answer),
        Call("PATCH", path, f"Change settings: {title}", _change(section), answer=answer, body=CHANGES[section]),
        Call(
            "POST",
            f"{path}/reset",
            f"Back to defaults: {title}",
            _reset(section),
            answer=answer,
            body=Nothing,
            once=AFTERWARDS,
        ),
    )


CALLS = (
    Call("GET", "/settings", "Show all settings", _all, answer=SettingsAnswer),
    *(call for section in BY_NAME for call in _of_section(section)),
    Call(
        "POST",
        "/settings/mail/test",
        "Send a test e-mail now",
        _test_mail,
        answer=TestMailAnswer,
        body=TestMail,
        once=AFTERWARDS,
        problems=("refused",),
    ),
    Call("GET", "/jobs", "List periodic jobs", _jobs, answer=JobsAnswer),
    Call(
        "POST",
        "/jobs/{id}/run",
        "Run a periodic job as soon as a worker looks",
        _run_job,
        answer=JobAnswer,
        status=202,
        body=Nothing,
        once=logged("job.run", _hurried, located=False),
        problems=("refused",),
    ),
)
