"""What numbers, money, dates and times come to, however they are said or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.checks.phrases import PlacedPhrase
from planner.checks.spoken import spoken_finder, spoken_forms

FORMS = Path(__file__).parent / "tables" / "spoken_forms.txt"
"""Each line: what is said, how it is read, and as rows of digits where that is another reading."""


def test_what_is_said_in_each_of_its_readings() -> None:
    """Every word for a number, a currency, a month and a time of day, and the edges of each."""
    written = FORMS.read_text(encoding="utf-8").splitlines()
    lines: list[str] = []
    for line in written:
        text = line.split(" | ")[0]
        readings = [" ".join(form.padded.split()) for form in spoken_forms(text, fold=True)]
        lines.append(" | ".join([text, *dict.fromkeys(readings)]))
    assert lines == written


@pytest.mark.parametrize(
    ("text", "phrases", "expected"),
    [
        ("We give thirty days, and then thirty days.", ["30 days"], [("30 days", 2, 4), ("30 days", 6, 8)]),
        ("Thirty days.", ["30 days"], [("30 days", 0, 2)]),
        ("It is twelve dollars and fifty cents now", ["$12.50", "now"], [("$12.50", 2, 7), ("now", 7, 8)]),
        ("call four one five. five five five oh one four two", ["4155550142"], [("4155550142", 1, 11)]),
        ("at half past nine, or 9:30", ["9:30"], [("9:30", 1, 4), ("9:30", 5, 6)]),
        ("nine thirty is nine thirty", ["930"], [("930", 0, 2), ("930", 3, 5)]),
        ("Forty", ["forty", "fifty"], [("forty", 0, 1)]),
    ],
)
def test_where_it_is_said(text: str, phrases: list[str], expected: list[tuple[str, int, int]]) -> None:
    """By the words as they were said, in whichever reading more of it is found."""
    found = spoken_finder(tuple(phrases), fold=True).find(text)
    assert found == [PlacedPhrase(*each) for each in expected]
