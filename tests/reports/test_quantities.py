"""Money, time and counts as people read them."""

from __future__ import annotations

import pytest

from planner.quantities import money, money_range, short_commit
from planner.reports.redaction import Redactor


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "$0.00"),
        (5, "$0.05"),
        (176, "$1.76"),
        (123_456_789, "$1,234,567.89"),
        (-5, "-$0.05"),
        (-123_456, "-$1,234.56"),
        (None, "unknown"),
    ],
)
def test_money(cents: int | None, text: str) -> None:
    """Cents are shown as dollars, and an unknown sum as unknown, never as $0.00."""
    assert money(cents) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(144, 240, "$1.44–$2.40"), (16, 16, "$0.16"), (None, None, "unknown"), (144, None, "$1.44–unknown")],
)
def test_money_range(low: int | None, high: int | None, text: str) -> None:
    """A range shows both ends, or one price where they agree."""
    assert money_range(low, high) == text


@pytest.mark.parametrize(
    ("commit", "text"),
    [("22611a6" + 33 * "0", "22611a6"), ("22611461c" + 31 * "0", "22611461c"), (40 * "1", "1111111")],
)
def test_a_commit_of_digits_is_no_phone_number(commit: str, text: str) -> None:
    """Every 27th commit begins with seven digits, which would be redacted."""
    assert short_commit(commit) == text
    if not text.isdecimal():
        assert Redactor().text(f"at {text}") == f"at {text}"
