"""Numbers and names as pages write them."""

from __future__ import annotations

import pytest

from controller.web.present import counted, grouped, megabytes, readable


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (20_000, "20\u202f000"), ("7/9", "7/9")])
def test_thousands_stand_apart(value: object, text: str) -> None:
    assert grouped(value) == text


def test_a_noun_goes_with_its_number() -> None:
    assert (counted(1, "zone"), counted(2_000, "zone")) == ("1 zone", "2\u202f000 zones")


def test_amounts_have_at_most_four_digits_up_to_petabytes() -> None:
    found = [megabytes(amount) for amount in (512, 1_500, 5_000_000, 1_001_000_000)]
    assert found == ["512 MB", "1.5 GB", "5 TB", "1 PB"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("xn--sne-sna.example", "söne.example"), ("xn--", "xn--"), ("a-xn--b-web", "a-xn--b-web"), ("ns1", "ns1")],
)
def test_a_host_name_stands_as_people_write_it_and_nothing_else_changes(name: str, text: str) -> None:
    assert readable(name) == text
