"""Standard files: what a group can replace, and with what."""

from __future__ import annotations

import pytest

from controller.domain.standard_files import MAX_BYTES, STANDARD_FILES, check


def test_every_file_is_explained() -> None:
    assert list(STANDARD_FILES) == [
        "error_403", "error_404", "error_410", "error_50x", "index", "robots", "suspended", "unassigned",
    ]  # fmt: skip
    for name, spec in STANDARD_FILES.items():
        assert spec.name == name
        assert spec.title
        assert spec.path
        assert spec.explanation.endswith(".")
        assert spec.media_type == ("text/plain" if name == "robots" else "text/html")


@pytest.mark.parametrize("content", ["", "<h1>{{ 7*7 }} é</h1>\n", "x" * MAX_BYTES])
def test_good_contents(content: str) -> None:
    assert check("index", content) == []


@pytest.mark.parametrize(
    ("name", "content", "field", "words"),
    [
        ("nonsense", "x", "name", "unknown file; known are error_403"),
        ("index", "a\0b", "content", "must be text"),
        ("index", "\ud800", "content", "must be text"),
        ("index", "é" * (MAX_BYTES // 2 + 1), "content", "larger than 256 KiB"),
    ],
)
def test_bad_contents(name: str, content: str, field: str, words: str) -> None:
    (problem,) = check(name, content)
    assert problem.field == field
    assert words in problem.reason
