"""The readings of numbers, money, dates and times, said or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.checks.phrases import PlacedPhrase
from planner.checks.spoken.finder import spoken_finder
from planner.checks.spoken.forms import spoken_forms

FORMS = Path(__file__).parent / "tables" / "spoken_forms.txt"
"""Each line: what is said, how it is read, and as rows of digits where that is another reading."""


def test_spoken_forms_of_each_reading() -> None:
    """Every word for a number, a currency, a month and a time of day, and the edges of each."""
    written = FORMS.read_text(encoding="utf-8").splitlines()
    lines: list[str] = []
    for line in written:
        text = line.split(" | ")[0]
        forms = spoken_forms(text, fold=True)
        readings = [" ".join(form.padded.split()) for form in (forms.amounts, forms.rows or forms.amounts)]
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
        ("thirty days back", ["30 days", "30 days back"], [("30 days back", 0, 3)]),
        ("it costs twelve fifty plus tax", ["$12.50", "$12.50 plus tax"], [("$12.50 plus tax", 2, 6)]),
        ("it costs twelve fifty now", ["$12.50"], [("$12.50", 2, 4)]),
        ("it is $12.50 for 30 60 90 days", ["twelve fifty", "30"], [("twelve fifty", 2, 4), ("30", 5, 6)]),
        ("we give it back", ["give it"], [("give it", 1, 3)]),
        ("twice a day four one five", ["4 1", "an hour"], []),
        ("it takes an hour now", ["60 minutes", "now"], [("60 minutes", 2, 4), ("now", 4, 5)]),
        ("it takes a day four one five", ["4 1"], []),
        ("nine thirty here", ["9 30", "930"], [("9 30", 0, 2)]),
        ("it takes an hour and a half now", ["90 minutes"], [("90 minutes", 2, 7)]),
        ("it is, uh, thirty, um, five days. So um", ["35 days", "so"], [("35 days", 3, 7), ("so", 7, 8)]),
        ("takes 5-7 days here", ["5 to 7 days"], [("5 to 7 days", 1, 4)]),
        ("it costs twelve oh five now", ["$12.05"], [("$12.05", 2, 5)]),
        ("it costs twelve fifty at 9:30 am", ["$12.50", "9:30 am"], [("$12.50", 2, 4), ("9:30 am", 5, 7)]),
    ],
)
def test_the_place_of_a_spoken_form(text: str, phrases: list[str], expected: list[tuple[str, int, int]]) -> None:
    """By the words as they were said, in whichever reading more of it is found."""
    found = spoken_finder(tuple(phrases), fold=True).find(text)
    assert found == [PlacedPhrase(*each) for each in expected]


def test_times_and_prices_are_read_without_fillers() -> None:
    """An `um` is no part of how long something takes or what it costs, unless all is wanted as it was said."""
    hour, price = "It takes, um, an hour", "It costs twelve um fifty"
    durations = spoken_forms(hour, fold=True).durations
    assert durations is not None
    assert durations.padded == " it  takes  3600  second "
    assert spoken_forms(hour, fold=True, as_said=True).durations is None
    prices = spoken_forms(price, fold=True).prices
    assert prices is not None
    assert prices.padded == " it  costs  12.5  dollar "
    assert spoken_forms(price, fold=True, as_said=True).prices is None
