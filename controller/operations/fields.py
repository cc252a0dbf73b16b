"""Checks of single fields, shared by operations: collect problems, then raise them together."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from email_validator import EmailNotValidError, validate_email

from controller.domain.problems import Problem
from controller.operations.errors import Invalid, OperationError

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9])?")
HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
HALF = re.compile(r"[\ud800-\udfff]")
"""Halves of characters, which no database and no page can hold."""


class Fields:
    """Collects what is wrong; ``finish`` raises Invalid when anything is."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._refusals: list[OperationError] = []

    def problem(self, field: str, reason: str) -> None:
        """Note one problem."""
        self.problems.append(Problem(field, reason))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several."""
        self.problems.extend(problems)

    def refusal(self, field: str, error: OperationError) -> None:
        """Note what is wrong with a field although it is well written: a name that is taken, for example. Alone it is
        raised as it is, beside others it is one more problem."""
        self.problem(field, error.message)
        self._refusals.append(error)

    def finish(self) -> None:
        """Raise Invalid if there is any problem, or the one refusal."""
        if self._refusals and len(self.problems) == 1:
            raise self._refusals[0]
        if self.problems:
            raise Invalid(self.problems)

    def text(self, field: str, value: Any, *, maximum: int = 200, required: bool = True) -> str:
        """A single line of text without control characters."""
        text = value.strip() if isinstance(value, str) else ""
        if value is not None and not isinstance(value, str):
            self.problem(field, "must be text")
        elif required and not text:
            self.problem(field, "is needed")
        elif len(text) > maximum:
            self.problem(field, f"must be at most {maximum} characters")
        elif CONTROL.search(text):
            self.problem(field, "must be one line without control characters")
        elif HALF.search(text):
            self.problem(field, "must be valid Unicode text")
        return text

    def name(self, field: str, value: Any, *, maximum: int = 100) -> str:
        """The name of a thing: letters, digits, space, dot, dash, underscore; not a bare number (that is an id)."""
        text = self.text(field, value, maximum=maximum)
        if text and not NAME.fullmatch(text):
            self.problem(field, "may have letters, digits, spaces, dots, dashes and underscores only")
        elif text.isdigit():
            self.problem(field, "cannot be only digits: that would read as an id")
        return text

    def email(self, field: str, value: Any) -> str:
        """An e-mail address in lower case."""
        text = self.text(field, value, maximum=254)
        if not text or self.wrong(field):
            return text
        try:
            return validate_email(text, check_deliverability=False, test_environment=True).normalized.lower()
        except EmailNotValidError as problem:
            self.problem(field, f"is not an e-mail address: {problem}")
            return text

    def secret(self, field: str, value: Any, *, maximum: int = 1000) -> str:
        """A password as it was typed; empty when there is none."""
        text = value.strip("\r\n") if isinstance(value, str) and value.strip() else ""
        self.text(field, value, maximum=maximum, required=False)
        if HALF.search(text):
            return ""
        if len(text.encode()) > maximum:
            self.problem(field, f"must be at most {maximum} bytes")
        return text

    def host(self, field: str, value: Any, *, maximum: int = 255, required: bool = True) -> str:
        """An IP address or a host name."""
        text = self.text(field, value, maximum=maximum, required=required)
        if text and not self.wrong(field) and not HOST.fullmatch(text):
            try:
                ipaddress.ip_address(text)
            except ValueError:
                self.problem(field, "must be an IP address or a host name")
        return text

    def hostname(self, field: str, value: Any, *, required: bool = True) -> str:
        """A host name in lower case without a dot at its end, as a nameserver has one: not an address."""
        plain = value.strip().rstrip(".") if isinstance(value, str) else value
        text = self.host(field, plain, required=required).lower()
        is_named = not text.rpartition(".")[2].isdigit() and ":" not in text
        if text and not self.wrong(field) and (not is_named or any(len(label) > 63 for label in text.split("."))):
            self.problem(field, "must be a host name, like ns1.example.com")
        return text

    def choice(self, field: str, value: Any, allowed: Iterable[str]) -> str:
        """One of some words."""
        words = [str(word) for word in allowed]
        if value not in words:
            self.problem(field, f"must be one of {', '.join(words)}")
        return str(value)

    def integer(self, field: str, value: Any, minimum: int, maximum: int) -> int:
        """A whole number in a range."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(field, "must be a whole number")
            return minimum
        if not minimum <= value <= maximum:
            self.problem(field, f"must be between {minimum} and {maximum}")
        return value

    def wrong(self, field: str) -> bool:
        """Whether something is wrong with a field already."""
        return any(problem.field == field for problem in self.problems)
