"""Forms: WTForms with our looks, one line to build from a request and one to take an operation's refusal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from wtforms import Form, IntegerField, SelectField
from wtforms.fields import Field
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional as OptionalInput

from controller.operations.errors import Conflict, Invalid, OperationError

F = TypeVar("F", bound="FleetForm")


class FleetForm(Form):  # type: ignore[misc]
    """Base of all forms. CSRF is checked for every form before its page runs (``controller.web.access``)."""

    field_map: Mapping[str, str] = {}
    """Names that operations use for a field, where they are not the form's own (``customer.email``)."""

    @classmethod
    def of(cls: type[F], request: Request, **data: Any) -> F:
        """With what was submitted, or with the given starting values."""
        submitted = request.state.form if request.method == "POST" else None
        return cls(submitted, data=data)

    def refuse(self, problem: OperationError) -> None:
        """Put an operation's refusal at the field it names, or at the top of the form. A field with which the form has
        found something wrong itself says that only."""
        known = {name for name, field in self._fields.items() if field.errors}
        if isinstance(problem, Invalid):
            for one in problem.problems:
                self._add(one.field, one.reason, known)
        else:
            self._add(problem.field if isinstance(problem, Conflict) else None, problem.message, known)

    def _add(self, name: str | None, reason: str, known: Collection[str]) -> None:
        name = self.field_map.get(name or "", name)
        text = sentence(reason)
        if name and name in self._fields:
            field: Field = self._fields[name]
            if name not in known:
                field.errors = [*field.errors, text]
        else:
            self.form_errors.append(f"{name}: {text}" if name else text)


class ChoiceField(SelectField):  # type: ignore[misc]
    """A select that says what is wrong in plain words."""

    def __init__(self, label: str, validators: Sequence[Any] = (), **kwargs: Any) -> None:
        super().__init__(label, validators, invalid_choice_message="Choose one of the list.", **kwargs)


def choices(pairs: Iterable[tuple[object, str]]) -> list[SelectChoice]:
    """Choices of a field from values and labels."""
    return [SelectChoice(str(value), label) for value, label in pairs]


class NumberField(IntegerField):  # type: ignore[misc]
    """A whole number; says so."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        try:
            self.data = int(valuelist[0].strip())
        except ValueError:
            self.data = None
            raise ValueError("Enter a whole number.") from None


def sentence(reason: str) -> str:
    """An operation's reason as a sentence: ``is needed`` becomes ``This is needed.``."""
    text = reason.strip()
    if text.startswith(("is ", "must ", "may ", "cannot ", "has ")):
        text = f"This {text}"
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def optional() -> OptionalInput:
    """Validator: empty is fine."""
    return OptionalInput()
