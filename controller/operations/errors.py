"""What an operation can answer instead of doing it."""

from __future__ import annotations

from collections.abc import Sequence

from controller.domain.problems import Problem


class OperationError(Exception):
    """Base; ``message`` is fit for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(OperationError):
    """Bad input; ``problems`` names each field and the reason."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.reason}" for problem in problems))
        self.problems = list(problems)


class NotFound(OperationError):
    """No such thing."""

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"there is no {kind} {str(name)[:100]}")
        self.kind = kind


class Conflict(OperationError):
    """The thing exists already, or somebody else holds it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Refused(OperationError):
    """The state of the thing does not allow it now."""
