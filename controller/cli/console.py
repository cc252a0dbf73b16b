"""What every command shares: opening the installation, printing, and ending with one clear line."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from controller.engine.fleet import Fleet

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PasswordFromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


class Failed(Exception):
    """Ends the command with one line on stderr."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class BadInput(Failed):
    """The command was called wrongly."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 2)


def actor() -> str:
    """Who is at the keyboard, for the audit."""
    try:
        return f"cli {getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def new_group(help_text: str) -> typer.Typer:
    """A group of commands that looks like all others."""
    return typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@contextmanager
def opened() -> Iterator[Fleet]:
    """The installation that the environment names. Raises Failed when it was never initialised."""
    from sqlalchemy import inspect

    from controller.engine.fleet import Fleet
    from controller.settings import Settings

    fleet = Fleet.open(Settings())
    try:
        if not inspect(fleet.database.engine).has_table("services"):
            raise Failed("the database has no tables: run 'hestia-fleet init' first")
        yield fleet
    finally:
        fleet.close()


def out(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(f"{text}\n")


def out_json(data: Any) -> None:
    """Indented JSON on stdout; models as the API would send them."""
    out(json.dumps(plain(data), indent=2, ensure_ascii=False))


def plain(data: Any) -> Any:
    """Models, and lists of them, as JSON data."""
    if hasattr(data, "model_dump"):
        return data.model_dump(mode="json")
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    return data


def out_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns as wide as they need to be."""
    table = [tuple(head), *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(head))]
    for row in table:
        out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def out_fields(fields: Mapping[str, Any]) -> None:
    """Names and values below each other."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        out(f"{name.ljust(width)}  {'' if value is None else value}".rstrip())


def out_list(as_json: bool, items: Sequence[BaseModel], head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A list as JSON or as a table."""
    if as_json:
        out_json(list(items))
    else:
        out_table(head, rows)


def when(moment: Any) -> str:
    """A time in UTC, to the second."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def password_from(from_stdin: bool, question: str = "Password") -> str:
    """A password from standard input, or asked twice at the terminal. Raises BadInput when there is neither."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadInput("no terminal to ask for the password at: use --password-stdin")
    first = getpass.getpass(f"{question}: ")
    if getpass.getpass("Again: ") != first:
        raise BadInput("the passwords are not the same")
    return first


def file_text(path: Path) -> str:
    """A text file's content; ``-`` is standard input. Raises BadInput."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"{path} cannot be read: {problem}") from None


def pairs(values: Sequence[str], option: str) -> dict[str, Any]:
    """``name=value`` options as a mapping; whole numbers become numbers. Raises BadInput."""
    found: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"{option} takes NAME=VALUE, not {text!r}")
        found[name.strip()] = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else value
    return found


def words(values: Sequence[str]) -> list[str]:
    """A repeated or comma-separated option as a list."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
