"""A CSV file of any length is sent while it is read."""

from __future__ import annotations

import anyio

from controller.web.csv_file import LINES_PER_PIECE, csv_file


def test_the_first_line_goes_out_before_a_row_is_read_and_few_rows_are_kept() -> None:
    read: list[int] = []

    def rows() -> list[str]:
        read.append(len(read))
        return [str(len(read)), 'a "b", c']

    async def take() -> None:
        pieces = aiter(csv_file("things", ["id", "name"], (rows() for _ in range(3 * LINES_PER_PIECE))).body_iterator)
        assert await anext(pieces) == "id,name\r\n"
        assert read == []
        second = await anext(pieces)
        assert str(second).startswith('1,"a ""b"", c"\r\n')
        assert len(read) == LINES_PER_PIECE

    anyio.run(take)
