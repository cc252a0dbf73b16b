"""Settings: a tab for each subject. All staff look, owners change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from wtforms import BooleanField, PasswordField, StringField
from wtforms.fields import Field

from controller.domain.failures import CLASS_WORDS, NEVER_RETRIED, ErrorClass
from controller.domain.options import (
    BY_NAME,
    SECRETS,
    CollectionOptions,
    DriftOptions,
    MailOptions,
    PolicyOptions,
    RetentionOptions,
    RetryOptions,
    Section,
    TicketOptions,
)
from controller.domain.policy_words import policy_words
from controller.operations import environment
from controller.operations import settings as operations
from controller.operations.errors import OperationError
from controller.operations.mail_test import send_test_mail
from controller.store.options import load
from controller.web.access import Access, page
from controller.web.forms import ChoiceField, FleetForm, choices
from controller.web.request_tools import actor_of, database_of, fleet_of
from controller.web.session import flash, person_of
from controller.web.templating import render

HOME = "/admin/settings"
SECURITY = [("starttls", "STARTTLS"), ("tls", "TLS from the start"), ("none", "None")]
TAB_OF = {
    "retries": "retries",
    "retention": "retention",
    "collection": "collection",
    "drift": "drift",
    "tickets": "tickets",
    "mail": "tickets",
}
REMOVE = "remove_"


class SectionForm(FleetForm):
    """One section as it is typed; the operation checks it."""

    section = ""
    field_of: Mapping[str, str] = {}
    """Names that the operation uses for a field, where they are not the form's own."""

    def changes(self) -> dict[str, Any]:
        """What was typed, by the operation's names."""
        return {
            self.field_of.get(name, name): field.data
            for name, field in self._fields.items()
            if not name.startswith(REMOVE)
        }

    def removed(self) -> list[str]:
        """Secrets that are to go."""
        return [
            name.removeprefix(REMOVE) for name, field in self._fields.items() if name.startswith(REMOVE) and field.data
        ]


def _field(model: type[Section], name: str) -> Field:
    described = model.model_fields[name]
    title, hint = str(described.title), described.description or ""
    if (model.section, name) in SECRETS:
        return PasswordField(title)
    if described.annotation is bool:
        return BooleanField(title, description=hint)
    if (model, name) == (MailOptions, "security"):
        return ChoiceField(title, choices=choices(SECURITY))
    return StringField(title, description=hint)


def _form_of(model: type[Section]) -> type[SectionForm]:
    fields: dict[str, Any] = {name: _field(model, name) for name in model.model_fields}
    for section, name in SECRETS:
        if section == model.section:
            fields[f"{REMOVE}{name}"] = BooleanField("Remove the stored one")
    return type(f"{model.__name__}Form", (SectionForm,), {"section": model.section, **fields})


def _retry_form() -> type[SectionForm]:
    names = {
        f"{kind.value}__{name}": f"classes.{kind.value}.{name}"
        for kind in ErrorClass
        if kind not in NEVER_RETRIED
        for name in PolicyOptions.model_fields
    }
    fields = {
        field: StringField(PolicyOptions.model_fields[path.rpartition(".")[2]].title) for field, path in names.items()
    }
    more = {"section": "retries", "field_of": names, "field_map": {path: field for field, path in names.items()}}
    return type("RetryForm", (SectionForm,), {**more, **fields})


FORMS: dict[str, type[SectionForm]] = {
    RetryOptions.section: _retry_form(),
    **{
        model.section: _form_of(model)
        for model in (RetentionOptions, CollectionOptions, DriftOptions, TicketOptions, MailOptions)
    },
}


def _typed(value: Any) -> Any:
    """A value as it stands in a field."""
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, list) else value


def _filled(session: Session, section: str) -> SectionForm:
    """The form with what is set now."""
    form = FORMS[section]
    values = operations.show(session, section)
    if section == RetryOptions.section:
        found = {
            field: values["classes"][path.split(".")[1]][path.split(".")[2]] for field, path in form.field_of.items()
        }
    else:
        found = {name: value for name, value in values.items() if (section, name) not in SECRETS}
    return form(None, data={name: _typed(value) for name, value in found.items()})


def _tab(
    request: Request,
    tab: str,
    status: int = 200,
    submitted: SectionForm | None = None,
    tested: tuple[str, str] | None = None,
) -> Response:
    """A tab with its forms; one of them as it was submitted."""
    with database_of(request).read() as session:
        forms = {section: _filled(session, section) for section, home in TAB_OF.items() if home == tab}
        context: dict[str, Any] = {}
        if tab == "retries":
            context = _retry_rows(load(session, RetryOptions))
        if tab == "tickets":
            context = {
                "mail": operations.show(session, "mail"),
                "tested": tested,
                "to": request.state.form.get("to", "") if tested else person_of(request).email,
            }
    if submitted is not None:
        forms[submitted.section] = submitted
    return render(request, f"admin/settings/{tab}.html", status, forms=forms, tab=tab, **context)


def _retry_rows(options: RetryOptions) -> dict[str, Any]:
    return {
        "classes": [(kind, *CLASS_WORDS[kind], policy_words(options.policy(kind))) for kind in ErrorClass],
        "never": NEVER_RETRIED,
        "policy_fields": list(PolicyOptions.model_fields),
        "titles": {name: field.title for name, field in PolicyOptions.model_fields.items()},
    }


def _show(tab: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        return _tab(request, tab)

    return endpoint


def _save(section: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        form = FORMS[section](request.state.form)
        try:
            operations.change(fleet_of(request), actor_of(request), section, form.changes(), remove=form.removed())
        except OperationError as problem:
            form.refuse(problem)
            return _tab(request, TAB_OF[section], 422, form)
        flash(request, f"{BY_NAME[section].title}: saved.")
        return RedirectResponse(f"{HOME}/{TAB_OF[section]}", 303)

    return endpoint


def _reset(section: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        operations.reset(fleet_of(request), actor_of(request), section)
        flash(request, f"{BY_NAME[section].title}: everything is as it was delivered.")
        return RedirectResponse(f"{HOME}/{TAB_OF[section]}", 303)

    return endpoint


def test_mail(request: Request) -> Response:
    """Answers with the page itself: a mail server's answer may be longer than a message for the next page."""
    to = str(request.state.form.get("to", ""))
    try:
        tested = ("success", f"{send_test_mail(fleet_of(request), actor_of(request), to)} for {to}.")
    except OperationError as problem:
        tested = ("danger", problem.message)
    return _tab(request, "tickets", 200 if tested[0] == "success" else 422, tested=tested)


def home(request: Request) -> Response:
    return RedirectResponse(f"{HOME}/retries", 303)


def show_environment(request: Request) -> Response:
    rows = environment.effective(fleet_of(request).settings)
    return render(request, "admin/settings/environment.html", rows=rows, tab="environment")


routes: list[BaseRoute] = [
    page(HOME, home, Access.STAFF),
    *(page(f"{HOME}/{tab}", _show(tab), Access.STAFF) for tab in sorted(set(TAB_OF.values()))),
    *(page(f"{HOME}/{section}", _save(section), Access.OWNER, methods=["POST"]) for section in TAB_OF),
    *(page(f"{HOME}/{section}/reset", _reset(section), Access.OWNER, methods=["POST"]) for section in TAB_OF),
    page(f"{HOME}/mail/test", test_mail, Access.OWNER, methods=["POST"]),
    page(f"{HOME}/environment", show_environment, Access.STAFF),
]
