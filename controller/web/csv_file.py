"""A list of any length as a CSV file, sent while it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from starlette.responses import StreamingResponse

from controller.store.base import utcnow

LINES_PER_PIECE = 200


def csv_file(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> StreamingResponse:
    """The file ``name-2026-01-31.csv``. Its first line goes out before the first row is read, and no more than
    ``LINES_PER_PIECE`` rows are kept at a time."""
    return StreamingResponse(
        _pieces(heads, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{utcnow():%Y-%m-%d}.csv"'},
    )


def _pieces(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heads)
    yield _taken(text)
    for number, row in enumerate(rows, 1):
        writer.writerow(row)
        if number % LINES_PER_PIECE == 0:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> str:
    piece = text.getvalue()
    text.seek(0)
    text.truncate()
    return piece
